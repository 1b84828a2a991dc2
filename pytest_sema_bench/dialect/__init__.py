"""Dialects: Sema with other names and orders of arguments, made from a seed.

`dialect` makes one. `translate` turns code into the other language, `prose` texts about code,
`speech` what goes to the VM and what comes back. docs/dialects.md says what is translated.
"""

from pytest_sema_bench.dialect.dialect import Dialect, read_dialect
from pytest_sema_bench.dialect.speech import Speech, speak
from pytest_sema_bench.dialect.vm import DialectVM

__all__ = ["Dialect", "DialectVM", "Speech", "read_dialect", "speak"]
