"""Proves the documentation on the VM: every snippet, every name, and that nothing is missing.

Problems are collected, not raised, each with file and line, so that one run shows them all.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from pytest_sema_bench.docsearch.corpus import docs_folder
from pytest_sema_bench.docsearch.entry import Entry, EntryKind, Foreign, Hint, Row, Snippet
from pytest_sema_bench.docsearch.hints import hint_for
from pytest_sema_bench.errors import FileError
from pytest_sema_bench.sema.vm import ErrorClass, Evaluation, SemaVM
from pytest_sema_bench.settings import Limits

MIN_INTENTS, MAX_INTENTS = 4, 8
MAX_SUMMARY_CHARS = 110
MAX_EXAMPLE_CHARS = 90
"""Code and value of the first example together, which stand in a short list."""
_LIMITS = Limits()


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """How many of a module's usable names have an entry."""

    module: str
    n_names: int
    missing: tuple[str, ...]


def check_words(entries: Sequence[Entry]) -> Iterator[FileError]:
    """What can be seen without the VM: lengths, intents, names that stand twice, links."""
    known = {name for entry in entries for name in entry.names}
    counts = Counter(name for entry in entries for name in entry.names)
    owners: dict[str, Entry] = {}
    for entry in entries:
        yield from (_problem(entry, text) for text in _entry_faults(entry))
        for name in entry.names:
            if counts[name] > 1:
                yield _problem(entry, f"the name {name!r} stands in {counts[name]} places")
        for link in entry.see:
            if link not in known:
                yield _problem(entry, f"see {link!r}: there is no such entry")
        for intent in (*entry.intents, *entry.asked):
            first = owners.setdefault(_plain(intent), entry)
            if first is not entry:
                yield _problem(entry, f"the intent {intent!r} is that of {first.name!r} too")


def _entry_faults(entry: Entry) -> Iterator[str]:
    if len(entry.summary) > MAX_SUMMARY_CHARS:
        yield f"the summary has {len(entry.summary)} characters, at most {MAX_SUMMARY_CHARS}"
    if not entry.examples:
        yield "no example holds for this version of Sema"
        return
    first = entry.examples[0]
    if (n_chars := len(first.code) + len(first.value or "")) > MAX_EXAMPLE_CHARS:
        yield f"the first example has {n_chars} characters, at most {MAX_EXAMPLE_CHARS}"
    if not MIN_INTENTS <= len(entry.intents) <= MAX_INTENTS:
        yield f"{len(entry.intents)} intents, expected {MIN_INTENTS} to {MAX_INTENTS}"
    asked = [*map(_plain, (*entry.intents, *entry.asked))]
    if len(set(asked)) < len(asked):
        yield "an intent stands here twice"
    if entry.name in entry.aliases:
        yield "the name is among its own aliases"


def check_foreign(foreign: Sequence[Foreign], entries: Sequence[Entry]) -> Iterator[FileError]:
    """What is wrong in the table of foreign names: targets that are not there, names twice."""
    known = {name for entry in entries for name in entry.names}
    owners: dict[str, Foreign] = {}
    for row in foreign:
        for target in row.sema:
            if target not in known:
                yield _problem(row, f"{target!r} has no entry in the corpus")
        for name in row.names:
            if name in known and name not in row.sema:
                yield _problem(row, f"{name!r} is a name of Sema's own")
            first = owners.setdefault(name, row)
            if first is not row:
                yield _problem(row, f"{name!r} stands in line {first.line} too")


async def check_snippets(rows: Iterable[Row], vm: SemaVM) -> list[FileError]:
    """The snippets that do not do what they say, each run in an interpreter of its own."""

    async def check(row: Row, snippet: Snippet) -> FileError | None:
        (evaluation,) = await vm.evaluate([snippet.code], _LIMITS)
        fault = snippet_fault(snippet, evaluation)
        if fault is None:
            return None
        return FileError(row.path, snippet.line, f"{_label(row)}: {snippet.code}: {fault}")

    checks = (check(row, snippet) for row in rows for snippet in row.snippets)
    return [problem for problem in await asyncio.gather(*checks) if problem is not None]


def snippet_fault(snippet: Snippet, evaluation: Evaluation) -> str | None:
    """What the VM did instead of what the snippet says; None where they agree."""
    if evaluation.error is not None:
        if snippet.error is not None and snippet.error in evaluation.error:
            return None
        wanted = f"{snippet.value}" if snippet.error is None else f"an error with {snippet.error!r}"
        return f"gives the error {evaluation.error.splitlines()[0][:200]!r}, expected {wanted}"
    got = "nil" if evaluation.value is None else evaluation.value
    if snippet.error is not None:
        return f"gives {got}, expected an error with {snippet.error!r}"
    # Not every backend breaks a long value into lines.
    if got.split() != (snippet.value or "").split():
        return f"gives {got}, expected {snippet.value}"
    if evaluation.output != snippet.prints:
        return f"prints {list(evaluation.output)}, expected {list(snippet.prints)}"
    return None


async def check_bound(entries: Sequence[Entry], vm: SemaVM) -> list[FileError]:
    """The entries with a name that the VM does not know; special forms are no variables."""
    named = [
        (entry, name)
        for entry in entries
        if entry.kind is not EntryKind.SPECIAL_FORM
        for name in entry.names
    ]
    if not named:
        return []
    found = await vm.evaluate([name for _, name in named], _LIMITS)
    return [
        _problem(entry, f"{name!r} is not bound in the VM")
        for (entry, name), evaluation in zip(named, found, strict=True)
        if evaluation.error_class is ErrorClass.UNBOUND
    ]


async def check_hints(hints: Iterable[Hint], vm: SemaVM) -> list[FileError]:
    """The hints that an agent would not get for the error of their example."""
    version = (await vm.info()).version
    problems = []
    for hint in hints:
        (evaluation,) = await vm.evaluate([hint.example.code], _LIMITS)
        given = hint_for(evaluation.error or "", hint.example.code, version)
        if given != hint.text:
            problems.append(_problem(hint, f"{hint.example.code}: gets the hint {given!r}"))
    return problems


def usable_names() -> dict[str, tuple[str, ...]]:
    """The names that the corpus has to cover, by module."""
    modules: dict[str, list[str]] = {}
    module = ""
    for line in (docs_folder() / "usable_names.txt").read_text("utf-8").splitlines():
        if line.startswith("; "):
            module = line[2:]
        elif line:
            modules.setdefault(module, []).append(line)
    return {module: tuple(names) for module, names in modules.items()}


def coverage(entries: Iterable[Entry]) -> tuple[Coverage, ...]:
    """Which usable names have an entry or stand as an alias in one, by module."""
    known = {name for entry in entries for name in entry.names}
    return tuple(
        Coverage(
            module=module,
            n_names=len(names),
            missing=tuple(name for name in names if name not in known),
        )
        for module, names in usable_names().items()
    )


def _problem(row: Row, message: str) -> FileError:
    return FileError(row.path, row.line, f"{_label(row)}: {message}")


def _label(row: Row) -> str:
    if isinstance(row, Hint):
        return "hint"
    return row.name if isinstance(row, Entry) else row.names[0]


def _plain(intent: str) -> str:
    return " ".join(intent.lower().split())
