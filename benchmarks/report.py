"""Time and memory of `sema-bench report` on six models, sixty tasks and ten samples.

    python benchmarks/report.py [--filler CHARS]

The run is made up (tests/samples/made_up_run.py): 3,600 records, each with a conversation of
some 9 KB, system prompt included; `--filler` makes each that much longer. Peak memory is that
of the process that makes the report, as Linux counts it.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.samples.made_up_run import write_made_up_run  # noqa: E402 - needs the root on the path

COMMAND = r"""
import re, sys
from pathlib import Path
from pytest_sema_bench.cli import main
status = main(["report", *sys.argv[1:]])
print(int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1]) / 1024)
sys.exit(status)
"""


def measure(samples: int, filler_chars: int) -> tuple[float, float, float]:
    """Wall seconds, peak memory in MB and size of the file in MB."""
    with tempfile.TemporaryDirectory() as name:
        run, output = Path(name) / "runs" / "run", Path(name) / "report.html"
        write_made_up_run(run, samples=samples, filler_chars=filler_chars)
        started = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-c", COMMAND, str(run), "-o", str(output)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        wall_s = time.monotonic() - started
        return wall_s, float(done.stdout.split()[-1]), output.stat().st_size / 1e6


def main() -> None:
    """Measure one sample and ten."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--filler", type=int, default=0, metavar="CHARS")
    filler_chars: int = parser.parse_args().filler
    for samples in (1, 10):
        wall_s, memory_mb, size_mb = measure(samples, filler_chars)
        n = 360 * samples
        print(f"{n:5} records: {wall_s:.2f} s, {memory_mb:.0f} MB at most, file {size_mb:.1f} MB")


if __name__ == "__main__":
    main()
