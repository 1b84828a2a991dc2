"""A suite of small tasks made on the spot: what is trained on, and what is measured with.

Both hold the same kinds of functions, each of another number, so that a very small model
can learn them, and nothing that is measured has been trained on.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

N_HELD_OUT = 3
"""Tasks of each kind that are measured with; text that three tasks share gives none away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of function of a number; K is another one in each task."""

    name: str
    does: str
    body: str
    value: Callable[[int, int], str]
    """What Sema prints for n and K."""


def _truth(value: bool) -> str:
    return "#t" if value else "#f"


KINDS = (
    Kind(name="plus-K", does="adds K to `n`", body="(+ n K)", value=lambda n, k: str(n + k)),
    Kind(name="less-K", does="takes K from `n`", body="(- n K)", value=lambda n, k: str(n - k)),
    Kind(name="times-K", does="gives K times `n`", body="(* n K)", value=lambda n, k: str(n * k)),
    Kind(name="to-K", does="takes `n` from K", body="(- K n)", value=lambda n, k: str(k - n)),
    Kind(
        name="rest-K",
        does="gives the rest of `n` divided by K",
        body="(mod n K)",
        value=lambda n, k: str(n % k),
    ),
    Kind(
        name="floor-K",
        does="gives the larger of `n` and K",
        body="(max n K)",
        value=lambda n, k: str(max(n, k)),
    ),
    Kind(
        name="cap-K",
        does="gives the smaller of `n` and K",
        body="(min n K)",
        value=lambda n, k: str(min(n, k)),
    ),
    Kind(
        name="over-K?",
        does="tells whether `n` is more than K",
        body="(> n K)",
        value=lambda n, k: _truth(n > k),
    ),
    Kind(
        name="under-K?",
        does="tells whether `n` is less than K",
        body="(< n K)",
        value=lambda n, k: _truth(n < k),
    ),
    Kind(
        name="pair-K",
        does="gives a list of `n` and K",
        body="(list n K)",
        value=lambda n, k: f"({n} {k})",
    ),
)


def write_suites(folder: Path, n_numbers: int, n_kinds: int) -> tuple[Path, Path]:
    """The suite to train on and the one to measure with, each number in one of them."""
    kinds, numbers = KINDS[:n_kinds], range(2, 2 + n_numbers)
    taught: list[tuple[Kind, int]] = []
    held: list[tuple[Kind, int]] = []
    for i, kind in enumerate(kinds):
        # Others for each kind: all numbers are met in training, each with most kinds.
        kept = {numbers[(7 * i + 5 * j) % n_numbers] for j in range(N_HELD_OUT)}
        for number in numbers:
            (held if number in kept else taught).append((kind, number))
    return _write(folder / "taught", taught), _write(folder / "held-out", held)


def _write(folder: Path, tasks: Sequence[tuple[Kind, int]]) -> Path:
    level = folder / "T1"
    level.mkdir(parents=True)
    (folder / "suite.yaml").write_text("\n".join(_suite(folder.name, len(tasks))), "utf-8")
    for number, (kind, k) in enumerate(tasks, start=1):
        name = kind.name.replace("-K", f"-{k}").removesuffix("?")
        path = level / f"{number:03}-{name}.yaml"
        path.write_text("\n".join(_task(f"T1-{path.stem}", kind, k)), "utf-8")
    return folder


def _suite(name: str, n_tasks: int) -> Iterator[str]:
    yield f"name: {name}"
    yield "version: 1"
    yield "language: Sema"
    yield "licence: MIT"
    yield f"levels: [{{name: T1, meaning: one function of one number, tasks: {n_tasks}}}]"


def _task(task_id: str, kind: Kind, k: int) -> Iterator[str]:
    name, does, body = (text.replace("K", str(k)) for text in (kind.name, kind.does, kind.body))
    # What JSON says is YAML, whatever characters it holds.
    yield f"id: {task_id}"
    yield "level: T1"
    yield "category: numbers"
    yield f"prompt: {json.dumps(f'Write a Sema function `({name} n)` that {does}.')}"
    yield "grade:"
    yield "  kind: program"
    yield "  cases:"
    # On both sides of K: `dataset build` leaves out what a task's cases do not tell from it.
    for n in (0, k - 1, k, k + 1, 90):
        value = kind.value(n, k)
        equals = f"(quote {value})" if value.startswith("(") else value
        yield f"    - {json.dumps({'call': f'({name} {n})', 'equals': equals})}"
    yield f"reference: {json.dumps(f'(define ({name} n) {body})')}"
