"""`python -m pytest_sema_bench.cli` is `sema-bench`."""

import sys

from pytest_sema_bench.cli import main

sys.exit(main())
