"""Where a run was made: versions, commit, machine. Goes into run.json, never into a verdict."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pytest_sema_bench import __version__

_PACKAGES = ("pytest", "pytest-xdist", "aiohttp")


def versions() -> dict[str, str]:
    """Versions of Python, this package and the packages that a run depends on."""
    found = {"python": platform.python_version(), "pytest-sema-bench": __version__}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def machine() -> dict[str, str | int | None]:
    """What kind of machine, without its name or its user's."""
    return {
        "system": platform.system(),
        "machine": platform.machine(),
        "n_cores": os.cpu_count(),
    }


def git_commit(folder: Path) -> str | None:
    """The commit that is checked out at or above `folder`, None outside of a repository."""
    for parent in (folder, *folder.parents):
        git = parent / ".git"
        # In a worktree or a submodule it only says where the folder is.
        if git.is_file():
            git = parent / git.read_text().partition("gitdir:")[2].strip()
        if git.is_dir():
            try:
                return _head(git)
            except OSError:
                return None
    return None


def _head(git: Path) -> str | None:
    head = (git / "HEAD").read_text().strip()
    if not head.startswith("ref: "):
        return head
    ref = head.removeprefix("ref: ")
    common = git / "commondir"
    shared = (git / common.read_text().strip()) if common.is_file() else git
    # A worktree has a HEAD of its own, and its branches where the others are.
    for folder in (git, shared):
        if (folder / ref).is_file():
            return (folder / ref).read_text().strip()
    packed = shared / "packed-refs"
    for line in packed.read_text().splitlines() if packed.is_file() else []:
        if line.endswith(f" {ref}"):
            return line.split()[0]
    return None
