"""What a run is asked to do, as frozen values: limits, configurations, options.

Read once at the door, from the command line over `[tool.sema-bench]` of pyproject.toml,
then trusted. This module knows neither pytest nor YAML.
"""

import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from pytest_sema_bench.errors import SettingsError

DEFAULT_MAX_TOKENS = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much one evaluation may use before the program is blamed."""

    cpu_s: float = 15.0
    """Processor seconds per source: the backstop for loops that the VM's step limit misses.
    Processor time and not wall time, so that a verdict does not depend on a busy machine."""
    wall_s: float = 60.0
    """Seconds per source spent without any work: ends programs that sleep or wait."""
    output_bytes: int = 262_144
    """Characters kept of each of value, output and error."""
    code_bytes: int = 200_000
    """Longest source in bytes that is sent to the VM."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """Sampling parameters sent with each call; None leaves the choice to the server."""

    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    """Always sent, `DEFAULT_MAX_TOKENS` if nobody sets it: servers' own defaults go down to 512."""
    reasoning_effort: str | None = None

    def over(self, other: "Sampling") -> "Sampling":
        """These parameters, and where they are None those of `other`."""
        return Sampling(
            **{
                spec.name: getattr(other, spec.name) if value is None else value
                for spec in fields(self)
                for value in [getattr(self, spec.name)]
            }
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """A way to ask a model: which tools, how many rounds, which system prompt."""

    name: str
    tools: tuple[str, ...] = ()
    max_rounds: int = 3
    system_prompt: Path | None = None
    """File with the system prompt; None for the bundled one."""
    primer: bool = True
    """Whether the bundled system prompt explains the language, or only names it."""
    sampling: Sampling = field(default_factory=Sampling)
    docs: str = "lexical"
    """Who answers docs_search; part of what is asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The options of one run (DESIGN section 4), after defaults and pyproject.toml."""

    models: tuple[str, ...]
    configs: tuple[str, ...] = ("tools",)
    samples: int = 1
    concurrency: int = 32
    vm: str = "wasm"
    suite: str = "core"
    """A bundled suite, or the folder of another one."""
    tasks: Path | None = None
    """Folder or file with tasks, in place of a suite."""
    report_dir: Path = Path("reports")
    base_url: str | None = None
    api_key_env: str | None = None
    timeout_s: float = 300.0
    """Longest time for one reply of a model."""
    max_cost_usd: float | None = None
    """What the run may cost in all, resumed parts included."""
    record: Path | None = None
    """Folder to write every exchange with a server to."""
    replay: Path | None = None
    """Folder with recorded exchanges to answer from."""
    resume: str | None = None
    """A run to take up: its name or folder, or `NEWEST`."""
    estimate: bool = False
    """Only say what the run would cost."""
    docs: str | None = None
    """Which search answers `docs_search`, as `BACKEND` or `BACKEND:MODEL`."""
    baseline: Path | None = None
    """File or run folder to compare with; it need not exist yet."""
    gate: bool = True
    """Whether baseline, must-pass tasks and floor decide the exit status."""
    must_pass: str | None = None
    """Expression that names the tasks that must pass."""
    fail_under: float | None = None
    """Floor of the pass rate in percent."""
    confirm: int = 0
    """How often newly broken tasks are run again before they count."""


_TYPES: dict[str, tuple[type, ...]] = {
    "configs": (str, list),
    "samples": (int,),
    "concurrency": (int,),
    "vm": (str,),
    "suite": (str,),
    "tasks": (str,),
    "report_dir": (str,),
    "base_url": (str,),
    "api_key_env": (str,),
    "timeout_s": (int, float),
    "max_cost_usd": (int, float),
    "record": (str,),
    "replay": (str,),
    "baseline": (str,),
    "gate": (str, bool),
    "must_pass": (str,),
    "fail_under": (int, float),
    "confirm": (int,),
}
_TYPE_NAMES = {str: "text", list: "a list of texts", int: "a whole number", float: "a number"}
_TOML_NAMES = {"config": "configs", "timeout": "timeout_s", "max-cost": "max_cost_usd"}
_PATHS = ("tasks", "report_dir", "record", "replay", "baseline")
NEWEST = "newest"
"""`model` is not among the keys: a plain `pytest` must never start to spend money."""
_SECTIONS = frozenset({"providers", "models", "docs"})
"""Tables below `[tool.sema-bench]` that other modules read."""


def read_pyproject(root: Path) -> dict[str, Any]:
    """The `[tool.sema-bench]` table of `root`/pyproject.toml, {} where there is none.

    Raises SettingsError if the file is not TOML or the table holds an unknown key.
    """
    path = root / "pyproject.toml"
    options = {}
    for key, value in _read_table(path).items():
        if isinstance(value, dict) and key in _SECTIONS:
            continue
        name = _TOML_NAMES.get(key, key.replace("-", "_"))
        if name not in _TYPES:
            known = sorted((set(_TYPES) - set(_TOML_NAMES.values())) | set(_TOML_NAMES))
            raise SettingsError(
                f"{path}: [tool.sema-bench] has an unknown key {key!r}; known keys are "
                + ", ".join(k.replace("_", "-") for k in known)
            )
        if not _fits(value, _TYPES[name]):
            wanted = " or ".join(_TYPE_NAMES[t] for t in _TYPES[name])
            raise SettingsError(f"{path}: [tool.sema-bench] {key} is {value!r}, expected {wanted}")
        options[name] = _vm_from(root, value) if name == "vm" else value
    return options


def _vm_from(root: Path, vm: str) -> str:
    """The VM's name, with the path of a build taken from the file that names it."""
    backend, _, path = vm.partition(":")
    return f"{backend}:{root / Path(path).expanduser()}" if path else vm


def read_pyproject_tables(root: Path) -> dict[str, dict[str, Any]]:
    """The tables below `[tool.sema-bench]` that other modules read. Raises SettingsError."""
    path = root / "pyproject.toml"
    tables = {key: value for key, value in _read_table(path).items() if key in _SECTIONS}
    for key, value in tables.items():
        if not isinstance(value, dict):
            raise SettingsError(f"{path}: tool.sema-bench.{key} is {value!r}, expected a table")
    return tables


def _read_table(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        tool = tomllib.loads(path.read_text(encoding="utf-8")).get("tool", {})
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: cannot be read as TOML: {error}") from error
    table = tool.get("sema-bench", {}) if isinstance(tool, dict) else {}
    if not isinstance(table, dict):
        raise SettingsError(f"{path}: tool.sema-bench is {table!r}, expected a table")
    return table


def _fits(value: object, types: tuple[type, ...]) -> bool:
    if isinstance(value, list) and not all(isinstance(item, str) for item in value):
        return False
    return isinstance(value, types) and (bool in types or not isinstance(value, bool))


def make_settings(given: dict[str, Any], from_file: dict[str, Any], root: Path) -> Settings:
    """Settings from the command line (`given`, None or [] for absent) over the file's table.

    Paths from the file are relative to `root`, as the file is. Raises SettingsError.
    """
    merged: dict[str, Any] = {}
    if given.get("suite") and given.get("tasks"):
        raise SettingsError("--sema-suite and --sema-tasks do not go together: choose one")
    for one, other in (("suite", "tasks"), ("tasks", "suite")):
        if given.get(one):
            from_file = {name: value for name, value in from_file.items() if name != other}
    if "suite" in from_file and (root / from_file["suite"]).is_dir():
        from_file = {**from_file, "suite": str(root / from_file["suite"])}
    for spec in fields(Settings):
        value = given.get(spec.name)
        if value in (None, []):
            value = from_file.get(spec.name)
            if value is not None and spec.name in _PATHS:
                value = root / value
        if value not in (None, []):
            merged[spec.name] = value
    for name in ("models", "configs"):
        merged[name] = _split_names(merged.get(name, ()), name.removesuffix("s"))
    if not merged["configs"]:
        del merged["configs"]
    for name in ("samples", "concurrency"):
        merged[name] = _count(merged.get(name, getattr(_DEFAULTS, name)), name)
    for name in _PATHS:
        if name in merged:
            merged[name] = Path(merged[name])
    if "gate" in merged:
        merged["gate"] = _switch(merged["gate"], "gate")
    if "fail_under" in merged:
        merged["fail_under"] = _percent(merged["fail_under"], "fail-under")
    if "confirm" in merged:
        merged["confirm"] = _count(merged["confirm"], "confirm")
    if "timeout_s" in merged:
        merged["timeout_s"] = _positive(merged["timeout_s"], "timeout", "seconds")
    if "max_cost_usd" in merged:
        merged["max_cost_usd"] = _positive(merged["max_cost_usd"], "max-cost", "US dollars")
    settings = Settings(**merged)
    _check_together(settings)
    return settings


def _check_together(settings: Settings) -> None:
    if settings.tasks is not None and not settings.tasks.exists():
        raise SettingsError(f"--sema-tasks: there is no file or folder {settings.tasks}")
    if settings.replay is not None:
        if settings.record is not None:
            raise SettingsError("--sema-record and --sema-replay do not go together: choose one")
        if not settings.replay.is_dir():
            raise SettingsError(f"--sema-replay: there is no folder {settings.replay}")
    if settings.base_url is None:
        if settings.api_key_env is not None:
            raise SettingsError("--sema-api-key-env goes with --sema-base-url, which is missing")
    elif not settings.base_url.startswith(("http://", "https://")):
        raise SettingsError(
            f"--sema-base-url: {settings.base_url!r} is no URL; "
            "expected something like http://127.0.0.1:8000/v1"
        )


_DEFAULTS = Settings(models=())


def _split_names(value: str | list[str] | tuple[str, ...], option: str) -> tuple[str, ...]:
    texts = [value] if isinstance(value, str) else list(value)
    names = [name.strip() for text in texts for name in text.split(",")]
    if any(not name for name in names):
        raise SettingsError(
            f"--sema-{option}: empty name in {', '.join(texts)!r}; give names separated by commas"
        )
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise SettingsError(f"--sema-{option}: {repeated[0]!r} is given more than once")
    return tuple(names)


def _positive(value: object, option: str, unit: str) -> float:
    try:
        number = float(str(value))
    except ValueError:
        number = 0.0
    if not 0.0 < number < float("inf"):
        raise SettingsError(f"--sema-{option}: {value!r} is not a number of {unit} above 0")
    return number


def _percent(value: object, option: str) -> float:
    try:
        number = float(str(value))
    except ValueError:
        number = -1.0
    if not 0.0 <= number <= 100.0:
        raise SettingsError(f"--sema-{option}: {value!r} is not a percentage from 0 to 100")
    return number


def _switch(value: object, option: str) -> bool:
    if value not in ("on", "off", True, False):
        raise SettingsError(f"--sema-{option}: {value!r} is neither 'on' nor 'off'")
    return value in ("on", True)


def _count(value: object, option: str) -> int:
    try:
        number = int(str(value))
    except ValueError:
        number = 0
    if number < 1:
        raise SettingsError(f"--sema-{option}: {value!r} is not a whole number of 1 or more")
    return number
