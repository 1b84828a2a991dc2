"""Wall time over its ideal and processor time per item, against a server of 0.25 s a reply.

    python benchmarks/harness.py [--quick]

Each item makes two calls, so the ideal is items × 2 / concurrency × 0.25 s. `harness alone` has
answers without code, so the VM has nothing to do; `with the VM` has right answers to all sixty
tasks, where the VM's own processor time counts too. CPU is that of the pytest process alone.
"""

import os
import re
import subprocess
import sys
import tempfile
import time

from slow_server import slow_server
from tabulate import tabulate

REPLY_S = 0.25
RUN = (
    "import sys, time, pytest; status = pytest.main(sys.argv[1:]); "
    "print(f'CPU {time.process_time():.3f}'); sys.exit(status)"
)


def measure(url: str, samples: int, concurrency: int) -> tuple[float, float, int]:
    """Wall seconds, CPU seconds and number of items of one pytest run."""
    with tempfile.TemporaryDirectory() as folder:
        arguments = ["--sema-model=slow", f"--sema-base-url={url}", f"--sema-samples={samples}"]
        arguments += [f"--sema-concurrency={concurrency}", f"--sema-report-dir={folder}"]
        started = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-c", RUN, *arguments, "-q", "--tb=no", "-p", "no:cacheprovider"],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": ""},
            capture_output=True,
            text=True,
            check=False,
        )
        wall_s = time.monotonic() - started
    cpu = re.search(r"^CPU (\S+)", done.stdout, re.MULTILINE)
    counts = re.findall(r"(\d+) (?:passed|failed)", done.stdout)
    if cpu is None or not counts or "error" in done.stdout.splitlines()[-2]:
        sys.exit(done.stdout + done.stderr)
    return wall_s, float(cpu[1]), sum(map(int, counts))


def main() -> None:
    """Measure and print the table."""
    sizes = [(1, 16), (10, 16), (10, 50)]
    if "--quick" in sys.argv:
        sizes = [(1, 16)]
    rows: list[list[object]] = []
    for title, mode in (("harness alone", "prose"), ("with the VM", "reference")):
        with slow_server(REPLY_S, mode) as url:
            for samples, concurrency in sizes:
                wall_s, cpu_s, n = measure(url, samples, concurrency)
                ideal_s = n * 2 / concurrency * REPLY_S
                figures = (wall_s, ideal_s, wall_s / ideal_s, 1000 * cpu_s / n)
                rows.append([title, n, concurrency, *figures])
    headers = ["", "items", "concurrency", "wall s", "ideal s", "ratio", "CPU ms/item"]
    print(tabulate(rows, headers=headers, floatfmt=".2f"))


if __name__ == "__main__":
    main()
