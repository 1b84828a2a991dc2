"""The registry: which models, providers and configurations there are.

Entries come from `models.yaml` beside this module; a `sema-models.yaml` in the project's root
folder adds to them or replaces them by name.
"""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from pytest_sema_bench.errors import SettingsError
from pytest_sema_bench.settings import Config, Sampling

REFERENCE = "reference"
"""The offline model that answers from the tasks' reference answers."""
USER_FILE = "sema-models.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """USD per million tokens, as of a date."""

    input_usd: float
    output_usd: float
    cached_input_usd: float | None = None
    """None where the provider bills cached input as input."""
    date: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """Where and under which name a model is reached."""

    name: str
    """What the user calls it; stands in item names and tables."""
    id: str
    """What its server calls it."""
    provider: str
    base_url: str | None
    """None for the reference model, which has no server."""
    key_env: str | None = None
    """The environment variable that holds the key; None if the server wants none."""
    price: Price | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    """All entries, and how to find one."""

    providers: Mapping[str, Mapping[str, Any]]
    models: Mapping[str, Mapping[str, Any]]
    configs: Mapping[str, Config]

    def model(self, name: str, base_url: str | None = None, key_env: str | None = None) -> Model:
        """The model called `name`; with a `base_url`, any name on that server.

        Raises SettingsError that says what names there are.
        """
        if name == REFERENCE:
            free = Price(input_usd=0.0, output_usd=0.0)
            return Model(name=name, id=name, provider="offline", base_url=None, price=free)
        if base_url:
            entry = self.models.get(name, {})
            return Model(
                name=name,
                id=entry.get("id", name),
                provider=urlsplit(base_url).netloc.rpartition("@")[2],
                base_url=base_url,
                key_env=key_env,
            )
        if name in self.models:
            return self._make(name, self.models[name])
        provider, separator, model_id = name.partition(":")
        if separator and provider in self.providers and model_id:
            return self._make(name, {"provider": provider, "id": model_id})
        raise SettingsError(
            f"--sema-model: unknown model {name!r}. Known models are "
            f"{', '.join([*sorted(self.models), REFERENCE])}. For another model give "
            f"PROVIDER:MODEL with one of the providers {', '.join(sorted(self.providers))}, "
            "or --sema-base-url for any server that speaks OpenAI chat completions."
        )

    def config(self, name: str) -> Config:
        """The configuration called `name`. Raises SettingsError that says what names there are."""
        try:
            return self.configs[name]
        except KeyError:
            raise SettingsError(
                f"--sema-config: unknown configuration {name!r}; "
                f"known ones are {', '.join(sorted(self.configs))}"
            ) from None

    def _make(self, name: str, entry: Mapping[str, Any]) -> Model:
        provider = self.providers[entry["provider"]]
        price = entry.get("price")
        return Model(
            name=name,
            id=entry["id"],
            provider=entry["provider"],
            base_url=provider["base_url"],
            key_env=provider.get("key_env"),
            price=None
            if price is None
            else Price(
                input_usd=float(price["input"]),
                output_usd=float(price["output"]),
                cached_input_usd=price.get("cached_input"),
                date=str(price["date"]) if "date" in price else None,
            ),
        )


def load_registry(root: Path) -> Registry:
    """The bundled entries under those of `root`/sema-models.yaml. Raises SettingsError."""
    bundled = Path(str(files("pytest_sema_bench") / "models.yaml"))
    tables: dict[str, dict[str, Any]] = {"providers": {}, "models": {}, "configs": {}}
    for path in (bundled, root / USER_FILE):
        if path.is_file():
            for section, entries in _read(path).items():
                tables[section].update(entries)
    for name, entry in tables["providers"].items():
        if not entry["base_url"].startswith(("http://", "https://")):
            raise SettingsError(
                f"{USER_FILE}: providers.{name}: base_url {entry['base_url']!r} is no URL; "
                "expected something like http://127.0.0.1:8000/v1"
            )
    for name, entry in tables["models"].items():
        if entry["provider"] not in tables["providers"]:
            known = ", ".join(sorted(tables["providers"]))
            raise SettingsError(
                f"{USER_FILE}: models.{name}: provider {entry['provider']!r} is not defined; "
                f"defined are {known}"
            )
    return Registry(
        providers=tables["providers"], models=tables["models"], configs=tables["configs"]
    )


_REQUIRED: dict[str, frozenset[str]] = {
    "providers": frozenset({"base_url"}),
    "models": frozenset({"provider", "id"}),
    "configs": frozenset(),
    "price": frozenset({"input", "output"}),
    "sampling": frozenset(),
}
_KINDS: dict[str, dict[str, tuple[type, ...]]] = {
    "providers": {"base_url": (str,), "key_env": (str,)},
    "models": {"provider": (str,), "id": (str,), "price": (dict,)},
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
}
"""The keys of an entry and what each may hold, by section; those of the file are above."""
_KIND_NAMES: dict[type, str] = {
    str: "text",
    dict: "a table",
    list: "a list of names",
    int: "a number of 0 or more",
    datetime.date: "a date",
}
_SECTIONS = frozenset({"providers", "models", "configs"})


def _read(path: Path) -> dict[str, dict[str, Any]]:
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SettingsError(f"{path}: cannot be read as YAML: {error}") from error
    data = {} if data is None else data
    _expect_keys(path, "the file", data, known=_SECTIONS)
    for section, entries in data.items():
        _expect_keys(path, section, entries)
        for name, entry in entries.items():
            _expect_entry(path, f"{section}.{name}", entry, section)
            for part in ("price", "sampling"):
                if part in entry:
                    _expect_entry(path, f"{section}.{name}.{part}", entry[part], part)
    if "configs" in data:
        data["configs"] = {
            name: _config(path, name, entry) for name, entry in data["configs"].items()
        }
    tables: dict[str, dict[str, Any]] = data
    return tables


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
    if missing := sorted(_REQUIRED[section] - set(entry)):
        raise SettingsError(f"{path}: {where}: {missing[0]!r} is missing")
    for key, value in entry.items():
        if not _fits(value, kinds[key]):
            wanted = " or ".join(_KIND_NAMES[kind] for kind in kinds[key] if kind is not float)
            raise SettingsError(f"{path}: {where}.{key} is {value!r}, expected {wanted}")


def _fits(value: object, kinds: tuple[type, ...]) -> bool:
    if isinstance(value, list):
        return list in kinds and all(isinstance(item, str) for item in value)
    if isinstance(value, (int, float)):
        return isinstance(value, kinds) and not isinstance(value, bool) and value >= 0
    return isinstance(value, kinds) and value != ""


def _config(path: Path, name: str, entry: Mapping[str, Any]) -> Config:
    prompt = entry.get("system_prompt")
    if prompt is not None and not (path.parent / prompt).is_file():
        raise SettingsError(f"{path}: configs.{name}: there is no file {path.parent / prompt}")
    return Config(
        name=name,
        tools=tuple(entry.get("tools", ())),
        max_rounds=entry.get("max_rounds", 3),
        system_prompt=None if prompt is None else path.parent / prompt,
        sampling=Sampling(**entry.get("sampling", {})),
    )
