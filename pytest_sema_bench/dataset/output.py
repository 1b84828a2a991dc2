"""A data set as a folder: what trainers read, the rows behind it, a card and a manifest.

README.md               the card, with the head that the Hugging Face Hub reads
train.…, validation.…   records of the format; of `harbor` a folder of task folders each
rows/….jsonl            the rows that they were made of, in the same order, for `dataset check`
dropped.jsonl           what was left out, and for which task or why
manifest.json           hashes, VM, versions, counts
"""

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pytest_sema_bench import __version__
from pytest_sema_bench.dataset.formats import FORMATS, Format, Record
from pytest_sema_bench.dataset.harbor import task_files, write_task
from pytest_sema_bench.dataset.mix import Dropped, Mixture, Why
from pytest_sema_bench.dataset.row import BENCHMARK, Row, write_rows
from pytest_sema_bench.dataset.spec import Spec
from pytest_sema_bench.errors import SettingsError
from pytest_sema_bench.records.whole_file import whole_file
from pytest_sema_bench.sema.vm import VMInfo
from pytest_sema_bench.suite.task import Task

SCHEMA = 1
MANIFEST = "manifest.json"
CARD = "README.md"
SPLITS = ("train", "validation")
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (10**6, "100K<n<1M"))


def check_folder(folder: Path) -> None:
    """Raises SettingsError if a folder holds anything but a data set of ours."""
    if folder.exists() and not folder.is_dir():
        raise SettingsError(f"{folder} is no folder")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / MANIFEST).is_file():
        raise SettingsError(f"{folder} holds something else than a data set; name another folder")


def write_dataset(
    folder: Path, spec: Spec, form: Format, mixture: Mixture, tasks: Sequence[Task], vm: VMInfo
) -> dict[str, Any]:
    """Write all of it, and give the manifest. What an earlier build left is removed."""
    for name in ("rows", *(f"{s}{f.suffix}" for s in SPLITS for f in FORMATS.values())):
        path = folder / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    splits = dict(zip(SPLITS, (mixture.train, mixture.validation), strict=True))
    splits = {name: rows for name, rows in splits.items() if rows}
    for name, rows in splits.items():
        write_rows(folder / "rows" / f"{name}.jsonl", rows)
        write_records(folder / f"{name}{form.suffix}", form, rows, spec.system)
    with whole_file(folder / "dropped.jsonl") as file:
        file.writelines(f"{json.dumps(_told(d), ensure_ascii=False)}\n" for d in mixture.dropped)
    with whole_file(folder / CARD) as file:
        file.write(_card(spec, form, splits, mixture, vm))
    manifest = _manifest(folder, spec, form, splits, mixture, tasks, vm)
    with whole_file(folder / MANIFEST) as file:
        file.write(json.dumps(manifest, ensure_ascii=False, indent=1) + "\n")
    return manifest


def write_records(path: Path, form: Format, rows: Iterable[Row], system: str | None) -> None:
    """Write the records of rows as one file, or as a folder of task folders."""
    records = [record for row in rows for record in form.records(row, system)]
    if form.suffix == ".parquet":
        table, parquet = _pyarrow()
        path.parent.mkdir(parents=True, exist_ok=True)
        parquet.write_table(table.from_pylist(records), path)
    elif form.suffix:
        with whole_file(path, errors="backslashreplace") as file:
            file.writelines(line_of(record) for record in records)
    else:
        for record in records:
            write_task(path / record["id"], task_files(record))


def line_of(record: Record) -> str:
    """A record as a line of a file."""
    return json.dumps(record, ensure_ascii=False) + "\n"


def read_parquet(path: Path) -> list[Record]:
    """The records of a parquet file."""
    records: list[Record] = _pyarrow()[1].read_table(path).to_pylist()
    return records


def files_of(folder: Path) -> list[Path]:
    """All files of a data set that have a hash, in order: all but the manifest."""
    return sorted(p for p in folder.rglob("*") if p.is_file() and p != folder / MANIFEST)


def hash_of(path: Path) -> str:
    """The SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise SettingsError(
            "parquet needs pyarrow: pip install 'pytest-sema-bench[parquet]'"
        ) from error
    return pyarrow.Table, parquet


def _told(dropped: Dropped) -> Record:
    # Without the code: what gives a task away is not to be published beside the data.
    told = {
        "id": dropped.row.id,
        "source": dropped.source,
        "family": dropped.row.family,
        "why": dropped.why.value,
        "detail": dropped.detail,
        "task": dropped.task,
    }
    return {key: value for key, value in told.items() if value}


def _manifest(
    folder: Path,
    spec: Spec,
    form: Format,
    splits: Mapping[str, Sequence[Row]],
    mixture: Mixture,
    tasks: Sequence[Task],
    vm: VMInfo,
) -> dict[str, Any]:
    suites = {task.suite for task in tasks if task.suite}
    return {
        "schema": SCHEMA,
        "name": spec.name,
        "format": form.name,
        "system": spec.system,
        "seed": spec.seed,
        "made_by": f"pytest-sema-bench {__version__}",
        "vm": vm.label,
        "kept_out": [
            {"suite": s.id.name, "version": s.id.version, "hash": s.id.hash}
            for s in sorted(suites, key=lambda s: s.name)
        ],
        "benchmark": _of_benchmark(splits),
        "rows": {name: len(rows) for name, rows in splits.items()},
        "sources": [
            {
                "name": source.name,
                "files": {path.name: hash_of(path) for path in source.files},
                "share": source.share,
                "found": mixture.found[source.name],
                "dropped": _reasons(d for d in mixture.dropped if d.source == source.name),
                "kept": mixture.kept[source.name],
            }
            for source in spec.sources
        ],
        "files": {
            path.relative_to(folder).as_posix(): {
                "sha256": hash_of(path),
                "bytes": path.stat().st_size,
            }
            for path in files_of(folder)
        },
    }


def _reasons(dropped: Iterable[Dropped]) -> dict[str, int]:
    counts = Counter(d.why for d in dropped)
    return {why.value: counts[why] for why in Why if counts[why]}


def _of_benchmark(splits: Mapping[str, Sequence[Row]]) -> int:
    return sum(BENCHMARK in row.tags for rows in splits.values() for row in rows)


def _card(
    spec: Spec, form: Format, splits: Mapping[str, Sequence[Row]], mixture: Mixture, vm: VMInfo
) -> str:
    """The card: fields as in huggingface/hub-docs, datasetcard.md."""
    rows = [row for part in splits.values() for row in part]
    licences = sorted({row.licence for row in rows})
    size = next((name for bound, name in _SIZES if len(rows) < bound), "n>1M")
    head = [
        f"license: {licences[0].lower()}" if len(licences) == 1 else "license: other",
        "language: [en]",
        "tags: [code, sema, lisp, synthetic, verified]",
        "task_categories: [text-generation]",
        f"size_categories: ['{size}']",
    ]
    if form.suffix:
        head += ["configs:", "  - config_name: default", "    data_files:"]
        head += [f"      - {{split: {name}, path: {name}{form.suffix}}}" for name in splits]
    warning = ""
    if n := _of_benchmark(splits):
        warning = (
            f"**{n} of these rows are of the benchmark's own tasks: a model that is trained on "
            "them cannot be measured with pytest-sema-bench any more.**\n\n"
        )
    table = ["| source | share | found | kept | left out |", "|---|---|---|---|---|"]
    for source in spec.sources:
        left = _reasons(d for d in mixture.dropped if d.source == source.name)
        table.append(
            f"| {source.name} | {source.share:.0%} | {mixture.found[source.name]} "
            f"| {mixture.kept[source.name]} "
            f"| {', '.join(f'{n} {why}' for why, n in left.items()) or 'none'} |"
        )
    counts = ", ".join(f"{len(part)} for {name}" for name, part in splits.items())
    return "\n".join(
        [
            "---",
            *head,
            "---",
            "",
            f"{warning}# {spec.name}",
            "",
            f"{len(rows)} programs in Sema, a Lisp, as `{form.name}`: {form.purpose}. Rows: "
            f"{counts}. Each program was run on the VM ({vm.label}) and gave what its row says. "
            f"Licences of the sources: {', '.join(licences)}.",
            "",
            *table,
            "",
            "Families and similar programs are on one side of the split. Kept out of it are the "
            "tasks of pytest-sema-bench: by running each program on their cases, by syntax tree, "
            "and by runs of eight tokens; `dropped.jsonl` says what was left out for which task.",
            "",
            "Made by `sema-bench dataset build`; `sema-bench dataset check` proves it again.",
            "",
        ]
    )
