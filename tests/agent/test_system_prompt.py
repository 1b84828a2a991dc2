"""The system prompt is checked against the VM: every claim in it, every name, and its size.

In a ```sema block, `expr ; => value` claims the printed value, `expr ; !! text` an error that
holds the text, and every other form that it runs. The forms of a block share one fresh
interpreter, each as a source of its own. Names in backticks must exist, except in the paragraph
that opens with "Not in Sema:", where none may.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files

import pytest

from pytest_sema_bench.sema.reader import read_forms
from pytest_sema_bench.sema.vm import Evaluation

PROMPT = (files("pytest_sema_bench.agent.prompts") / "system.md").read_text(encoding="utf-8")
ABSENT_HEAD = "Not in Sema:"
MIN_CHARS, MAX_CHARS = 4_800, 6_000

BLOCK = re.compile(r"^```sema\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
CLAIM = re.compile(r" ; (?P<kind>=>|!!) (?P<expected>.*)")

VMEval = Callable[[Sequence[str]], tuple[Evaluation, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One top-level form of a block and what the prompt says about it."""

    code: str
    kind: str | None
    expected: str

    def failure(self, outcome: Evaluation) -> str | None:
        """Why the VM contradicts the claim, or None where it agrees."""
        if self.kind == "!!":
            if outcome.error is not None and self.expected in outcome.error:
                return None
            got = outcome.error or outcome.value
            return f"{self.code}: expected an error with {self.expected!r}, got {got}"
        if outcome.error is not None:
            return f"{self.code}: {outcome.error[:300]}"
        printed = "nil" if outcome.value is None else outcome.value
        if self.kind == "=>" and printed != self.expected:
            return f"{self.code}: expected {self.expected}, got {printed}"
        return None


def read_claims(block: str) -> Iterator[Claim]:
    """The forms of a block in order, each with the claim that follows it on its last line."""
    for form in read_forms(block):
        claim = CLAIM.match(block, form.end)
        yield Claim(
            code=block[form.start : form.end],
            kind=claim["kind"] if claim else None,
            expected=claim["expected"] if claim else "",
        )


def prose_names(*, absent: bool) -> list[str]:
    """The backticked names outside the blocks, of the absent paragraph or of all the others."""
    prose = BLOCK.sub("", PROMPT).split("\n\n")
    paragraphs = [p for p in prose if p.strip().startswith(ABSENT_HEAD) is absent]
    return sorted({name for p in paragraphs for name in INLINE.findall(p)})


def is_unbound(name: str, vm_eval: VMEval) -> bool:
    """Whether the VM knows the name neither as a value nor as the head of a special form."""
    message = f"Unbound variable: {name}"
    bare, called = (vm_eval([source])[0].error for source in (name, f"({name})"))
    return all(error is not None and error.splitlines()[0] == message for error in (bare, called))


@pytest.mark.parametrize("block", BLOCK.findall(PROMPT), ids=lambda block: block.split("\n")[0])
def test_each_snippet_does_what_the_prompt_claims(block: str, vm_eval: VMEval) -> None:
    """Every form of a block runs and gives the value or the error that stands beside it."""
    claims = list(read_claims(block))
    outcomes = vm_eval([claim.code for claim in claims])
    failures = [claim.failure(outcome) for claim, outcome in zip(claims, outcomes, strict=True)]
    assert [failure for failure in failures if failure is not None] == []


@pytest.mark.parametrize("name", prose_names(absent=False))
def test_each_name_in_the_prose_exists(name: str, vm_eval: VMEval) -> None:
    """A backticked name is a special form, a macro, bound, or a literal."""
    assert not is_unbound(name, vm_eval)


@pytest.mark.parametrize("name", prose_names(absent=True))
def test_each_name_called_absent_is_unbound(name: str, vm_eval: VMEval) -> None:
    """A name in the closing paragraph is unknown to the VM."""
    assert is_unbound(name, vm_eval)


def test_the_prompt_stays_within_its_size() -> None:
    """The prompt is long enough to teach and short enough to be sent with every request."""
    assert MIN_CHARS <= len(PROMPT) <= MAX_CHARS


def test_the_prompt_has_snippets_and_one_absent_paragraph() -> None:
    """The checks above have something to check: no claim slips past the reader."""
    claims = [claim for block in BLOCK.findall(PROMPT) for claim in read_claims(block)]
    assert sum(claim.kind is not None for claim in claims) == len(CLAIM.findall(PROMPT)) >= 40
    assert PROMPT.count(f"\n{ABSENT_HEAD}") == 1
    assert len(prose_names(absent=True)) >= 10


def test_the_prompt_never_mentions_tools() -> None:
    """A model without tools reads the same text, so only the harness speaks of tools."""
    assert re.search(r"\btools?\b|eval_code|docs_search", PROMPT, re.IGNORECASE) is None


@pytest.mark.parametrize("demand", ["ONE fenced block", "```sema", "definitions only", "Value: "])
def test_the_prompt_states_how_to_answer(demand: str) -> None:
    """The answer's form, on which grading relies, is part of the prompt."""
    assert demand in PROMPT
