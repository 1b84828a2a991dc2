"""What continuous integration is given, with texts that try to do more than be shown."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_sema_bench.gate.compare import compare
from pytest_sema_bench.gate.load import load_results
from pytest_sema_bench.gate.task_results import Results, group_records
from pytest_sema_bench.gate.verdict import GateRules, decide
from pytest_sema_bench.records.outcome import Outcome
from pytest_sema_bench.report.github import (
    MAX_SUMMARY_BYTES,
    Severity,
    annotation,
    code_span,
    failure_annotation,
    junit_properties,
    summary_markdown,
    without_commands,
)
from pytest_sema_bench.tables.levels import make_tables
from tests.samples.hostile_run import HOSTILE, IMAGE, SCRIPT
from tests.samples.made_up_run import PLAYERS, write_made_up_run
from tests.samples.record import RECORD

SPANS = {
    "plain": ("L2-05-palindrome", "`L2-05-palindrome`"),
    "a fence": ("a ``` b", "````a ``` b````"),
    "at the ends": ("`a`", "`` `a` ``"),
    "a table's bar": ("a|b", r"`a\|b`"),
    "lines": ("a\n\n# b", "`a # b`"),
    "html": ("<img src=x>", "`<img src=x>`"),
    "marks of direction": ("a\u202eb", r"`a\u202eb`"),
    "nothing": ("", "` `"),
}


@pytest.mark.parametrize(("text", "span"), SPANS.values(), ids=SPANS)
def test_a_code_span_holds_any_text(text: str, span: str) -> None:
    """No text ends its span, its line or its table cell."""
    assert code_span(text) == span


def test_a_code_span_is_longer_than_any_fence_in_it() -> None:
    """The fence is one backtick longer than the longest run inside."""
    for n in range(1, 9):
        span = code_span(f"x{'`' * n}y")
        assert span == f"{'`' * (n + 1)}x{'`' * n}y{'`' * (n + 1)}"


def test_an_annotation_points_at_the_line() -> None:
    """The format is that of GitHub's workflow commands."""
    line = annotation("wrong", title="t", path="tasks/a.yaml", line=7, severity=Severity.NOTICE)
    assert line == "::notice file=tasks/a.yaml,line=7,title=t::wrong"


def test_an_annotation_cannot_be_broken_out_of() -> None:
    """Line ends, percent signs, commas and colons are escaped as GitHub reads them back."""
    line = annotation("a\r\n::add-mask::b%0A", title="x,line=9::y%", path="a,b:c.yaml", line=1)
    assert line == (
        "::error file=a%2Cb%3Ac.yaml,line=1,title=x%2Cline=9%3A%3Ay%25::a%0D%0A::add-mask::b%250A"
    )


def test_a_failure_says_what_happened() -> None:
    """Task, model and reason, then the first case that failed."""
    record = replace(RECORD, cases=[{"call": "(f)", "expected": "1", "got": "2", "pass": False}])
    assert failure_annotation(record, "tasks/L2/05-palindrome.yaml", 5, broken=True) == (
        "::error file=tasks/L2/05-palindrome.yaml,line=5,"
        "title=L2-05-palindrome [m-tools-s1] newly broken"
        "::wrong value%0A(f) gave 2, expected 1"
    )
    hostile = replace(record, task=HOSTILE, cases=[], detail="a\n::error::b" + HOSTILE)
    assert len(failure_annotation(hostile, "a.yaml", 1).splitlines()) == 1


COMMANDS = {
    "at the beginning": "::error::x",
    "after blanks": "   \t::add-mask::x",
    "on a later line": "fine\n::stop-commands::x",
    "of the old form": "answer ##[set-env name=X]y",
}


@pytest.mark.parametrize("text", COMMANDS.values(), ids=COMMANDS)
def test_no_printed_text_is_a_command(text: str) -> None:
    """A runner reads `::` at the beginning of a line, after blanks too, and `##[` anywhere."""
    tamed = without_commands(text)
    assert not re.search(r"^\s*::", tamed, re.MULTILINE)
    assert "##[" not in tamed
    assert without_commands("a :: b ## c\n(f)") == "a :: b ## c\n(f)"


def test_junit_gets_what_is_known() -> None:
    """Numbers as numbers, nothing for what is unknown, no control character."""
    record = replace(RECORD, served_model="a\x00b", category=None)
    properties = dict(junit_properties(record))
    assert properties["sema.outcome"] == "fail"
    assert properties["sema.cost_usd"] == "0.50000000"
    assert properties["sema.vm_errors"] == "unbound"
    assert properties["sema.served_model"] == r"a\x00b"
    assert "sema.category" not in properties
    assert {"sema.model", "sema.config", "sema.prompt_tokens"} < set(properties)


def test_the_summary_has_table_verdict_and_lists(tmp_path: Path) -> None:
    """The verdict comes first, then a row for each model, then what changed."""
    player = PLAYERS[0]
    write_made_up_run(tmp_path / "a", players=[replace(player, skill=0.9)], seed=1)
    records = write_made_up_run(tmp_path / "b", players=[replace(player, skill=0.3)], seed=2)
    base, run = load_results(tmp_path / "a"), load_results(tmp_path / "b")
    compared = compare(base, run)
    text = summary_markdown("b", make_tables(records), decide(run, GateRules(), compared), compared)
    lines = text.splitlines()
    assert lines[0] == "## `b`"
    assert lines[2] == "**✗ gate: regressed**"
    assert any(line.startswith("| `ash-2-tools` | ") for line in lines)
    (broken,) = [line for line in lines if "newly broken</summary>" in line]
    assert f"✗ {len(compared.comparisons[0].worse)} newly broken" in broken
    assert "- `L1-01-arithmetic-exact`" in text
    assert text.endswith("\n")


def test_a_summary_is_not_what_a_model_makes_of_it() -> None:
    """Outside of code spans there is no tag but our own, no link and no mention."""
    record = replace(RECORD, model=IMAGE, task=f"[x](http://y) @octocat {SCRIPT}")
    passed = replace(record, outcome=Outcome.PASS)
    base = Results(source="a", groups=group_records([passed]))
    run = Results(source="b", groups=group_records([record]))
    compared = compare(base, run)
    text = summary_markdown(
        "</code>", make_tables([record]), decide(run, GateRules(), compared), compared
    )
    assert "octocat" in text
    outside = re.sub(r"(`+)(?!`).*?(?<!`)\1(?!`)", "", text)
    assert set(re.findall(r"<[^>]*>", outside)) <= {
        "<details>",
        "<summary>",
        "</summary>",
        "</details>",
    }
    assert "octocat" not in outside
    assert "http" not in outside


def test_a_long_summary_is_cut_at_a_line() -> None:
    """GitHub would show nothing of a summary above its limit."""
    records = [replace(RECORD, model=f"model-{n:08}") for n in range(20_000)]
    text = summary_markdown("many", make_tables(records))
    assert MAX_SUMMARY_BYTES - 500 < len(text.encode()) <= MAX_SUMMARY_BYTES
    *rows, blank, last = text.splitlines()
    assert rows[-1].endswith(" |")
    assert (blank, last) == ("", "The rest is too long for GitHub; the report has it.")
