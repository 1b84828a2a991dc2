"""A data set proven again: its files, its rows on the VM, its records by their format's rules."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_sema_bench.dataset.formats import FORMATS, Format, Record, Unfit, check_record
from pytest_sema_bench.dataset.harbor import task_files
from pytest_sema_bench.dataset.output import (
    MANIFEST,
    SCHEMA,
    SPLITS,
    files_of,
    hash_of,
    read_parquet,
)
from pytest_sema_bench.dataset.prove import disproof
from pytest_sema_bench.dataset.row import Row, read_row
from pytest_sema_bench.errors import FileError, SettingsError
from pytest_sema_bench.sema.vm import SemaVM


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What a check found."""

    n_rows: int
    n_records: int
    faults: tuple[str, ...]
    """What is wrong, each with file and line."""


async def check_dataset(folder: Path, vm: SemaVM) -> Checked:
    """What is wrong with a data set. Raises SettingsError for what is none, and VMError."""
    manifest = _manifest(folder)
    form = FORMATS[manifest["format"]]
    faults: list[str] = list(_wrong_files(folder, manifest))
    n_rows = n_records = 0
    for split in SPLITS:
        path = folder / "rows" / f"{split}.jsonl"
        if not path.is_file():
            continue
        rows = dict(_rows(path, faults))
        read = {number: row for number, row in rows.items() if row is not None}
        proofs = await asyncio.gather(*(disproof(row, vm) for row in read.values()))
        faults += [f"{path}:{n}: {why}" for n, why in zip(read, proofs, strict=True) if why]
        n_rows += len(read)
        records = folder / f"{split}{form.suffix}"
        n, wrong = _check_records(records, form, list(rows.values()), manifest["system"])
        n_records += n
        faults += wrong
    return Checked(n_rows=n_rows, n_records=n_records, faults=tuple(faults))


def _manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    try:
        manifest: dict[str, Any] = json.loads(path.read_text("utf-8"))
        known = manifest["schema"] == SCHEMA and manifest["format"] in FORMATS
        known = known and manifest["files"].keys() is not None and "system" in manifest
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        known = False
    if not known:
        raise SettingsError(f"{path} is no manifest that `dataset build` wrote")
    return manifest


def _wrong_files(folder: Path, manifest: dict[str, Any]) -> Iterator[str]:
    there = {path.relative_to(folder).as_posix(): path for path in files_of(folder)}
    for name, told in manifest["files"].items():
        if name not in there:
            yield f"{folder / name}:1: is missing"
        elif hash_of(there[name]) != told["sha256"]:
            yield f"{folder / name}:1: has changed since it was built: its hash is another"
    for name in there.keys() - manifest["files"].keys():
        yield f"{folder / name}:1: is not in the manifest"


def _rows(path: Path, faults: list[str]) -> Iterator[tuple[int, Row | None]]:
    """Each row with its line; None for one that cannot be read."""
    for number, line in enumerate(path.read_bytes().split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            row = read_row(path, number, line)
        except FileError as error:
            faults.append(str(error))
            yield number, None
            continue
        if json.loads(line).get("id") not in (None, row.id):
            faults.append(f"{path}:{number}: its id is not that of its content, {row.id}")
        yield number, row


def _check_records(
    path: Path, form: Format, rows: list[Row | None], system: str | None
) -> tuple[int, list[str]]:
    """How many records there are, and what is wrong with them.

    Nobody knows how many are of a row that cannot be read, so those after it are looked for.
    """
    faults, expected = [], list[Record | None]()
    for row in rows:
        if row is None:
            expected.append(None)
            continue
        try:
            expected += form.records(row, system)
        except Unfit as why:
            faults.append(f"{path}:{len(expected) + 1}: the row {row.id} has no place here: {why}")
    if not form.suffix:
        known = [record for record in expected if record is not None]
        return len(known), faults + list(_wrong_folders(path, known))
    found, unread = _records(path, form)
    for number, record in found:
        try:
            check_record(path, number, record, form)
        except FileError as error:
            faults.append(str(error))
            continue
        told = expected[number - 1 : number]
        if told not in ([record], [None]) and not (None in rows and record in expected):
            faults.append(f"{path}:{number}: is not what its row in {path.parent / 'rows'} gives")
    if len(found) + len(unread) != len(expected) and None not in rows:
        faults.append(
            f"{path}:{len(found) or 1}: {len(found)} records, expected {len(expected)} by the rows"
        )
    return len(found), faults + unread


def _records(path: Path, form: Format) -> tuple[list[tuple[int, Any]], list[str]]:
    """The records with their numbers, and what of them cannot be read."""
    try:
        if form.suffix == ".parquet":
            return list(enumerate(read_parquet(path), start=1)), []
        lines = path.read_bytes().decode("utf-8").splitlines(keepends=True)
    except (OSError, ValueError) as error:
        return [], [f"{path}:1: cannot be read: {error}"]
    found, unread = list[tuple[int, Any]](), list[str]()
    for number, line in enumerate(lines, start=1):
        try:
            found.append((number, json.loads(line)))
        except ValueError as error:
            unread.append(f"{path}:{number}: not JSON: {error}")
    return found, unread


def _wrong_folders(path: Path, expected: list[Record]) -> Iterator[str]:
    for record in expected:
        for name, text in task_files(record).items():
            file = path / record["id"] / name
            if not file.is_file() or file.read_text("utf-8") != text:
                yield f"{file}:1: is not what its row gives"
