"""Where a run was made, read without starting git and compared with what git says."""

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

import pytest

from pytest_sema_bench import __version__
from pytest_sema_bench.run.provenance import git_commit, machine, versions


def git(folder: Path, *arguments: str) -> str:
    """What git prints, without the user's configuration."""
    identity = ("-c", "user.name=n", "-c", "user.email=e@example.org")
    result = subprocess.run(
        ["git", "-C", str(folder), *identity, *arguments],
        check=True,
        capture_output=True,
        text=True,
        env={"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": os.devnull},
    )
    return result.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with one commit, on a branch with a slash in its name."""
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "-q")
    git(folder, "checkout", "-q", "-b", "feature/x")
    commit(folder)
    return folder


def commit(folder: Path) -> str:
    """A new commit's hash."""
    git(folder, "commit", "-q", "--allow-empty", "--no-gpg-sign", "-m", "m")
    return git(folder, "rev-parse", "HEAD")


def test_the_commit_is_the_one_that_is_checked_out(repository: Path) -> None:
    """It is found from the root and from any folder below, and follows new commits."""
    below = repository / "a" / "b"
    below.mkdir(parents=True)
    for _ in range(2):
        expected = commit(repository)
        assert git_commit(repository) == git_commit(below) == expected


def test_a_packed_branch_is_found(repository: Path) -> None:
    """After `git gc` a branch has no file of its own."""
    git(repository, "tag", "-a", "v1", "-m", "m")
    git(repository, "pack-refs", "--all")
    assert not (repository / ".git" / "refs" / "heads" / "feature" / "x").exists()
    assert git_commit(repository) == git(repository, "rev-parse", "HEAD")


def test_a_detached_head_is_the_commit(repository: Path) -> None:
    """As CI checks it out."""
    expected = git(repository, "rev-parse", "HEAD")
    git(repository, "checkout", "-q", "--detach")
    assert git_commit(repository) == expected


@pytest.mark.parametrize("packed", [False, True])
def test_a_worktree_has_a_commit_of_its_own(repository: Path, packed: bool) -> None:
    """Its `.git` is a file that leads to the repository."""
    worktree = repository.parent / "worktree"
    git(repository, "worktree", "add", "-q", "-b", "other", str(worktree))
    expected = commit(worktree)
    if packed:
        git(repository, "pack-refs", "--all")
    assert git_commit(worktree) == expected != git_commit(repository)


def test_a_repository_without_commits_has_none(tmp_path: Path) -> None:
    """The branch that HEAD names does not exist yet."""
    git(tmp_path, "init", "-q")
    assert git_commit(tmp_path) is None


def test_outside_of_a_repository_there_is_none(tmp_path: Path) -> None:
    """A project need not be under version control."""
    assert git_commit(tmp_path) is None


@pytest.mark.parametrize("content", ["", "gitdir: /nowhere", "oops"])
def test_a_git_file_that_leads_nowhere_is_no_fault(tmp_path: Path, content: str) -> None:
    """A run does not fail because of it."""
    (tmp_path / ".git").write_text(content)
    assert git_commit(tmp_path) is None


def test_versions_are_those_that_are_installed() -> None:
    """What a result may depend on."""
    found = versions()
    assert found["python"] == platform.python_version()
    assert found["pytest-sema-bench"] == __version__
    for name in ("pytest", "pytest-xdist", "aiohttp"):
        assert found[name] == version(name)


def test_the_machine_is_described_without_names() -> None:
    """Results are published: neither the host's nor the user's name is in them."""
    described = machine()
    assert set(described) == {"system", "machine", "n_cores"}
    assert (described["system"], described["n_cores"]) == (platform.system(), os.cpu_count())
