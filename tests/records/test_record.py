"""Records and transcripts: one line out, the same record back."""

import json
from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_sema_bench.errors import BenchError
from pytest_sema_bench.records.record import SCHEMA, Record, content_key
from pytest_sema_bench.records.transcript import Call, Tokens, Transcript
from tests.samples.record import RECORD


@given(
    st.builds(
        lambda answer, detail, name, cost: replace(
            RECORD, answer=answer, detail=detail, tool_calls={name: 1}, cost_usd=cost
        ),
        st.text(st.characters()),
        st.none() | st.text(),
        st.text(),
        st.none() | st.floats(0, 1e6),
    )
)
def test_a_record_is_one_line_of_utf_8_and_comes_back_as_it_was(record: Record) -> None:
    """Every field survives, whatever a model writes, half characters included."""
    line = record.to_json()
    assert b"\n" not in line.encode("utf-8")
    assert Record.from_json(line) == record


def test_the_fields_are_those_of_the_design() -> None:
    """The names that other programs read, in DESIGN section 4."""
    promised = (
        "schema key task level category model config sample outcome reason score answer cases "
        "tool_calls rounds stop tokens cost_usd latency_s retries repairs served_model provider "
        "vm task_hash"
    )
    written = json.loads(RECORD.to_json())
    assert set(promised.split()) <= set(written) == {spec.name for spec in fields(Record)}
    assert written["schema"] == SCHEMA
    assert written["tokens"] == {"prompt": 3, "cached": 1, "completion": 2, "reasoning": 1}


def test_a_field_of_a_later_version_is_passed_over() -> None:
    """The same schema may grow new fields that this version does not know."""
    data = {**json.loads(RECORD.to_json()), "mood": "good"}
    assert Record.from_json(json.dumps(data)) == RECORD


def test_a_newer_schema_is_refused_by_its_number() -> None:
    """Even if nothing else of the record can be understood."""
    with pytest.raises(BenchError, match=rf"has schema {SCHEMA + 1}, this version reads up to"):
        Record.from_json(json.dumps({"schema": SCHEMA + 1}))


NO_RECORDS = {
    "half a line": RECORD.to_json()[:100],
    "nothing": "",
    "a list": "[]",
    "a number": "5",
    "no schema": "{}",
    "a schema in words": '{"schema": "one"}',
    "a field missing": '{"schema": 1, "tokens": {}}',
    "tokens in words": RECORD.to_json().replace('{"prompt":3', '{"words":3'),
}


@pytest.mark.parametrize("line", NO_RECORDS.values(), ids=NO_RECORDS)
def test_what_is_no_record_is_an_error(line: str) -> None:
    """Nothing but BenchError comes out of a bad line."""
    with pytest.raises(BenchError, match="not a record: "):
        Record.from_json(line)


def test_a_key_is_the_same_for_the_same_question() -> None:
    """The order in which the parts are named does not count; each part does."""
    key = content_key(task="a", sampling={"x": 1, "y": 2})
    assert content_key(sampling={"y": 2, "x": 1}, task="a") == key
    assert content_key(sampling={"y": 2, "x": 2}, task="a") != key
    assert content_key(task="a", sampling={"x": 1, "y": 2}, extra=None) != key
    assert key == "bed60d846c083b40cae2099b"


def test_tokens_add_up() -> None:
    """Counts are summed field by field, and cached and reasoning tokens are parts of others."""
    one = Tokens(prompt=10, cached=4, completion=7, reasoning=3)
    assert one + one == Tokens(prompt=20, cached=8, completion=14, reasoning=6)
    assert one.total == 17


def test_a_transcript_becomes_plain_json() -> None:
    """Messages stay as they were sent and received, calls become tables."""
    call = Call(
        finish_reason="stop",
        served_model=None,
        tokens=Tokens(prompt=1),
        latency_s=0.5,
        retries=0,
    )
    message = {"role": "assistant", "content": None, "unknown": [1]}
    content = Transcript(messages=(message,), calls=(call,)).as_json()
    assert json.loads(json.dumps(content)) == content
    assert content["messages"] == [message]
    assert content["calls"][0]["tokens"]["prompt"] == 1
