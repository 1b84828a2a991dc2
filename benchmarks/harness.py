"""Wall time over its ideal, processor time and memory per item, at 0.25 s a reply.

    python benchmarks/harness.py [--quick] [--fresh] [--ledger postgresql://…]

Each item makes two calls, so the ideal is items × 2 / concurrency × 0.25 s. `harness` has answers
without code, so the VM has nothing to do; `with the VM` has right answers to all sixty tasks, where
the VM's own processor time counts too. CPU is that of pytest and all its processes, start-up
included; memory is the peak of the first. As where the plugin is installed to be used, compiled
modules are kept, and the plugins of hypothesis and anyio, which only the tests need, are not
loaded. Growth compares the longest with the shortest run of one process. With `--ledger` each run
of the harness is made a second time, with that database in place of the SQLite file. All runs of
a kind ask one server, whose pace is known after the first, as a provider's is; with `--fresh` each
begins at a new one, with 20 calls in flight.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass

from slow_server import slow_server
from tabulate import tabulate

REPLY_S = 0.25
N_TASKS = 60
ENVIRONMENT = {
    "PYTHONPATH": "",
    "PYTHONDONTWRITEBYTECODE": "",
    "PYTEST_ADDOPTS": "-p no:hypothesispytest -p no:anyio",
}
RUN = """
import resource, sys, pytest
status = pytest.main(sys.argv[1:])
own, others = (resource.getrusage(w) for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
cpu_s = sum(usage.ru_utime + usage.ru_stime for usage in (own, others))
print(f"USED {cpu_s:.3f} {own.ru_maxrss}")
sys.exit(status)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """A run to measure."""

    samples: int
    concurrency: int
    """Over all processes."""
    n_workers: int = 0

    @property
    def n_items(self) -> int:
        """Of all sixty tasks."""
        return self.samples * N_TASKS

    @property
    def ideal_s(self) -> float:
        """What the replies alone take."""
        return self.n_items * 2 / self.concurrency * REPLY_S


QUICK = (Size(samples=2, concurrency=50),)
FULL = (
    Size(samples=10, concurrency=50),
    Size(samples=50, concurrency=50),
    Size(samples=50, concurrency=200),
    Size(samples=50, concurrency=50, n_workers=2),
    Size(samples=50, concurrency=200, n_workers=2),
)


def measure(url: str, size: Size, ledger: str | None = None) -> tuple[float, float, int]:
    """Wall seconds, CPU seconds, and peak KB of the first process, of one pytest run."""
    per_process = size.concurrency // max(1, size.n_workers)
    with tempfile.TemporaryDirectory() as folder:
        arguments = ["--sema-model=slow", f"--sema-base-url={url}"]
        arguments += [f"--sema-samples={size.samples}", f"--sema-concurrency={per_process}"]
        arguments += [f"--sema-report-dir={folder}", f"-n{size.n_workers}"]
        arguments += [f"--sema-ledger={ledger}"] if ledger else []
        started = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-c", RUN, *arguments, "-q", "--tb=no", "-p", "no:cacheprovider"],
            cwd=folder,
            env={**os.environ, **ENVIRONMENT},
            capture_output=True,
            text=True,
            check=False,
        )
        wall_s = time.monotonic() - started
    used = re.search(r"^USED (\S+) (\d+)", done.stdout, re.MULTILINE)
    graded = sum(map(int, re.findall(r"(\d+) (?:passed|failed)", done.stdout)))
    if used is None or graded != size.n_items:
        sys.exit(done.stdout[-4000:] + done.stderr)
    return wall_s, float(used[1]), int(used[2])


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="one small run of each kind")
    parser.add_argument("--ledger", metavar="URL", help="a database to measure besides")
    parser.add_argument("--fresh", action="store_true", help="a new server for each run")
    given = parser.parse_args()
    sizes = QUICK if given.quick else FULL
    ledgers = (None, given.ledger) if given.ledger else (None,)
    modes = [("harness", "prose", size, ledger) for size in sizes for ledger in ledgers]
    modes += [("with the VM", "reference", size, None) for size in QUICK]
    rows: list[list[object]] = []
    peaks_kb: dict[int, int] = {}
    urls: dict[str, str] = {}
    with ExitStack() as servers:
        for title, mode, size, ledger in modes:
            if mode not in urls or given.fresh:
                urls[mode] = servers.enter_context(slow_server(REPLY_S, mode))
            wall_s, cpu_s, peak_kb = measure(urls[mode], size, ledger)
            if mode == "prose" and not size.n_workers and ledger is None:
                peaks_kb.setdefault(size.n_items, peak_kb)
            figures = (wall_s, size.ideal_s, wall_s / size.ideal_s)
            used = (1000 * cpu_s / size.n_items, peak_kb / 1024)
            told = f"{title}, database" if ledger else title
            place = (told, size.n_items, size.concurrency, max(1, size.n_workers))
            rows.append([*place, *figures, *used])
    headers = ["", "items", "concurrency", "processes", "wall s", "ideal s", "ratio"]
    print(tabulate(rows, [*headers, "CPU ms/item", "peak MB"], floatfmt=".2f"))
    if len(peaks_kb) > 1:
        few, many = min(peaks_kb), max(peaks_kb)
        growth = (peaks_kb[many] - peaks_kb[few]) / (many - few)
        print(f"memory grows by {growth:.1f} KB an item from {few} to {many} items")


if __name__ == "__main__":
    main()
