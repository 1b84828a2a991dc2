"""What a seed makes: always the same, no name twice, and no word that means something already."""

import os
import re
import subprocess
import sys

import pytest

from pytest_sema_bench.dialect import read_dialect
from pytest_sema_bench.dialect.dialect import Dialect, all_names, make_dialect
from pytest_sema_bench.docsearch.corpus import load_corpus
from pytest_sema_bench.errors import SettingsError
from pytest_sema_bench.sema.names import names_bound, symbols_in
from pytest_sema_bench.suite.folder import bundled_suites, suite_folder
from pytest_sema_bench.suite.task import load_tasks
from tests.conftest import VMEval

DIALECT = make_dialect(7, 1.0)
NAMES = {name.text for name in all_names()}


def test_a_seed_gives_the_same_dialect_in_every_process() -> None:
    """Neither the order of Python's sets nor of its dicts has a part in it."""
    code = "from pytest_sema_bench.dialect import read_dialect; print(read_dialect('7:0.5').label)"
    labels = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("1", "2")
    }
    assert labels == {make_dialect(7, 0.5).label}


@pytest.mark.parametrize("strength", [0.2, 0.5, 1.0])
def test_so_many_names_are_others_and_none_of_them_is_a_name_of_sema(strength: float) -> None:
    """The words are as many as the names that changed, and new."""
    dialect = make_dialect(11, strength)
    assert len(dialect.words) == round(strength * len(NAMES))
    assert len(dialect.sema) == len(dialect.words)
    assert NAMES.isdisjoint(dialect.sema)
    assert dialect.orders.keys() <= dialect.words.keys()


def test_a_stronger_dialect_changes_more_and_nothing_otherwise() -> None:
    """What is another word at 0.2 is the same word at 1."""
    weak = make_dialect(7, 0.2)
    assert weak.words.items() < DIALECT.words.items()
    assert weak.orders.items() < DIALECT.orders.items()


def test_other_seeds_give_other_words() -> None:
    """Hardly a name is called the same in two dialects."""
    other = make_dialect(8, 1.0)
    assert sum(other.words[name] == word for name, word in DIALECT.words.items()) < 20
    assert other.label != DIALECT.label


def test_orders_are_other_orders() -> None:
    """Each is a permutation that moves something."""
    for order in DIALECT.orders.values():
        assert sorted(order) == list(range(len(order)))
        assert list(order) != sorted(order)


def test_namespaces_are_renamed_as_a_whole() -> None:
    """All of `string/…` goes to one new namespace, and what a name ends with stays."""
    words = [DIALECT.words[name] for name in NAMES if name.startswith("string/")]
    assert len({word.partition("/")[0] for word in words}) == 1
    assert all(DIALECT.words[n].endswith(n[-1]) for n in NAMES if n[-1] in "?!")


def test_no_word_is_a_name_of_another_language_or_of_a_bundled_task() -> None:
    """A model that reads it cannot take it for what it knows."""
    taken = {part for row in load_corpus().foreign for name in row.names for part in _parts(name)}
    for suite in bundled_suites():
        for task in load_tasks(suite_folder(suite)):
            for source in (task.reference, *(case.given for case in task.cases)):
                taken |= names_bound(source or "") | symbols_in(source)
    assert taken.isdisjoint(DIALECT.sema)


def _parts(name: str) -> list[str]:
    return re.split(r"[/.\-!?]", name)


def test_every_documented_name_is_known() -> None:
    """Else it would be left as it is in every dialect; notation has no name."""
    notation = {"quote", "quasiquote", "else", "catch", "&", "export"}
    documented = {n for e in load_corpus().entries if e.module != "syntax" for n in e.names}
    assert documented - notation <= NAMES


def test_functions_with_a_fixed_number_of_arguments_take_just_so_many(vm_eval: VMEval) -> None:
    """Only then nothing is lost where they change places."""
    names = [name for name in all_names() if name.n_arguments is not None]
    calls = [text for name in names for text in (f"({name.text})", f"({name.text} 1 2 3 4 5)")]
    results = vm_eval(calls)
    for name, few, many in zip(names, results[::2], results[1::2], strict=True):
        expected = f" expects {name.n_arguments} arguments, got "
        assert expected in (few.error or "")
        assert expected in (many.error or "")


@pytest.mark.parametrize("text", ["", "x", "7:", "7:0", "7:1.5", "-1", "7:-1", "7 8", "7:nan"])
def test_what_is_no_dialect_is_refused(text: str) -> None:
    """The message names the option, what was found and what is expected."""
    with pytest.raises(SettingsError, match=r"^--sema-dialect: found .*, expected SEED or"):
        read_dialect(text)


def test_a_seed_alone_changes_everything() -> None:
    """Strength 1 unless told."""
    assert read_dialect("7") == read_dialect("7:1") == read_dialect("7:1.0") == DIALECT
    assert read_dialect(None) is None
    assert isinstance(read_dialect("0:0.25"), Dialect)
