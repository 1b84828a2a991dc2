"""How long to wait: what a server asks for in its headers, and what the client does of itself."""

import random
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from pytest_sema_bench.chat.permit import Quota


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a call may take and how often it is tried."""

    reply_s: float = 300.0
    """Total time for one attempt, from connecting to the last byte."""
    total_s: float = 900.0
    """Total time for a call with all its attempts and waits, the time at the limiter apart."""
    attempts: int = 10
    first_wait_s: float = 0.5
    longest_wait_s: float = 60.0
    """Cap of a wait, also of one that the server asks for; 0 means that nothing is waited for,
    which is what tests and replays want."""

    def pause_s(self, n_attempts: int, asked_s: float | None) -> float:
        """Random up to an exponential bound (full jitter), but what was asked for at least.

        Never above `longest_wait_s`. Source: "Exponential Backoff And Jitter", the blog of AWS.
        """
        bound_s = min(self.first_wait_s * 2 ** (n_attempts - 1), self.longest_wait_s)
        backoff_s = random.uniform(0, bound_s)  # noqa: S311 - chance, no secret
        return max(backoff_s, min(asked_s or 0.0, self.longest_wait_s))


def asked_wait_s(headers: Mapping[str, str]) -> float | None:
    """Seconds that the server wants to be left alone after a failure; None if it does not say.

    `Retry-After` (RFC 9110) wins; `retry-after-ms` is what Azure OpenAI adds. Without both, the
    reset of each rate limit that is used up counts, the longest first. A limit with something
    left is no reason to wait: OpenAI names the reset of a full window of requests beside it
    (platform.openai.com/docs/guides/rate-limits, "Rate limits in headers").
    """
    plain = seconds(headers.get("retry-after"))
    if plain is not None:
        return plain
    milliseconds = seconds(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    resets = [seconds(reset) for left, reset in _windows(headers) if not _number(left)]
    return max((reset for reset in resets if reset is not None), default=None)


def quota(headers: Mapping[str, str]) -> Quota | None:
    """What the headers say is left, and when what is used up comes back; None if they say nothing.

    Of several windows the tightest counts: Fireworks has one for prompt tokens and one for
    generated ones (docs.fireworks.ai/serverless/rate-limits).
    """
    if not any("ratelimit" in name for name in headers):
        return None
    requests = list(_left(headers, lambda name: "token" not in name))
    tokens = list(_left(headers, lambda name: "token" in name))
    resets = [seconds(reset) for left, reset in _windows(headers) if not _number(left)]
    found = Quota(
        n_requests=min(requests, default=None),
        n_tokens=min(tokens, default=None),
        reset_s=max((reset for reset in resets if reset is not None), default=None),
    )
    return None if found == Quota() else found


# `x-ratelimit-remaining-requests` (OpenAI, Groq, Fireworks), `x-ratelimit-remaining` (OpenRouter)
# and `anthropic-ratelimit-requests-remaining` (docs.anthropic.com/en/api/rate-limits).
_REMAINING = re.compile(r"^(x-ratelimit-|anthropic-ratelimit-)(.*-)?remaining(-.*)?$")


def _left(headers: Mapping[str, str], wanted: Callable[[str], bool]) -> Iterator[float]:
    for name, value in headers.items():
        number = _number(value)
        if _REMAINING.match(name) and wanted(name) and number is not None:
            yield number


def _windows(headers: Mapping[str, str]) -> Iterator[tuple[str | None, str]]:
    """What is left of each rate limit (None if it is not said) and the text of its reset."""
    for name, value in headers.items():
        if "ratelimit" in name and "reset" in name:
            yield headers.get(name.replace("reset", "remaining")), value


def _number(text: str | None) -> float | None:
    """A number that is one: NaN is none."""
    try:
        number = float(text) if text else None
    except ValueError:
        return None
    return number if number is None or number == number else None


_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
# `ms` before `m` and `s`: `500ms` is no 500 minutes.
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_DURATION = re.compile(rf"(?:{_PART.pattern})+")
_EPOCH_S = 1e9
"""Above 30 years a number is no duration but a moment; OpenRouter's X-RateLimit-Reset is one in
milliseconds (openrouter.ai/docs/api-reference/limits)."""


def seconds(text: str | None) -> float | None:
    """Seconds from now: of a number, `1m30s`, `500ms`, an HTTP date, an ISO time or an epoch.

    0 for what has passed; None for anything else. The forms with units are those of OpenAI's
    and Groq's reset headers, the ISO time that of Anthropic's.
    """
    text = (text or "").strip()
    number = _number(text)
    if number is not None:
        return max(0.0, number if number < _EPOCH_S or number == float("inf") else _until(number))
    if _DURATION.fullmatch(text):
        return sum(float(amount) * _UNITS_S[unit] for amount, unit in _PART.findall(text))
    moment = _moment(text)
    return None if moment is None else max(0.0, (moment - datetime.now(UTC)).total_seconds())


def _until(epoch: float) -> float:
    milliseconds = epoch > _EPOCH_S * 1000
    return epoch / (1000 if milliseconds else 1) - datetime.now(UTC).timestamp()


def _moment(text: str) -> datetime | None:
    for parse in (parsedate_to_datetime, datetime.fromisoformat):
        try:
            moment = parse(text)
        except (ValueError, OverflowError):
            continue
        # The asctime form names no zone; HTTP dates are all UTC.
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return None
