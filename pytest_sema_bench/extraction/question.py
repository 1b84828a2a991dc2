"""What an answer's extractor knows of the question: the expressions that the prompt shows."""

import re
from dataclasses import dataclass

from pytest_sema_bench.sema.reader import Form, Kind, ReadError, read_form


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """The code in a prompt, to tell a statement about all of it from one about a part."""

    expressions: frozenset[str]
    """The prompt's outermost forms that start with a name, blanks folded."""
    heads: frozenset[str]
    """The names that are called anywhere in them."""

    @classmethod
    def read(cls, prompt: str) -> "Question":
        """The question in a prompt; an empty one if the prompt shows no code."""
        forms = _outer_forms(prompt)
        return cls(
            expressions=frozenset(folded(form.text) for form in forms),
            heads=frozenset(_heads(forms)),
        )

    def asks_for(self, code: str) -> bool:
        """Whether a piece of code is what the question asks about, not a part of it."""
        code = folded(code)
        return code in self.expressions or any(
            form.split(None, 1)[0] == f"({code}" for form in self.expressions
        )

    def is_in(self, text: str) -> bool:
        """Whether a text holds one of the expressions asked about."""
        text = folded(text)
        return any(expression in text for expression in self.expressions)


def folded(text: str) -> str:
    """The text with each run of blanks made one."""
    return " ".join(text.split())


def _outer_forms(prompt: str) -> list[Form]:
    forms: list[Form] = []
    position, to_spend = 0, len(prompt) + 20_000
    opener = re.compile(r"\((?=[^\s()])")
    while to_spend > 0 and (found := opener.search(prompt, position)):
        position = found.end()
        try:
            form = read_form(prompt, found.start())
        except ReadError as error:
            to_spend -= len(prompt) if error.unfinished else error.position - found.start()
            continue
        to_spend -= form.end - form.start
        position = form.end
        if form.head and len(form.children) > 1:
            forms.append(form)
    return forms


def _heads(forms: list[Form]) -> set[str]:
    heads: set[str] = set()
    pending = list(forms)
    while pending:
        form = pending.pop()
        if form.kind in (Kind.LIST, Kind.LAMBDA) and form.children:
            heads.add(form.children[0].text)
        pending.extend(form.children)
    return heads
