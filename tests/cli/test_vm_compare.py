"""`sema-bench vm compare`: what two VMs do not do alike, and what that means for a suite."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_sema_bench.cli import main
from tests.conftest import Capture
from tests.samples.outcomes import write_run
from tests.samples.record import RECORD
from tests.sema_builds import VERSION, native, wasm

pytestmark = pytest.mark.vm

SUITE = """
name: small
version: 1
language: Sema
licence: MIT
canary: 3f9c2a4e-1111-4222-8333-944445555666
levels:
  - {name: L1, meaning: one function, tasks: 1}
"""
TASK = """
id: L1-01-%s
level: L1
category: order
prompt: Write a Sema function `(%s a b)`.
grade:
  kind: program
  cases:
    - call: (%s 1 2)
      equals: "%s"
      public: true
reference: |
  %s
"""
MEAN = "(define (mean a b) (list/avg (list a b)))"
ADD = "(define (add a b) (+ a b))"

Compare = Callable[..., int]


@pytest.fixture
def suite(tmp_path: Path) -> Callable[[str, str, str], Path]:
    """Makes a suite of one task, from its name, what it gives and its reference."""

    def make(name: str, equals: str, reference: str) -> Path:
        folder = tmp_path / "suite"
        (folder / "L1").mkdir(parents=True)
        (folder / "suite.yaml").write_text(SUITE)
        text = TASK % (name, name, name, equals, reference)
        (folder / "L1" / f"01-{name}.yaml").write_text(text)
        return folder

    return make


def test_a_verdict_that_differs_ends_with_1(
    suite: Callable[[str, str, str], Path], capsys: Capture
) -> None:
    """A reference that fails on the newer VM is named with what each of them gives."""
    folder = suite("mean", "1.5", MEAN)
    argv = ["vm", "compare", "wasm", str(wasm()), f"--suite={folder}", "--only=suite"]
    assert main(argv) == 1
    text = capsys.readouterr().out
    assert "verdicts of the suite: NOT the same on both" in text
    assert "L1-01-mean, the reference answer (L1/01-mean.yaml:" in text
    assert "first: pass (right)" in text
    assert "second: fail (wrong value): 3/2" in text
    assert main([*argv, "--json"]) == 1
    facts = json.loads(capsys.readouterr().out)
    assert facts["suite_holds"] is False
    assert (facts["first"]["version"], facts["second"]["version"]) == ("1.36.0", VERSION)
    (difference,) = facts["differences"]["verdict"]
    assert (difference["suite"], difference["code"]) == (True, "(mean 1 2)")


def test_what_agrees_ends_with_0(suite: Callable[[str, str, str], Path], capsys: Capture) -> None:
    """The page says what was run and that nothing differs, as Markdown as well."""
    folder = suite("add", "3", ADD)
    argv = ["vm", "compare", "wasm", "wasm", f"--suite={folder}", "--only=suite", "--only=prompt"]
    assert main([*argv, "--format=markdown"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("# wasm 1.36.0 (")
    assert "run on both: 1 references, 2 wrong answers, " in text
    assert " blocks of the system prompt\nverdicts of the suite: the same on both\n" in text
    assert "nothing differs" in text


def test_stored_answers_of_a_run_are_compared_too(
    suite: Callable[[str, str, str], Path],
    tmp_path: Path,
    capsys: Capture,
) -> None:
    """What a model once answered shows what users will meet; the exit status is the suite's."""
    folder = suite("add", "3", ADD)
    answer = '```sema\n(define (add a b) (if (< "a" "b") (+ a b) 0))\n```'
    record = replace(RECORD, task="L1-01-add", level="L1", answer=answer)
    write_run(tmp_path / "run", [record], settings={"tasks": None, "suite": str(folder)})
    argv = ["vm", "compare", "wasm", str(wasm()), f"--suite={folder}", "--only=suite"]
    assert main([*argv, f"--run={tmp_path / 'run'}"]) == 0
    text = capsys.readouterr().out
    assert "1 stored answers" in text
    assert "verdict: 1\n" in text
    assert "second: fail (error): type error: " in text


@pytest.mark.native
def test_the_documentation_differs_where_docs_vm_md_says_so(capsys: Capture) -> None:
    """WASM and native of one version: files, environment, channels, and what the host is."""
    assert main(["vm", "compare", str(wasm()), str(native()), "--only=docs", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    found = {each["name"] for kind in facts["differences"].values() for each in kind}
    assert {"file/exists?", "env", "sys/arch", "channel/recv"} <= found
    assert not {"map", "foldl", "string/split", "match", "let", "defmacro"} & found
