"""The registry's files: the bundled `models.yaml` under what a user adds.

A `sema-models.yaml` in the project's root folder adds entries or replaces them by name, and so do
the tables `models` and `providers` of `[tool.sema-bench]` in pyproject.toml, which come last.
"""

import datetime
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from pytest_sema_bench.catalog.models import ModelEntry, Price, Provider, RateLimits, Registry
from pytest_sema_bench.errors import SettingsError
from pytest_sema_bench.settings import Config, Sampling, read_pyproject_tables

USER_FILE = "sema-models.yaml"
BUNDLED = "bundled"
"""Source of the entries that come with the package."""


def load_registry(root: Path) -> Registry:
    """The bundled entries under those of a project's root folder. Raises SettingsError."""
    bundled = Path(str(files("pytest_sema_bench.catalog") / "models.yaml"))
    providers: dict[str, Provider] = {}
    models: dict[str, ModelEntry] = {}
    configs: dict[str, Config] = {}
    for path, tables in (
        (bundled, _read(bundled)),
        (root / USER_FILE, _read(root / USER_FILE)),
        (root / "pyproject.toml", _read_pyproject(root)),
    ):
        source = BUNDLED if path == bundled else path.name
        for name, entry in tables.get("providers", {}).items():
            providers[name] = _provider(path, source, name, entry)
        for name, entry in tables.get("models", {}).items():
            models[name] = _entry(path, source, name, entry, providers)
        for name, entry in tables.get("configs", {}).items():
            configs[name] = _config(path, name, entry)
    return Registry(providers=providers, models=models, configs=configs)


_REQUIRED: dict[str, frozenset[str]] = {
    "providers": frozenset({"base_url"}),
    "models": frozenset({"id"}),
    "price": frozenset({"input", "output"}),
}
_SERVER: dict[str, tuple[type, ...]] = {
    "base_url": (str,),
    "key_env": (str,),
    "adapt": (list,),
    "extra": (dict,),
    "limits": (dict,),
}
_KINDS: dict[str, dict[str, tuple[type, ...]]] = {
    "providers": _SERVER,
    "models": _SERVER
    | {
        "provider": (str,),
        "id": (str,),
        "aliases": (list,),
        "price": (dict,),
        "sampling": (dict,),
    },
    "configs": {
        "tools": (list,),
        "max_rounds": (int,),
        "system_prompt": (str,),
        "sampling": (dict,),
    },
    "price": {
        "input": (int, float),
        "output": (int, float),
        "cached_input": (int, float),
        "date": (str, datetime.date),
    },
    "sampling": {
        "temperature": (int, float),
        "top_p": (int, float),
        "max_tokens": (int,),
        "reasoning_effort": (str,),
    },
    "limits": {
        "concurrency": (int,),
        "requests_per_minute": (int, float),
        "tokens_per_minute": (int, float),
    },
}
"""The keys of an entry and what each may hold, by section; those of the file are below."""
_KIND_NAMES: dict[type, str] = {
    str: "text",
    dict: "a table",
    list: "a list of names",
    int: "a number of 0 or more",
    datetime.date: "a date",
}
_SECTIONS = frozenset({"providers", "models", "configs"})


def _read(path: Path) -> dict[str, dict[str, Any]]:
    """The sections of a YAML file, {} if there is no file."""
    if not path.is_file():
        return {}
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SettingsError(f"{path}: cannot be read as YAML: {error}") from error
    data = {} if data is None else data
    _expect_keys(path, "the file", data, known=_SECTIONS)
    return _checked(path, data)


def _read_pyproject(root: Path) -> dict[str, dict[str, Any]]:
    tables = read_pyproject_tables(root)
    data: dict[str, dict[str, Any]] = {}
    for name in ("providers", "models"):
        if name in tables:
            data[name] = tables[name]
    return _checked(root / "pyproject.toml", data)


def _checked(path: Path, data: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    for section, entries in data.items():
        _expect_keys(path, section, entries)
        for name, entry in entries.items():
            _expect_entry(path, f"{section}.{name}", entry, section)
            for part in ("price", "sampling", "limits"):
                if part in entry:
                    _expect_entry(path, f"{section}.{name}.{part}", entry[part], part)
    return data


def _expect_keys(
    path: Path, where: str, table: object, known: frozenset[str] | None = None
) -> None:
    if not isinstance(table, dict):
        raise SettingsError(f"{path}: {where}: found {table!r}, expected a table of names")
    for name in table:
        if not isinstance(name, str):
            raise SettingsError(f"{path}: {where}: the name {name!r} must stand in quotes")
        if known is not None and name not in known:
            raise SettingsError(
                f"{path}: {where}: unknown key {name!r}; known keys are {', '.join(sorted(known))}"
            )


def _expect_entry(path: Path, where: str, entry: object, section: str) -> None:
    kinds = _KINDS[section]
    _expect_keys(path, where, entry, frozenset(kinds))
    assert isinstance(entry, dict)
    if missing := sorted(_REQUIRED.get(section, frozenset()) - set(entry)):
        raise SettingsError(f"{path}: {where}: {missing[0]!r} is missing")
    for key, value in entry.items():
        if value == 0 and (section == "limits" or key == "max_tokens"):
            raise SettingsError(f"{path}: {where}.{key} is 0, expected a number above 0")
        if not _fits(value, kinds[key]):
            wanted = " or ".join(_KIND_NAMES[kind] for kind in kinds[key] if kind is not float)
            raise SettingsError(f"{path}: {where}.{key} is {value!r}, expected {wanted}")


def _fits(value: object, kinds: tuple[type, ...]) -> bool:
    if isinstance(value, list):
        return list in kinds and all(isinstance(item, str) for item in value)
    if isinstance(value, (int, float)):
        return isinstance(value, kinds) and not isinstance(value, bool) and value >= 0
    return isinstance(value, kinds) and value != ""


def _provider(path: Path, source: str, name: str, entry: Mapping[str, Any]) -> Provider:
    _expect_url(path, f"providers.{name}", entry["base_url"])
    return Provider(
        name=name,
        base_url=entry["base_url"],
        key_env=entry.get("key_env"),
        adapt=tuple(entry.get("adapt", ())),
        extra=entry.get("extra", {}),
        limits=RateLimits(**entry.get("limits", {})),
        source=source,
    )


def _entry(
    path: Path,
    source: str,
    name: str,
    entry: Mapping[str, Any],
    providers: Mapping[str, Provider],
) -> ModelEntry:
    where = f"models.{name}"
    provider, base_url = entry.get("provider"), entry.get("base_url")
    if (provider is None) == (base_url is None):
        raise SettingsError(f"{path}: {where}: give either 'provider' or 'base_url'")
    if base_url is not None:
        _expect_url(path, where, base_url)
    elif provider not in providers:
        raise SettingsError(
            f"{path}: {where}: provider {provider!r} is not defined; "
            f"defined are {', '.join(sorted(providers))}"
        )
    return ModelEntry(
        name=name,
        id=entry["id"],
        provider=provider,
        base_url=base_url,
        key_env=entry.get("key_env"),
        aliases=tuple(entry.get("aliases", ())),
        price=_price(entry["price"]) if "price" in entry else None,
        sampling=Sampling(**entry.get("sampling", {})),
        adapt=tuple(entry.get("adapt", ())),
        extra=entry.get("extra", {}),
        limits=RateLimits(**entry["limits"]) if "limits" in entry else None,
        source=source,
    )


def _price(entry: Mapping[str, Any]) -> Price:
    cached = entry.get("cached_input")
    return Price(
        input_usd=float(entry["input"]),
        output_usd=float(entry["output"]),
        cached_input_usd=None if cached is None else float(cached),
        date=str(entry["date"]) if "date" in entry else None,
    )


def _expect_url(path: Path, where: str, url: str) -> None:
    if not url.startswith(("http://", "https://")):
        raise SettingsError(
            f"{path}: {where}: base_url {url!r} is no URL; "
            "expected something like http://127.0.0.1:8000/v1"
        )


def _expect_text(path: Path, where: str, file: Path) -> None:
    if not file.is_file():
        raise SettingsError(f"{path}: {where}: there is no file {file}")
    try:
        file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: {where}: {file} is no text in UTF-8: {error}") from error


def _config(path: Path, name: str, entry: Mapping[str, Any]) -> Config:
    prompt = entry.get("system_prompt")
    if prompt is not None:
        _expect_text(path, f"configs.{name}", path.parent / prompt)
    return Config(
        name=name,
        tools=tuple(entry.get("tools", ())),
        max_rounds=entry.get("max_rounds", 3),
        system_prompt=None if prompt is None else path.parent / prompt,
        sampling=Sampling(**entry.get("sampling", {})),
    )
