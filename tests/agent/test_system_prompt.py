"""The system prompt is checked against the VM: every claim in it, every name, and its size.

In a ```sema block, `expr ; => value` claims the printed value, `expr ; !! text` an error that
holds the text, and every other form that it runs. The forms of a block share one fresh
interpreter, each as a source of its own. Names in backticks must exist, except in the paragraph
that opens with "Not in Sema:", where none may. All of it for each version of Sema, as a model is
told it there.
"""

import asyncio
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files

import pytest

from pytest_sema_bench.sema.reader import read_forms
from pytest_sema_bench.sema.versions import text_on
from pytest_sema_bench.sema.vm import Evaluation, SemaVM, create_vm
from pytest_sema_bench.sema.vm.install import pinned_version
from pytest_sema_bench.settings import Limits
from tests import sema_builds

SOURCE = (files("pytest_sema_bench.agent.prompts") / "system.md").read_text(encoding="utf-8")
PROMPTS = {version: text_on(SOURCE, version) for version in (pinned_version(), sema_builds.VERSION)}
ABSENT_HEAD = "Not in Sema:"
MIN_CHARS, MAX_CHARS = 4_800, 6_000

BLOCK = re.compile(r"^```sema\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
CLAIM = re.compile(r" ; (?P<kind>=>|!!) (?P<expected>.*)")

VMEval = Callable[[Sequence[str]], tuple[Evaluation, ...]]
OnVersion = Callable[[str], VMEval]


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


def prose_names(prompt: str, *, absent: bool) -> list[str]:
    """The backticked names outside the blocks, of the absent paragraph or of all the others."""
    prose = BLOCK.sub("", prompt).split("\n\n")
    paragraphs = [p for p in prose if p.strip().startswith(ABSENT_HEAD) is absent]
    return sorted({name for p in paragraphs for name in INLINE.findall(p)})


def is_unbound(name: str, vm_eval: VMEval) -> bool:
    """Whether the VM knows the name neither as a value nor as the head of a special form."""
    message = f"Unbound variable: {name}"
    bare, called = (vm_eval([source])[0].error for source in (name, f"({name})"))
    return all(error is not None and error.splitlines()[0] == message for error in (bare, called))


@pytest.fixture(scope="module")
def on_version(vm_eval: VMEval, event_loop_runner: asyncio.Runner) -> Iterator[OnVersion]:
    """Evaluation on a version of Sema; skips the test where this machine does not have it."""
    newer: list[SemaVM] = []

    def choose(version: str) -> VMEval:
        if version == pinned_version():
            return vm_eval
        if not newer:
            newer.append(create_vm(str(sema_builds.wasm()), n_hosts=1))
        return lambda sources: event_loop_runner.run(newer[0].evaluate(sources, Limits()))

    yield choose
    for vm in newer:
        event_loop_runner.run(vm.close())


def each(found: Callable[[str], Sequence[str]]) -> list[tuple[str, str]]:
    """What is found in the prompt of each version, with the version."""
    return [(version, text) for version, prompt in PROMPTS.items() for text in found(prompt)]


@pytest.mark.parametrize(
    ("version", "block"), each(BLOCK.findall), ids=lambda text: text.split("\n")[0]
)
def test_each_snippet_does_what_the_prompt_claims(
    version: str, block: str, on_version: OnVersion
) -> None:
    """Every form of a block runs and gives the value or the error that stands beside it."""
    claims = list(read_claims(block))
    outcomes = on_version(version)([claim.code for claim in claims])
    failures = [claim.failure(outcome) for claim, outcome in zip(claims, outcomes, strict=True)]
    assert [failure for failure in failures if failure is not None] == []


@pytest.mark.parametrize(("version", "name"), each(lambda text: prose_names(text, absent=False)))
def test_each_name_in_the_prose_exists(version: str, name: str, on_version: OnVersion) -> None:
    """A backticked name is a special form, a macro, bound, or a literal."""
    assert not is_unbound(name, on_version(version))


@pytest.mark.parametrize(("version", "name"), each(lambda text: prose_names(text, absent=True)))
def test_each_name_called_absent_is_unbound(version: str, name: str, on_version: OnVersion) -> None:
    """A name in the closing paragraph is unknown to the VM."""
    assert is_unbound(name, on_version(version))


@pytest.mark.parametrize("prompt", PROMPTS.values(), ids=PROMPTS)
def test_the_prompt_stays_within_its_size(prompt: str) -> None:
    """The prompt is long enough to teach and short enough to be sent with every request."""
    assert MIN_CHARS <= len(prompt) <= MAX_CHARS


@pytest.mark.parametrize("prompt", PROMPTS.values(), ids=PROMPTS)
def test_the_prompt_has_snippets_and_one_absent_paragraph(prompt: str) -> None:
    """The checks above have something to check: no claim slips past the reader."""
    claims = [claim for block in BLOCK.findall(prompt) for claim in read_claims(block)]
    assert sum(claim.kind is not None for claim in claims) == len(CLAIM.findall(prompt)) >= 40
    assert prompt.count(f"\n{ABSENT_HEAD}") == 1
    assert len(prose_names(prompt, absent=True)) >= 10


def test_a_version_is_told_what_holds_for_it(on_version: OnVersion) -> None:
    """Marks are gone; < compares strings in one version and not in the other, and is said so."""
    older, newer = PROMPTS.values()
    assert "{until" not in older + newer
    assert "{since" not in older + newer
    assert "`=` and `<` compare two strings" in older
    assert "`=` compares two strings" in newer
    for version, is_error in zip(PROMPTS, (False, True), strict=True):
        (outcome,) = on_version(version)(['(< "a" "b")'])
        assert (outcome.error is not None) is is_error


MISSED = {
    "a rest of all arguments": "((fn (. args) args) 1 2)",
    "the unquoted empty list": "(nil? ())",
    "integer? of a float": "(integer? 2.0)",
    "eq?": "`eq?` means `equal?`",
    "a let without bindings": "(let () 1)",
    "functions as keys": "functions are bad keys",
    "lists of unequal length": "(map #(+ %1 %2) '(1 2 3) '(10 20))",
    "cond without a match": "`cond` and `case` then give `nil`",
}


@pytest.mark.parametrize("text", MISSED.values(), ids=MISSED)
def test_what_agents_missed_in_the_primer_is_there(text: str) -> None:
    """Each cost a strong model a round; the claims are proven above."""
    assert all(text in prompt for prompt in PROMPTS.values())


def test_functions_as_keys_are_not_told_apart_before_2() -> None:
    """The prose says so for the version it is true of."""
    assert ["all count as one" in prompt for prompt in PROMPTS.values()] == [True, False]


def test_what_the_prose_says_of_keys_and_cond_is_so(on_version: OnVersion) -> None:
    """Functions count as one key in the older version and as two in the newer; cond gives nil."""
    for version, n_keys in zip(PROMPTS, ("1", "2"), strict=True):
        sources = ["(count {car 1 cdr 2})", "(cond (#f 1))", "(case 5 ((1) 2))", "(let () 1)"]
        values = [outcome.value for outcome in on_version(version)(sources)]
        assert values == [n_keys, None, None, "1"]


def test_the_prompt_never_mentions_tools() -> None:
    """A model without tools reads the same text, so only the harness speaks of tools."""
    assert re.search(r"\btools?\b|eval_code|docs_search", SOURCE, re.IGNORECASE) is None


@pytest.mark.parametrize("demand", ["ONE fenced block", "```sema", "definitions only", "Value: "])
def test_the_prompt_states_how_to_answer(demand: str) -> None:
    """The answer's form, on which grading relies, is part of the prompt."""
    assert demand in SOURCE
