"""When a call may be sent: concurrency, rates, circuit breaker and budget, shared by processes.

All processes of a machine meet in one small SQLite database in the cache folder (`ledger`), or
those of several machines in PostgreSQL (`postgres_ledger`), where they can share the items of a run
too (`shared_run`).
`limiter` is what a chat client waits at; `standing` and `throttle` hold the rules, without any
database; `protocol` is what a ledger has to do.
"""

from pytest_sema_bench.limits.ledger import (
    AnyLedger,
    SqliteLedger,
    account_of,
    mend_ledger,
    needs_psycopg,
    open_ledger,
)
from pytest_sema_bench.limits.limiter import Limiters
from pytest_sema_bench.limits.protocol import Ledger
from pytest_sema_bench.limits.run_book import RunState

__all__ = [
    "AnyLedger",
    "Ledger",
    "Limiters",
    "RunState",
    "SqliteLedger",
    "account_of",
    "mend_ledger",
    "needs_psycopg",
    "open_ledger",
]
