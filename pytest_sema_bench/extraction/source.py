"""One block of code: what of it is code and what is output shown beside it.

A block may show results (`=> 25`, a bare value below a call, a REPL transcript). They are cut
out before the VM sees the code, so that a shown result can neither break an answer nor pass
for its value.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from pytest_sema_bench.extraction.message import line_end
from pytest_sema_bench.sema.reader import Form, Kind, ReadError, read_form, read_forms

ARROWS = frozenset(
    {"=>", "==>", "⇒", "→", "⟹", "⟶", "->", "-->", ">>", "//", "--", "#=>", "≡", "➜"}
)
_NAMED_PROMPT = re.compile(
    r"^[ \t]*(?:(?:sema|lisp|scheme|clj|racket|guile|repl|user|CL-USER)\S{0,20}?=?>|λ>?|#;>"
    r"|\[\d+\]>|\d+ \]=>)[ \t]+(?=\S)",
    re.MULTILINE | re.IGNORECASE,
)
_BARE_PROMPT = re.compile(r"^[ \t]*(?:>{1,3}|❯|»|\$)[ \t]+(?=[(\['`{#\"\w:])", re.MULTILINE)
_CONTINUATION = re.compile(r"^[ \t]*(?:\.{2,4}|…)[ \t]+", re.MULTILINE)
_DEFINED_IN_TEXT = re.compile(r"\(\s*def[\w-]*\s+\(?\s*(?P<name>[^\s()\[\]{}\"']+)")
_OUTPUT_LABELS = frozenset({"Output", "output", "Result", "result", "Returns", "Value"})
_DOTS = frozenset({"...", "…", "....", "<...>", "<body>"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A block's code."""

    text: str
    """The code without the results shown in it; the block as it is if it cannot be read."""
    forms: tuple[Form, ...]
    """Its forms; () if it cannot be read to the end."""
    defines: frozenset[str]
    """The names that it defines; a method counts with its dispatch value."""
    shown: tuple[str, ...]
    """The results that stood in it, as text, in order."""
    readable: bool

    @property
    def is_code(self) -> bool:
        """Whether it does something: a list with a name in front, or an attempt at one."""
        if not self.readable:
            return bool(re.search(r"^[ \t]*\([ \t]*[a-z]", self.text, re.MULTILINE | re.IGNORECASE))
        return any(is_call(form) for form in self.forms)

    @property
    def has_value(self) -> bool:
        """Whether its last form is there for its value, not a definition."""
        if not self.readable:
            return True
        return bool(self.forms) and not _is_definition(self.forms[-1])

    @property
    def is_sketch(self) -> bool:
        """Whether it leaves something out with `...`, so that it cannot run."""
        return any(form.text in _DOTS for form in _walk(self.forms))


def read_source(body: str) -> Source:
    """The code of a block."""
    answered: list[str] = []
    if prompts := _prompts(body):
        body, answered = _transcript(body, prompts)
    text, shown = _without_shown(body)
    forms = _read_all(text)
    return Source(
        text=text,
        forms=forms or (),
        defines=frozenset(_defined(forms) if forms else _defined_in_text(text)),
        shown=tuple(answered or shown),
        readable=forms is not None,
    )


def shown_in_transcript(prose: str) -> list[str]:
    """What was answered at the prompts of a REPL; [] if the text is no transcript."""
    prompts = list(_NAMED_PROMPT.finditer(prose))
    return _transcript(prose, prompts)[1] if prompts else []


def is_call(form: Form) -> bool:
    """Whether a form does something when evaluated: a list with a name in front."""
    return form.head is not None and not is_literal(form.children[0])


def is_literal(form: Form) -> bool:
    """Whether an atom or string stands for itself: anything but a symbol."""
    if form.kind is Kind.STRING:
        return True
    return form.kind is Kind.ATOM and bool(
        re.match(r"[-+]?\.?\d|[-+](?:inf|nan)\.|#|:.", form.text)
        or form.text in ("true", "false", "nil")
    )


def is_constant(form: Form) -> bool:
    """Whether a form is data that holds no symbol, so that only a printed value looks like it."""
    if form.kind in (Kind.LIST, Kind.VECTOR, Kind.MAP):
        return all(is_constant(child) for child in form.children) and not _is_lookup(form)
    return form.kind is Kind.BYTES or is_literal(form)


def _is_lookup(form: Form) -> bool:
    """`(:key {…})`: a keyword called on a map."""
    return bool(
        form.head
        and form.head.startswith(":")
        and len(form.children) in (2, 3)
        and form.children[1].kind is Kind.MAP
    )


def _is_definition(form: Form) -> bool:
    return bool(form.head and re.match(r"def(?!ault|er)", form.head) and len(form.children) > 1)


def _read_all(text: str) -> tuple[Form, ...] | None:
    try:
        return read_forms(text)
    except ReadError:
        return None


def _without_shown(body: str) -> tuple[str, list[str]]:
    """The code with shown results cut out, and the results; unread text is left as it is."""
    kept: list[str] = []
    shown: list[str] = []
    position, copied, n_calls = 0, 0, 0
    while position < len(body):
        try:
            form = read_form(body, position)
            mark_end = _result_mark_end(body, form)
            end = form.end if mark_end is None else _shown_end(body, mark_end)
        except ReadError:
            break
        position = end
        if mark_end is None and not (n_calls and is_constant(form)):
            n_calls += is_call(form) and not _is_definition(form)
            continue
        kept.append(body[copied : form.start])
        shown.append(body[form.start : position].strip())
        copied = position
    return ("".join(kept) + body[copied:]).strip("\n"), shown


def _result_mark_end(body: str, form: Form) -> int | None:
    """Where a mark such as `=>` or `Output:` ends that a result follows; None for other forms."""
    if form.kind is not Kind.ATOM:
        return None
    if form.text in _OUTPUT_LABELS and body.startswith(":", form.end):
        return form.end + 1
    return form.end if form.text in ARROWS or form.text.startswith("#<") else None


def _shown_end(body: str, position: int) -> int:
    """Where the result that begins here ends: with its line, or with a datum begun on it."""
    end = line_end(body, position)
    if not body[position:end].strip():
        return end
    datum = read_form(body, position)
    return end if datum.start >= end else line_end(body, datum.end)


def _prompts(body: str) -> list[re.Match[str]]:
    if named := list(_NAMED_PROMPT.finditer(body)):
        return named
    lines = (line for line in body.split("\n") if line.strip())
    first = next((line for line in lines if not line.lstrip().startswith(";")), "")
    return list(_BARE_PROMPT.finditer(body)) if _BARE_PROMPT.match(first) else []


def _transcript(body: str, prompts: list[re.Match[str]]) -> tuple[str, list[str]]:
    """What was typed at the prompts, and what was answered."""
    typed = [body[: prompts[0].start()]]
    answered: list[str] = []
    ends = [m.start() for m in prompts[1:]] + [len(body)]
    for prompt, end in zip(prompts, ends, strict=True):
        chunk = _CONTINUATION.sub("", body[prompt.end() : end])
        typed_end = _typed_end(chunk)
        typed.append(chunk[:typed_end])
        answered += [chunk[typed_end:].strip()] if chunk[typed_end:].strip() else []
    return "\n".join(typed), answered


def _typed_end(chunk: str) -> int:
    """Where the line or lines end that hold what was typed: the forms begun on the first."""
    end = 0
    while chunk[end : line_end(chunk, end)].strip():
        try:
            end = read_form(chunk, end).end
        except ReadError:
            return len(chunk)
    return end


def _defined(forms: tuple[Form, ...]) -> Iterator[str]:
    for form in forms:
        if form.head in ("begin", "do", "progn"):
            yield from _defined(form.children[1:])
        elif _is_definition(form):
            target = form.children[1]
            while target.kind is Kind.LIST and target.children:
                target = target.children[0]
            dispatch = form.children[2].text if form.head == "defmethod" else ""
            yield f"{target.text} {dispatch}".strip()


def _defined_in_text(text: str) -> Iterator[str]:
    return (found["name"] for found in _DEFINED_IN_TEXT.finditer(text))


def _walk(forms: tuple[Form, ...]) -> Iterator[Form]:
    pending = list(forms)
    while pending:
        form = pending.pop()
        yield form
        pending.extend(form.children)
