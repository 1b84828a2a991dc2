"""Builds the wheel, installs it into an empty environment, and runs it from another folder.

Proves that an installed plugin has all it needs: entry points, tasks, prompts, VM host.
"""

import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def run(*command: str | Path, cwd: Path) -> str:
    """What the command printed; ends the check if it failed."""
    print("$", *command, flush=True)
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, stdout=subprocess.PIPE, text=True, check=False
    )
    print(done.stdout, flush=True)
    if done.returncode != 0:
        sys.exit(f"exit code {done.returncode}")
    return done.stdout


def main() -> None:
    """Build, install, run."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run(sys.executable, "-m", "build", "--wheel", "--outdir", folder / "dist", ROOT, cwd=folder)
        (wheel,) = (folder / "dist").glob("*.whl")
        venv.create(folder / "env", with_pip=True)
        binaries = folder / "env" / "bin"
        run(binaries / "python", "-m", "pip", "install", "--quiet", wheel, cwd=folder)
        elsewhere = folder / "elsewhere"
        elsewhere.mkdir()
        run(binaries / "sema-bench", "vm", "eval", "(+ 1 2)", cwd=elsewhere)
        printed = run(binaries / "pytest", "--sema-model=reference", "-q", cwd=elsewhere)
        if "60 passed" not in printed:
            sys.exit("the installed plugin did not pass its sixty tasks")
        (report,) = elsewhere.glob("reports/*/report.html")
        if "L5-05" not in report.read_text("utf-8"):
            sys.exit("the report lacks a task")
    print("the wheel works")


if __name__ == "__main__":
    main()
