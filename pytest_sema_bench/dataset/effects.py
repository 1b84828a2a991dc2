"""What a program reaches beyond itself, by the names that it uses; `effects.yaml` lists them."""

from functools import cache
from importlib.resources import files
from pathlib import Path

from pytest_sema_bench.sema.names import local_names, names_bound, symbols_in
from pytest_sema_bench.sema.reader import read_forms
from pytest_sema_bench.user_file import read_yaml


def effect_of(code: str) -> str | None:
    """`network` and the like, with the name that tells; None for a program that keeps to itself."""
    names = symbols_in(code)
    if names:  # what can be read has some; a variable called `env` reaches for nothing
        names -= local_names(read_forms(code)) | names_bound(code)
    for effect, exact, prefixes in _table():
        for name in sorted(names):
            if name in exact or name.startswith(prefixes):
                return f"{effect} ({name})"
    return None


@cache
def _table() -> tuple[tuple[str, frozenset[str], tuple[str, ...]], ...]:
    """Each effect with its names and the beginnings of names."""
    path = Path(str(files("pytest_sema_bench.dataset"))) / "effects.yaml"
    # `*stdin*` is a name, as all that has its only other star in front.
    table = {effect: set(names) for effect, names in read_yaml(path).data.items()}
    return tuple(
        (
            effect,
            frozenset(name for name in names if name[0] == "*" or name[-1] != "*"),
            tuple(name[:-1] for name in names if name[0] != "*" and name[-1] == "*"),
        )
        for effect, names in table.items()
    )
