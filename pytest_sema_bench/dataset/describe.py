"""Rows whose prompt a model wrote: one sentence that tells what a program does.

With a check the sentence must do: the model is asked for code by it alone, and what that code does
must be what the program does.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from pytest_sema_bench.agent.loop import system_prompt
from pytest_sema_bench.dataset.answers import Answers
from pytest_sema_bench.dataset.prove import LIMITS, Sifting
from pytest_sema_bench.dataset.row import Row, Source
from pytest_sema_bench.errors import BudgetSpent, ModelError, NoRecording, NotAsked
from pytest_sema_bench.extraction import extract, fenced
from pytest_sema_bench.grading.verdict import Verdict
from pytest_sema_bench.run.outcome import void_verdict
from pytest_sema_bench.sema.reader import Kind, single_datum
from pytest_sema_bench.sema.vm import Evaluation
from pytest_sema_bench.settings import Config
from pytest_sema_bench.suite.task import GradeKind

_ABOUT = (
    "You are shown a program in Sema, a Lisp. Say in one English sentence what it computes and "
    "from which data, so exactly that a programmer who sees your sentence alone writes a program "
    "that gives the same value and prints the same. Name every number, string and key that it "
    "starts from. Do not give the result, do not quote code, write nothing but the sentence."
)
_TASK = "Write a Sema program for this, whose last form gives the value:\n\n"
_MOST_CHARS = 1200
_NOT_SAID = (ModelError, NotAsked, BudgetSpent, NoRecording)


async def describe(
    rows: Sequence[Row], answers: Answers, sifting: Sifting, *, model: str, check: bool
) -> int:
    """Put each row with its sentence into the account; how many could not be asked about.

    Raises VMError.
    """
    system = system_prompt(Config(name="bare"), (await answers.vm.info()).version)
    found = await asyncio.gather(*(_describe(row, answers, system, check) for row in rows))
    for row, said in zip(rows, found, strict=True):
        if isinstance(said, Verdict):
            sifting.drop(f"is void ({said.reason})", f"{row.family} {row.id}: {said.detail}")
        elif isinstance(said, tuple):
            tags = (*row.tags, f"from={row.source}", f"model={model}")
            described = replace(row, source=Source.DESCRIBE, prompt=said[0], tags=tags)
            sifting.kept.append(described)
        else:
            sifting.drop(said, f"{row.family} {row.id}")
    return sum(isinstance(said, Verdict) for said in found)


async def _describe(
    row: Row, answers: Answers, system: str, check: bool
) -> tuple[str] | str | Verdict:
    """The sentence, why there is none, or what kept it from being asked for."""
    if row.messages:
        return "is a conversation"
    if check and row.value is None and not row.output and row.error is None:
        return "gives nothing that could be compared"
    try:
        said = await answers.ask(f"describe/{row.id}", _ABOUT, fenced(row.code))
        sentence = " ".join(said.split())
        if why := _fault(sentence, row):
            return why
        if not check:
            return (sentence,)
        answer = await answers.ask(f"check/{row.id}", system, _TASK + sentence)
    except _NOT_SAID as error:
        return void_verdict(error)
    blocks = extract(answer, GradeKind.EXPRESSION, sentence).blocks
    if not blocks:
        return "the sentence led to no code"
    if _is_constant(blocks) and not _is_constant([row.code]):
        return "the sentence gives the result away"
    again = (await answers.vm.evaluate([row.code], LIMITS))[-1]
    done = await answers.vm.evaluate(blocks, LIMITS)
    same = _does(done) == _does([again])
    return (sentence,) if same else "the sentence leads to other behaviour"


def _is_constant(sources: Sequence[str]) -> bool:
    datum = single_datum("\n".join(sources))
    return datum is not None and datum.kind in (Kind.ATOM, Kind.STRING)


def _fault(sentence: str, row: Row) -> str | None:
    if not sentence:
        return "the model said nothing"
    if len(sentence) > _MOST_CHARS or "```" in sentence:
        return "the model wrote more than a sentence"
    return "the sentence quotes the program" if " ".join(row.code.split()) in sentence else None


def _does(results: Sequence[Evaluation]) -> tuple[object, ...]:
    """What a program does: its value, what it prints, and the class of its error."""
    printed = [line.rstrip() for done in results for line in done.output]
    classes = [done.error_class for done in results if done.error_class]
    # Not every backend breaks a long value into lines.
    return (results[-1].value or "nil").split(), printed, classes[:1]
