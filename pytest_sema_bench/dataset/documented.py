"""Rows from our own documentation of Sema: what a name does, and code that shows it."""

from collections.abc import Iterator

from pytest_sema_bench.dataset.prove import Draft
from pytest_sema_bench.dataset.row import Source
from pytest_sema_bench.docsearch.corpus import load_corpus
from pytest_sema_bench.docsearch.entry import Entry, Snippet

LICENCE = "MIT"


def drafts(version: str) -> Iterator[Draft]:
    """The examples of each entry that hold for a version; those that show an error are left out."""
    for entry in load_corpus().on(version).entries:
        for example in entry.examples:
            if example.error is None:
                yield _draft(entry, example)


def _draft(entry: Entry, example: Snippet) -> Draft:
    shown = [f"prints {line!r}" for line in example.prints]
    if example.value not in (None, "nil"):
        shown.append(f"gives {example.value}")
    ends = f" The code {' and '.join(shown)}." if shown else ""
    return Draft(
        place=f"{entry.path.name}:{example.line} {entry.name}",
        source=Source.DOCS,
        licence=LICENCE,
        family=entry.name,
        prompt=f"{entry.summary} Show that in Sema with a short example.{ends}",
        code=example.code,
        tags=(entry.module, entry.name),
        expected=example.value,
    )
