"""--sema-vm: how the Sema VM is reached."""

import json

from tests.plugin.bench_dir import REFERENCE, BenchDir
from tests.sema_builds import VERSION, wasm_folder


def test_the_run_names_the_vm_that_judged(bench_dir: BenchDir) -> None:
    """Backend, version and build of the VM stand in run.json and in each record."""
    bench_dir.run(REFERENCE, "--sema-vm=wasm", "-k", "adding").assert_outcomes(
        passed=1, deselected=3
    )
    run = json.loads((bench_dir.run_folder / "run.json").read_text())
    assert run["settings"]["vm"] == "wasm"
    assert run["vm"].startswith("wasm 1.36.0 (")
    assert [record.vm for record in bench_dir.records()] == [run["vm"]]


def test_a_build_of_ones_own_judges(bench_dir: BenchDir) -> None:
    """`vm` in pyproject.toml may name a folder, relative to that file, and records say so."""
    (bench_dir.path / "build").symlink_to(wasm_folder())
    (bench_dir.path / "pyproject.toml").write_text(
        '[tool.sema-bench]\nvm = "wasm:build"\ntasks = "tasks"\n'
    )
    bench_dir.run(REFERENCE, "-k", "adding").assert_outcomes(passed=1, deselected=3)
    (record,) = bench_dir.records()
    assert str(record.vm).startswith(f"wasm {VERSION} (")
