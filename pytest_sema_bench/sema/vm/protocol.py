"""The contract of a VM: sources in, an `Evaluation` for each out."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from pytest_sema_bench.settings import Limits


class ErrorClass(Enum):
    """What kind of error ended an evaluation; the closed set that records and tables use."""

    PARSE = "parse"
    UNBOUND = "unbound"
    ARITY = "arity"
    TYPE = "type"
    MATCH = "match"
    EXCEPTION = "exception"
    STEPS = "steps"
    STACK = "stack"
    MEMORY = "memory"
    TIME = "time"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What one source string did in its interpreter."""

    value: str | None = None
    """The printed value; None for nil, a definition, an empty source and an error."""
    output: tuple[str, ...] = ()
    """The lines it printed, cut to head and tail at `Limits.output_bytes`."""
    error: str | None = None
    """The VM's message, or ours where the VM could not give one; None if there was no error."""
    error_class: ErrorClass | None = None
    error_name: str | None = None
    """The name or form that the error is about, where the message tells it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VMInfo:
    """Which VM answers, so that a record can say what judged it."""

    backend: str
    version: str
    build: str
    """Hash of what is executed: two runs with the same build were judged by the same VM."""
    host: str
    """What runs it, for people: for instance `node v20.20.2`."""
    confinement: tuple[str, ...] = ()
    """What keeps a program from the machine that runs it, a sentence each."""

    @property
    def label(self) -> str:
        """`wasm 1.36.0 (a1b2c3d4)`: what records carry and comparisons match on."""
        return f"{self.backend} {self.version} ({self.build[:8]})"


class SemaVM(Protocol):
    """A way to reach the VM. Each `evaluate` call gets an interpreter of its own."""

    async def evaluate(self, sources: Sequence[str], limits: Limits) -> tuple[Evaluation, ...]:
        """One Evaluation per source, run in order in one fresh interpreter.

        An error in one source does not stop the next, except where the interpreter is
        lost with it (memory, time, a trap) or has spent its steps, which all sources
        share: then the rest carry the same error class.
        Raises VMError where the host, not the program, is at fault.
        """
        ...

    async def info(self) -> VMInfo:
        """What this VM is. Raises VMError if it cannot be started."""
        ...

    async def close(self) -> None:
        """End its processes; it can be called more than once."""
        ...
