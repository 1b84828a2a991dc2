"""A documentation of a few entries, small enough to reason about every rank."""

from pathlib import Path

from pytest_sema_bench.docsearch.corpus import Corpus
from pytest_sema_bench.docsearch.entry import Entry, EntryKind, Foreign, Snippet
from pytest_sema_bench.docsearch.lexical import LexicalSearch

HERE = Path("small.yaml")


def entry(
    name: str,
    summary: str,
    *intents: str,
    aliases: tuple[str, ...] = (),
    module: str = "small",
    shape: str | None = None,
    see: tuple[str, ...] = (),
    code: str = "(+ 1 2)",
) -> Entry:
    """An entry with one example, `code` => 3."""
    return Entry(
        name=name,
        aliases=aliases,
        kind=EntryKind.FUNCTION,
        module=module,
        shape=shape or f"({name} x)",
        summary=summary,
        edges=(Snippet(code="(+)", value="0", when="nothing is given"),),
        examples=(Snippet(code=code, value="3"),),
        intents=intents,
        see=see,
        path=HERE,
    )


CORPUS = Corpus(
    entries=(
        entry(
            "list/index-of",
            "Position of the first element equal to a value.",
            "where in a sequence an item occurs",
            "which slot holds a given thing",
        ),
        entry(
            "string/join",
            "One string of all, with a separator between them.",
            "glue words with commas",
            aliases=("string-join",),
        ),
        entry(
            "filter", "The elements that satisfy a predicate.", "keep what passes a test",
            see=("list/reject",),
        ),
        entry("list/reject", "The elements that do not satisfy a predicate.", "throw some away"),
        entry("set!", "Gives a variable another value.", "change state"),
        entry("fn", "A function without a name.", "an inline procedure", aliases=("lambda",)),
        entry("->>", "Passes a value through forms as the last argument.", "chain of steps"),
        entry("not", "Whether the value is false.", "turn yes into no"),
        entry(
            "#(…)", "A short function with % for its argument.", "shorthand closure",
            module="syntax", shape="#(body with %)", see=("#t", "fn"),
        ),
    ),
    foreign=(
        Foreign(
            names=("atom", "swap!"),
            languages=("clojure",),
            sema=("set!",),
            note="There are no atoms; a variable is set.",
            example=Snippet(code="(define x 1) (set! x 2) x", value="2"),
            path=HERE,
        ),
        Foreign(
            names=("clojure.string/join", "str.join"),
            languages=("clojure", "python"),
            sema=("string/join",),
            note="The separator comes last.",
            path=HERE,
        ),
        Foreign(
            names=("remove",), languages=("clojure", "scheme"), sema=("list/reject",),
            note="Takes the predicate first.", path=HERE,
        ),
        Foreign(
            names=("remove",), languages=("javascript",), sema=("filter",),
            note="Nothing is changed in place.", path=HERE,
        ),
    ),
    synonyms=(("glue", "paste"), ("position", "locate"), ("discard", "throw", "get rid of")),
)  # fmt: skip


def small_search(corpus: Corpus = CORPUS) -> LexicalSearch:
    """The lexical search over the small documentation."""
    return LexicalSearch(corpus)
