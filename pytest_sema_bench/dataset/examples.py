"""Rows from the functions of Sema's example files, each with what it needs of its file."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pytest_sema_bench.dataset.checkout import read_source, source_files
from pytest_sema_bench.dataset.prove import Draft, Sifting
from pytest_sema_bench.dataset.row import Source
from pytest_sema_bench.errors import SettingsError
from pytest_sema_bench.sema.names import local_names, names_defined, symbols_in, top_forms
from pytest_sema_bench.sema.reader import Form, Kind, ReadError, read_forms
from pytest_sema_bench.sema.value import unquote

_FUNCTIONS = frozenset({"define", "defn", "defun", "defmacro"})
_LAMBDAS = frozenset({"fn", "lambda"})
# What a comment begins with and how headings are ruled: `;; --- Helpers ---`, `;;; =====`.
_MARKS = re.compile(r"^[;\s]*[-=─═#*]*\s*|\s*[-=─═#*]{2,}\s*$")


def drafts(source: Path, licence: str, sifting: Sifting) -> Iterator[Draft]:
    """The functions of the files in `examples`. Raises SettingsError where there is none."""
    folder = source / "examples" if (source / "examples").is_dir() else source
    files = source_files(folder, "*.sema")
    if not files:
        raise SettingsError(f"{folder}: no *.sema here; expected a checkout of Sema's repository")
    for path, name in files:
        text = read_source(path)
        try:
            forms = tuple(top_forms(read_forms(text)))
        except ReadError as error:
            line = text.count("\n", 0, error.position) + 1
            sifting.drop("the file is no whole forms", f"{name}:{line} {error}")
            continue
        yield from _of_file(name, text, forms, licence)


def _of_file(name: str, text: str, forms: Sequence[Form], licence: str) -> Iterator[Draft]:
    owners: dict[str, list[Form]] = {}
    for form in forms:
        for defined in names_defined(form):
            owners.setdefault(defined, []).append(form)
    for form in forms:
        if not _is_function(form):
            continue
        (defined,) = names_defined(form)
        prompt = _docstring(form) or _comment_above(text, form)
        needed = _needed(form, owners)
        line = text.count("\n", 0, form.start) + 1
        yield Draft(
            place=f"{name}:{line} {defined}",
            source=Source.EXAMPLES,
            licence=licence,
            family=name,
            prompt=prompt and f"Write a Sema function `{_shape(form)}`. {prompt}",
            code="\n\n".join(each.text for each in forms if each in needed),
            tags=(defined, "commented" if prompt else "uncommented"),
        )


def _is_function(form: Form) -> bool:
    """Whether a form defines one function or macro by name."""
    if form.head not in _FUNCTIONS or len(names_defined(form)) != 1 or len(form.children) < 3:
        return False
    if form.head != "define" or form.children[1].kind is Kind.LIST:
        return True
    return form.children[2].head in _LAMBDAS or form.children[2].kind is Kind.LAMBDA


def _needed(form: Form, owners: Mapping[str, Sequence[Form]]) -> list[Form]:
    """The form and the definitions of its file that it leads to."""
    needed, pending = [form], [form]
    known = set(names_defined(form))
    while pending:
        user = pending.pop()
        for name in symbols_in(user.text) - local_names([user]) - known:
            known.add(name)
            new = [owner for owner in owners.get(name, ()) if owner not in needed]
            needed += new
            pending += new
    return needed


def _shape(form: Form) -> str:
    """How it is called: `(area w h)`, or its name where the form does not tell."""
    target = form.children[1]
    if target.kind is Kind.LIST:
        return target.text
    parameters = form.children[2]
    if form.head == "define" and len(parameters.children) > 1:
        parameters = parameters.children[1]
    inside = parameters.text[1:-1].strip() if parameters.children else ""
    return f"({target.text} {inside})" if inside else target.text


def _docstring(form: Form) -> str | None:
    """The text that stands before a function's body, on one line."""
    body = form.children[2 if form.children[1].kind is Kind.LIST else 3 :]
    if len(body) < 2 or body[0].kind is not Kind.STRING:
        return None
    return " ".join(unquote(body[0].text).split()) or None


def _comment_above(text: str, form: Form) -> str | None:
    """What the comment lines right above a form say, without rules and marks."""
    lines = text[: form.start].split("\n")[:-1]
    said: list[str] = []
    while lines and lines[-1].lstrip().startswith(";"):
        said.insert(0, _MARKS.sub("", lines.pop()).strip())
    return " ".join(filter(None, said)) or None
