"""One piece of a message's code: what of it is code and what is output shown beside it.

A block may show results (`=> 25`, a bare value below a call, a REPL transcript). They are cut
out before the VM sees the code, so that a shown result can neither break an answer nor pass
for its value.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pytest_sema_bench.extraction.message import line_end
from pytest_sema_bench.sema.names import top_forms
from pytest_sema_bench.sema.reader import Form, Kind, ReadError, read_form, read_forms

SEMA_TAGS = frozenset({"", "sema", "code"})
LISP_TAGS = frozenset(
    {"lisp", "scheme", "scm", "clojure", "clj", "cljs", "clojurescript", "racket", "rkt", "elisp"}
    | {"emacs-lisp", "common-lisp", "commonlisp", "cl", "hy", "fennel", "janet", "guile"}
    | {"s-expression", "sexp", "sexpr", "sexps"}
)
_ARROWS = frozenset(
    {"=>", "==>", "⇒", "→", "⟹", "⟶", "->", "-->", ">>", "//", "--", "#=>", "≡", "➜"}
)
_OUTPUT_LABELS = frozenset({"Output", "output", "Result", "result", "Returns", "Value"})
# `sema> `, `user=> `, `λ> `, `[1]> `, `1 ]=> `: no form begins so.
_NAMED_PROMPT = (
    r"^[ \t]*(?:(?:sema|lisp|scheme|clj|racket|guile|repl|user|CL-USER)\S{0,20}?=?>|λ>?|#;>"
    r"|\[\d+\]>|\d+ \]=>)(?:[ \t]+|$)"
)
_BARE_PROMPT = r"^[ \t]*(?:>{1,3}|❯|»|\$)[ \t]+(?=[(\['`{#\"\w:])"
PROMPT = re.compile(f"{_NAMED_PROMPT}|{_BARE_PROMPT}", re.MULTILINE | re.IGNORECASE)
"""A prompt of a REPL at the start of a line."""
# `>` is a name, too: bare prompts count only where the first line has one, comments aside.
_TRANSCRIPT = re.compile(
    rf"(?:\s*;[^\n]*\n)*\s*{_BARE_PROMPT}|(?s:.*?){_NAMED_PROMPT}", re.MULTILINE | re.IGNORECASE
)
# What a REPL shows in place of its prompt until a form is closed.
_CONTINUATION = re.compile(r"^[ \t]*(?:\.{2,4}|…)[ \t]+", re.MULTILINE)
# Code that cannot be read defines names too: `(define (f x` is an attempt at f.
_DEFINED_IN_TEXT = re.compile(r"\(\s*def[\w-]*\s+\(?\s*(?P<name>[^\s()\[\]{}\"']+)")
_DOTS = frozenset({"...", "…", "....", "<...>", "<body>"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A piece of code."""

    text: str
    """The code without the results shown in it; the block as it is if it cannot be read."""
    forms: tuple[Form, ...] | None
    """Its forms; None if it cannot be read to the end."""
    defines: frozenset[str]
    """The names that it defines; a method counts with its dispatch value."""

    @property
    def is_code(self) -> bool:
        """Whether it does something: a list with a name in front, or an attempt at one."""
        if self.forms is None:
            return bool(re.search(r"^[ \t]*\([ \t]*[a-z]", self.text, re.MULTILINE | re.IGNORECASE))
        return any(is_call(form) for form in self.forms)

    @property
    def has_value(self) -> bool:
        """Whether its last form is there for its value, not a definition."""
        return self.forms is None or bool(self.forms and not _is_definition(self.forms[-1]))

    @property
    def is_sketch(self) -> bool:
        """Whether it leaves something out with `...`, so that it cannot run."""
        pending = list(self.forms or ())
        while pending:
            form = pending.pop()
            if form.text in _DOTS:
                return True
            pending.extend(form.children)
        return False


def read_source(body: str, to_sema: Callable[[str], str] = str) -> Source:
    """The code of a block, which `to_sema` makes Sema of."""
    is_transcript = bool(_TRANSCRIPT.match(body))
    if is_transcript:
        body = _CONTINUATION.sub("", PROMPT.sub("", body))
    text = _without_shown(body)
    # Answers of the REPL that were cut out leave blank lines.
    text = re.sub(r"\n\s*\n", "\n", text) if is_transcript else text
    try:
        forms: tuple[Form, ...] | None = read_forms(to_sema(text))
    except ReadError:
        forms = None
    names = _DEFINED_IN_TEXT.findall(text) if forms is None else _defined(forms)
    return Source(text=text, forms=forms, defines=frozenset(names))


def is_call(form: Form) -> bool:
    """Whether a form does something when evaluated: a list with a name in front."""
    return form.head is not None and not _is_literal(form.children[0])


def is_constant(form: Form) -> bool:
    """Whether a form is data that holds no symbol, so that only a printed value looks like it."""
    if form.kind in (Kind.LIST, Kind.VECTOR, Kind.MAP):
        return all(is_constant(child) for child in form.children) and not _is_lookup(form)
    return form.kind is Kind.BYTES or _is_literal(form)


def _is_literal(form: Form) -> bool:
    """Whether an atom or string stands for itself: anything but a symbol."""
    if form.kind is Kind.STRING:
        return True
    return form.kind is Kind.ATOM and bool(
        # `-1`, `.5`, `+inf.0`, `#t`, `:key`; but `-` and `...` are symbols.
        re.match(r"[-+]?\.?\d|[-+](?:inf|nan)\.|#|:.", form.text)
        or form.text in ("true", "false", "nil")
    )


def _is_lookup(form: Form) -> bool:
    """`(:key {…})`: a keyword called on a map."""
    keyword, *arguments = form.children or (form,)
    return (
        keyword.text.startswith(":") and len(arguments) in (1, 2) and arguments[0].kind is Kind.MAP
    )


def _is_definition(form: Form) -> bool:
    """Whether a form defines something, by a macro of the answer's own, too."""
    # `default` and `defer` begin like a definition and are none.
    return bool(form.head and re.match(r"def(?!ault|er)", form.head) and len(form.children) > 1)


def _without_shown(body: str) -> str:
    """The code with shown results cut out; what is behind the first unreadable form stays."""
    kept: list[str] = []
    position, copied, n_calls = 0, 0, 0
    while position < len(body):
        try:
            form = read_form(body, position)
            position, is_mark = _result_end(body, form)
        except ReadError:
            break
        # A constant that stands first may be the answer; below a call it is what the call gave.
        if is_mark or (n_calls and is_constant(form)):
            kept.append(body[copied : form.start])
            copied = position
        else:
            n_calls += is_call(form) and not _is_definition(form)
    return ("".join(kept) + body[copied:]).strip("\n")


def _result_end(body: str, form: Form) -> tuple[int, bool]:
    """Where what a form begins ends, and whether it is a mark (`=>`, `Output:`) with its result.

    A result ends with its line, or with a datum begun on it.
    """
    is_label = form.text in _OUTPUT_LABELS and body.startswith(":", form.end)
    if not (is_label or form.text in _ARROWS or form.text.startswith("#<")):
        return form.end, False
    begin = form.end + is_label
    end = line_end(body, begin)
    if body[begin:end].strip() and (datum := read_form(body, begin)).start < end:
        return line_end(body, datum.end), True
    return end, True


def _defined(forms: tuple[Form, ...]) -> Iterator[str]:
    for form in filter(_is_definition, top_forms(forms)):
        target = form.children[1]
        while target.kind is Kind.LIST and target.children:
            target = target.children[0]
        dispatch = form.children[2].text if form.head == "defmethod" else ""
        yield f"{target.text} {dispatch}".strip()
