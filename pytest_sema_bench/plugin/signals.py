"""SIGTERM and SIGHUP end a run as Ctrl-C does: with its table, and a status that shells know."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import pytest

_ENDING = tuple(
    getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)
)  # Windows has no SIGHUP


class Exit(pytest.exit.Exception, KeyboardInterrupt):  # type: ignore[name-defined, misc]
    """An exit that ends a collection too: there pytest takes its own for an error in one file."""


class Received:
    """The signal that ended a run."""

    status: int | None = None
    """What a shell calls the exit status of a process that it ended; None before there was one."""

    def end(self, number: int, frame: FrameType | None) -> None:
        """End pytest. To be a signal's handler; the next such signal kills the process."""
        signal.signal(number, signal.SIG_DFL)
        self.status = 128 + number
        # Not with this status at once: pytest would leave the summary out.
        raise Exit(f"ended by {signal.Signals(number).name}; --sema-resume takes the run up")


@contextmanager
def ended_in_order() -> Iterator[Received]:
    """Until this ends, such a signal ends pytest, which has time for its table."""
    received = Received()
    with _handled(received.end):
        yield received


@contextmanager
def left_to_the_controller() -> Iterator[None]:
    """Until this ends, a worker goes on when its whole group is signalled, and is told to end."""
    with _handled(signal.SIG_IGN):
        yield


@contextmanager
def _handled(handler: signal.Handlers | object) -> Iterator[None]:
    before = {}
    if threading.current_thread() is threading.main_thread():
        for number in _ENDING:
            if signal.getsignal(number) is signal.SIG_DFL:  # nohup's choice, for one, stays
                before[number] = signal.signal(number, handler)  # type: ignore[arg-type]
    try:
        yield
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)
