"""The documentation says what is so: every snippet is run on the real VM, every name is bound."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from pytest_sema_bench.docsearch.check import (
    check_bound,
    check_hints,
    check_snippets,
    snippet_fault,
)
from pytest_sema_bench.docsearch.corpus import (
    corpus_files,
    docs_folder,
    holding,
    load_entries,
    load_foreign,
    load_hints,
)
from pytest_sema_bench.docsearch.entry import Entry, Hint, Row, Snippet
from pytest_sema_bench.errors import FileError
from pytest_sema_bench.sema.vm import SemaVM, create_vm
from pytest_sema_bench.sema.vm.install import pinned_version
from tests import sema_builds
from tests.conftest import VMEval
from tests.small_docs import entry

LOADERS: dict[Path, Callable[[Path], Sequence[Row]]] = {
    **dict.fromkeys(corpus_files(), load_entries),
    docs_folder() / "foreign.yaml": load_foreign,
    docs_folder() / "hints.yaml": load_hints,
}


def held(rows: Sequence[Row], version: str) -> list[Row]:
    """What of the rows holds for a version."""
    return [row.on(version) for row in rows if version in row.versions]


@pytest.mark.parametrize("path", LOADERS, ids=lambda path: path.stem)
def test_every_snippet_does_what_it_says(
    path: Path, vm: SemaVM, event_loop_runner: asyncio.Runner
) -> None:
    """Examples and edges give the value, the error and the output that stand beside them."""
    rows = held(LOADERS[path](path), pinned_version())
    assert any(row.snippets for row in rows)
    assert list(map(str, event_loop_runner.run(check_snippets(rows, vm)))) == []


def test_everything_holds_for_the_next_version_too(event_loop_runner: asyncio.Runner) -> None:
    """What differs on Sema 2.0.0 is marked with the versions that it holds for."""
    vm = create_vm(str(sema_builds.wasm()), n_hosts=2)
    rows = [row for path, load in LOADERS.items() for row in load(path)]
    entries = [row for row in rows if isinstance(row, Entry)]
    hints = [row for row in rows if isinstance(row, Hint)]

    async def problems() -> list[FileError]:
        version = (await vm.info()).version
        return [
            *await check_snippets(held(rows, version), vm),
            *await check_bound(holding(entries, version), vm),
            *await check_hints(holding(hints, version), vm),
        ]

    try:
        assert list(map(str, event_loop_runner.run(problems()))) == []
    finally:
        event_loop_runner.run(vm.close())


def test_every_name_is_bound(vm: SemaVM, event_loop_runner: asyncio.Runner) -> None:
    """Names and aliases of functions, macros and values; special forms are no variables."""
    entries = [entry for path in corpus_files() for entry in load_entries(path)]
    assert len(entries) > 500
    assert list(map(str, event_loop_runner.run(check_bound(entries, vm)))) == []


def test_a_name_that_is_not_bound_is_found(vm: SemaVM, event_loop_runner: asyncio.Runner) -> None:
    """An alias that somebody made up is a problem of its entry."""
    made_up = entry("foldl", "Folds.", aliases=("list/fold-lefty",))
    (problem,) = event_loop_runner.run(check_bound([made_up], vm))
    assert "'list/fold-lefty' is not bound in the VM" in str(problem)


FAULTS = {
    "another value": (Snippet(code="(+ 1 2)", value="4"), "gives 3, expected 4"),
    "an error": (Snippet(code="(car 5)", value="4"), "gives the error"),
    "no error": (Snippet(code="(+ 1 2)", error="no"), "gives 3, expected an error with 'no'"),
    "another error": (Snippet(code="(nope)", error="arity"), "expected an error with 'arity'"),
    "output": (Snippet(code='(println "a")', value="nil"), "prints ['a'], expected []"),
    "no output": (Snippet(code="1", value="1", prints=("a",)), "prints [], expected ['a']"),
}


@pytest.mark.parametrize(("snippet", "fault"), FAULTS.values(), ids=FAULTS)
def test_a_snippet_that_is_not_so_is_found(snippet: Snippet, fault: str, vm_eval: VMEval) -> None:
    """The fault says what the VM did and what was expected."""
    assert fault in (snippet_fault(snippet, vm_eval([snippet.code])[0]) or "")


SIXTY = f"({' '.join(map(str, range(60)))})"
TRUE = {
    "a value": Snippet(code="(+ 1 2)", value="3"),
    "nil for a definition": Snippet(code="(define x 1)", value="nil"),
    "a part of the error": Snippet(code="(nope)", error="Unbound variable"),
    "a value over several lines": Snippet(code="(range 60)", value=SIXTY),
    "output": Snippet(code='(println "a") (println "b") 1', value="1", prints=("a", "b")),
}  # fmt: skip


@pytest.mark.parametrize("snippet", TRUE.values(), ids=TRUE)
def test_a_snippet_that_is_so_has_no_fault(snippet: Snippet, vm_eval: VMEval) -> None:
    """Layout of a printed value does not count, everything else does."""
    assert snippet_fault(snippet, vm_eval([snippet.code])[0]) is None
