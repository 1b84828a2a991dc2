"""The loop on a thread of its own: what it reads when much comes at once."""

import selectors
import socket

from pytest_sema_bench.sema.loop_thread import FewAtATime

N = 10


def test_what_is_not_read_at_once_is_read_the_next_time() -> None:
    """A burst is taken in small groups; nothing is lost, nor passed over for what stays ready."""
    pairs = [socket.socketpair() for _ in range(N)]
    groups: list[list[int]] = []
    with FewAtATime() as selector:
        for number, (reader, writer) in enumerate(pairs):
            selector.register(reader, selectors.EVENT_READ, number)
            writer.send(b"x")
        while ready := selector.select(0):
            groups.append([key.data for key, _ in ready])
            for key, _ in ready:
                pairs[key.data][0].recv(1)
        for _, writer in pairs:
            writer.send(b"x")
        never_read = [{key.fd for key, _ in selector.select(0)} for _ in range(N)]
        assert len(set().union(*never_read)) == N
    for ends in pairs:
        for end in ends:
            end.close()
    assert sorted(number for group in groups for number in group) == list(range(N))
    assert all(len(group) < N / 2 for group in groups)
