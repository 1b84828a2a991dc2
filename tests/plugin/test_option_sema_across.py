"""--sema-across: a baseline of another VM is compared with, if that is what is meant."""

import pytest

from tests.plugin.bench_dir import REFERENCE, BenchDir
from tests.sema_builds import VERSION, wasm


def test_a_baseline_of_another_vm_needs_the_word(bench_dir: BenchDir) -> None:
    """Without it nothing is comparable; with it the verdict names both VMs."""
    bench_dir.run(REFERENCE)
    baseline = f"--sema-baseline={bench_dir.run_folder}"
    newer = (REFERENCE, f"--sema-vm={wasm()}", baseline)
    result = bench_dir.run(*newer)
    assert result.ret == 10
    result = bench_dir.run(*newer, "--sema-across=vm")
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines([f"*across vm: wasm {VERSION} (*) against wasm 1.36.0 (*)*"])


def test_a_baseline_of_another_configuration(bench_dir: BenchDir) -> None:
    """It is held against the model's other one; naming another part leaves all tasks out."""
    bench_dir.run(REFERENCE, "--sema-config=bare")
    baseline = f"--sema-baseline={bench_dir.run_folder}"
    result = bench_dir.run(REFERENCE, baseline)
    assert result.ret == pytest.ExitCode.OK
    result = bench_dir.run(REFERENCE, baseline, "--sema-across=config")
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["*across config: tools * against bare *"])
    result = bench_dir.run(REFERENCE, baseline, "--sema-across=prompt")
    assert result.ret == 10
    result.stdout.fnmatch_lines(["*tools changed: none, now eval_code, docs_search *"])


WRONG = {
    "no baseline": (("--sema-across=vm",), "--sema-across goes with --sema-baseline*"),
    "unknown": (
        ("--sema-across=grader", "--sema-baseline=b.json", "--sema-baseline-new"),
        "--sema-across: found 'grader', expected some of vm*",
    ),
}


@pytest.mark.parametrize(("arguments", "message"), WRONG.values(), ids=WRONG)
def test_a_wrong_word_is_a_usage_error(
    bench_dir: BenchDir, arguments: tuple[str, ...], message: str
) -> None:
    """Nothing is asked."""
    result = bench_dir.run_here(REFERENCE, *arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {message}"])
