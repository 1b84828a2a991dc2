"""How long to wait: what servers ask for in their headers, and what the client waits at least."""

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from pytest_sema_bench.chat import Patience
from pytest_sema_bench.chat.backoff import asked_wait_s, quota, seconds
from pytest_sema_bench.chat.permit import Quota


def ahead(delay_s: float) -> datetime:
    """A moment from now."""
    return datetime.now(UTC) + timedelta(seconds=delay_s)


EXACT: dict[str, tuple[str | None, float | None]] = {
    "absent": (None, None),
    "empty": ("", None),
    "whole": ("30", 30.0),
    "fraction": ("0.5", 0.5),
    "blanks": (" 7 ", 7.0),
    "negative": ("-5", 0.0),
    "for ever": ("inf", float("inf")),
    "no number": ("nan", None),
    "words": ("in a while", None),
    "minutes": ("1m30s", 90.0),
    "milliseconds": ("500ms", 0.5),
    "hours": ("1h0m2.5s", 3602.5),
    "days": ("2d", 172_800.0),
    "no unit": ("1m30", None),
    "date in the past": ("Sun, 06 Nov 1994 08:49:37 GMT", 0.0),
    "asctime in the past": ("Sun Nov  6 08:49:37 1994", 0.0),
    "ISO in the past": ("2020-01-01T00:00:00Z", 0.0),
    "epoch in the past": ("1500000000", 0.0),
    "no date": ("Sun, 99 Nov 1994 08:49:37 GMT", None),
}


@pytest.mark.parametrize(("text", "expected"), EXACT.values(), ids=EXACT)
def test_a_header_is_read_as_seconds(text: str | None, expected: float | None) -> None:
    """What has passed is 0, what cannot be read is None."""
    assert seconds(text) == expected


MOMENTS: dict[str, Callable[[datetime], str]] = {
    "HTTP date": lambda moment: format_datetime(moment, usegmt=True),
    "asctime": lambda moment: moment.strftime("%a %b %d %H:%M:%S %Y"),
    "ISO with Z": lambda moment: moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
    "ISO with a zone": lambda moment: moment.isoformat(),
    "epoch": lambda moment: str(moment.timestamp()),
    "epoch in milliseconds": lambda moment: str(int(moment.timestamp() * 1000)),
}


@pytest.mark.parametrize("write", MOMENTS.values(), ids=MOMENTS)
def test_a_moment_is_read_as_the_seconds_until_then(write: Callable[[datetime], str]) -> None:
    """An hour ahead is about an hour, in each form in which servers write moments."""
    assert seconds(write(ahead(3600))) == pytest.approx(3600, abs=120)


ASKED: dict[str, tuple[dict[str, str], float | None]] = {
    "nothing": ({}, None),
    "Retry-After wins": ({"retry-after": "7", "retry-after-ms": "50"}, 7.0),
    "one that cannot be read does not": ({"retry-after": "soon", "retry-after-ms": "50"}, 0.05),
    "milliseconds": ({"retry-after-ms": "1500"}, 1.5),
    "the longer reset": (
        {"x-ratelimit-reset-requests": "1s", "x-ratelimit-reset-tokens": "6m0s"},
        360.0,
    ),
    "only what is used up": (
        {
            "x-ratelimit-remaining-requests": "99",
            "x-ratelimit-reset-requests": "8h",
            "x-ratelimit-remaining-tokens": "0",
            "x-ratelimit-reset-tokens": "2s",
        },
        2.0,
    ),
    "nothing is used up": (
        {"x-ratelimit-remaining-requests": "99", "x-ratelimit-reset-requests": "8h"},
        None,
    ),
    "resets are no match for Retry-After": (
        {"retry-after": "1", "x-ratelimit-reset-tokens": "6m0s"},
        1.0,
    ),
}


@pytest.mark.parametrize(("headers", "expected"), ASKED.values(), ids=ASKED)
def test_the_wait_that_a_server_asks_for(headers: dict[str, str], expected: float | None) -> None:
    """Retry-After, else its milliseconds, else the limits that are used up."""
    assert asked_wait_s(headers) == expected


QUOTAS: dict[str, tuple[dict[str, str], Quota | None]] = {
    "nothing": ({"content-type": "text/html"}, None),
    "nothing that can be read": ({"x-ratelimit-limit-requests": "60"}, None),
    "OpenAI": (
        {
            "x-ratelimit-remaining-requests": "59",
            "x-ratelimit-remaining-tokens": "149984",
            "x-ratelimit-reset-requests": "1s",
            "x-ratelimit-reset-tokens": "6m0s",
        },
        Quota(n_requests=59, n_tokens=149984, reset_s=None),
    ),
    "Fireworks: the tighter of two": (
        {
            "x-ratelimit-remaining-tokens-prompt": "900000",
            "x-ratelimit-remaining-tokens-generated": "1200",
        },
        Quota(n_tokens=1200),
    ),
    "OpenRouter": ({"x-ratelimit-remaining": "3"}, Quota(n_requests=3)),
    "Anthropic": (
        {
            "anthropic-ratelimit-requests-remaining": "49",
            "anthropic-ratelimit-input-tokens-remaining": "8000",
            "anthropic-ratelimit-tokens-reset": "2020-01-01T00:00:00Z",
        },
        Quota(n_requests=49, n_tokens=8000, reset_s=0),
    ),
    "odd values": (
        {"x-ratelimit-remaining-requests": "many", "x-ratelimit-remaining-tokens": "nan"},
        None,
    ),
}


@pytest.mark.parametrize(("headers", "expected"), QUOTAS.values(), ids=QUOTAS)
def test_what_is_left_is_read_from_the_headers(
    headers: dict[str, str], expected: Quota | None
) -> None:
    """Each provider names its headers differently; the tightest window counts."""
    assert quota(headers) == expected


def pauses(patience: Patience, asked_s: float | None, attempt: int) -> list[float]:
    """A thousand draws of the wait after an attempt."""
    random.seed(7)
    return [patience.pause_s(attempt, asked_s) for _ in range(1000)]


def test_waits_are_spread_below_a_bound_that_doubles() -> None:
    """Many clients that failed together do not come back together."""
    patience = Patience(first_wait_s=1, longest_wait_s=60)
    for attempt, bound in ((1, 1), (2, 2), (4, 8), (10, 60)):
        drawn = pauses(patience, None, attempt)
        assert 0 <= min(drawn) < bound / 10
        assert bound * 0.9 < max(drawn) <= bound


def test_a_wait_is_never_shorter_than_asked_for_nor_longer_than_allowed() -> None:
    """The cap holds for the server's wish as well."""
    patience = Patience(first_wait_s=1, longest_wait_s=60)
    assert min(pauses(patience, 7, 1)) == 7
    assert set(pauses(patience, 3600, 1)) == {60}
    assert max(pauses(patience, 7, 10)) > 50


def test_no_patience_is_no_wait_at_all() -> None:
    """Replays and tests do not wait, whatever the headers say."""
    patience = Patience(first_wait_s=0, longest_wait_s=0)
    assert set(pauses(patience, 3600, 10)) == {0}
