"""A line of our own below an error of the VM that does not tell its cure.

What the VM says of syntax, order of arguments and kinds of values is covered by `hints.yaml`; a
name that Sema does not have by the table of foreign names. An advice of the VM's own is left
alone, unless all it has is a name that looks alike.
"""

import re
from functools import cache

from pytest_sema_bench.dialect import Dialect
from pytest_sema_bench.docsearch.corpus import docs_folder, load_foreign, load_hints
from pytest_sema_bench.docsearch.entry import Foreign, Hint, without_namespace
from pytest_sema_bench.docsearch.in_dialect import foreign_in, hint_in
from pytest_sema_bench.sema.names import names_bound
from pytest_sema_bench.sema.reader import Form, ReadError, read_forms

_UNBOUND = re.compile(r"^Unbound variable: (\S+)")
_ADVICE = re.compile(r"^ *hint: (?!Did you mean)", re.MULTILINE)
_MAX_CHARS = 300


def hint_for(error: str, source: str, version: str, dialect: Dialect | None = None) -> str | None:
    """What would mend a program that met this error; None if nothing is known.

    Error and program are Sema's, the answer is in the dialect.
    """
    fitting = (hint for hint in _hints() if version in hint.versions and hint.fits(error, source))
    if hint := next(fitting, None):
        return (hint if dialect is None else hint_in(hint, dialect)).text
    unbound = _UNBOUND.match(error)
    if unbound is None or _ADVICE.search(error):
        return None
    return _foreign_hint(unbound[1], source, version, dialect)


def _foreign_hint(name: str, source: str, version: str, dialect: Dialect | None) -> str | None:
    """What Sema has instead of a name of another language."""
    found = foreign_row(name, source, version)
    if found is None:
        return None
    name, row = found
    return _told(name, row if dialect is None else foreign_in(row, dialect))


def foreign_row(name: str, source: str, version: str) -> tuple[str, Foreign] | None:
    """The foreign name that left a name in a source unbound, and its row; None if none is known.

    Arguments come before what they are given to: that `for` is unknown shows as an unknown `x`
    in `(for [x xs] …)`. So the heads of the forms around the name are asked too, from outside.
    """
    for candidate in (name, *_heads_around(name, source)):
        row = _row(candidate, version)
        if row is not None and candidate not in names_bound(source):
            return candidate, row
    return None


def _told(name: str, row: Foreign) -> str:
    told = f"Sema has no {name}; it has {', '.join(row.sema)}. {row.note}"
    if row.example is None or row.example.value is None:
        return told
    example = f" For instance {row.example.code} => {row.example.value}"
    return told + example if len(told) + len(example) <= _MAX_CHARS else told


def _row(name: str, version: str) -> Foreign | None:
    names = (name.lower(), *without_namespace(name.lower()))
    rows = (row for each in names for row in _foreign().get(each, ()) if name not in row.sema)
    return next((row.on(version) for row in rows if version in row.versions), None)


def _heads_around(name: str, source: str) -> tuple[str, ...]:
    try:
        forms = read_forms(source)
    except ReadError:
        return ()
    return tuple(head for form in forms for head in _heads(form, name))


def _heads(form: Form, name: str) -> tuple[str, ...]:
    """The heads of the forms that hold the name somewhere, from outside inwards."""
    if form.text == name:
        return ("",)
    inner = next((found for child in form.children if (found := _heads(child, name))), ())
    return (form.head or "", *inner) if inner else ()


@cache
def _hints() -> tuple[Hint, ...]:
    return load_hints(docs_folder() / "hints.yaml", check=False)


@cache
def _foreign() -> dict[str, list[Foreign]]:
    """The rows by name, in lower case."""
    table: dict[str, list[Foreign]] = {}
    for row in load_foreign(docs_folder() / "foreign.yaml", check=False):
        for name in row.names:
            table.setdefault(name.lower(), []).append(row)
    return table
