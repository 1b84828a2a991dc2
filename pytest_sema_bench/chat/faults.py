"""What can go wrong with a call, by class: a fault may pass, or hold for a key, model or request.

One table, read from the top; each rule names where it was seen.
"""

import json
import re
from dataclasses import dataclass
from typing import Any

from pytest_sema_bench.chat.error_body import ErrorBody, excerpt, read_error_body
from pytest_sema_bench.chat.permit import AttemptResult, Billing, Quota, Reach
from pytest_sema_bench.errors import ModelError
from pytest_sema_bench.records.transcript import Tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    reach: Reach
    statuses: frozenset[int] = frozenset()
    """Empty for any status but 2xx, 5xx included."""
    words: frozenset[str] = frozenset()
    """Codes and types, one of which must be there."""
    text: re.Pattern[str] | None = None
    """What else the message may say instead of those words."""
    flagged: bool = False
    throttled: bool = False
    vague: bool = False
    """The status alone is known, not what of the request is refused."""
    advice: str = ""

    def fits(self, status: int, body: ErrorBody) -> bool:
        if self.statuses and status not in self.statuses:
            return False
        if self.flagged:
            return body.flagged
        if not self.words and self.text is None:
            return True
        found = self.text is not None and body.search(self.text)
        return bool(self.words & body.words or found)


def _any(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(patterns), re.IGNORECASE)


_BAD_KEY = "check the environment variable that holds the key"
_ELSEWHERE = "the server answers for another address: check the base URL"
_CHECK = "run `sema-bench models check NAME`"
_NO_TOOLS = f"this server offers no tools for this model: use --sema-config=bare, or {_CHECK}"
_FULL = (
    "conversation and max_tokens are more than this context holds: lower max_tokens, or give a "
    "local server more (OLLAMA_CONTEXT_LENGTH, --max-model-len, --ctx-size)"
)
_UNPAID = "the account behind this key has no balance or quota left: top it up"

_RULES = (
    # Money. OpenAI: 429 with code insufficient_quota (platform.openai.com/docs/guides/error-codes).
    # Z.ai: 429 with code "1113", in English (zai-org/GLM-5#148) or Chinese
    # (continuedev/continue#11823).
    # Moonshot: 429 with type exceeded_current_quota_error (platform.moonshot.ai/docs/api/errors).
    # Alibaba: 400 with code Arrearage (help.aliyun.com/zh/model-studio/error-code).
    # "You exceeded your current quota" says nothing: Gemini writes it for each minute's limit too.
    _Rule(
        reach=Reach.KEY,
        statuses=frozenset({400, 402, 403, 412, 429}),
        words=frozenset(
            {"insufficient_quota", "1113", "exceeded_current_quota_error", "arrearage"}
        ),
        text=_any(r"insufficient (account )?balance", r"insufficient_quota", "余额不足"),
        advice=_UNPAID,
    ),
    # A key that is refused with the status of a bad request. LiteLLM without a database: 400 "No
    # connected db." (BerriAI/litellm#12273); Gemini: 400 "API key not valid. Please pass a valid
    # API key." (cequence-io/openai-scala-client#109); xAI: 400 "Incorrect API key provided".
    _Rule(
        reach=Reach.KEY,
        statuses=frozenset({400, 403, 422}),
        words=frozenset({"no_db_connection", "invalid_api_key", "api_key_invalid", "auth_error"}),
        text=_any(
            r"api[ _]key (is )?(not valid|invalid|not found|expired)",
            r"(incorrect|invalid|missing|no) api[ _]key",
            r"invalid proxy server token",
            r"no connected db",
        ),
        advice=_BAD_KEY,
    ),
    # A server started without its tool parser, or a model without tools. Ollama: 400
    # "… does not support tools"; vLLM: 400 '"auto" tool choice requires --enable-auto-tool-choice';
    # llama.cpp: 500 "tools param requires --jinja flag"; OpenRouter: 404 "No endpoints found that
    # support tool use" (pydantic/pydantic-ai#2896).
    _Rule(
        reach=Reach.MODEL,
        text=_any(
            r"does not support tools",
            r"tool choice requires --enable-auto-tool-choice",
            r"requires --jinja",
            r"no endpoints found that support tool use",
        ),
        advice=_NO_TOOLS,
    ),
    # A full context. OpenAI: 400 with code context_length_exceeded; vLLM: 400 "maximum context
    # length"; Moonshot: 400 "exceeded model token limit"; llama.cpp: "exceeds the available context
    # size"; Ollama cuts the conversation, then 500 "no user query found" (ollama/ollama#18107).
    _Rule(
        reach=Reach.REQUEST,
        words=frozenset({"context_length_exceeded", "exceed_context_size_error"}),
        text=_any(
            r"maximum context length",
            r"exceeded model token limit",
            r"exceeds the available context",
            r"no user query found",
        ),
        advice=_FULL,
    ),
    # OpenRouter: 403 is also what moderation answers, about one prompt and not about the key
    # (openrouter.ai/docs/api-reference/errors, "Moderation errors").
    _Rule(reach=Reach.REQUEST, statuses=frozenset({403}), flagged=True),
    # OpenAI: 403 or 400 with code model_not_found; OpenRouter: 400 "… is not a valid model ID";
    # DeepSeek: 400 "Model Not Exist"; LiteLLM: 400 "Invalid model name passed in model=…"
    # (BerriAI/litellm#9663) or "There is no 'model_name' with this string" (BerriAI/litellm#8886);
    # Perplexity: 400 "Invalid model '…'"; Z.ai: 400 with code "1211", "Unknown Model".
    _Rule(
        reach=Reach.MODEL,
        statuses=frozenset({400, 403, 422}),
        words=frozenset({"model_not_found", "1211", "invalid_model"}),
        text=_any(
            r"not a valid model id",
            r"(invalid|unknown|no such|unsupported) model\b",
            r"\bmodel\b.{0,80}?(not exist|not found|doesn't exist)",
            r"no 'model_name' with this",
        ),
        advice=f"is the model's name right? {_CHECK}",
    ),
    # docs.fireworks.ai/guides/inference-error-codes; the same statuses mean the same elsewhere.
    _Rule(
        reach=Reach.KEY,
        statuses=frozenset({401}),
        advice=_BAD_KEY,
    ),
    _Rule(reach=Reach.KEY, statuses=frozenset({402, 412}), advice=_UNPAID),
    _Rule(
        reach=Reach.KEY,
        statuses=frozenset({403}),
        advice="this key may not do that: check its rights, and that it belongs to this server",
    ),
    _Rule(
        reach=Reach.MODEL,
        statuses=frozenset({404}),
        advice=f"is the model's name right, and the base URL? {_CHECK}",
    ),
    _Rule(reach=Reach.MODEL, statuses=frozenset({422}), vague=True, advice=_CHECK),
    # Z.ai: code "1302" (too many calls at the same time) comes as 429 (kaitranntt/ccs#402);
    # Fireworks and Moonshot answer 503 under load, Anthropic 529.
    _Rule(
        reach=Reach.PASSES,
        statuses=frozenset({429, 503, 529}),
        throttled=True,
        advice="lower --sema-concurrency if this goes on",
    ),
    _Rule(reach=Reach.PASSES, words=frozenset({"1302"}), throttled=True),
    _Rule(reach=Reach.PASSES, statuses=frozenset({408, 409, 425, *range(500, 600)})),
    _Rule(
        reach=Reach.REQUEST,
        statuses=frozenset({413}),
        advice=_FULL,
    ),
    _Rule(reach=Reach.REQUEST, statuses=frozenset({400}), vague=True, advice=_CHECK),
    _Rule(
        reach=Reach.KEY,
        statuses=frozenset({407}),
        advice="give the proxy's user and password in HTTP_PROXY: http://user:password@host:port",
    ),
    _Rule(reach=Reach.KEY, statuses=frozenset({421, *range(300, 400)}), advice=_ELSEWHERE),
    _Rule(reach=Reach.REQUEST),
)

_ENDPOINT = "/chat/completions"
_STATUS_OF_WORD = {
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "overloaded_error": 529,
    "authentication_error": 401,
    "permission_error": 403,
    "not_found_error": 404,
    "invalid_request_error": 400,
    **dict.fromkeys(("1302", "insufficient_quota", "1113", "exceeded_current_quota_error"), 429),
}
"""The status that an error object inside a 200 would have had. Types: Anthropic's
(docs.anthropic.com/en/api/errors) and OpenAI's."""


class Fault(Exception):
    """A request that did not bring a reply: what to say of it, and what it means for others."""

    def __init__(
        self,
        text: str,
        *,
        reach: Reach = Reach.PASSES,
        billing: Billing = Billing.UNKNOWN,
        status: int | None = None,
        body: ErrorBody | None = None,
        advice: str = "",
        throttled: bool = False,
        vague: bool = False,
        tokens: Tokens | None = None,
    ) -> None:
        super().__init__(text)
        self.reach = reach
        self.billing = Billing.USAGE if tokens is not None else billing
        self.status = status
        self.body = body or ErrorBody()
        self.advice = advice
        self.throttled = throttled
        self.vague = vague
        self.tokens = tokens
        self.wait_s: float | None = None
        """How long the server asked to wait; set by who has seen the headers."""
        self.quota: Quota | None = None
        self.request_id: str | None = None

    def says(self, *patterns: str) -> bool:
        """Whether the server's words hold one of the patterns, upper case or lower."""
        return self.body.search(*patterns) is not None

    @property
    def passes(self) -> bool:
        """Whether trying again makes sense."""
        return self.reach is Reach.PASSES

    def error(self, place: str, n_attempts: int) -> ModelError:
        """What the caller is told."""
        advice = f"; {self.advice}" if self.advice else ""
        return ModelError(
            f"{place}: {self} (attempts: {n_attempts}{advice})",
            status=self.status,
            request_id=self.request_id,
            attempts=n_attempts,
        )

    def attempt_result(self, error: ModelError, *, gave_up: bool) -> AttemptResult:
        """What the limiter is told."""
        return AttemptResult(
            billing=self.billing,
            tokens=self.tokens,
            throttled=self.throttled,
            wait_s=self.wait_s,
            refusal=(self.reach, error) if self.reach in (Reach.KEY, Reach.MODEL) else None,
            gave_up=gave_up and self.passes,
            quota=self.quota,
        )


def refusal(status: int, text: str, location: str | None = None) -> Fault:
    """The fault that an HTTP status other than 2xx stands for.

    `text` is the cleaned body, `location` where a redirect points to that was not followed.
    """
    body = read_error_body(_json(text)) or ErrorBody(message=text)
    what = f"the server answered {status}"
    if location is None or not 300 <= status < 400:
        return _fault(status, body, text, what, Billing.NOTHING)
    address = location.partition("?")[0]
    fault = _fault(status, body, text, f"{what} and points to {excerpt(address)}", Billing.NOTHING)
    if "://" in address and address.endswith(_ENDPOINT):
        fault.advice = f"use {excerpt(address.removesuffix(_ENDPOINT))} as the base URL"
    return fault


def error_inside(error: object, text: str, tokens: Tokens | None) -> Fault:
    """The fault that an error object inside a reply with status 200 stands for.

    OpenRouter sends such with the status in `error.code`, and the same at the level of the
    choice (openrouter.ai/docs/api-reference/errors). Without a code it may pass.
    """
    body = read_error_body({"error": error}) or ErrorBody()
    status = next(filter(None, map(_status, sorted(body.words))), 500)
    # A refusal costs nothing; what broke while the model was at work may have cost something.
    billing = Billing.NOTHING if status < 500 else Billing.UNKNOWN
    fault = _fault(status, body, text, "the server answered 200 with an error inside", billing)
    if tokens is not None:
        fault.tokens, fault.billing = tokens, Billing.USAGE
    return fault


def _fault(status: int, body: ErrorBody, text: str, what: str, billing: Billing) -> Fault:
    rule = next(rule for rule in _RULES if rule.fits(status, body))
    return Fault(
        ": ".join(filter(None, (what, excerpt(body.message or text)))),
        reach=rule.reach,
        billing=billing,
        status=status,
        body=body,
        advice=rule.advice,
        throttled=rule.throttled,
        vague=rule.vague,
    )


def _status(word: str) -> int | None:
    if word.isdecimal() and 400 <= int(word) < 600:
        return int(word)
    return _STATUS_OF_WORD.get(word)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
