"""The report's file, without a browser: what is in it and what cannot be."""

import base64
import hashlib
import json
import re
import zlib
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from pytest_sema_bench.gate.compare import compare
from pytest_sema_bench.gate.load import load_results
from pytest_sema_bench.gate.verdict import GateRules, decide
from pytest_sema_bench.records.folder import RunFolder, write_records
from pytest_sema_bench.records.outcome import Outcome, Void
from pytest_sema_bench.records.reader import read_run
from pytest_sema_bench.report.html import visible, write_report
from pytest_sema_bench.report.runs import merge_runs
from tests.samples.hostile_run import HOSTILE, SCRIPT, write_hostile_run
from tests.samples.made_up_run import PLAYERS, suite, write_made_up_run, write_run_files
from tests.samples.record import RECORD

TEMPLATES = files("pytest_sema_bench.report") / "templates"


def report(*folders: Path, baseline: Path | None = None) -> str:
    """The report's text."""
    merged = merge_runs([read_run(folder) for folder in folders])
    output = folders[0].parent.parent / "out" / "report.html"
    if baseline is None:
        write_report(merged, output)
    else:
        compared = compare(load_results(baseline), merged.results())
        verdict = decide(merged.results(), GateRules(), compared)
        write_report(merged, output, verdict=verdict, compared=compared)
    assert [path.name for path in output.parent.iterdir()] == ["report.html"]
    return output.read_text("utf-8")


def unpacked(page: str, name: str) -> Any:
    """What a block of data holds."""
    found = re.search(rf'<script type="text/plain" id="{name}">([^<]*)</script>', page)
    assert found is not None
    return json.loads(zlib.decompress(base64.b64decode(found[1])))


def test_everything_the_issue_lists_is_there(tmp_path: Path) -> None:
    """Verdict, levels, failures, changes, tasks, cost, reasons, errors, tools, history."""
    for day in (1, 2):
        write_made_up_run(tmp_path / "runs" / f"run{day}", players=PLAYERS[:2], seed=day, day=day)
    page = report(tmp_path / "runs" / "run2", baseline=tmp_path / "runs" / "run1")
    titles = re.findall(r'<h2 id="\w+">([^<]*)</h2>', page)
    assert titles == [
        "Pass rate by level",
        "Effort and failures",
        "What changed",
        "Every task",
        "Cost",
        "Why items fail",
        "Errors of the VM",
        "Tools and recovery",
        "History",
    ]
    assert re.search(r"Gate: (no evidence of regression|regressed|cannot tell)", page)
    assert "newly broken" in page
    assert page.count('class="trend"') == 2
    assert len(set(re.findall(r'href="(#/item/[^"]+)" title', page))) == 120


def test_the_newest_run_has_no_history_of_the_future(tmp_path: Path) -> None:
    """A report on an old run shows what was known then."""
    for day in (1, 2):
        write_made_up_run(tmp_path / "runs" / f"r{day}", players=PLAYERS[:1], tasks=suite()[:2])
    assert '<h2 id="history">' in report(tmp_path / "runs" / "r2")
    late = tmp_path / "late"
    for name, day in (("r1", 3), ("r2", 4)):
        write_made_up_run(late / name, players=PLAYERS[:1], tasks=suite()[:2], day=day)
    assert '<h2 id="history">' not in report(late / "r1")


def test_a_conversation_comes_back_whole(tmp_path: Path) -> None:
    """Record and messages are embedded as they were stored; shared texts stand apart."""
    folder = tmp_path / "runs" / "run"
    record = write_made_up_run(folder, players=PLAYERS[:1], tasks=suite()[:3])[2]
    page = report(folder)
    talk, shared = unpacked(page, "c2"), unpacked(page, "shared")
    stored = json.loads((folder / str(record.transcript)).read_text("utf-8"))
    for message in talk["messages"]:
        if "shared" in message:
            message["content"] = shared[message.pop("shared")]
    assert talk["messages"] == stored["messages"]
    assert talk["calls"] == stored["calls"]
    assert talk["record"] == json.loads(record.to_json())
    assert len(shared) == 4


def test_a_run_without_any_verdict_has_a_report(tmp_path: Path) -> None:
    """Void and missing items are shown as such, and no rate is."""
    folder = tmp_path / "runs" / "run"
    void = replace(
        RECORD, outcome=Outcome.VOID, reason=Void.BUDGET, score=None, level=None, cases=[]
    )
    folder.mkdir(parents=True)
    write_records(folder / "records.jsonl", [void])
    write_run_files(RunFolder(folder), [void, replace(void, sample=2)])
    page = report(folder)
    assert "Nothing was graded" in page
    assert re.search(
        r'class="void" href="#/items\?task=[^"]*"[^>]*budget, no record">0/0</a>', page
    )
    assert re.search(r'<th scope="col"><a href="#/items\?level=other">other</a></th>', page)


TRANSCRIPTS = {
    "missing": (None, "cannot be read: No such file"),
    "damaged": ("{", "cannot be read: Expecting"),
    "of another shape": ('{"messages": 1, "calls": []}', "holds no lists"),
}


@pytest.mark.parametrize(("content", "note"), TRANSCRIPTS.values(), ids=TRANSCRIPTS)
def test_a_transcript_that_cannot_be_read_is_a_note(
    tmp_path: Path, content: str | None, note: str
) -> None:
    """The report is made all the same, and the item says why there is no conversation."""
    folder = tmp_path / "runs" / "run"
    (record,) = write_made_up_run(folder, players=PLAYERS[:1], tasks=suite()[:1])
    path = folder / str(record.transcript)
    path.unlink()
    if content is not None:
        path.write_text(content)
    talk = unpacked(report(folder), "c0")
    assert note in talk["note"]
    assert talk["messages"] == []


@pytest.mark.parametrize("path", ["../../secret.json", "/etc/hostname"])
def test_no_file_outside_of_the_run_is_embedded(tmp_path: Path, path: str) -> None:
    """A record cannot name any file of the machine as its transcript."""
    folder = tmp_path / "runs" / "run"
    (record,) = write_made_up_run(folder, players=PLAYERS[:1], tasks=suite()[:1])
    (tmp_path / "secret.json").write_text('{"messages": ["secret"], "calls": []}')
    line = replace(record, transcript=path).to_json()
    (folder / "records.jsonl").write_text(line + "\n", "utf-8")
    assert "outside of the run folder" in unpacked(report(folder), "c0")["note"]


def test_hostile_text_stays_text(tmp_path: Path) -> None:
    """No tag of a model's gets into the page, and its odd characters are written out."""
    write_hostile_run(tmp_path / "runs" / "run")
    page = report(tmp_path / "runs" / "run")
    outside = re.sub(r"<script>.*</script>", "", page, flags=re.DOTALL)
    assert "<img" not in page
    assert SCRIPT not in page
    assert "&lt;img src=x" in outside
    assert "\u202e" not in page
    assert "‹U+202E›" in outside
    assert unpacked(page, "c0")["record"]["detail"] == HOSTILE


def test_only_the_report_s_own_script_may_run(tmp_path: Path) -> None:
    """The policy names the hash of the one script, and no source for anything else."""
    write_made_up_run(tmp_path / "runs" / "run", players=PLAYERS[:1], tasks=suite()[:1])
    page = report(tmp_path / "runs" / "run")
    (script,) = re.findall(r"<script>(.*?)</script>", page, flags=re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
    assert policy is not None
    assert "default-src 'none'" in policy[1]
    assert f"script-src 'sha256-{digest}';" in policy[1]
    assert (
        re.findall(r"\b(?:https?:)?//\w", re.sub(r"<script.*</script>", "", page, flags=16)) == []
    )


def test_no_script_writes_html() -> None:
    """Model text can become markup in none of the scripts."""
    names = [path.name for path in TEMPLATES.iterdir() if path.name.endswith(".js")]
    assert len(names) == 5
    for name in names:
        text = (TEMPLATES / name).read_text("utf-8")
        assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(", text)


def test_visible_spells_out_what_does_not_show() -> None:
    """Line ends, tabs and hard blanks are harmless; numbers pass through."""
    assert visible("a\u202eb\x00\x1b\ud800\u200b") == "a‹U+202E›b‹U+0000›‹U+001B›‹U+D800›‹U+200B›"
    assert visible("é\n\t\u00a0漢") == "é\n\t\u00a0漢"
    assert visible(3.5) == 3.5


def luminance(colour: str) -> float:
    """Relative luminance of `#rrggbb`. Source: WCAG 2.2."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


INKS = ("ink", "soft", "link", "good", "bad", "doubt", "string", "number", "keyword")
PAIRS = [(ink, ground) for ink in INKS for ground in ("ground", "panel")]
PAIRS += [("good", "good-ground"), ("bad", "bad-ground"), ("ink", "good-ground")]


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_text_can_be_read_in_both_schemes(scheme: int) -> None:
    """Every pair of ink and ground has a contrast of 4.5, as WCAG's AA asks."""
    style = (TEMPLATES / "report.css").read_text("utf-8")
    found = re.findall(r"--([\w-]+): light-dark\((#\w{6}), (#\w{6})\)", style)
    colours = {name: pair[scheme] for name, *pair in found}
    for ink, ground in PAIRS:
        low, high = sorted((luminance(colours[ink]), luminance(colours[ground])))
        assert (high + 0.05) / (low + 0.05) >= 4.5, (ink, ground)


def test_six_models_and_sixty_tasks_stay_under_ten_megabytes(tmp_path: Path) -> None:
    """A sixth of them, each conversation of some 30 KB, takes less than a sixth of that."""
    folder = tmp_path / "runs" / "run"
    records = write_made_up_run(folder, players=PLAYERS[:1], filler_chars=22_000)
    sizes = [(folder / str(record.transcript)).stat().st_size for record in records]
    assert sum(sizes) / len(sizes) > 28_000
    assert len(report(folder).encode()) < 10e6 / 6
