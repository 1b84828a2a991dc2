"""The options of a run, as one table: the command line, pyproject.toml and Settings come from it.

Every run of pytest imports this module, so it imports nothing heavy. A new option is a row here
and a field of `Settings`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_sema_bench.errors import SettingsError

if TYPE_CHECKING:
    from pytest_sema_bench.settings import DatabaseUrl, Settings, Shard
    from pytest_sema_bench.user_file import UserFile


@dataclass(frozen=True, slots=True)
class OptionKind:
    """What an option may hold."""

    wanted: str
    """Ends a sentence that begins with what was found: `found 'x', expected …`."""
    types: tuple[type, ...]
    """What it may be in TOML; on the command line everything is text."""
    read: Callable[[Any], Any]
    """The value of what was found; raises ValueError, or SettingsError with more to say."""
    beside: Callable[[Any, Path], Any] = lambda value, root: value
    """The value as a file in the folder `root` means it, whose paths are relative to it."""


@dataclass(frozen=True, slots=True)
class Option:
    """One row: `name` is that of the option after `--sema-`, and the key in pyproject.toml."""

    name: str
    metavar: str | None
    """None for a switch without a value."""
    kind: OptionKind
    help: str
    field: str = ""
    """Of Settings, if it is not called as the option is."""
    in_file: bool = True
    bare: str | None = None
    """What the option means where it stands without a value, if it may."""

    @property
    def flag(self) -> str:
        """As it stands on the command line."""
        return f"--sema-{self.name}"

    @property
    def target(self) -> str:
        """The field of Settings."""
        return self.field or self.name.replace("-", "_")

    @property
    def declaration(self) -> dict[str, Any]:
        """How argparse is told of it."""
        if self.metavar is None:
            return {"action": "store_true", "help": self.help}
        how: dict[str, Any] = {"metavar": self.metavar, "help": self.help}
        if list in self.kind.types:
            how |= {"action": "append", "default": []}
        elif self.bare is not None:
            how |= {"nargs": "?", "const": self.bare}
        return how

    def value(self, found: object) -> Any:
        """What was found as Settings hold it. Raises SettingsError that says what was expected."""
        try:
            return self.kind.read(found)
        except ValueError:
            raise SettingsError(f"found {found!r}, expected {self.kind.wanted}") from None

    def file_value(self, file: "UserFile") -> Any:
        """The value in a file that has one, whose paths are relative to it. Raises FileError."""
        found, types = file.data[self.name], self.kind.types
        if not isinstance(found, types) or (isinstance(found, bool) and bool not in types):
            file.fail([self.name], f"found {found!r}, expected {self.kind.wanted}")
        try:
            return self.kind.beside(self.value(found), file.path.parent)
        except SettingsError as error:
            file.fail([self.name], str(error))


_MOST_SHARDS = 10_000
_SECTIONS = ("providers", "models", "configs", "docs")
"""Tables below `[tool.sema-bench]`, each read by the room that it concerns."""


def _whole(low: int, high: int) -> OptionKind:
    def read(found: object) -> int:
        number = int(str(found))
        _check_range(low, number, high)
        return number

    return OptionKind(f"a whole number from {low:,} to {high:,}", (int,), read)


def _number_above_0(unit: str, high: int) -> OptionKind:
    def read(found: object) -> float:
        number = float(str(found))
        _check_range(0, number, high)
        if number == 0.0:
            raise ValueError
        return number

    return OptionKind(f"a number of {unit} above 0 and up to {high:,}", (int, float), read)


def _percent(found: object) -> float:
    number = float(str(found))
    _check_range(0, number, 100)
    return number


def _check_range(low: int, number: float, high: int) -> None:
    if not low <= number <= high:  # nan is not either
        raise ValueError


def _text(found: str) -> str:
    if not found.strip():
        raise ValueError
    return found


def _path(found: str) -> Path:
    if "\0" in found:
        raise ValueError
    return Path(_text(found))


def _base_url(found: str) -> str:
    from pytest_sema_bench.base_url import read_base_url

    return read_base_url(_text(found))


def _vm_beside(vm: str, root: Path) -> str:
    backend, _, path = vm.partition(":")
    return f"{backend}:{root / Path(path).expanduser()}" if path else vm


def _suite_beside(suite: str, root: Path) -> str:
    return str(root / suite) if (root / suite).is_dir() else suite


def _names(found: str | list[str]) -> tuple[str, ...]:
    texts = [found] if isinstance(found, str) else found
    if not all(isinstance(text, str) for text in texts):
        raise ValueError
    names = tuple(name.strip() for text in texts for name in text.split(","))
    if not all(names):
        raise SettingsError(f"empty name in {', '.join(texts)!r}; give names separated by commas")
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise SettingsError(f"{repeated[0]!r} is given more than once")
    return names


def _shard(found: str) -> "Shard":
    from pytest_sema_bench.settings import Shard

    number, n_shards = map(int, found.split("/"))
    _check_range(1, number, n_shards)
    _check_range(1, n_shards, _MOST_SHARDS)
    return Shard(number=number, n_shards=n_shards)


def _database(found: str) -> "DatabaseUrl":
    from pytest_sema_bench.settings import DatabaseUrl

    text = _text(found)
    try:
        return DatabaseUrl(text)
    except ValueError:
        # What was found is not repeated: it may hold a password.
        wanted = "expected the URL of a database such as postgresql://bench@db.example/bench"
        raise SettingsError(wanted) from None


def _switch(found: object) -> bool:
    if found not in ("on", "off", True, False):
        raise ValueError
    return found in ("on", True)


NAMES = OptionKind("a name, or a list of names", (str, list), _names)
TEXT = OptionKind("a text that says something", (str,), _text)
PATH = OptionKind("the path of a file or folder", (str,), _path, lambda path, root: root / path)
URL = OptionKind("a URL such as http://127.0.0.1:8000/v1", (str,), _base_url)
SHARD = OptionKind(f"a share such as 3/8, of {_MOST_SHARDS:,} at most", (str,), _shard)
DATABASE = OptionKind("the URL of a PostgreSQL database", (str,), _database)
SWITCH = OptionKind("'on' or 'off'", (str, bool), _switch)

# `model` may not stand in the file: a plain `pytest` must never start to spend money. `docs` is a
# table there.
OPTIONS = (
    Option(
        "model",
        "NAMES",
        NAMES,
        "models to ask, comma separated, repeatable; `reference` is offline and free",
        field="models",
        in_file=False,
    ),
    Option(
        "config",
        "NAMES",
        NAMES,
        "how to ask: `tools` (default), `bare`, or names from sema-models.yaml",
        field="configs",
    ),
    Option("samples", "K", _whole(1, 1_000), "ask each question K times (default 1)"),
    Option(
        "max-rounds",
        "N",
        _whole(1, 100),
        "replies with tool calls that an item may take, over what its configuration says",
    ),
    Option(
        "concurrency",
        "N",
        _whole(1, 1_000),
        "conversations under way at once, per process (default 32)",
    ),
    Option(
        "vm",
        "VM",
        replace(TEXT, beside=_vm_beside),
        "the VM that judges: wasm (default), wasm:FOLDER, native, native:BINARY",
    ),
    Option(
        "suite",
        "NAME",
        replace(TEXT, beside=_suite_beside),
        "a bundled suite, `core` (default) or `frontier`, or a suite's folder",
    ),
    Option("tasks", "PATH", PATH, "folder or file with tasks, in place of a suite"),
    Option(
        "dialect",
        "SEED[:STRENGTH]",
        TEXT,
        "models write a language that nobody can have seen: Sema with other names, 1 (all, the "
        "default), 0.5 or 0.2 of them",
    ),
    Option("report-dir", "DIR", PATH, "where run folders go (default: reports)"),
    Option("base-url", "URL", URL, "any server that speaks OpenAI chat completions"),
    Option("api-key-env", "NAME", TEXT, "environment variable with the key for --sema-base-url"),
    Option(
        "timeout",
        "SECONDS",
        _number_above_0("seconds", 86_400),
        "longest time for one reply of a model (default 300)",
        field="timeout_s",
    ),
    Option(
        "max-cost",
        "USD",
        _number_above_0("US dollars", 1_000_000),
        "end the run before it can cost more than this, resumed parts included",
        field="max_cost_usd",
    ),
    Option("record", "DIR", PATH, "write every exchange with a server to files in this folder"),
    Option("replay", "DIR", PATH, "answer from recorded exchanges, without key or network"),
    Option(
        "docs",
        "BACKEND",
        TEXT,
        "who answers docs_search: lexical (default), local, openai, sema",
        in_file=False,
    ),
    Option(
        "baseline", "FILE", PATH, "judge the run by this baseline: the gate sets the exit status"
    ),
    Option(
        "baseline-new",
        None,
        SWITCH,
        "the baseline need not exist yet: without one, nothing is compared",
        in_file=False,  # where it stood for ever, a mistyped name would never be noticed
    ),
    Option(
        "across",
        "WHAT",
        TEXT,
        "the differences from the baseline that are meant, of vm, dialect, docs, prompt, tools, "
        "config",
    ),
    Option("gate", "on|off", SWITCH, "off: compare and say so, but leave pytest its exit status"),
    Option("must-pass", "EXPR", TEXT, "tasks that must pass, such as 'L1 or palindrome'"),
    Option(
        "fail-under",
        "PCT",
        OptionKind("a percentage from 0 to 100", (int, float), _percent),
        "floor of the pass rate in percent",
    ),
    Option("confirm", "K", _whole(1, 100), "run newly broken tasks K more times before they count"),
    Option(
        "resume",
        "RUN",
        TEXT,
        "take up the newest run of the same models, or the named one: verdicts are kept, what is "
        "void or missing is asked again, a finished run is shown",
        in_file=False,
        bare="newest",
    ),
    Option(
        "shard",
        "K/N",
        SHARD,
        "ask the K-th of N shares of the items, with that share of cap and pace",
        in_file=False,
    ),
    Option(
        "ledger",
        "URL",
        DATABASE,
        "a PostgreSQL database in which machines share pace, refusals and budget, in place of a "
        "file of this machine",
    ),
    Option(
        "run",
        "NAME",
        TEXT,
        "the name of a run in the database of --sema-ledger, whose items all machines share that "
        "name it",
        in_file=False,
    ),
    Option("estimate", None, SWITCH, "say what the run would cost and ask nobody", in_file=False),
)


def read_settings(given: Mapping[str, Any], root: Path) -> "Settings":
    """The settings of the command line over those of `root`/pyproject.toml.

    `given` is by the options' names; what is not given is missing there, or None, [] or False.
    Raises SettingsError.
    """
    from pytest_sema_bench.settings import Settings

    values = read_file(root)
    # "" is given: `--sema-tasks=` must not mean the same as no such option.
    told = {o: given[o.name] for o in OPTIONS if given.get(o.name) not in (None, [], False)}
    for one, other in (("suite", "tasks"), ("tasks", "suite")):
        if one in {option.name for option in told}:
            values.pop(other, None)
    for option, found in told.items():
        try:
            values[option.target] = option.value(found)
        except SettingsError as error:
            raise SettingsError(f"{option.flag}: {error}") from None
    if "suite" in values and "tasks" in values:
        raise SettingsError("--sema-suite and --sema-tasks do not go together: choose one")
    settings = Settings(**values)
    _check_together(settings)
    return settings


def read_file(root: Path) -> dict[str, Any]:
    """What `[tool.sema-bench]` of `root`/pyproject.toml sets, by the fields of Settings.

    Raises FileError.
    """
    from pytest_sema_bench.user_file import read_toml

    file = read_toml(root / "pyproject.toml").part("tool", "sema-bench")
    options = {option.name: option for option in OPTIONS if option.in_file}
    file.expect_keys(options, besides=_SECTIONS)
    return {
        options[name].target: options[name].file_value(file)
        for name in file.data
        if name in options
    }


def blamed(error: SettingsError, given: Mapping[str, Any], root: Path) -> str:
    """What an error says, of the place in `root`/pyproject.toml if no option was given for it."""
    from pytest_sema_bench.user_file import read_toml

    flag, _, said = str(error).partition(": ")
    name = next((o.name for o in OPTIONS if o.flag == flag and not given.get(o.name)), "")
    file = read_toml(root / "pyproject.toml").part("tool", "sema-bench")
    if name not in file.data:
        return str(error)
    return f"{file.path}:{file.line([name])}: tool.sema-bench.{name}: {said}"


def _check_together(settings: "Settings") -> None:
    if settings.tasks is not None and not settings.tasks.exists():
        raise SettingsError(f"--sema-tasks: there is no file or folder {settings.tasks}")
    if settings.replay is not None:
        if settings.record is not None:
            raise SettingsError("--sema-record and --sema-replay do not go together: choose one")
        if not settings.replay.is_dir():
            raise SettingsError(f"--sema-replay: there is no folder {settings.replay}")
    if settings.base_url is None and settings.api_key_env is not None:
        raise SettingsError("--sema-api-key-env goes with --sema-base-url, which is missing")
