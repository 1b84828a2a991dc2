"""What the plugin costs a run that does not ask for it, and one item from start to end.

python benchmarks/startup.py
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

N = 15


def seconds(*arguments: str, cwd: Path, environment: dict[str, str] | None = None) -> float:
    """Wall seconds of one pytest run."""
    started = time.monotonic()
    subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments],
        cwd=cwd,
        env={**os.environ, **(environment or {})},
        capture_output=True,
        check=True,
    )
    return time.monotonic() - started


def main() -> None:
    """Measure in turn, so that a noisy machine hits both sides alike, and print medians."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "test_nothing.py").write_text("def test_nothing(): pass\n")
        bare = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        without, with_plugin, items = [], [], []
        item = ("--sema-model=reference", "-k", "palindrome")
        seconds(*item, cwd=folder)
        for _ in range(N):
            without.append(seconds(cwd=folder, environment=bare))
            with_plugin.append(
                seconds("-p", "pytest_sema_bench.plugin", cwd=folder, environment=bare)
            )
        for _ in range(5):
            items.append(seconds(*item, cwd=folder))
    base, loaded = statistics.median(without), statistics.median(with_plugin)
    print(f"pytest without the plugin   {1000 * base:7.0f} ms")
    print(f"pytest with it, not asked   {1000 * loaded:7.0f} ms, ratio {loaded / base:.2f}")
    print(f"one item, reference model   {1000 * statistics.median(items):7.0f} ms")


if __name__ == "__main__":
    main()
