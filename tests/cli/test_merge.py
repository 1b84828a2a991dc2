"""`sema-bench merge`: the shards of a run become one run, and what is no shard of it is refused."""

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from pytest_sema_bench.cli import main
from pytest_sema_bench.records.conversations import read_transcript
from pytest_sema_bench.records.folder import RunFolder
from pytest_sema_bench.records.items import PlannedItem
from pytest_sema_bench.records.outcome import Outcome, Void
from pytest_sema_bench.records.reader import read_run
from pytest_sema_bench.records.record import Record
from pytest_sema_bench.report.counted import CountedRun
from pytest_sema_bench.settings import Shard
from tests.conftest import Capture
from tests.samples.record import RECORD

MODELS = ("zebra", "ant")
RECORDS = [
    replace(
        RECORD,
        key=f"{model} {task} {sample}",
        task=task,
        model=model,
        sample=sample,
        latency_s=0.1 * sample + len(model) / 7,
        cost_usd=0.07 / sample,
    )
    for task in ("L2-01-a", "L2-02-b", "L2-05-c")
    for model in MODELS
    for sample in (1, 2, 3)
]
CONTENT: dict[str, Any] = {
    "state": "finished",
    "begun": ["2026-11-28T10:00:00+00:00"],
    "models": [{"name": model} for model in MODELS],
    "configs": [{"name": "tools"}],
    "suite": {"name": "core", "version": 2, "hash": "abc", "levels": ["L1", "L2"]},
    "questions": {"zebra-tools": "1", "ant-tools": "2"},
    "vm": "wasm 1.36.0",
    "grader": 2,
    "task_hashes": {record.task: record.task_hash for record in RECORDS},
}


def write_run(path: Path, records: Sequence[Record], **content: object) -> Path:
    """A run that set out to ask these items and has these records."""
    folder = RunFolder(path)
    folder.make()
    folder.write_items(map(PlannedItem.of, records))
    folder.write_run({**CONTENT, **content})
    if records:
        folder.keep([(r, {"messages": [{"content": r.key}], "calls": []}) for r in records])
    folder.close()
    return path


def write_shard(path: Path, number: int, *, n_shards: int = 3, **content: Any) -> Path:
    """A run of one shard, `content` in its run.json."""
    shard = Shard(number=number, n_shards=n_shards)
    settings = {"samples": 3, "shard": asdict(shard), **content.pop("settings", {})}
    mine = [record for record in RECORDS if shard.holds(str(record.item))]
    assert mine
    return write_run(path, mine, settings=settings, **content)


def merge(*paths: Path) -> int:
    """The exit status of a merge into `whole`."""
    return main(["merge", *map(str, paths), "-o", str(paths[0].parent / "whole")])


@pytest.fixture
def shards(tmp_path: Path) -> list[Path]:
    """The three shards of a run."""
    return [write_shard(tmp_path / f"shard{number}", number) for number in (1, 2, 3)]


def test_shards_in_any_order_make_the_undivided_run(shards: list[Path], tmp_path: Path) -> None:
    """Items, records, conversations and, byte for byte, tables are those of one run of all."""
    undivided = write_run(tmp_path / "whole of them", RECORDS, settings={"samples": 3})
    assert merge(shards[2], shards[0], shards[1]) == 0
    whole = tmp_path / "whole"
    assert (whole / "items.json").read_text() == (undivided / "items.json").read_text()
    run = read_run(whole)
    assert run.manifest.settings["shard"] is None
    tables = CountedRun.of(read_run(undivided)).lines(markdown=True)
    assert (whole / "summary.md").read_text() == "\n".join(["# whole\n", *tables])
    assert run.manifest.is_done
    assert {record.item for record in run.records} == {record.item for record in RECORDS}
    for record in run.records:
        talk = read_transcript(whole, str(record.transcript))
        assert talk["messages"] == [{"content": record.key}]
    assert (whole / "report.html").is_file()


def test_a_merged_run_has_what_its_shards_lack(shards: list[Path], tmp_path: Path) -> None:
    """A void item stays void and a missing one missing, so that a resume asks them."""
    folder = shards[0]
    first, *rest = read_run(folder).records
    void = replace(first, outcome=Outcome.VOID, reason=Void.API, score=None)
    lines = [record.to_json() + "\n" for record in (void, *rest[1:])]
    (folder / "records.jsonl").write_text("".join(lines))
    assert merge(*shards) == 0
    run = read_run(tmp_path / "whole")
    assert run.manifest.unfinished == "incomplete"
    assert (run.manifest.n_void, run.manifest.content["n_missing"]) == (1, 1)


def other(**content: Any) -> Any:
    """A second shard that differs in this."""
    return lambda tmp_path: [write_shard(tmp_path / "other", 2, **content)]


REFUSED: dict[str, tuple[Any, str]] = {
    "another suite": (
        other(suite={"name": "frontier", "version": 1, "hash": "abc"}),
        "they differ in the suite: core 2 abc and frontier 1 abc",
    ),
    "another VM": (other(vm="native 2.0.0"), "differ in the VM: wasm 1.36.0 and native 2.0.0"),
    "another grader": (other(grader=1), "differ in the grader: 2 and 1"),
    "other settings": (other(settings={"samples": 5}), "the setting samples: 3 and 5"),
    "another question": (
        other(questions={"zebra-tools": "1", "ant-tools": "3"}),
        "differ in what ant-tools is asked: 2 and 3",
    ),
    "another task": (
        other(task_hashes={RECORDS[0].task: "new"}),
        "asks L2-01-a in another version than other shards",
    ),
    "of another number of shards": (
        lambda tmp_path: [write_shard(tmp_path / "other", 2, n_shards=4)],
        "is one of 3 shards, ",
    ),
    "a shard twice": (
        lambda tmp_path: [write_shard(tmp_path / "other", 1)],
        "are both shard 1/3",
    ),
    "missing": (lambda tmp_path: [], "missing: shard 2/3, 3/3; run it with --sema-shard"),
    "no run": (lambda tmp_path: [tmp_path], "is no run folder: it holds no run.json"),
    "no shard": (
        lambda tmp_path: [write_run(tmp_path / "other", RECORDS)],
        "other is no shard: it was run without --sema-shard",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_belong_together_is_refused(
    tmp_path: Path, capsys: Capture, name: str
) -> None:
    """With what differs, before anything is written."""
    make, told = REFUSED[name]
    assert merge(write_shard(tmp_path / "first", 1), *make(tmp_path)) == 2
    assert told in capsys.readouterr().err
    assert not (tmp_path / "whole").exists()


def test_a_shard_under_way_is_refused(shards: list[Path], capsys: Capture) -> None:
    """Half of it would be missing for ever."""
    folder = RunFolder(shards[1])
    folder.take()
    assert merge(*shards) == 2
    assert "shard2 is still under way" in capsys.readouterr().err
    folder.close()


def test_a_folder_that_is_there_is_not_written_to(
    shards: list[Path], tmp_path: Path, capsys: Capture
) -> None:
    """It may be a run of its own."""
    write_run(tmp_path / "whole", [])
    assert merge(*shards) == 2
    assert "is there already" in capsys.readouterr().err


def test_items_of_another_division_are_refused(shards: list[Path], capsys: Capture) -> None:
    """They would stand in two shards, or in none."""
    items = json.loads((shards[0] / "items.json").read_text())
    items += json.loads((shards[1] / "items.json").read_text())[:1]
    (shards[0] / "items.json").write_text(json.dumps(items))
    assert merge(*shards) == 2
    assert "is not of shard 1/3" in capsys.readouterr().err


def test_a_share_is_the_same_on_every_machine() -> None:
    """Shares are about as large as each other, leave nothing out, and are known for ever."""
    items = [str(replace(RECORD, sample=n).item) for n in range(1, 801)]
    shards = [Shard(number=number, n_shards=8) for number in range(1, 9)]
    held = [[item for item in items if shard.holds(item)] for shard in shards]
    assert sorted(item for share in held for item in share) == sorted(items)
    assert all(75 <= len(share) <= 125 for share in held)
    assert [shard.number for shard in shards if shard.holds("L1-01-a m-tools-s1")] == [3]
