"""How calls that end and calls that want to go change what a ledger says: rules over values."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pytest_sema_bench.chat.permit import Reach
from pytest_sema_bench.errors import BudgetSpent, NotAsked
from pytest_sema_bench.limits.protocol import Answer, Ask, Ended
from pytest_sema_bench.limits.throttle import (
    Throttle,
    emptied,
    refreshed,
    taken,
    throttled,
    troubled,
    wait_s,
    went_well,
)

_DOWN_AFTER = 8
"""So many calls in a row that failed after all their retries mean that the server is down."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What is known of a server and key, of a run's money, and of what a process holds of both."""

    throttle: Throttle = field(default_factory=Throttle)
    refusals: Mapping[str, str] = field(default_factory=dict)
    """Why nothing more is sent, by model, "" for all of them; those since the run began."""
    cap_usd: float | None = None
    spent_usd: float = 0.0
    n_here: int = 0
    """This process's calls of this run that are in flight to this server."""
    usd_here: float = 0.0
    """Set aside for them."""
    n_elsewhere: int = 0
    """All other calls in flight to this server."""
    usd_elsewhere: float = 0.0
    """Set aside for all other calls of this run."""

    @property
    def n_in_flight(self) -> int:
        """Calls in flight to this server."""
        return self.n_here + self.n_elsewhere

    @property
    def reserved_usd(self) -> float:
        """Set aside for calls of this run."""
        return self.usd_here + self.usd_elsewhere


def standing_of(
    about: Ask,
    *,
    process: str,
    throttle: Throttle,
    refusals: Mapping[str, str],
    account: Sequence[float | None],
    held: Iterable[Sequence[Any]],
) -> Standing:
    """What concerns a call, from rows of a database.

    `account` is cap and sum spent, `held` are process, run, scope, calls and dollars set aside.
    """
    cap_usd, spent_usd = account
    by_holder = {tuple(names): (n, usd) for *names, n, usd in held}
    n_here, usd_here = by_holder.pop((process, about.run, about.scope), (0, 0.0))
    return Standing(
        throttle=throttle,
        refusals=refusals,
        cap_usd=cap_usd,
        spent_usd=spent_usd or 0.0,
        n_here=n_here,
        usd_here=usd_here,
        n_elsewhere=sum(n for (*_, scope), (n, _) in by_holder.items() if scope == about.scope),
        usd_elsewhere=sum(usd for (_, run, _), (_, usd) in by_holder.items() if run == about.run),
    )


def settle(
    standing: Standing, ended: Sequence[Ended], asks: Sequence[Ask], now: float
) -> tuple[Standing, list[Answer]]:
    """The standing after all that ended and all that may go, and the answers to those that ask.

    Who asks stands in line: behind one that has to wait nobody goes.
    """
    # What ended since the last exchange met the server together.
    n_in_flight = standing.n_in_flight
    for one in ended:
        standing = _booked(standing, one, n_in_flight, now)
    answers: list[Answer] = []
    wait: float | None = 0.0
    for ask in asks:
        answer: Answer = wait
        if wait == 0.0:
            standing, answer = _asked(standing, ask, now)
            wait = answer if answer is None or isinstance(answer, float) else 0.0
        answers.append(answer)
    return standing, answers


def _booked(standing: Standing, ended: Ended, n_in_flight: int, now: float) -> Standing:
    """An attempt's place is given back, and what its end teaches is learnt."""
    ask, result, throttle = ended.ask, ended.result, standing.throttle
    refusals = dict(standing.refusals)
    if result.throttled:
        throttle = throttled(throttle, n_in_flight=n_in_flight, asked_s=result.wait_s, now=now)
    elif result.answered:
        over = result.tokens.total - ask.n_tokens if result.tokens else 0
        throttle = went_well(throttle, n_in_flight=n_in_flight, n_tokens_over=over, now=now)
    if result.trouble is not None:
        throttle = troubled(throttle, result.trouble, now)
    if result.quota is not None:
        throttle = emptied(throttle, result.quota, now)
    if result.gave_up:
        n_gave_up = throttle.n_gave_up + 1
        if n_gave_up >= _DOWN_AFTER:
            refusals[""] = (
                f"the server seems down: {n_gave_up} calls in a row failed, retries and all"
            )
            # A later run, which this refusal does not concern, gets as many tries.
            n_gave_up = 0
        throttle = replace(throttle, n_gave_up=n_gave_up)
    if result.refusal is not None:
        reach, error = result.refusal
        refusals[ask.model_id if reach is Reach.MODEL else ""] = str(error)
    n_here = max(0, standing.n_here - 1)
    return replace(
        standing,
        throttle=throttle,
        refusals=refusals,
        spent_usd=standing.spent_usd + ended.cost_usd,
        n_here=n_here,
        # Sums of floats that ought to be nothing are nothing.
        usd_here=max(0.0, standing.usd_here - (ask.worst_usd or 0.0)) if n_here else 0.0,
    )


def _asked(standing: Standing, ask: Ask, now: float) -> tuple[Standing, Answer]:
    """The standing after an attempt has asked, and its answer."""
    for model in ("", ask.model_id):
        if model in standing.refusals:
            return standing, NotAsked(f"not asked: {standing.refusals[model]}")
    throttle = refreshed(standing.throttle, ask.limits, now)
    wait = wait_s(
        throttle, ask.limits, n_in_flight=standing.n_in_flight, n_tokens=ask.n_tokens, now=now
    )
    if wait != 0.0:
        return standing, wait
    worst = ask.worst_usd or 0.0
    spent, cap = standing.spent_usd, standing.cap_usd
    if cap is not None and spent + standing.reserved_usd + worst > cap:
        if standing.reserved_usd > 0:
            return standing, None  # calls in flight may cost less than feared
        return standing, BudgetSpent(
            f"budget: ${spent:.4f} of ${cap:g} is spent and the next call may cost up to "
            f"${worst:.4f}; take the run up with --sema-resume and a higher --sema-max-cost"
        )
    held = replace(
        standing,
        throttle=taken(throttle, ask.n_tokens, now),
        n_here=standing.n_here + 1,
        usd_here=standing.usd_here + worst,
    )
    return held, 0.0
