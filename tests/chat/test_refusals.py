"""What a server refuses for good: a key, a model or one request, by its words and by its ways."""

from contextlib import suppress

import pytest

from pytest_sema_bench.chat import ChatClient, Patience
from pytest_sema_bench.chat.permit import Billing, Reach
from pytest_sema_bench.errors import ModelError
from pytest_sema_bench.records.transcript import Tokens
from tests.asking import BODY, NotingLimiter, body, fail, inside, use
from tests.chat_server import (
    ChatServer,
    Step,
    raw,
    refuse,
    say,
)

COUNTED = Tokens(prompt=100, cached=40, completion=10, reasoning=4)


FINAL: dict[str, tuple[Step, Reach, str]] = {
    "LiteLLM, bad key": (
        body(400, "No connected db.", type="no_db_connection", code="400"),
        Reach.KEY,
        "variable that holds the key",
    ),
    "Gemini, bad key": (
        raw(
            b'[{"error": {"code": 400, "message": "API key not valid. Please pass a valid API key.'
            b'", "status": "INVALID_ARGUMENT"}}]',
            status=400,
        ),
        Reach.KEY,
        "variable that holds the key",
    ),
    "xAI, bad key": (body(400, "Incorrect API key provided: xa***1"), Reach.KEY, "the key"),
    "LiteLLM, no such model": (
        raw(
            b'{"error": {"message": "400: {\'error\': \'Invalid model name passed in model=x\'}"}}',
            status=400,
        ),
        Reach.MODEL,
        "name",
    ),
    "LiteLLM, newer": (
        body(400, "You passed in model=x. There is no 'model_name' with this string"),
        Reach.MODEL,
        "name",
    ),
    "Perplexity, no such model": (body(400, "Invalid model 'x'."), Reach.MODEL, "name"),
    "Z.ai, no such model": (body(400, "模型不存在", code="1211"), Reach.MODEL, "name"),
    "a proxy's credentials": (refuse(407), Reach.KEY, "http://user:password@"),
    "a redirect": (refuse(302), Reach.KEY, "check the base URL"),
    "401": (refuse(401), Reach.KEY, "variable that holds the key"),
    "402": (refuse(402), Reach.KEY, "top it up"),
    "403": (refuse(403), Reach.KEY, "this key may not do that"),
    "412": (refuse(412), Reach.KEY, "top it up"),
    "404": (refuse(404), Reach.MODEL, "sema-bench models check NAME"),
    "422": (refuse(422), Reach.MODEL, "sema-bench models check NAME"),
    "OpenAI, no quota": (body(429, "x", code="insufficient_quota"), Reach.KEY, "top it up"),
    "DeepSeek, no balance": (body(400, "Insufficient Balance"), Reach.KEY, "top it up"),
    "Z.ai, no balance": (body(429, "Please recharge.", code="1113"), Reach.KEY, "top it up"),
    "Z.ai, in Chinese": (body(429, "余额不足或无可用资源包,请充值。"), Reach.KEY, "top it up"),
    "Moonshot, no balance": (
        body(429, "suspended", type="exceeded_current_quota_error"),
        Reach.KEY,
        "top it up",
    ),
    "Ollama, no tools": (body(400, "gemma does not support tools"), Reach.MODEL, "=bare"),
    "llama.cpp, no tools": (body(500, "tools param requires --jinja flag"), Reach.MODEL, "=bare"),
    "vLLM, no tools": (
        body(400, '"auto" tool choice requires --enable-auto-tool-choice'),
        Reach.MODEL,
        "=bare",
    ),
    "OpenRouter, no tools": (
        body(404, "No endpoints found that support tool use."),
        Reach.MODEL,
        "=bare",
    ),
    "OpenRouter, no such model": (body(400, "a/b is not a valid model ID"), Reach.MODEL, "name"),
    "OpenAI, model not allowed": (body(403, "x", code="model_not_found"), Reach.MODEL, "name"),
    "inside a 200, 401": (inside(401), Reach.KEY, "variable"),
    "inside a 200, 402": (inside("402"), Reach.KEY, "top it up"),
    "inside a 200, by type": (inside(None, type="authentication_error"), Reach.KEY, "variable"),
    "inside a 200, no quota": (inside("insufficient_quota"), Reach.KEY, "top it up"),
}


@pytest.mark.parametrize(("step", "reach", "advice"), FINAL.values(), ids=FINAL)
def test_a_final_refusal_is_told_to_the_limiter(
    step: Step, reach: Reach, advice: str, chat_server: ChatServer
) -> None:
    """One request, no retry, and what it holds for; the error says what to do."""
    error, (result,) = fail(chat_server, step)
    assert chat_server.n_requests == 1
    assert result.refusal is not None
    assert (result.refusal[0], result.billing) == (reach, Billing.NOTHING)
    assert str(result.refusal[1]) == str(error)
    assert advice in str(error)
    assert not result.gave_up


THIS_REQUEST: dict[str, Step] = {
    "400": refuse(400),
    "413": refuse(413),
    "418": refuse(418),
    "moderation": body(403, "flagged", metadata={"reasons": ["violence"]}),
    "inside a 200": inside(400),
    "a full context": body(400, "x", code="context_length_exceeded"),
    "a full context, Ollama": body(500, "no user query found"),
    "words of a task in an echo": body(400, "x" * 1000 + " insufficient balance"),
}


@pytest.mark.parametrize("step", THIS_REQUEST.values(), ids=THIS_REQUEST)
def test_a_refused_request_says_nothing_of_the_next(step: Step, chat_server: ChatServer) -> None:
    """It is not tried again, and neither key nor model is given up."""
    _, (result,) = fail(chat_server, step)
    assert (result.refusal, result.billing) == (None, Billing.NOTHING)


ALIKE = "computer says no"


def test_what_is_always_refused_in_the_same_words_is_not_asked_for_ever(
    chat_server: ChatServer,
) -> None:
    """Not every server's words for an unknown model or a bad key are known."""
    chat_server.play([refuse(400, ALIKE)])
    reaches = refusals(chat_server, 4)
    assert reaches == [None, None, Reach.MODEL, Reach.MODEL]


def test_a_server_that_has_answered_refuses_requests_one_by_one(chat_server: ChatServer) -> None:
    """What it refuses later is about what was asked."""
    chat_server.play(
        lambda request: say("Four.") if chat_server.n_requests < 2 else refuse(400, ALIKE)
    )
    assert refusals(chat_server, 6) == [None] * 6


def test_other_words_are_another_refusal(chat_server: ChatServer) -> None:
    """Prompts that are refused for different reasons say nothing about the model."""
    chat_server.play(lambda _: refuse(400, f"no {chat_server.n_requests}"))
    assert refusals(chat_server, 5) == [None] * 5


def refusals(server: ChatServer, n: int) -> list[Reach | None]:
    """What each of several calls, one after the other, tells of the model or key."""
    limiter = NotingLimiter()

    async def call(client: ChatClient) -> None:
        for _ in range(n):
            with suppress(ModelError):
                await client.complete(BODY)

    use(call, server.url, limiter=limiter)
    return [result.refusal[0] if result.refusal else None for result in limiter.results]


PATIENT = Patience(attempts=9, longest_wait_s=0)


def test_a_server_that_speaks_another_language_is_tried_a_few_times(
    chat_server: ChatServer,
) -> None:
    """A page in place of replies is a wrong address; one that has replied is tried to the end."""
    _, results = fail(chat_server, raw(b"<html>Welcome</html>"), patience=PATIENT)
    assert len(results) == 4
    chat_server.play(
        lambda _: say("Four.") if chat_server.n_requests == 5 else raw(b"<html>Busy</html>")
    )
    limiter = NotingLimiter()

    async def call_twice(client: ChatClient) -> None:
        await client.complete(BODY)
        with suppress(ModelError):
            await client.complete(BODY)

    use(call_twice, chat_server.url, limiter=limiter, patience=PATIENT)
    assert len(limiter.results) == 1 + 9
