"""Code that stands in the prose of a message, where there is no block of code."""

import re

from pytest_sema_bench.extraction.message import code_spans, line_end
from pytest_sema_bench.extraction.source import Source, is_call, read_source
from pytest_sema_bench.sema.reader import Form, ReadError, read_form

_CODE_LINE = re.compile(
    r"^[ \t]*(?:[-*>•][ \t]+|\d+[.)][ \t]+)?[*_]{0,3}"
    r"(?:\w[\w ]{0,30}:[ \t]*|(?:sema\S{0,10}>|>{1,3}|λ>?)[ \t]+)?(?=\()",
    re.MULTILINE,
)
_BEGINS_CODE = re.compile(r"\((?:def|let|->)")
_CLOSERS = re.compile(r"(?:[ \t]*[)\]}])*+")
_AFTER_CODE = re.compile(r"[ \t]*(?:[)\]}]|;|=>|→|⇒|->|//|#|[*_]{1,3}\s|[*_]{0,3}$)", re.MULTILINE)
_REMARK = re.compile(r"\w[.,:](?:\s|\)$)")


def bare_code(prose: str, *, is_all_code: bool = False) -> str | None:
    """The forms that begin a line and are not followed by words, None if there are none.

    A closing bracket too many is kept, and so is a form that is never closed if it begins as
    code does or the text is meant to be code: leaving prose out must not mend code.
    """
    kept: list[str] = []
    # Each failed read can go to the end of the text, so what all reads may cost is bounded.
    position, to_spend = 0, len(prose) + 20_000
    while to_spend > 0 and (found := _CODE_LINE.search(prose, position)):
        start = found.end()
        position = line_end(prose, start)
        try:
            form = read_form(prose, start)
        except ReadError as error:
            if error.unfinished and (is_all_code or _BEGINS_CODE.match(prose, start)):
                kept.append(prose[start:])
                break
            to_spend -= (len(prose) if error.unfinished else error.position) - start
            continue
        to_spend -= form.end - start
        position = form.end
        if _AFTER_CODE.match(prose, form.end) and _reads_as_code(form):
            closers = _CLOSERS.match(prose, form.end)
            position = closers.end() if closers else form.end
            kept.append(prose[start:position])
    return "\n".join(kept) or None


def inline_code(prose: str) -> list[Source]:
    """The definitions among the `…` spans, or else the longest call; [] if there is none."""
    spans = [text for line in prose.split("\n") for _, _, text in code_spans(line)]
    sources = [source for source in map(read_source, spans) if source.is_code]
    definitions = [source for source in sources if source.defines]
    return definitions or sorted(sources, key=lambda source: len(source.text))[-1:]


def _reads_as_code(form: Form) -> bool:
    """Whether a form is code and not a remark in brackets."""
    if not is_call(form) or form.head is None:
        return False
    return form.head.startswith("def") or not (form.head[0].isupper() or _REMARK.search(form.text))
