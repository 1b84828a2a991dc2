"""The run folder: what is on disk after each step, and what a reader makes of it."""

import json
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_sema_bench.records.conversations import read_transcript
from pytest_sema_bench.records.folder import RunFolder, write_records
from pytest_sema_bench.records.items import PlannedItem
from pytest_sema_bench.records.reader import read_records
from pytest_sema_bench.redaction import Redactor
from tests.samples.record import RECORD
from tests.stored import content

TRANSCRIPT = {"messages": [{"role": "user", "content": "Hm"}], "calls": []}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Where a run folder is to be made."""
    return tmp_path / "reports" / "run-1"


def open_folder(run: Path, *keys: str) -> RunFolder:
    """The folder, made."""
    folder = RunFolder(run, redactor=Redactor(keys))
    folder.make()
    return folder


def test_a_record_is_on_disk_when_keep_returns(run: Path) -> None:
    """It can be read while the folder is still open, with the place of its conversation."""
    folder = open_folder(run)
    (kept,) = folder.keep([(RECORD, TRANSCRIPT)])
    assert kept == replace(RECORD, transcript="transcripts.jsonl.gz#0")
    assert read_records(run) == (kept,)
    folder.close()


def test_the_transcript_names_its_record(run: Path) -> None:
    """What is kept of a conversation says which question it is about."""
    folder = open_folder(run)
    (kept,) = folder.keep([(RECORD, TRANSCRIPT)])
    folder.close()
    written = read_transcript(run, str(kept.transcript))
    assert written == {"record": "abc", "task": "L2-05-palindrome", **TRANSCRIPT}


def test_threads_write_whole_lines(run: Path) -> None:
    """Records that are kept at the same time do not mix."""
    folder = open_folder(run)
    records = [replace(RECORD, sample=n, answer="x" * 100_000) for n in range(8)]
    threads = [threading.Thread(target=folder.keep, args=([(r, TRANSCRIPT)],)) for r in records]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    folder.close()
    assert sorted(record.sample for record in read_records(run)) == list(range(8))


KEYS = {
    "plain": "sk-secret-4711",
    "with what JSON escapes": 'sk-"secret"\\4711',
    "not ASCII": "sk-geheim-für-4711",
}


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
def test_a_key_is_removed_from_all_that_is_written(run: Path, key: str) -> None:
    """Wherever it turned up, in no file of the folder can it be found."""
    folder = open_folder(run, key)
    record = replace(RECORD, answer=f"my key is {key}", detail=f"401 {key}")
    messages = {"messages": [{"role": "tool", "content": f"{key} {key}"}], "calls": []}
    folder.keep([(record, messages)])
    folder.write_run({"settings": {"key": key}})
    folder.write_items([PlannedItem.of(RECORD)])
    folder.write_summary(f"# {key}")
    folder.close()
    for path in (path for path in run.rglob("*") if path.is_file()):
        text = content(path).decode()
        assert key not in text
        assert json.dumps(key)[1:-1] not in text
        assert "4711" not in text
    assert read_records(run)[0].answer == "my key is [key removed]"


@pytest.mark.parametrize("key", ["", "x", "1", "EMPTY", '"'])
def test_a_key_that_is_no_secret_breaks_nothing(run: Path, key: str) -> None:
    """Local servers take any key; removing an `x` would leave no JSON behind."""
    folder = open_folder(run, key)
    kept = folder.keep([(RECORD, TRANSCRIPT)])
    folder.close()
    assert list(read_records(run)) == kept


def test_half_a_surrogate_pair_can_be_written(run: Path) -> None:
    """A model's broken Unicode is no reason to lose its record."""
    folder = open_folder(run)
    broken = replace(RECORD, answer="\ud83d!")
    (kept,) = folder.keep([(broken, {"messages": [{"content": "\udc00"}], "calls": []})])
    folder.close()
    assert read_records(run)[0].reason == RECORD.reason
    assert read_transcript(run, str(kept.transcript))["messages"] == [{"content": "?"}]


def test_a_new_reports_folder_ignores_itself(run: Path) -> None:
    """Runs do not get into a user's repository; a folder that was there is left alone."""
    open_folder(run)
    ignore = run.parent / ".gitignore"
    assert ignore.read_text().splitlines()[1:] == ["*", "!.gitignore"]
    ignore.unlink()
    open_folder(run.parent / "run-2")
    assert not ignore.exists()


def test_run_json_is_replaced_as_a_whole(run: Path) -> None:
    """The last version counts, nothing temporary stays, and what is no JSON becomes text."""
    folder = open_folder(run)
    folder.write_run({"state": "running", "a": Path("x")})
    folder.write_run({"state": "finished", "path": Path("x/y"), "name": "ü"})
    assert json.loads((run / "run.json").read_text(encoding="utf-8")) == {
        "state": "finished",
        "path": "x/y",
        "name": "ü",
    }
    assert [path.name for path in run.iterdir()] == ["run.json"]


def test_closing_without_a_record_leaves_no_file(run: Path) -> None:
    """And closing twice does no harm."""
    folder = open_folder(run)
    folder.close()
    folder.close()
    assert list(run.iterdir()) == []


def test_written_records_can_be_read(tmp_path: Path) -> None:
    """A file that is written at once is like one that grew."""
    records = (RECORD, replace(RECORD, sample=2, answer=None))
    write_records(tmp_path / "records.jsonl", records)
    assert read_records(tmp_path) == records
