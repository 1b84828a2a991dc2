"""Processes by a name that no later one can have, and whether one of them still runs."""

import socket
from functools import cache

import psutil

_LONGEST_SILENCE_S = 1800.0
"""Longer than any call with all its attempts."""
_CLOCK_STEP_S = 5.0


@cache
def identity(pid: int) -> str:
    """A process, not to be mistaken for a later one with its number."""
    return f"{socket.gethostname()} {pid} {psutil.Process(pid).create_time():.2f}"


def is_alive(identity: str, *, silent_s: float) -> bool:
    """Of a process on another host, or of this one under another name, only silence tells."""
    host, pid, created = identity.rsplit(" ", 2)
    if host != socket.gethostname():
        return silent_s < _LONGEST_SILENCE_S
    try:
        process = psutil.Process(int(pid))
        zombie = process.status() == psutil.STATUS_ZOMBIE
        # A clock that was set moves the time at which all processes seem to have begun.
        return not zombie and abs(process.create_time() - float(created)) < _CLOCK_STEP_S
    except psutil.Error:
        return False
