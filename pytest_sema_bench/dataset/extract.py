"""Rows from the test macros in Sema's own Rust files."""

from collections.abc import Iterator
from pathlib import Path

from pytest_sema_bench.dataset.checkout import source_files
from pytest_sema_bench.dataset.prove import Draft, End, Sifting
from pytest_sema_bench.dataset.row import Source
from pytest_sema_bench.dataset.rust import MACROS, RustCase, read_cases
from pytest_sema_bench.errors import SettingsError


def drafts(source: Path, licence: str, sifting: Sifting) -> Iterator[Draft]:
    """The cases of `eval_tests!` and `eval_error_tests!`. Raises SettingsError without any."""
    n_cases = 0
    for path, relative in source_files(source, "*.rs"):
        for case in read_cases(path):
            n_cases += 1
            place = f"{relative}:{case.line} {case.name}"
            if case.input is None:
                sifting.drop(case.fault or "", place)
            else:
                yield _draft(case, case.input, place, relative, licence)
    if not n_cases:
        names = " or ".join(f"{name}!" for name in MACROS)
        raise SettingsError(f"{source}: no {names} in any Rust file here; expected Sema's sources")


def _draft(case: RustCase, code: str, place: str, relative: str, licence: str) -> Draft:
    end = End.VALUE if case.macro == "eval_tests" else End.ERROR
    return Draft(
        place=place,
        source=Source.EXTRACT,
        licence=licence,
        family=f"{relative}#{case.first}",
        code=code,
        tags=(end.value, case.name),
        end=end,
        expected=case.expected if end is End.ERROR else None,
    )
