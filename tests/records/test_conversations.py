"""Conversations in one file that grows: each is found by its place, whatever stands around it."""

import gzip
import json
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_sema_bench.records.conversations import read_transcript
from pytest_sema_bench.records.folder import RunFolder
from pytest_sema_bench.records.reader import read_records
from tests.samples.record import RECORD

RECORDS = [replace(RECORD, sample=sample) for sample in range(1, 5)]


def talk(sample: int) -> dict[str, object]:
    """What is said in a sample: another length each."""
    return {"messages": [{"role": "user", "content": f"{sample} é " * 50 * sample}], "calls": []}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run folder with four conversations, written in two goes."""
    folder = RunFolder(tmp_path / "run")
    folder.path.mkdir()
    for records in (RECORDS[:3], RECORDS[3:]):
        folder.keep([(record, talk(record.sample)) for record in records])
    folder.close()
    return folder.path


def places(run: Path) -> list[str]:
    """Where the records say that their conversations are."""
    return [str(record.transcript) for record in read_records(run)]


def test_each_conversation_is_read_from_its_place(run: Path) -> None:
    """Without any other file than the one it stands in."""
    for place, record in zip(places(run), RECORDS, strict=True):
        assert read_transcript(run, place)["messages"] == talk(record.sample)["messages"]


def test_zcat_reads_all_of_them(run: Path) -> None:
    """A line of JSON each, that says what it is about."""
    lines = gzip.decompress((run / "transcripts.jsonl.gz").read_bytes()).decode().splitlines()
    assert [json.loads(line)["task"] for line in lines] == [RECORD.task] * 4


def test_a_torn_tail_costs_what_it_held_alone(run: Path) -> None:
    """As a killed process or a machine without power leaves it."""
    path = run / "transcripts.jsonl.gz"
    path.write_bytes(path.read_bytes()[:-20])
    *whole, torn = places(run)
    for place, record in zip(whole, RECORDS[:3], strict=True):
        assert read_transcript(run, place)["messages"] == talk(record.sample)["messages"]
    with pytest.raises(ValueError, match="cut off"):
        read_transcript(run, torn)


def test_what_a_dead_process_left_is_not_written_to(run: Path) -> None:
    """The next one of its name has files of its own, and its records say so."""
    next_one = RunFolder(run)
    (kept,) = next_one.keep([(RECORD, talk(9))])
    next_one.close()
    assert kept.transcript == "transcripts_2.jsonl.gz#0"
    assert read_transcript(run, kept.transcript)["messages"] == talk(9)["messages"]


def test_records_of_a_regraded_folder_lead_up_to_the_run(run: Path) -> None:
    """And no further."""
    place = places(run)[1]
    inner = run / "regraded-1"
    inner.mkdir()
    assert read_transcript(inner, f"../{place}") == read_transcript(run, place)
    with pytest.raises(ValueError, match="outside of the run folder"):
        read_transcript(inner, f"../../run/{place}")


@pytest.mark.parametrize("place", ["transcripts.jsonl.gz#7", "records.jsonl#0", "#0", ""])
def test_a_place_that_is_none_is_an_error_of_reading(run: Path, place: str) -> None:
    """Whatever stands in a record."""
    with pytest.raises((OSError, ValueError)):
        read_transcript(run, place)
