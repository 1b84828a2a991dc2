"""Keys: whatever a server or a library says, none gets into an error, a log or a reply."""

import logging

import pytest

from pytest_sema_bench.chat import ChatReply
from pytest_sema_bench.errors import ModelError
from tests.asking import BODY, KEY, use
from tests.chat_server import ChatServer, Step, complete, raw, refuse

ESCAPED = "".join(f"\\u{ord(char):04x}" for char in KEY)
"""The key in a way in which JSON may write it."""


def ask(server: ChatServer) -> ChatReply:
    """The reply to one body."""
    return use(lambda client: client.complete(BODY), server.url)


LEAKS: dict[str, Step] = {
    "in an error": refuse(401, f"wrong key {KEY}"),
    "in an error that passes": refuse(500, f"wrong key {KEY}"),
    "in a page": raw(f"<p>{KEY}</p>".encode()),
    "in a header": refuse(500, "no", x_request_id=f"req-{KEY}"),
    "in a header that breaks the protocol": Step(headers={"X": f"a\r\nBearer {KEY}"}),
    "in a broken status": Step(status=f"{KEY}"),  # type: ignore[arg-type]
    "in an error inside": complete({"error": {"code": 500, "message": KEY}}),
    "in the way JSON may escape it": raw(f'{{"error": {{"message": "{ESCAPED}"}}}}'.encode()),
    "in the same way, refused": raw(f'{{"error": "{ESCAPED}"}}'.encode(), status=400),
}


@pytest.mark.parametrize("step", LEAKS.values(), ids=LEAKS)
def test_the_key_gets_into_no_error(
    step: Step, chat_server: ChatServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Not by its text, its request id, what it was caused by, or the log."""
    with caplog.at_level(logging.DEBUG):
        chat_server.play([step])
        with pytest.raises(ModelError) as caught:
            ask(chat_server)
        error = caught.value
    shown = f"{error} {error.request_id} {error.__cause__} {caplog.text}"
    assert KEY not in shown


def test_the_key_gets_into_no_reply(chat_server: ChatServer) -> None:
    """However the server writes it."""
    body = f'{{"choices": [{{"message": {{"content": "{ESCAPED} {KEY}"}}}}], "model": "{KEY}"}}'
    chat_server.play([raw(body.encode())])
    got = ask(chat_server)
    assert got.message["content"] == "[key removed] [key removed]"
    assert got.call.served_model == "[key removed]"


def test_the_key_in_the_url_gets_into_no_error(
    chat_server: ChatServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither as it is nor percent-encoded; and the log of the HTTP library does not have it."""
    key = "sk/secret+0123456789"
    chat_server.play([refuse(400, "no sk%2Fsecret%2B0123456789")])
    url = f"{chat_server.url}/sk%2Fsecret%2B0123456789"
    with caplog.at_level(logging.DEBUG), pytest.raises(ModelError) as caught:
        use(lambda client: client.complete(BODY), url, key=key)
    assert "secret" not in str(caught.value) + caplog.text
    assert "sk%2Fsecret%2B0123456789" in chat_server.requests[0].path
