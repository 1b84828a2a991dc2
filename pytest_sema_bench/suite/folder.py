"""A suite: a folder with suite.yaml, which names its levels, and a folder of tasks for each."""

import hashlib
import re
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib.resources import files
from pathlib import Path

from pytest_sema_bench.errors import SettingsError, TaskError
from pytest_sema_bench.records.suite import SuiteId, in_order
from pytest_sema_bench.settings import DEFAULT_SUITE
from pytest_sema_bench.user_file import read_yaml

SUITE_FILE = "suite.yaml"
_LEVEL = re.compile(r"[A-Z]+[0-9]+")
"""What a level's folder is called where no suite.yaml says so: `L2`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """One level of a suite."""

    name: str
    meaning: str
    n_tasks: int
    """How many tasks it is to have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Demands:
    """What a suite asks of each of its tasks, beyond being sound."""

    n_wrong: int = 3
    """Wrong answers that a good programmer could write."""
    n_cases: int = 5
    mutant_rate: float = 0.95
    """Share in [0, 1] of all mutants that its cases must catch."""


@dataclass(frozen=True, kw_only=True)  # without slots, for the hash is kept once it is known
class Suite:
    """What suite.yaml says."""

    folder: Path
    name: str
    version: int
    language: str | None
    licence: str | None
    canary: str | None
    """A text that each task file must hold."""
    levels: tuple[Level, ...]
    """In the order of tables."""
    demands: Demands = Demands()

    @property
    def level_names(self) -> tuple[str, ...]:
        """The names of the levels, in order."""
        return tuple(level.name for level in self.levels)

    @property
    def name_or_folder(self) -> str:
        """What `--sema-suite` takes for it: the name of a bundled suite, else its folder."""
        return self.name if self.folder.parent == suites_folder().resolve() else str(self.folder)

    @cached_property
    def id(self) -> SuiteId:
        """What records say of it; its files are read once for that."""
        digest = hashlib.sha256()
        for path in (self.folder / SUITE_FILE, *find_task_files(self.folder)):
            # As Git may have changed the line ends, they do not count.
            content = path.read_bytes().replace(b"\r\n", b"\n")
            name = path.relative_to(self.folder).as_posix()
            digest.update(f"{name} {len(content)}\n".encode() + content)
        return SuiteId(name=self.name, version=self.version, hash=digest.hexdigest()[:16])


def suites_folder() -> Path:
    """The folder of the suites that come with the package, and of the schemas of their files."""
    inside = Path(str(files("pytest_sema_bench"))) / "suites"
    return inside if inside.is_dir() else inside.parent.parent / "suites"


def schema_file(kind: str) -> Path:
    """The JSON schema of a `task` file or a `suite` file, for the check and for editors."""
    return suites_folder() / f"{kind}.schema.json"


def bundled_suites() -> tuple[str, ...]:
    """The names of the suites that come with the package."""
    return tuple(sorted(path.parent.name for path in suites_folder().glob(f"*/{SUITE_FILE}")))


def suite_folder(name: str | Path = DEFAULT_SUITE) -> Path:
    """The folder of a suite: a bundled one by its name, any other by its folder.

    Raises SettingsError if there is neither.
    """
    if str(name) in bundled_suites():
        return suites_folder() / name
    if not (Path(name) / SUITE_FILE).is_file():
        bundled = ", ".join(bundled_suites())
        raise SettingsError(
            f"--sema-suite: {str(name)!r} is neither a bundled suite ({bundled}) "
            f"nor a folder that holds a {SUITE_FILE}; for task files without one use --sema-tasks"
        )
    return Path(name)


def find_task_files(path: Path) -> tuple[Path, ...]:
    """The task files at or below `path`, in order."""
    if path.is_file():
        return (path,)
    return tuple(sorted(filter(is_task_file, path.rglob("*.yaml"))))


def is_task_file(path: Path) -> bool:
    """Whether a YAML file can be a task, by its name."""
    return not path.name.startswith(".") and path.name != SUITE_FILE


def suite_of(path: Path) -> Suite | None:
    """The suite that a task file, a level's folder or a suite's folder belongs to.

    None where no suite.yaml is in it or one folder up. Raises TaskError if that is malformed.
    """
    path = path.resolve()
    folder = path if path.is_dir() else path.parent
    for place in (folder, folder.parent):
        try:
            stamp = (place / SUITE_FILE).stat().st_mtime_ns
        except OSError:
            continue
        return _read_suite(place, stamp)
    return None


def levels_of(path: Path) -> tuple[Level, ...]:
    """The levels of the suite at `path`; without suite.yaml those that folders are named after."""
    if suite := suite_of(path):
        return suite.levels
    names = [file.parent.name for file in find_task_files(path)]
    found = in_order(name for name in names if is_level_folder(name))
    return tuple(
        Level(name=name, meaning=f"tasks of level {name}", n_tasks=names.count(name))
        for name in found
        if name is not None
    )


def incomplete_levels(folder: Path) -> tuple[str, ...]:
    """A line for each level of a suite that has not as many tasks as suite.yaml says.

    () where `folder` is not a suite's folder. Raises TaskError if suite.yaml is malformed.
    """
    if not (folder / SUITE_FILE).is_file() or (suite := suite_of(folder)) is None:
        return ()
    counts = {level: len(find_task_files(suite.folder / level.name)) for level in suite.levels}
    return tuple(
        f"{suite.name}: level {level.name} ({level.meaning}) has {n} of {level.n_tasks} tasks"
        for level, n in counts.items()
        if n != level.n_tasks
    )


def is_level_folder(name: str) -> bool:
    """Whether a folder outside of any suite is called as a level is: `L2`."""
    return _LEVEL.fullmatch(name) is not None


@lru_cache
def _read_suite(folder: Path, stamp: int) -> Suite:
    """The suite in a folder, read once for all its tasks until suite.yaml changes."""
    file = read_yaml(folder / SUITE_FILE, error=TaskError)
    file.check(schema_file("suite"))
    data, names = file.data, set[str]()
    for index, level in enumerate(data["levels"]):
        if level["name"] in names:
            file.fail(["levels", index, "name"], f"a second level {level['name']!r}")
        names.add(level["name"])
    return Suite(
        folder=folder,
        name=data["name"],
        version=data["version"],
        language=data.get("language"),
        licence=data.get("licence"),
        canary=data.get("canary"),
        demands=Demands(**data.get("demands", {})),
        levels=tuple(
            Level(name=level["name"], meaning=level["meaning"], n_tasks=level["tasks"])
            for level in data["levels"]
        ),
    )
