"""The chat client: one request body in, one reply out, with all that may happen in between.

`ChatClient.complete` asks the limiter before each request, sends it, and tells it what came
of it. Failures that may pass are tried again after a wait; what a server refuses in a way that
is known is adapted; anything else is a `ModelError`. What is odd about a message is for `agent`
to read.
"""

import asyncio
import json
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pytest_sema_bench.chat.adapt import ADAPTABLE, Adaptations, max_tokens
from pytest_sema_bench.chat.backoff import Patience, asked_wait_s, quota
from pytest_sema_bench.chat.faults import Fault, refusal
from pytest_sema_bench.chat.permit import AttemptResult, Billing, Limiter, Permit, Reach, Unlimited
from pytest_sema_bench.chat.reply import ChatReply, cleaned, doubt, read_reply
from pytest_sema_bench.chat.wire import RawResponse, Unreachable, Why, Wire
from pytest_sema_bench.errors import BenchError, ModelError
from pytest_sema_bench.redaction import Redactor

_DOUBTS = 3
"""How often a doubtful reply is asked for again before it is taken as it is."""
_ATTEMPTS = {Why.REFUSED: 3, Why.UNRESOLVED: 1}
"""How often a server is tried that cannot be reached and has never answered."""
_UNREADABLE_ATTEMPTS = 4
"""How often a server is tried that answers, but with no chat completion as yet: a wrong address."""
_REFUSED_ALIKE = 3
"""So many requests refused in the same words, and none taken, are no fault of the request."""
_MAX_TOKENS_UNSAID = 4096
"""Taken for the worst case of a body that sets no bound."""


class ChatClient:
    """One server and key. Must be used and closed on one event loop.

    Args:
        wire: What carries the requests; the client closes it.
        redactor: Knows the keys that must get into no text.
        limiter: Who is asked before each request; nobody if None.
        adapt: Adaptations that hold from the start (`adapt.TABLE` has their names).
        apart: Whether each conversation adapts for itself. What it sends does then not depend
            on what others met before, as recordings and replays need it.
        extra: Fields put into each body.
        patience: How long a call may take and how often it is tried.

    """

    def __init__(
        self,
        wire: Wire,
        *,
        redactor: Redactor,
        limiter: Limiter | None = None,
        adapt: Sequence[str] = (),
        apart: bool = False,
        extra: Mapping[str, Any] | None = None,
        patience: Patience | None = None,
    ) -> None:
        self._redactor = redactor
        self._limiter = limiter or Unlimited()
        self._adaptations = Adaptations(adapt, apart=apart)
        self._apart = apart
        self._answered = False
        self._waited_s: dict[str, float] = defaultdict(float)
        self._replied = False
        self._refused = Counter[str]()
        self._extra = dict(extra or {})
        self._patience = patience or Patience()
        self._wire = wire
        self._place = redactor.clean(wire.place)

    async def complete(self, body: dict[str, Any], conversation: str | None = None) -> ChatReply:
        """The reply to one request body; `conversation` names what it belongs to.

        Raises ModelError, never with a key in its text, and what the limiter or a replay raises:
        NotAsked, BudgetSpent, NoRecording.
        """
        call = _Call({**body, **self._extra}, conversation, self._patience)
        try:
            reply = await self._tried(call)
        except _OutOfTime:
            raise call.timed_out(self._place) from None
        except Fault as fault:
            raise fault.error(self._place, call.n_attempts) from None
        told = replace(reply.call, retries=call.n_attempts - 1, adaptations=call.labels)
        return replace(reply, call=told)

    def end(self, conversation: str) -> float:
        """Free what is remembered of a conversation; the seconds it waited for leave to ask."""
        self._adaptations.forget(conversation)
        self._wire.end(conversation)
        return self._waited_s.pop(conversation, 0.0)

    async def close(self) -> None:
        """Close all connections."""
        await self._wire.close()

    async def _tried(self, call: "_Call") -> ChatReply:
        """The reply to the first attempt that brings one. Raises Fault."""
        # Not with tenacity, whose bookkeeping took a tenth of the time of a call that went well.
        while True:
            call.n_attempts += 1
            try:
                return await self._attempt(call)
            except Fault as fault:
                if call.is_last or not fault.passes:
                    raise
                pause_s = self._patience.pause_s(call.n_attempts, fault.wait_s)
            await call.wait(pause_s)

    async def _attempt(self, call: "_Call") -> ChatReply:
        """One attempt, with as many requests as it takes to adapt the body to the server."""
        while True:
            sent, call.labels = self._adaptations.apply(call.body, call.conversation)
            try:
                return await self._request(call, sent)
            except _Adapted:
                continue

    async def _request(self, call: "_Call", sent: dict[str, Any]) -> ChatReply:
        """One request with a permit of its own. Raises Fault, or _Adapted to send another."""
        # ASCII JSON, for half a surrogate pair that a model sent cannot be UTF-8.
        content = json.dumps(sent).encode()
        permit = await self._acquire(call, sent, len(content))
        # Holds for whatever is not foreseen below, being cancelled in flight for one.
        result = AttemptResult(billing=Billing.UNKNOWN)
        try:
            reply, result = await self._exchange(call, content)
        except Fault as fault:
            call.failed(fault, ever_replied=self._replied)
            if fault.status in ADAPTABLE and self._adaptations.learn(
                fault, sent, call.labels, call.conversation
            ):
                result = AttemptResult(billing=fault.billing, quota=fault.quota)
                raise _Adapted from None
            if self._is_always_refused(fault):
                fault.reach = Reach.MODEL
            error = fault.error(self._place, call.n_attempts)
            result = fault.attempt_result(error, gave_up=call.is_last)
            result = replace(result, trouble=f"{self._place}: {fault}")
            raise
        except BenchError:  # a replay without a recording: nothing was sent
            result = AttemptResult(billing=Billing.NOTHING)
            raise
        except _OutOfTime:
            result = AttemptResult(billing=Billing.UNKNOWN, gave_up=True)
            raise
        finally:
            permit.end(result)
        return reply

    async def _acquire(self, call: "_Call", sent: dict[str, Any], n_bytes: int) -> Permit:
        """A permit. The time that it takes is not the call's."""
        wanted = max_tokens(sent)
        started = time.monotonic()
        permit = await self._limiter.acquire(
            model_id=str(sent.get("model")),
            n_prompt_bytes=n_bytes,
            max_tokens=_MAX_TOKENS_UNSAID if wanted is None else wanted,
            begun=any(m.get("role") == "assistant" for m in sent.get("messages", ())),
        )
        if call.conversation is not None:
            self._waited_s[call.conversation] += time.monotonic() - started
        return permit

    async def _exchange(self, call: "_Call", content: bytes) -> tuple[ChatReply, AttemptResult]:
        """What one request brought. Raises Fault."""
        started = time.monotonic()
        response = await self._send(content, call)
        self._answered = True
        left = quota(response.headers)
        try:
            reply = self._read(response, call, time.monotonic() - started)
        except Fault as fault:
            fault.quota, fault.wait_s = left, asked_wait_s(response.headers)
            request_id = response.headers.get("x-request-id")
            fault.request_id = self._redactor.clean(request_id) if request_id else None
            raise
        self._replied = True
        tokens = reply.call.tokens
        billing = Billing.UNKNOWN if tokens is None else Billing.USAGE
        return reply, AttemptResult(billing=billing, tokens=tokens, answered=True, quota=left)

    def _is_always_refused(self, fault: Fault) -> bool:
        """Whether a server that has never given a reply has refused a few calls in the same words.

        An unknown model or a bad key is a bad request to some servers, and their words for it are
        not all known.
        """
        self._refused[str(fault)] += fault.vague
        return fault.vague and not self._replied and self._refused[str(fault)] >= _REFUSED_ALIKE

    async def _send(self, content: bytes, call: "_Call") -> RawResponse:
        started = time.monotonic()
        try:
            async with asyncio.timeout(min(self._patience.reply_s, call.left_s)):
                return await self._wire.post(content, call.conversation)
        except TimeoutError:
            if call.left_s <= self._patience.reply_s:
                raise _OutOfTime from None
            raise Fault(f"no complete reply within {self._patience.reply_s:g} s") from None
        except Unreachable as lost:
            # Somebody forgot to start it, or has mistyped it, and should hear so at once.
            if lost.why in _ATTEMPTS and not self._answered and not self._apart:
                call.try_at_most(_ATTEMPTS[lost.why])
            raise Fault(
                f"cannot reach the server: {self._redactor.clean(str(lost))}",
                billing=Billing.UNKNOWN if lost.sent else Billing.NOTHING,
            ) from None
        finally:
            call.left_s -= time.monotonic() - started

    def _read(self, response: RawResponse, call: "_Call", latency_s: float) -> ChatReply:
        """The reply, taken in spite of what is doubtful about it once that has been tried."""
        doubtful = None
        try:
            text = response.payload.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = response.payload.decode("utf-8-sig", "replace")
            doubtful = "the reply is not valid UTF-8"
        text = cleaned(text, self._redactor)
        if not 200 <= response.status < 300:
            location = response.headers.get("location")
            raise refusal(response.status, text, location and self._redactor.clean(location))
        reply = read_reply(text, self._redactor, latency_s)
        doubtful = doubtful or doubt(reply)
        if doubtful and call.n_doubts < _DOUBTS and not call.is_last:
            call.n_doubts += 1
            raise Fault(doubtful, status=response.status, tokens=reply.call.tokens)
        return reply


class _Adapted(Exception):
    """The request was refused, and an adaptation is known that may help."""


class _OutOfTime(Exception):
    """The time of the call is used up."""


class _Call:
    """The state of one call: what is asked, how often it was tried, what time is left."""

    def __init__(self, body: dict[str, Any], conversation: str | None, patience: Patience) -> None:
        self.body = body
        self.conversation = conversation
        self.n_attempts = 0
        self.n_doubts = 0
        self.labels: tuple[str, ...] = ()
        """What was adapted in the last request."""
        self.last: Fault | None = None
        self.left_s = patience.total_s
        """Time for attempts and the waits between them."""
        self._attempts = patience.attempts
        self._total_s = patience.total_s

    @property
    def is_last(self) -> bool:
        """Whether the attempt under way is the last."""
        return self.n_attempts >= self._attempts

    def failed(self, fault: Fault, *, ever_replied: bool) -> None:
        """Note what an attempt met."""
        self.last = fault
        if fault.status == 200 and not (ever_replied or fault.throttled):
            self.try_at_most(_UNREADABLE_ATTEMPTS)

    def try_at_most(self, attempts: int) -> None:
        """Allow fewer attempts than patience would."""
        self._attempts = min(self._attempts, attempts)

    async def wait(self, pause_s: float) -> None:
        """Wait before the next attempt. Raises _OutOfTime if none is left for it."""
        await asyncio.sleep(min(pause_s, self.left_s))
        self.left_s -= pause_s
        if self.left_s <= 0:
            raise _OutOfTime

    def timed_out(self, place: str) -> ModelError:
        """What the caller is told once there is no time left."""
        told = self.last or Fault("the first one did not end")
        text = f"no answer within {self._total_s:g} s, attempts: {self.n_attempts}; {told}"
        return ModelError(
            f"{place}: {text}",
            status=told.status,
            request_id=told.request_id,
            attempts=self.n_attempts,
        )
