"""What was found, as text that a model or a person reads: a short list, or one entry whole.

The short list stays near `LIST_CHARS`. What does not fit loses its example first, then leaves
the list from the end; no sentence and no code is cut in the middle.
"""

from collections.abc import Iterator, Sequence

from pytest_sema_bench.docsearch.entry import Entry, Snippet
from pytest_sema_bench.docsearch.search import Found, Hit

LIST_CHARS = 1200
_ENTRY_CHARS = 2400
_N_EXACT_LINKS = 6

_ADVICE = (
    "Say in a few plain words what the code should do (for instance: keep the elements that "
    "satisfy a test), or give the name that another language has for it."
)


def describe(found: Found) -> str:
    """The result of a search: one entry whole if the query was its name, else the short list."""
    lead = f"({found.fallback}; searched by words instead.)\n" if found.fallback else ""
    if not found.hits:
        return f"{lead}Nothing found for {_quoted(found.query)}. {_ADVICE}"
    if found.exact:
        return lead + whole(found.hits[0].entry)
    return lead + short_list(found.hits, found.query)


def short_list(hits: Sequence[Hit], query: str = "", max_chars: int = LIST_CHARS) -> str:
    """The hits in order, each with shape and sentence, and an example where there is room."""
    notes = list(_notes(hits, query))
    heads = [_head(number, hit.entry) for number, hit in enumerate(hits, 1)]
    room = max_chars - sum(len(text) + 1 for text in (*notes, heads[0]))
    blocks = [heads[0]]
    for head in heads[1:]:
        if len(head) + 1 > room:
            break
        room -= len(head) + 1
        blocks.append(head)
    for index, hit in enumerate(hits[: len(blocks)]):
        example = _example(hit)
        if example and len(example) < room:
            room -= len(example) + 1
            blocks[index] += "\n" + example
    return "\n".join([*notes, *blocks])


def whole(entry: Entry) -> str:
    """All that is known of one entry; what does not fit is left out from the end."""
    lines = [f"{entry.name} ({entry.kind.value}, {entry.module})"]
    if entry.aliases:
        lines.append(f"Also: {' '.join(entry.aliases)}")
    lines += [f"Call: {entry.shape}", entry.summary]
    lines += [f"  {_shown(example)}" for example in entry.examples]
    lines += [f"  {edge.when}: {_shown(edge)}" for edge in entry.edges]
    links = f"See also: {' '.join(entry.see[:_N_EXACT_LINKS])}" if entry.see else ""
    room = _ENTRY_CHARS - len(links)
    kept: list[str] = []
    for line in lines:
        room -= len(line) + 1
        if room < 0:
            break
        kept.append(line)
    return "\n".join([*kept, links] if links else kept)


def _notes(hits: Sequence[Hit], query: str) -> Iterator[str]:
    """What is to be said of names from other languages, once for each row of the table."""
    seen: set[tuple[str, ...]] = set()
    for hit in hits:
        row = hit.foreign
        if row is not None and row.names not in seen:
            seen.add(row.names)
            said = [name for name in row.names if name in query]
            name = max(said, key=len, default=row.names[0])
            yield f"{name}: {row.note}"
            if row.example is not None:
                yield f"   {_shown(row.example)}"


def _head(number: int, entry: Entry) -> str:
    return f"{number}. {entry.name}  {entry.shape}\n   {entry.summary}"


def _example(hit: Hit) -> str:
    return f"   {_shown(hit.entry.examples[0])}" if hit.entry.examples else ""


def _shown(snippet: Snippet) -> str:
    code = " ".join(snippet.code.split("\n"))
    printed = f" ; prints {' / '.join(snippet.prints)}" if snippet.prints else ""
    if snippet.error is not None:
        return f"{code} => error: {snippet.error}{printed}"
    return f"{code} => {snippet.value}{printed}"


def _quoted(query: str) -> str:
    return repr(query if len(query) <= 80 else f"{query[:79]}…")
