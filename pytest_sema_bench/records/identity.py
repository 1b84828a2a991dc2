"""What tells items apart, and how that is written: a task, who is asked it how, which sample."""

import hashlib
import re
from dataclasses import dataclass

_LONGEST_NAME = 120
"""File systems take 255 bytes, with the extension."""


@dataclass(frozen=True, slots=True, order=True)
class Setup:
    """A model in a configuration."""

    model: str
    config: str

    @property
    def name(self) -> str:
        """`kimi-k2.6-tools`, as in item names."""
        return f"{self.model}-{self.config}"


@dataclass(frozen=True, slots=True, order=True)
class TaskKey:
    """A task as one model is asked it in one configuration: all its samples."""

    task: str
    setup: Setup


@dataclass(frozen=True, slots=True, order=True)
class ItemKey:
    """One item of a run: one sample of a task."""

    task: str
    setup: Setup
    sample: int
    """1 for the first."""

    @property
    def task_key(self) -> TaskKey:
        """The task, whatever the sample."""
        return TaskKey(self.task, self.setup)

    @property
    def label(self) -> str:
        """`kimi-k2.6-tools-s1`: what tells it apart among the items of its task."""
        return f"{self.setup.name}-s{self.sample}"

    @property
    def file(self) -> str:
        """The item as a path: `L2-05-palindrome/kimi-k2.6-tools-s1`."""
        return f"{_file_name(self.task)}/{_file_name(self.label)}"

    def __str__(self) -> str:
        return f"{self.task} {self.label}"


def _file_name(text: str) -> str:
    """The text in what every file system takes; with a hash of it if something had to go.

    `openrouter:deepseek/chat` becomes `openrouter_deepseek_chat-43b291`, so two names that differ
    only in what is lost keep files of their own.
    """
    # Letters of any script stay; a leading dot would hide the file or lead out of the folder.
    name = re.sub(r"[^\w.-]+", "_", text).lstrip(".")[:_LONGEST_NAME]
    return name if name == text else f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:6]}"
