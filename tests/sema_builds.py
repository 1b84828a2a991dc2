"""Builds of Sema beside the pinned npm package, where this machine has them."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_sema_bench.cache import cache_folder
from pytest_sema_bench.sema.vm import VMChoice, read_choice
from pytest_sema_bench.sema.vm.choice import BINARY_VARIABLE

VERSION = "2.0.0"
_CARGO = Path(os.environ.get("CARGO_HOME", "~/.cargo")).expanduser()
_ASSETS = f"registry/src/*/sema-lang-{VERSION}/src/web/assets"


def wasm_folder() -> Path:
    """The WASM build that the published crate holds. Skips the test where cargo has none."""
    folder = next(_folders(), None)
    if folder is None:
        pytest.skip(f"the source of sema-lang {VERSION} is not in {_CARGO}; .ci/run puts it there")
    return folder


def _folders() -> Iterator[Path]:
    return _CARGO.glob(_ASSETS)


def wasm() -> VMChoice:
    """That build, as `--sema-vm` names it."""
    return read_choice(f"wasm:{wasm_folder()}")


def native() -> VMChoice:
    """The native build: `$SEMA_BIN`, or what .ci/run has built. Skips the test without one."""
    binary = Path(
        os.environ.get(BINARY_VARIABLE) or cache_folder() / f"sema-{VERSION}" / "bin" / "sema"
    )
    if not binary.is_file():
        pytest.skip(f"there is no native Sema at {binary}; .ci/run builds one, given cargo")
    return read_choice(f"native:{binary}")
