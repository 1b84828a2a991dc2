"""What counts as the answer in a message: tables of messages, and any text at all."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_sema_bench.extraction import extract
from pytest_sema_bench.suite.task import GradeKind

_MESSAGES = Path(__file__).parents[1] / "samples" / "messages"
_PROMPT = "Evaluate: (map (fn (x) (* x 2)) '(1 2 3))"


def read(name: str) -> Any:
    """The table in one file."""
    return yaml.safe_load((_MESSAGES / name).read_text("utf-8"))


def values() -> Iterator[Any]:
    """Prompt, message and the value it states, by name."""
    for name in ("values.yaml", "values-unseen.yaml"):
        for group in read(name):
            for title, entry in group["messages"].items():
                yield pytest.param(group["prompt"], entry["text"], entry["finds"], id=str(title))


def programs(name: str) -> Iterator[Any]:
    """Message and the blocks that are loaded, by name."""
    for title, entry in read(name).items():
        yield pytest.param(entry["text"], entry["loads"], id=str(title))


@pytest.mark.parametrize(("prompt", "text", "finds"), list(values()))
def test_a_value_is_the_one_that_the_message_states(
    prompt: str, text: str, finds: str | None
) -> None:
    """Not one of the question, of a step, or of a comparison, and none if it states none."""
    blocks = extract(text, GradeKind.VALUE, prompt).blocks
    assert (blocks[0] if blocks else None) == finds


@pytest.mark.parametrize(("text", "loads"), list(programs("programs.yaml")))
def test_a_program_is_the_blocks_that_define_it(text: str, loads: list[str]) -> None:
    """Not output, not a draft that a later block replaces, not prose."""
    assert list(extract(text, GradeKind.PROGRAM).blocks) == loads


@pytest.mark.parametrize(("text", "loads"), list(programs("expressions.yaml")))
def test_an_expression_is_the_code_whose_value_counts(text: str, loads: list[str]) -> None:
    """Not the output shown below it, nor an example of its use."""
    assert list(extract(text, GradeKind.EXPRESSION).blocks) == loads


@pytest.mark.parametrize(
    "text", ["\U000f0000", "`\U000f0001`", "```\n\U000f0002\n```", "$\U000f0003$"]
)
def test_characters_that_stand_for_values_mean_nothing_in_a_message(text: str) -> None:
    """Extraction marks values with characters of a private plane of Unicode; a model may, too."""
    assert extract(f"{text}\n\nValue: 3", GradeKind.VALUE, _PROMPT).blocks == ("3",)


_PIECES = st.sampled_from(
    ["(", ")", "(define (f x) x)", "```", "```sema\n", "\n", "`", "**", "=> ", "Value: ", "is "]
)
_ODD_PIECES = st.sampled_from(
    ['"', "'(1 2)", ";", "sema> ", "|", "$", "\\boxed{", "<think>", "1.", "- ", "#(", 'f"${']
)
_TEXT = st.one_of(
    st.text(), st.lists(st.one_of(_PIECES, _ODD_PIECES, st.text(max_size=5))).map("".join)
)


@given(text=_TEXT, kind=st.sampled_from(GradeKind))
@settings(max_examples=300, deadline=None)
def test_any_text_gives_the_same_answer_each_time(text: str, kind: GradeKind) -> None:
    """Never an exception, and nothing that hangs on chance."""
    assert extract(text, kind, _PROMPT) == extract(text, kind, _PROMPT)


@given(text=st.text(alphabet=st.characters(blacklist_characters="`~<[◁"), max_size=200))
@settings(max_examples=100, deadline=None)
def test_prose_is_never_code_where_a_block_of_code_exists(text: str) -> None:
    """Whatever stands around the block, the block is what is loaded."""
    block = "(define (double n) (* 2 n))"
    extracted = extract(f"{text}\n\n```sema\n{block}\n```\n", GradeKind.PROGRAM)
    assert extracted.blocks == (block,)
