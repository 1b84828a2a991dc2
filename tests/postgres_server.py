"""A real PostgreSQL on loopback, which a test can stop and start again."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from pytest_sema_bench.settings import DatabaseUrl

PASSWORD = "pg-very-secret-4711"
_USERS = ("postgres", "nobody")
"""PostgreSQL refuses to be run by root."""


class PostgresServer:
    """The server, in a folder of its own."""

    def __init__(self, binaries: Path) -> None:
        self._binaries = binaries
        self._folder = Path(tempfile.mkdtemp(prefix="sema-postgres-"))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self._as_user: list[str] = []
        if os.geteuid() == 0:
            user = next(name for name in _USERS if _is_user(name))
            shutil.chown(self._folder, user)
            self._as_user = ["setpriv", f"--reuid={user}", "--clear-groups", "--"]
        (self._folder / "password").write_text(PASSWORD)
        (self._folder / "password").chmod(0o644)
        self._run(
            *("initdb", "-D", f"{self._folder}/data", "-U", "bench", "--no-sync"),
            *("--auth=scram-sha-256", f"--pwfile={self._folder}/password"),
        )
        self.start()

    @property
    def url(self) -> DatabaseUrl:
        """What --sema-ledger takes."""
        return DatabaseUrl(f"postgresql://bench:{PASSWORD}@127.0.0.1:{self.port}/postgres")

    def start(self) -> None:
        """Start it and wait until it takes connections."""
        options = f"-p {self.port} -h 127.0.0.1 -k {self._folder} -F"
        self._run(
            *("pg_ctl", "-D", f"{self._folder}/data", "-w", "-o", options),
            *("-l", f"{self._folder}/log", "start"),
        )

    def stop(self, mode: str = "fast") -> None:
        """Stop it, cutting all connections."""
        self._run("pg_ctl", "-D", f"{self._folder}/data", "-w", "-m", mode, "stop")

    def forget(self) -> None:
        """Drop all that is in the database."""
        with psycopg.connect(self.url.full, autocommit=True) as connection:
            connection.execute("DROP SCHEMA IF EXISTS sema_bench_1 CASCADE")

    def close(self) -> None:
        """End it and remove its folder."""
        self.stop("immediate")
        shutil.rmtree(self._folder)

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [*self._as_user, self._binaries / program, *arguments],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd=self._folder,
        )


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """The server of this session; without PostgreSQL the test is skipped."""
    # Debian keeps the programs of each version in a folder of its own, not on PATH.
    folders = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    if found := shutil.which("initdb"):
        folders.append(Path(found).parent)
    if not folders:
        pytest.skip("there is no PostgreSQL here: apt-get install postgresql")
    server = PostgresServer(folders[0])
    yield server
    server.close()


@pytest.fixture
def database(postgres_server: PostgresServer) -> PostgresServer:
    """The server with an empty database."""
    postgres_server.forget()
    return postgres_server


def _is_user(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True
