"""A shared database whose connection breaks at the worst moment, and machines that lose a lease."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_sema_bench.errors import SettingsError
from pytest_sema_bench.limits.postgres_ledger import PostgresLedger
from pytest_sema_bench.limits.protocol import Answer, Ended
from pytest_sema_bench.limits.shared_run import SharedRun, StoredRun
from pytest_sema_bench.records.folder import RunFolder
from pytest_sema_bench.records.items import PlannedItem
from pytest_sema_bench.records.outcome import Outcome, Reason, Void
from pytest_sema_bench.records.reader import read_records
from pytest_sema_bench.settings import DatabaseUrl
from tests.limits.test_ledger import GOOD, ask
from tests.postgres_server import PostgresServer
from tests.samples.record import RECORD

TALK: dict[str, list[object]] = {"messages": [], "calls": []}
WRONG = [replace(RECORD, key=f"k{n}", task=f"L1-0{n}-x") for n in (1, 2, 3)]
KEYS = [record.key for record in WRONG]
RIGHT = replace(WRONG[0], outcome=Outcome.PASS, reason=Reason.RIGHT)
VOID = replace(WRONG[0], outcome=Outcome.VOID, reason=Void.API)


class Relay:
    """A connection to the server that can be cut after a COMMIT has arrived there."""

    def __init__(self, server: PostgresServer) -> None:
        self.cuts = False
        """Whether the next answer to a COMMIT is lost, with the connection."""
        self.n_cut = 0
        self._server = server
        self._listening = socket.create_server(("127.0.0.1", 0))
        port = self._listening.getsockname()[1]
        self.url = DatabaseUrl(server.url.full.replace(f":{server.port}/", f":{port}/"))
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take no more connections."""
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        address = "127.0.0.1", self._server.port
        with client, socket.create_connection(address) as server:
            answering = threading.Thread(target=_pass_on, args=(server, client))
            answering.start()
            with suppress(OSError):
                while data := client.recv(65_536):
                    lost = self.cuts and b"COMMIT" in data
                    if lost:
                        self.cuts = False
                        self.n_cut += 1
                        client.shutdown(socket.SHUT_RDWR)
                    server.sendall(data)
                    if lost:
                        time.sleep(0.2)  # it is carried out though nobody hears of it
            with suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)
            answering.join()


def _pass_on(server: socket.socket, client: socket.socket) -> None:
    with suppress(OSError):
        while data := server.recv(65_536):
            client.sendall(data)
    with suppress(OSError):
        client.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def relay(database: PostgresServer) -> Iterator[Relay]:
    """The way to an empty database."""
    relay = Relay(database)
    yield relay
    relay.close()


def test_an_exchange_whose_end_was_not_heard_of_is_not_done_twice(relay: Relay) -> None:
    """The call that was let go is let go once, and paid once."""
    ledger = PostgresLedger(relay.url)
    ledger.start_run("r", cap_usd=10.0, spent_usd=0.0)

    def exchange(ended: list[Ended], n_asks: int) -> list[Answer]:
        relay.cuts = True
        return asyncio.run(ledger.exchange(ended, [ask()] * n_asks))

    assert exchange([], 1) == [0.0]
    state = ledger.book.state("r")
    assert state is not None
    assert state.in_flight == 1
    assert exchange([Ended(ask=ask(), result=GOOD, cost_usd=0.25)], 2) == [0.0, 0.0]
    state = ledger.book.state("r")
    assert state is not None
    assert (state.in_flight, state.spent_usd, relay.n_cut) == (2, 0.25, 2)
    ledger.close()


def begun(url: DatabaseUrl, folder: Path, *, lease_s: float = 20.0) -> SharedRun:
    """A machine that takes part in a run of three items."""
    path = RunFolder(folder)
    path.make()
    shared = SharedRun(url, "big", path, lease_s=lease_s)
    shared.join({}, {}, [PlannedItem.of(record) for record in WRONG])
    return shared


def test_a_claim_whose_end_was_not_heard_of_is_not_lost(relay: Relay, tmp_path: Path) -> None:
    """The item is claimed anew by the same process, and by no other."""
    shared, other = begun(relay.url, tmp_path / "a"), begun(relay.url, tmp_path / "b")
    relay.cuts = True
    assert shared.claim(KEYS) == KEYS[0]
    assert relay.n_cut == 1
    assert other.claim(KEYS) == KEYS[1]
    assert shared.claim(KEYS[2:]) == KEYS[2]
    assert other.claim(KEYS) == KEYS[1]
    shared.close()
    assert {other.claim(KEYS[:1]), other.claim(KEYS[2:])} == {KEYS[0], KEYS[2]}
    other.close()


def test_the_first_verdict_of_an_item_counts_for_all(
    database: PostgresServer, tmp_path: Path
) -> None:
    """A machine that was away for longer than its lease hears that another was faster."""
    slow = begun(database.url, tmp_path / "slow", lease_s=1000.0)
    fast = begun(database.url, tmp_path / "fast", lease_s=0.5)
    assert slow.claim(KEYS[:1]) == KEYS[0]
    assert fast.claim(KEYS[:1]) is None
    time.sleep(0.6)
    assert fast.claim(KEYS[:1]) == KEYS[0]
    assert fast.keep([(RIGHT, TALK)]) == [RIGHT]
    (told,) = slow.keep([(WRONG[0], TALK)])
    assert told.passed
    assert slow.news({KEYS[0]: None}) == []
    assert [record.passed for record in read_records(tmp_path / "slow")] == [True]
    stored = StoredRun(database.url, "big")
    assert [record.passed for batch in stored.ended() for record, _ in batch] == [True]
    for one in (slow, fast, stored):
        one.close()


def test_a_void_item_is_tried_once_by_each_process(
    database: PostgresServer, tmp_path: Path
) -> None:
    """It is nobody's last word, and a verdict goes before it."""
    one, other = begun(database.url, tmp_path / "a"), begun(database.url, tmp_path / "b")
    assert one.claim(KEYS[:1]) == KEYS[0]
    assert one.keep([(VOID, TALK)]) == [VOID]
    assert one.claim(KEYS[:1]) is None
    assert other.news({KEYS[0]: None}) == []
    assert other.claim(KEYS[:1]) == KEYS[0]
    assert other.keep([(RIGHT, TALK)]) == [RIGHT]
    (heard,) = one.news({KEYS[0]: None})
    assert heard.passed
    one.close()
    other.close()


def test_machines_that_ask_something_else_are_told_what(
    database: PostgresServer, tmp_path: Path
) -> None:
    """And nothing is changed there."""
    shared = begun(database.url, tmp_path / "a")
    with pytest.raises(SettingsError, match="they differ in the VM: None there, wasm here"):
        shared.join({"the VM": "wasm"}, {}, [])
    stored = StoredRun(database.url, "big")
    assert [entry.key for entry in stored.read().items] == KEYS
    stored.close()
    shared.close()
