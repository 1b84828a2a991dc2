"""What the extractor of a value knows of the question: the expressions that the prompt shows."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pytest_sema_bench.sema.reader import Form, Kind, ReadError, read_form

# A call has a name behind its bracket: `(map …`, not `()` and not the outer one of `((1 2) 3)`.
_OPENER = re.compile(r"\((?=[^\s()])")


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedCode:
    """The code in a prompt, to tell a statement about all of it from one about a part."""

    expressions: frozenset[str]
    """The prompt's outermost forms that start with a name, blanks folded."""
    heads: frozenset[str]
    """The names that are called anywhere in them."""

    @classmethod
    def read(cls, prompt: str) -> "AskedCode":
        """The question in a prompt; an empty one if the prompt shows no code."""
        forms = list(_outer_forms(prompt))
        texts = (" ".join(form.text.split()) for form in forms)
        return cls(expressions=frozenset(texts), heads=frozenset(_heads(forms)))

    def asks_for(self, code: str) -> bool:
        """Whether code is what the question asks about, or the name that it calls first."""
        code = " ".join(code.split())
        return code in self.expressions or any(
            form.split(None, 1)[0] == f"({code}" for form in self.expressions
        )

    def is_step(self, form: Form) -> bool:
        """Whether a form calls what the question calls: a step towards the value, no value."""
        while form.kind is Kind.LIST and form.children:
            form = form.children[0]
        return form.kind is Kind.ATOM and form.text in self.heads


def _outer_forms(prompt: str) -> Iterator[Form]:
    position = 0
    while found := _OPENER.search(prompt, position):
        position = found.end()
        try:
            form = read_form(prompt, found.start())
        except ReadError:
            continue
        position = form.end
        if form.head and len(form.children) > 1:
            yield form


def _heads(forms: Iterable[Form]) -> Iterator[str]:
    """The names that are called, quoted data aside."""
    for form in forms:
        if form.kind in (Kind.LIST, Kind.LAMBDA) and form.children:
            yield form.children[0].text
        if form.kind is not Kind.PREFIX:
            yield from _heads(form.children)
