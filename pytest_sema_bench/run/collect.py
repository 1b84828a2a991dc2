"""A run that machines share made an ordinary run folder, at any time."""

from contextlib import closing
from pathlib import Path

from pytest_sema_bench.limits import needs_psycopg
from pytest_sema_bench.records.reader import RunData
from pytest_sema_bench.run.merge import write_run
from pytest_sema_bench.settings import DatabaseUrl


def collect_run(url: DatabaseUrl, name: str, target: Path) -> RunData:
    """What the database holds of a run, written to a new folder.

    Raises SettingsError where there is no such run, DatabaseAway where it cannot be read.
    """
    try:
        from pytest_sema_bench.limits.shared_run import StoredRun
    except ImportError as error:
        raise needs_psycopg(error) from error
    with closing(StoredRun(url, name)) as stored:
        there = stored.read()
        # It is a run of no machine, and takes part in nothing.
        settings = {**there.content["settings"], "ledger": None, "run": None}
        content = {**there.content, "settings": settings, "shared_run": name}
        return write_run(target, there.items, stored.ended(), content)
