"""Which conversations are training data, and which of their turns count."""

from typing import Any

import pytest

from pytest_sema_bench.dataset.talk import Unusable, is_error, opening, weighted

START: list[Any] = [
    {"role": "system", "content": "You write Sema."},
    {"role": "user", "content": [{"type": "text", "text": "Add."}]},
]
CALL = {"id": "a", "type": "function", "function": {"name": "eval_code", "arguments": "{}"}}
TURN = {"role": "assistant", "content": None, "tool_calls": [CALL, {**CALL, "id": "b"}]}
END = {"role": "assistant", "content": "(+ 1 2)"}
RESULTS = {
    "Value: 3": False,
    "Error: Unbound variable: x\n  at f\nHint of this tool, not of the VM: try y": True,
    "Output:\nError: not one\nValue: nil (or the last form is a definition)": False,
    "Output:\nValue: none\nError: car expects a pair": True,
    "Error: there is no tool 'run'. Tools: eval_code.": True,
    "(reverse xs) turns a list around; Error: in the middle of a line": False,
}
UNUSABLE: dict[str, list[Any]] = {
    "no conversation": [],
    "no question": START[:1],
    "the question first": START[::-1],
    "a message that is no object": [START[0], "text", END],
    "no answer": START,
    "an answer by nobody": [*START, {"role": "model", "content": "x"}],
    "a call without its result": [*START, TURN, {"role": "tool", "content": "Value: 1"}, END],
    "a call that is one object": [*START, {"role": "assistant", "tool_calls": CALL}, END],
    "a call that is no object": [*START, {"role": "assistant", "tool_calls": ["x"]}, END],
    "an older form": [*START, {"role": "function", "name": "eval_code", "content": "1"}, END],
    "results in a text": [*START, {"role": "user", "content": "<tool_response>\n1"}, END],
}


@pytest.mark.parametrize(("text", "failed"), RESULTS.items(), ids=range(len(RESULTS)))
def test_an_error_is_the_last_part_of_a_result(text: str, failed: bool) -> None:
    """What a program prints is not taken for the tool's own word."""
    assert is_error({"role": "tool", "content": text}) is failed


@pytest.mark.parametrize("text", ["Value: 1", "Error: no"])
def test_one_error_of_several_calls_makes_a_failing_turn(text: str) -> None:
    """The answer after it counts all the same, and text in parts becomes plain text."""
    results: list[Any] = [{"role": "tool", "tool_call_id": "a", "content": "Value: 2"}]
    results.append({"role": "tool", "tool_call_id": "b", "content": text, "x-server": 1})
    talk = weighted([*START, TURN, *results, END])
    assert [m["weight"] for m in talk if "weight" in m] == [int(text != "Error: no"), 1]
    assert talk[1] == {"role": "user", "content": "Add."}
    assert talk[4] == {"role": "tool", "tool_call_id": "b", "content": text}


@pytest.mark.parametrize("messages", UNUSABLE.values(), ids=UNUSABLE)
def test_what_trainers_could_not_read_is_refused(messages: list[Any]) -> None:
    """Broken, old and odd conversations raise, so that they are counted and left out."""
    with pytest.raises(Unusable):
        weighted(messages)


def test_a_question_is_its_opening() -> None:
    """System prompt and question are what two answers must share to be a pair."""
    assert opening([*START, END]) == opening([*START, TURN]) == weighted([*START, END])[:2]
