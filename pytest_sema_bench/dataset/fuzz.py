"""Programs of the grammar fuzzer in Sema's repository, in its emit mode, run on the VM.

The fuzzer reads its settings with `(env NAME)`. It runs in a confined interpreter, which has no
environment, so `env` is bound to a function that knows those settings and nothing else.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from pytest_sema_bench.dataset.checkout import read_source
from pytest_sema_bench.dataset.prove import Draft, Sifting
from pytest_sema_bench.dataset.row import Source
from pytest_sema_bench.errors import FileError, SettingsError
from pytest_sema_bench.sema.reader import Kind, single_datum
from pytest_sema_bench.sema.vm import SemaVM
from pytest_sema_bench.settings import Limits

FUZZER = "fuzz/grammar-fuzz.sema"
DEFAULT_DEPTH = 4
_N_AT_ONCE = 50
"""Programs of one interpreter, whose steps are limited; program i of a seed is that of seed + i."""
_LIMITS = Limits(output_bytes=4_000_000)
_CONSTANTS = (Kind.ATOM, Kind.STRING)
# `; seed=17 => 42` above the program, whose text may have several lines, as its value may.
_HEAD = re.compile(r"^; seed=(\d+) => ", re.MULTILINE)


async def drafts(
    source: Path, licence: str, vm: SemaVM, sifting: Sifting, *, n: int, seed: int, depth: int
) -> list[Draft]:
    """Programs of the seeds `seed` to `seed + n - 1`, each with the value that it must have.

    Raises SettingsError where there is no fuzzer, FileError where the VM cannot run it.
    """
    path = source / FUZZER if source.is_dir() else source
    if not path.is_file():
        raise SettingsError(f"there is no {path}; expected a checkout of Sema's repository")
    fuzzer = read_source(path)
    made: list[Draft] = []
    for first in range(seed, seed + n, _N_AT_ONCE):
        count = min(_N_AT_ONCE, seed + n - first)
        text = await _emit(path, fuzzer, vm, seed=first, count=count, depth=depth)
        programs = dict(_programs(text))
        for number in range(first, first + count):
            place = f"{FUZZER} seed={number}"
            if number not in programs:
                sifting.drop("the fuzzer's text cannot be told apart", place)
                continue
            expected, code = programs[number]
            datum = single_datum(code)
            if datum is None or datum.kind in _CONSTANTS:
                sifting.drop("is a constant and no program", place)
                continue
            made.append(
                Draft(
                    place=place,
                    source=Source.FUZZ,
                    licence=licence,
                    family=place,
                    code=code,
                    tags=(f"depth={depth}",),
                    expected=expected,
                )
            )
    return made


async def _emit(path: Path, fuzzer: str, vm: SemaVM, *, seed: int, count: int, depth: int) -> str:
    settings = {"MODE": "emit", "SEED": seed, "COUNT": count, "DEPTH": depth}
    table = " ".join(f'"SEMA_FUZZ_{name}" "{value}"' for name, value in settings.items())
    environment = f"(define (env name) (get {{{table}}} name nil))"
    _, done = await vm.evaluate([environment, fuzzer], _LIMITS)
    if done.error is not None:
        first = done.error.splitlines()[0][:200]
        raise FileError(path, 1, f"this VM cannot run the fuzzer for seed {seed}: {first}")
    return "\n".join(done.output)


def _programs(text: str) -> Iterator[tuple[int, tuple[str, str]]]:
    """Each seed with the expected value and the program; only those that can be told apart."""
    heads = list(_HEAD.finditer(text))
    ends = [head.start() for head in heads[1:]] + [len(text)]
    for head, end in zip(heads, ends, strict=True):
        lines = text[head.end() : end].rstrip("\n").split("\n")
        # The program is what is one form: a value of several lines may stand above it.
        for cut in range(1, len(lines)):
            code = "\n".join(lines[cut:])
            if single_datum(code) is not None:
                yield int(head[1]), ("\n".join(lines[:cut]), code)
                break
