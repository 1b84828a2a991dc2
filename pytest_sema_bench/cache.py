"""Where this package keeps what outlives a run: installed VMs, shared limits, search indexes."""

import os
from pathlib import Path

import platformdirs

CACHE_VARIABLE = "SEMA_BENCH_CACHE"


def cache_folder() -> Path:
    """`$SEMA_BENCH_CACHE` or the platform's user cache folder. It need not exist yet."""
    return Path(os.environ.get(CACHE_VARIABLE) or platformdirs.user_cache_dir("pytest-sema-bench"))
