"""The registry's files: the bundled `models.yaml` under what a user adds.

A `sema-models.yaml` in the project's root folder adds entries or replaces them by name, and so do
the tables `providers`, `models` and `configs` of `[tool.sema-bench]` in pyproject.toml, which come
last. What an entry may hold is said in `models.schema.json`.
"""

from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from pytest_sema_bench.base_url import read_base_url
from pytest_sema_bench.catalog.models import (
    ModelEntry,
    Price,
    Provider,
    RateLimits,
    Registry,
    TextToolCalls,
)
from pytest_sema_bench.errors import SettingsError
from pytest_sema_bench.settings import Config, McpServer, Sampling
from pytest_sema_bench.user_file import UserFile, read_toml, read_yaml

USER_FILE = "sema-models.yaml"
BUNDLED = "bundled"
"""Source of the entries that come with the package."""
_HERE = Path(str(files("pytest_sema_bench.catalog")))


def load_registry(root: Path) -> Registry:
    """The bundled entries under those of a project's root folder. Raises SettingsError."""
    providers: dict[str, Provider] = {}
    models: dict[str, ModelEntry] = {}
    configs: dict[str, Config] = {}
    for source, file in _files(root):
        file.check(_HERE / "models.schema.json")
        data = file.data or {}
        for name, entry in data.get("providers", {}).items():
            _check_url(file, ["providers", name, "base_url"], entry)
            providers[name] = _provider(source, name, entry)
        for name, entry in data.get("models", {}).items():
            _check_url(file, ["models", name, "base_url"], entry)
            _check_provider(file, name, entry, providers)
            models[name] = _entry(source, name, entry)
        for name, entry in data.get("configs", {}).items():
            configs[name] = _config(file, name, entry)
    return Registry(providers=providers, models=models, configs=configs)


def _files(root: Path) -> Iterator[tuple[str, UserFile]]:
    """The files that there are, each with the source that its entries name."""
    yield BUNDLED, read_yaml(_HERE / "models.yaml")
    if (root / USER_FILE).is_file():
        yield USER_FILE, read_yaml(root / USER_FILE)
    table = read_toml(root / "pyproject.toml").part("tool", "sema-bench")
    yield "pyproject.toml", table.only("providers", "models", "configs")


def _provider(source: str, name: str, entry: Mapping[str, Any]) -> Provider:
    return Provider(
        name=name,
        base_url=entry["base_url"],
        key_env=entry.get("key_env"),
        adapt=tuple(entry.get("adapt", ())),
        extra=entry.get("extra", {}),
        limits=RateLimits(**entry.get("limits", {})),
        text_tool_calls=_text_tool_calls(entry),
        source=source,
    )


def _check_url(file: UserFile, where: list[str | int], entry: Mapping[str, Any]) -> None:
    try:
        read_base_url(entry.get("base_url", "http://provider"))
    except SettingsError as error:
        file.fail(where, str(error))


def _check_provider(
    file: UserFile, name: str, entry: Mapping[str, Any], providers: Mapping[str, Provider]
) -> None:
    provider = entry.get("provider")
    if provider is not None and provider not in providers:
        known = ", ".join(sorted(providers))
        file.fail(
            ["models", name, "provider"],
            f"there is no provider {provider!r}; defined are {known}",
        )


def _entry(source: str, name: str, entry: Mapping[str, Any]) -> ModelEntry:
    return ModelEntry(
        name=name,
        id=entry["id"],
        provider=entry.get("provider"),
        base_url=entry.get("base_url"),
        key_env=entry.get("key_env"),
        aliases=tuple(entry.get("aliases", ())),
        price=_price(entry["price"]) if "price" in entry else None,
        sampling=Sampling(**entry.get("sampling", {})),
        adapt=tuple(entry.get("adapt", ())),
        extra=entry.get("extra", {}),
        limits=RateLimits(**entry["limits"]) if "limits" in entry else None,
        text_tool_calls=_text_tool_calls(entry),
        source=source,
    )


def _text_tool_calls(entry: Mapping[str, Any]) -> TextToolCalls | None:
    value = entry.get("text_tool_calls")
    return None if value is None else TextToolCalls(value)


def _price(entry: Mapping[str, Any]) -> Price:
    cached = entry.get("cached_input")
    return Price(
        input_usd=float(entry["input"]),
        output_usd=float(entry["output"]),
        cached_input_usd=None if cached is None else float(cached),
        date=entry.get("date"),
    )


def _config(file: UserFile, name: str, entry: Mapping[str, Any]) -> Config:
    prompt = entry.get("system_prompt")
    path = None if prompt is None else file.path.parent / prompt
    if path is not None:
        where = ["configs", name, "system_prompt"]
        try:
            path.read_text(encoding="utf-8")
        except FileNotFoundError:
            file.fail(where, f"there is no file {path}")
        except (OSError, UnicodeDecodeError) as error:
            file.fail(where, f"{path} is no text in UTF-8: {error}")
    return Config(
        name=name,
        tools=tuple(entry.get("tools", ())),
        mcp=_mcp(file, name, entry),
        max_rounds=entry.get("max_rounds", 3),
        system_prompt=path,
        primer=entry.get("primer", True),
        hints=entry.get("hints", True),
        sampling=Sampling(**entry.get("sampling", {})),
    )


def _mcp(file: UserFile, name: str, entry: Mapping[str, Any]) -> McpServer | None:
    if (server := entry.get("mcp")) is None:
        return None
    if entry.get("tools"):
        file.fail(["configs", name, "mcp"], "tools and mcp do not go together: choose one")
    include = server.get("include")
    return McpServer(
        command=tuple(server["command"]), include=None if include is None else tuple(include)
    )
