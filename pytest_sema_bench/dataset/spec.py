"""What a data set is to be made of, as its YAML file says (`spec.schema.json`)."""

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from pytest_sema_bench.dataset.row import BENCHMARK, Row, read_rows
from pytest_sema_bench.errors import FileError
from pytest_sema_bench.user_file import UserFile, read_yaml


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSpec:
    """Files of rows that make up one part of the data set."""

    name: str
    files: tuple[Path, ...]
    share: float
    """Its part of all rows; all shares add up to 1."""
    benchmark: bool
    """Whether rows of the benchmark's own tasks may be among them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """A data set to build."""

    name: str
    rows: int | None
    """How many rows at most; None for as many as the shares allow."""
    seed: int
    validation: float
    """The share of rows that are held back."""
    near: float
    """How similar two programs must be for one of them to be left out."""
    system: str | None
    suites: tuple[Path, ...]
    """Suites to keep out, besides the bundled ones."""
    sources: tuple[SourceSpec, ...]


def read_spec(path: Path) -> Spec:
    """What the file says. Raises FileError, also for all sources that are not there."""
    file = read_yaml(path)
    file.check(Path(str(files("pytest_sema_bench.dataset"))) / "spec.schema.json")
    data = file.data
    _check_sources(file)
    total = sum(source["share"] for source in data["sources"])
    return Spec(
        name=data["name"],
        rows=data.get("rows"),
        seed=data.get("seed", 0),
        validation=data.get("validation", 0.1),
        near=data.get("near", 0.7),
        system=data.get("system"),
        suites=tuple(path.parent / suite for suite in data.get("suites", ())),
        sources=tuple(
            SourceSpec(
                name=source["name"],
                files=tuple(path.parent / name for name in source["files"]),
                share=source["share"] / total,
                benchmark=source.get("benchmark", False),
            )
            for source in data["sources"]
        ),
    )


def read_source(source: SourceSpec) -> list[Row]:
    """The rows of a source. Raises FileError for rows that the specification does not allow."""
    rows: list[Row] = []
    for path in source.files:
        found = read_rows(path)
        own = [row for row in found if BENCHMARK in row.tags]
        if own and not source.benchmark:
            message = (
                f"{len(own)} rows, such as {own[0].family}, are of the benchmark's own tasks; what "
                f"is trained on them cannot be measured with them any more. To take them all the "
                f"same, say `benchmark: true` of the source {source.name!r}"
            )
            raise FileError(path, found.index(own[0]) + 1, message)
        rows += found
    return rows


def _check_sources(file: UserFile) -> None:
    names, missing = set[str](), list[str]()
    for number, source in enumerate(file.data["sources"]):
        if source["name"] in names:
            file.fail(["sources", number, "name"], f"{source['name']!r} is taken")
        names.add(source["name"])
        lacks = [name for name in source["files"] if not (file.path.parent / name).is_file()]
        if lacks:
            how = f"; make it with: {source['made_by']}" if "made_by" in source else ""
            missing.append(f"{', '.join(lacks)} (of {source['name']!r}){how}")
    if missing:
        # All at once: each takes its time to make.
        raise FileError(
            file.path,
            file.line(["sources"]),
            "files that are not there:\n" + "\n".join(f"  {line}" for line in missing),
        )
