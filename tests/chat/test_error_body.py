"""What is read of an error object: the words that tell, first."""

import json

from pytest_sema_bench.chat.error_body import excerpt
from pytest_sema_bench.chat.faults import refusal
from tests.chat_server import Request
from tests.server_kinds import KINDS


def test_of_a_validators_errors_those_that_tell_come_first_and_are_not_cut_off() -> None:
    """It tries each kind of message and complains of all; what is wrong stands in the middle."""
    body = {"messages": [{"role": "user", "content": "x" * 3000}, {"role": "assistant"}]}
    request = Request(raw=b"", body=body, headers={}, path="", n_before=0)
    step = KINDS["llama-cpp-python"](request)
    assert step is not None
    told = str(refusal(step.status, step.payload.decode()))
    where = "body.messages.1.ChatCompletionRequestAssistantMessage.content"
    assert told.startswith(f"the server answered 500: {where}: Input should be a valid string; ")


def test_fastapis_details_are_told_alike() -> None:
    """They come as JSON, with numbers in the place."""
    detail = [{"type": "missing", "loc": ["body", "messages", 3, "name"], "msg": "Field required"}]
    told = str(refusal(422, json.dumps({"detail": detail})))
    assert told == "the server answered 422: body.messages.3.name: Field required"


def test_an_excerpt_is_one_line_that_no_terminal_obeys() -> None:
    """Control characters are shown as what they are."""
    assert excerpt("a\n b\x1b[31m") == "a b\\x1b[31m"
    assert excerpt("x" * 1000).endswith(" …")
