"""Seconds and memory of `sema-bench compare` on two runs of 6 models, 60 tasks and 10 samples.

    python benchmarks/compare.py

Both run folders are made up: records as long as real ones, with answers and cases. Each row is a
process of its own: interpreter, imports, reading 2 × 3,600 records, the tests and the output.
Memory is the largest resident set.
"""

import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tabulate import tabulate

from pytest_sema_bench.records.folder import write_records
from pytest_sema_bench.records.outcome import Outcome, Reason, Stop
from pytest_sema_bench.records.record import Record
from pytest_sema_bench.records.transcript import Tokens
from pytest_sema_bench.suite.folder import suite_folder
from pytest_sema_bench.suite.task import load_tasks

N_MODELS, N_SAMPLES = 6, 10
RUN = (
    "import resource, sys; from pytest_sema_bench.cli import main; status = main(sys.argv[1:]); "
    "used = resource.getrusage(resource.RUSAGE_SELF); "
    "print(used.ru_utime + used.ru_stime, used.ru_maxrss, file=sys.stderr); sys.exit(status)"
)
COMMANDS = {
    "compare": ["compare", "a", "b"],
    "compare --gate": ["compare", "a", "b", "--gate"],
    "compare --gate --json": ["compare", "a", "b", "--gate", "--json"],
    "compare --gate, from a baseline file": ["compare", "a.json", "b", "--gate"],
    "baseline save": ["baseline", "save", "a", "-o", "a.json"],
}


def make_run(folder: Path, seed: int) -> None:
    """A run folder whose tasks have a U-shaped difficulty, the same in each run."""
    toss = random.Random(seed)  # noqa: S311 (made-up results)
    difficulty = random.Random(0)  # noqa: S311 (as above)
    tasks = load_tasks(suite_folder())
    records = []
    for model in range(N_MODELS):
        for task in tasks:
            chance = difficulty.betavariate(0.6, 0.4)
            for sample in range(1, N_SAMPLES + 1):
                right = toss.random() < chance
                records.append(
                    Record(
                        key=f"{seed}-{model}-{task.id}-{sample}",
                        task=task.id,
                        level=task.level,
                        category=task.category,
                        model=f"model-{model}",
                        config="tools",
                        sample=sample,
                        outcome=Outcome.PASS if right else Outcome.FAIL,
                        reason=Reason.RIGHT if right else Reason.WRONG_VALUE,
                        score=1.0 if right else 0.3,
                        answer=f"```sema\n{task.reference}\n```\n" + "Some words on it. " * 60,
                        cases=[
                            {"call": case.call, "expected": "1", "got": "1", "pass": right}
                            for case in task.cases
                        ],
                        vm_errors=[{"where": "tool", "class": "unbound", "name": "second"}],
                        tool_calls={"eval_code": 2},
                        rounds=2,
                        stop=Stop.ANSWERED,
                        tokens=Tokens(prompt=3000, cached=0, completion=300, reasoning=100),
                        cost_usd=0.002,
                        latency_s=3.0,
                        provider="made up",
                        vm="wasm 1.36.0",
                        grader=1,
                        task_hash=task.task_hash,
                    )
                )
    folder.mkdir()
    write_records(folder / "records.jsonl", records)


def main() -> None:
    """Make the runs, measure each command, print the table."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_run(folder / "a", 1)
        make_run(folder / "b", 2)
        size_mb = sum(path.stat().st_size for path in folder.glob("*/*.jsonl")) / 1e6
        print(f"2 × {N_MODELS * N_SAMPLES * 60:,} records, {size_mb:.0f} MB")
        rows = []
        for title in ("baseline save", *COMMANDS):
            started = time.monotonic()
            done = subprocess.run(
                [sys.executable, "-c", RUN, *COMMANDS[title]],
                cwd=folder,
                capture_output=True,
                text=True,
                check=False,
            )
            wall_s = time.monotonic() - started
            if done.returncode not in (0, 1):
                sys.exit(done.stdout + done.stderr)
            cpu_s, resident_kib = map(float, done.stderr.split()[-2:])
            rows.append((title, wall_s, cpu_s, resident_kib / 1024))
    print(tabulate(rows[1:], headers=["", "wall s", "CPU s", "MiB"], floatfmt=".1f"))


if __name__ == "__main__":
    main()
