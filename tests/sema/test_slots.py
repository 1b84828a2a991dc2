"""What processor time has stopped is tried once more, alone and with more of it."""

import asyncio

from pytest_sema_bench.sema.vm import ErrorClass, Evaluation
from pytest_sema_bench.sema.vm.slots import Slots
from pytest_sema_bench.sema.vm.watch import OF_PROCESSOR_TIME
from pytest_sema_bench.settings import Limits

STOPPED = Evaluation(error=f"stopped after 15 s {OF_PROCESSOR_TIME}", error_class=ErrorClass.TIME)
WAITED = Evaluation(error="stopped after 60 s of waiting", error_class=ErrorClass.TIME)
RIGHT = Evaluation(value="5")


class Evaluations:
    """What is asked, and how many evaluations are under way as each begins."""

    def __init__(self, first: Evaluation) -> None:
        self.limits: list[Limits] = []
        self.under_way = 0
        self.seen: list[int] = []
        self._first = first

    async def __call__(self, limits: Limits) -> tuple[Evaluation, ...]:
        """Takes a while; the first result, then a right one."""
        self.under_way += 1
        self.seen.append(self.under_way)
        self.limits.append(limits)
        await asyncio.sleep(0.01)
        self.under_way -= 1
        return (self._first if limits.again_cpu_s else RIGHT,)


def test_a_second_try_has_four_times_the_limit_and_decides() -> None:
    """The first try is forgotten, and a third is not made."""
    evaluate = Evaluations(STOPPED)
    results = asyncio.run(Slots(2).evaluate(evaluate, Limits(cpu_s=2.0).for_verdicts))
    assert results == (RIGHT,)
    assert [(limits.cpu_s, limits.again_cpu_s) for limits in evaluate.limits] == [
        (2.0, 8.0),
        (8.0, None),
    ]


def test_a_second_try_is_made_alone() -> None:
    """Several of them wait for all others and for each other, and all come to their end."""
    evaluate = Evaluations(STOPPED)
    slots, limits = Slots(3), Limits().for_verdicts

    async def check() -> None:
        await asyncio.gather(*(slots.evaluate(evaluate, limits) for _ in range(5)))

    asyncio.run(check())
    second = [
        n for n, used in zip(evaluate.seen, evaluate.limits, strict=True) if not used.again_cpu_s
    ]
    assert second == [1] * 5
    assert max(evaluate.seen) == 3


def test_waiting_is_not_tried_again() -> None:
    """A program that sleeps too long does so on an idle machine as well."""
    evaluate = Evaluations(WAITED)
    assert asyncio.run(Slots(1).evaluate(evaluate, Limits().for_verdicts)) == (WAITED,)


def test_a_place_is_free_again_whatever_became_of_it() -> None:
    """A try that is cancelled while it waits for the room leaves no place taken."""
    slots = Slots(2)

    async def take_all() -> None:
        async with slots.all():
            pass

    async def check() -> None:
        async with slots.one():
            waiting = asyncio.create_task(take_all())
            await asyncio.sleep(0)
            waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        async with asyncio.timeout(5), slots.all():
            pass

    asyncio.run(check())
