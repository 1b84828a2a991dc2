"""When a call may be sent: concurrency, rates, circuit breaker and budget, shared by processes.

All processes of a machine meet in one small SQLite database in the cache folder (`ledger`).
`limiter` is what a chat client waits at; `throttle` holds the rules, without any database.
"""

from pytest_sema_bench.limits.ledger import Ledger, mend_ledger, open_ledger
from pytest_sema_bench.limits.limiter import Limiters
from pytest_sema_bench.limits.run_book import RunState

__all__ = ["Ledger", "Limiters", "RunState", "mend_ledger", "open_ledger"]
