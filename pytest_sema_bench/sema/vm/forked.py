"""What a fork does with the VM's processes: they stay with the process that started them.

A forked child has copies of their pipes. Left open they would keep a host alive whose owner has
gone (it ends when its standard input does), for as long as the child lives.
"""

import asyncio
import os
import weakref

_running: "weakref.WeakSet[asyncio.subprocess.Process]" = weakref.WeakSet()


def leave_behind(process: asyncio.subprocess.Process) -> None:
    """Let a child that is forked from now on close its copies of the pipes to a process."""
    _running.add(process)


def _close_copies() -> None:
    for process in list(_running):
        # asyncio tells its pipes only to those who ask the transport, which it keeps to itself.
        transport: asyncio.SubprocessTransport | None = getattr(process, "_transport", None)
        for number in range(3):
            pipe = transport and transport.get_pipe_transport(number)
            # Of the file and not of the transport: that would tell the owner's event loop.
            if pipe is not None and (file := pipe.get_extra_info("pipe")) is not None:
                file.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_close_copies)
