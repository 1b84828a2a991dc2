"""A checkout of Sema's repository that the user names: its files and its licence."""

from pathlib import Path

from pytest_sema_bench.errors import FileError, SettingsError
from pytest_sema_bench.user_file import read_toml

_BUILT = {"target", "node_modules"}
"""Folders of what was made of the sources."""


def source_files(source: Path, pattern: str) -> list[tuple[Path, str]]:
    """The source files with their names below `source`, in order; `source` itself if a file.

    Raises SettingsError where there is neither.
    """
    if source.is_file():
        return [(source, source.name)]
    if not source.is_dir():
        raise _missing(source)
    found = (path for path in source.rglob(pattern) if path.is_file())
    named = ((path, path.relative_to(source)) for path in found)
    return sorted((path, name.as_posix()) for path, name in named if not _BUILT & {*name.parts})


def licence_of(source: Path, given: str | None) -> str:
    """The given licence, or that of the checkout. Raises SettingsError where nobody tells it."""
    if given:
        return given
    if not source.exists():
        raise _missing(source)
    data = read_toml(source / "Cargo.toml").data if source.is_dir() else {}
    for table in (data, data.get("workspace", {})):
        told = table.get("package", {}).get("license") if isinstance(table, dict) else None
        if isinstance(told, str):
            return told
    raise SettingsError(
        f"{source}: no `license` in a Cargo.toml there; say what the rows are under, --licence MIT"
    )


def _missing(source: Path) -> SettingsError:
    return SettingsError(f"there is no {source}; expected a checkout of Sema's repository")


def read_source(path: Path) -> str:
    """The text of a file, with line ends as one sign. Raises FileError."""
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise FileError(path, 1, f"cannot be read: {error}") from error
