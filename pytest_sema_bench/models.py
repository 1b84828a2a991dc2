"""The registry: which models, providers and configurations there are.

Entries come from `models.yaml` beside this module; a `sema-models.yaml` in the project's root
folder adds to them or replaces them by name.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

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
            return Model(name=name, id=name, provider="offline", base_url=None)
        if base_url:
            entry = self.models.get(name, {})
            return Model(
                name=name,
                id=entry.get("id", name),
                provider=re.sub(r"^https?://|/.*$", "", base_url),
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


_KEYS: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    "providers": (frozenset({"base_url"}), frozenset({"key_env"})),
    "models": (frozenset({"provider", "id"}), frozenset({"price"})),
    "configs": (
        frozenset(),
        frozenset({"tools", "max_rounds", "system_prompt", "sampling"}),
    ),
}
"""Required and optional keys of an entry, by section."""


def _read(path: Path) -> dict[str, dict[str, Any]]:
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SettingsError(f"{path}: cannot be read as YAML: {error}") from error
    _expect_table(path, "the file", data, optional=frozenset(_KEYS))
    for section, entries in data.items():
        _expect_table(path, section, entries)
        required, optional = _KEYS[section]
        for name, entry in entries.items():
            _expect_table(path, f"{section}.{name}", entry, required, optional)
    if "configs" in data:
        data["configs"] = {
            name: _config(path, name, entry) for name, entry in data["configs"].items()
        }
    tables: dict[str, dict[str, Any]] = data
    return tables


def _expect_table(
    path: Path,
    where: str,
    table: object,
    required: frozenset[str] = frozenset(),
    optional: frozenset[str] | None = None,
) -> None:
    if not isinstance(table, dict):
        raise SettingsError(f"{path}: {where}: found {table!r}, expected a table of names")
    if missing := sorted(required - set(table)):
        raise SettingsError(f"{path}: {where}: {missing[0]!r} is missing")
    if optional is not None and (extra := sorted(set(table) - required - optional, key=str)):
        known = ", ".join(sorted(required | optional))
        raise SettingsError(f"{path}: {where}: unknown key {extra[0]!r}; known keys are {known}")


def _config(path: Path, name: str, entry: Mapping[str, Any]) -> Config:
    prompt = entry.get("system_prompt")
    if prompt is not None and not (path.parent / prompt).is_file():
        raise SettingsError(f"{path}: configs.{name}: there is no file {path.parent / prompt}")
    try:
        sampling = Sampling(**entry.get("sampling", {}))
    except TypeError:
        known = ", ".join(Sampling.__dataclass_fields__)
        raise SettingsError(f"{path}: configs.{name}.sampling: known keys are {known}") from None
    return Config(
        name=name,
        tools=tuple(entry.get("tools", ())),
        max_rounds=int(entry.get("max_rounds", 3)),
        system_prompt=None if prompt is None else path.parent / prompt,
        sampling=sampling,
    )
