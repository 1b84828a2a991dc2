"""--sema-vm: how the Sema VM is reached."""

import json

from tests.plugin.bench_dir import REFERENCE, BenchDir


def test_the_run_names_the_vm_that_judged(bench_dir: BenchDir) -> None:
    """Backend, version and build of the VM stand in run.json and in each record."""
    bench_dir.run(REFERENCE, "--sema-vm=wasm", "-k", "adding").assert_outcomes(
        passed=1, deselected=3
    )
    run = json.loads((bench_dir.run_folder / "run.json").read_text())
    assert run["settings"]["vm"] == "wasm"
    assert run["vm"].startswith("wasm 1.36.0 (")
    assert [record.vm for record in bench_dir.records()] == [run["vm"]]
