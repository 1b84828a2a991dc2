"""Results written as outcomes: `pfv` is a pass, a fail and a void sample of one task."""

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from pytest_sema_bench.gate.task_results import Group, Results, group_records
from pytest_sema_bench.records.identity import Setup
from pytest_sema_bench.records.outcome import Outcome, Reason, Void
from pytest_sema_bench.records.record import Record
from tests.samples.record import RECORD

SETUP = Setup("m", "tools")
"""Who is asked, where a test does not say otherwise."""
OUTCOMES: dict[str, tuple[Outcome, Reason | Void]] = {
    "p": (Outcome.PASS, Reason.RIGHT),
    "f": (Outcome.FAIL, Reason.WRONG_VALUE),
    "v": (Outcome.VOID, Void.API),
}


def records_of(
    outcomes: dict[str, str], *, model: str = "m", config: str = "tools", **fields: object
) -> list[Record]:
    """A record for each letter; the level and the category come from ids such as `L2-05-list`."""
    return [
        replace(
            RECORD,
            task=task,
            level=task[:2],
            category=task[6:],
            model=model,
            config=config,
            sample=number,
            outcome=OUTCOMES[letter][0],
            reason=OUTCOMES[letter][1],
            vm=None if letter == "v" else "wasm 1",
            **fields,  # type: ignore[arg-type]
        )
        for task, letters in outcomes.items()
        for number, letter in enumerate(letters, start=1)
    ]


def group_of(outcomes: dict[str, str], *, model: str = "m", config: str = "tools") -> Group:
    """The group of such records."""
    return group_records(records_of(outcomes, model=model, config=config))[0]


def results_of(outcomes: dict[str, str], *, source: str = "run", model: str = "m") -> Results:
    """Results of one model."""
    return Results(source=source, groups=(group_of(outcomes, model=model),))


def results_from(records: Iterable[Record], **fields: Any) -> Results:
    """A run of such records."""
    return Results(**{"source": "run", "groups": group_records(records), **fields})


def tasks_of(letters: str) -> dict[str, str]:
    """A task for each word, or where there is but one word for each letter, over three levels."""
    words = letters.split() if " " in letters else list(letters)
    return {f"L{1 + n % 3}-{n:02}-list": word for n, word in enumerate(words)}


def write_run(
    folder: Path, records: list[Record], *, state: str = "finished", **run: object
) -> Path:
    """A run folder with these records and what run.json needs."""
    folder.mkdir(parents=True)
    lines = "".join(record.to_json() + "\n" for record in records)
    (folder / "records.jsonl").write_text(lines)
    names = ("task", "level", "model", "config", "sample")
    items = [{name: getattr(record, name) for name in names} for record in records]
    (folder / "items.json").write_text(json.dumps(items))
    hashes = {record.task: record.task_hash for record in records}
    content = {
        "run": folder.name,
        "state": state,
        "start": "2026-11-24T03:00:00+00:00",
        "git_commit": "0123456789abcdef",
        "task_hashes": hashes,
        **run,
    }
    (folder / "run.json").write_text(json.dumps(content))
    return folder
