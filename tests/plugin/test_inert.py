"""Installed but not asked for: the plugin changes nothing about a run."""

import re
import subprocess
import sys

from tests.plugin.bench_dir import BenchDir

_HEAVY = ("aiohttp", "yaml", "jsonschema", "tenacity", "asyncio")
_CONFTEST = """
import sys

def pytest_unconfigure(config):
    ours = [name for name in sys.modules if name.startswith("pytest_sema_bench")]
    heavy = [name for name in {heavy!r} if name in sys.modules]
    print("loaded", sorted(ours), heavy)
"""


def test_a_plain_run_imports_the_door_and_nothing_heavy(bench_dir: BenchDir) -> None:
    """Without --sema-model only the package, its plugin and the table of options are imported."""
    (bench_dir.path / "conftest.py").write_text(_CONFTEST.format(heavy=_HEAVY))
    # Other plugins that happen to be installed may import what they like.
    others = [f"-pno:{name}" for name in ("hypothesispytest", "anyio", "xdist", "xdist.looponfail")]
    result = bench_dir.run(*others)
    result.assert_outcomes(passed=1)
    door = [f"pytest_sema_bench{name}" for name in ("", ".errors", ".options", ".plugin")]
    assert f"loaded {door} []" in result.outlines


def test_a_run_begins_without_what_only_its_end_may_need() -> None:
    """Each of xdist's workers would pay for it too."""
    code = "import sys, pytest_sema_bench.plugin.hooks; print(set(sys.modules) & {names})"
    names = {"numpy", "jinja2", "aiohttp", "sentence_transformers", "mcp", "pyarrow", "psycopg"}
    done = subprocess.run(
        [sys.executable, "-c", code.format(names=names)], capture_output=True, text=True, check=True
    )
    assert done.stdout == "set()\n"


def test_a_plain_run_looks_as_if_the_plugin_were_not_there(bench_dir: BenchDir) -> None:
    """The output is the same with the plugin blocked, and no task file is collected."""
    with_plugin = bench_dir.run("-v", ".")
    without = bench_dir.run("-v", ".", "-p", "no:sema-bench")
    with_plugin.assert_outcomes(passed=1)
    assert _timeless(with_plugin.outlines) == _timeless(without.outlines)
    assert not (bench_dir.path / "reports").exists()


def test_the_options_are_listed_in_the_help(bench_dir: BenchDir) -> None:
    """`pytest --help` names every option of the plugin in a group of its own."""
    result = bench_dir.run_here("--help")
    options = ("config=NAMES", "samples=K", "concurrency=N", "vm=VM", "tasks=PATH")
    result.stdout.fnmatch_lines([f"  --sema-{option}*" for option in ("model=NAMES", *options)])


def _timeless(lines: list[str]) -> list[str]:
    """The lines without times and without the plugin's name in the list of plugins."""
    return [re.sub(r"\d+\.\d+s|, sema-bench-[\d.]+|sema-bench-[\d.]+, ", "", x) for x in lines]
