"""Runs of one shard each made one run, as if it had never been divided."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pytest_sema_bench.errors import SettingsError
from pytest_sema_bench.records.conversations import read_transcript
from pytest_sema_bench.records.folder import Ended, RunFolder
from pytest_sema_bench.records.items import PlannedItem
from pytest_sema_bench.records.reader import RunData, read_run
from pytest_sema_bench.records.record import Record
from pytest_sema_bench.records.suite import in_order
from pytest_sema_bench.run.manifest import facets, how_it_ended
from pytest_sema_bench.settings import Shard

_BATCH = 200


def merge_shards(paths: Sequence[Path], target: Path) -> RunData:
    """The run that the runs in these folders are shards of, written to a new folder.

    Raises SettingsError for what does not belong together, BenchError for what cannot be read.
    """
    shards = _checked([read_run(path, may_be_empty=True) for path in paths])
    return write_run(target, _in_order(shards), _talks(shards), _content(shards))


def write_run(
    target: Path,
    items: Iterable[PlannedItem],
    ended: Iterable[Sequence[Ended]],
    content: Mapping[str, Any],
) -> RunData:
    """A run of these items, records and conversations, written to a new folder.

    `content` is what its run.json says, but for its name and how it ended. Raises SettingsError.
    """
    if target.exists() and any(target.iterdir()):
        raise SettingsError(f"{target} is there already; name a folder that is not")
    folder = RunFolder(target)
    try:
        folder.make()
        folder.take()
        folder.write_items(items)
        for batch in ended:
            folder.keep(batch)
        run = read_run(target, may_be_empty=True)
        folder.write_run({**content, "run": target.name, **how_it_ended(run)})
    except OSError as error:
        raise SettingsError(f"{target} cannot be written: {error}") from error
    finally:
        folder.close()
    return read_run(target, may_be_empty=True)


def _talks(shards: Sequence[RunData]) -> Iterator[list[Ended]]:
    for shard in shards:
        for start in range(0, len(shard.written), _BATCH):
            batch = shard.written[start : start + _BATCH]
            yield [(record, _talk(shard.path, record)) for record in batch]


def _checked(runs: Sequence[RunData]) -> list[RunData]:
    """The runs in the order of their shards, if they are all shards of one run."""
    by_number: dict[int, RunData] = {}
    hashes: dict[str, str] = {}
    first, n_shards = runs[0], _shard(runs[0]).n_shards
    for run in runs:
        shard = _shard(run)
        if shard.n_shards != n_shards:
            raise SettingsError(f"{first.path} is one of {n_shards} shards, {run.path} is {shard}")
        if other := by_number.get(shard.number):
            raise SettingsError(f"{other.path} and {run.path} are both shard {shard}")
        by_number[shard.number] = run
        RunFolder(run.path).check_free()
        stray = next((entry for entry in run.items if not shard.holds(str(entry.item))), None)
        if stray is not None:
            raise SettingsError(f"{run.path}: {stray.item} is not of shard {shard}")
        for what, value in facets(run.manifest).items():
            if (wanted := facets(first.manifest).get(what)) != value:
                raise SettingsError(
                    f"{first.path} and {run.path} are no shards of one run, for they differ in "
                    f"{what}: {wanted} and {value}"
                )
        for task, hash_ in run.manifest.task_hashes.items():
            if hashes.setdefault(task, hash_) != hash_:
                raise SettingsError(f"{run.path} asks {task} in another version than other shards")
    if missing := sorted(set(range(1, n_shards + 1)) - set(by_number)):
        named = ", ".join(f"{number}/{n_shards}" for number in missing)
        raise SettingsError(f"missing: shard {named}; run it with --sema-shard and add its folder")
    return [by_number[number] for number in sorted(by_number)]


def _shard(run: RunData) -> Shard:
    if not run.manifest.content:
        raise SettingsError(f"{run.path} is no run folder: it holds no run.json")
    if (shard := run.manifest.settings["shard"]) is None:
        raise SettingsError(f"{run.path} is no shard: it was run without --sema-shard")
    return Shard(**shard)


def _in_order(shards: Sequence[RunData]) -> list[PlannedItem]:
    """All items in the order in which the undivided run has them."""
    manifest = shards[0].manifest
    setups = [
        (model["name"], config["name"])
        for model in manifest.content["models"]
        for config in manifest.content["configs"]
    ]
    entries = [entry for shard in shards for entry in shard.items]
    levels = in_order((entry.level for entry in entries), manifest.levels)

    def place(entry: PlannedItem) -> tuple[object, ...]:
        item = entry.item
        setup = setups.index((item.setup.model, item.setup.config))
        return levels.index(entry.level), item.task, setup, item.sample

    return sorted(entries, key=place)


def _content(shards: Sequence[RunData]) -> dict[str, Any]:
    """What run.json of the whole run says, but for its name and its end."""
    manifests = [shard.manifest for shard in shards]
    begun = sorted({moment for manifest in manifests for moment in manifest.begun})
    hashes = {task: hash_ for m in manifests for task, hash_ in m.task_hashes.items()}
    return {
        **manifests[0].content,
        "start": begun[0] if begun else None,
        "begun": begun,
        "end": max(m.content.get("end") or "" for m in manifests) or None,
        "exit_status": None,
        "gate": None,
        "settings": {**manifests[0].settings, "shard": None},
        "task_hashes": hashes,
        "shards": [shard.name for shard in shards],
    }


def _talk(folder: Path, record: Record) -> dict[str, Any]:
    """The conversation of a record; without one that can be read, why there is none."""
    try:
        talk = read_transcript(folder, record.transcript or "")
    except (OSError, ValueError) as error:
        return {"messages": [], "calls": [], "note": f"no transcript could be read: {error}"}
    return talk
