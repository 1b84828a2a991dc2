"""What is found in a message does not depend on how the answer is dressed up.

The answers are those of our own suite, references and wrong ones; the dressings are in
samples/messages/dressings.yaml. A wrong answer must be found as it is, too: dressing it up
with the right value must not pass for it.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from pytest_sema_bench.extraction import extract
from pytest_sema_bench.sema.reader import read_forms
from pytest_sema_bench.suite.folder import suite_folder
from pytest_sema_bench.suite.task import GradeKind, Task, load_tasks

_DRESSINGS = yaml.safe_load(
    (Path(__file__).parents[1] / "samples" / "messages" / "dressings.yaml").read_text("utf-8")
)


@pytest.fixture(scope="module")
def suite() -> tuple[Task, ...]:
    """The sixty tasks."""
    return load_tasks(suite_folder())


def answers(task: Task) -> list[str]:
    """The right answer and two wrong ones."""
    return [(task.reference or "").strip(), *(wrong.code.strip() for wrong in task.wrong[:2])]


def defined_name(code: str) -> str | None:
    """The first name that is defined at the beginning of a line."""
    found = re.search(r"(?m)^\((?:define|defmacro) \(?([^\s()]+)", code)
    return found[1] if found else None


def forms(sources: tuple[str, ...]) -> list[str]:
    """The forms of sources, comments and layout aside."""
    found = [form for source in sources for form in read_forms(source)]
    return [" ".join(re.sub(r";[^\n]*", "", form.text).split()) for form in found]


def programs(suite: tuple[Task, ...]) -> Iterator[tuple[Task, str, str]]:
    """Task, answer and a name it defines, for answers that are definitions."""
    for task in suite:
        for code in answers(task) if task.kind is GradeKind.PROGRAM else []:
            if (name := defined_name(code)) and not name.startswith("def"):
                yield task, code, name


@pytest.mark.parametrize("dressing", _DRESSINGS["code"].values(), ids=_DRESSINGS["code"])
def test_a_program_is_found_in_any_dressing(suite: tuple[Task, ...], dressing: str) -> None:
    """The same forms, none more and none fewer."""
    n_checked = 0
    for task, code, name in programs(suite):
        message = dressing.replace("@CODE@", code).replace("@NAME@", name)
        assert forms(extract(message, task.kind).blocks) == forms((code,)), task.id
        n_checked += 1
    assert n_checked > 90


@pytest.mark.parametrize("dressing", _DRESSINGS["values"].values(), ids=_DRESSINGS["values"])
def test_a_value_is_found_in_any_dressing(suite: tuple[Task, ...], dressing: str) -> None:
    """The value that is stated, right or wrong, not the other one that is mentioned."""
    n_checked = 0
    for task in suite:
        if task.kind is not GradeKind.VALUE:
            continue
        question = " ".join(re.split(r"```(?:sema)?", task.prompt)[1].split())
        values = answers(task)
        for value, other in zip(values, [*values[1:], values[0]], strict=True):
            message = dressing.replace("@VALUE@", value).replace("@OTHER@", other)
            message = message.replace("@QUESTION@", question)
            blocks = extract(message, task.kind, task.prompt).blocks
            assert blocks == (value.removeprefix("'"),), task.id
            n_checked += 1
    assert n_checked > 40
