"""`sema-bench docs`: the documentation proved and searched from the command line."""

import io
import json
import sys
from pathlib import Path

import pytest

from pytest_sema_bench.cli import main
from pytest_sema_bench.docsearch.corpus import corpus_files
from pytest_sema_bench.sema.vm.install import pinned_version
from tests import sema_builds
from tests.conftest import Capture

GOOD = """\
module: small
entries:
  - name: foldl-of-mine
    kind: special form
    shape: (foldl-of-mine x)
    summary: Nothing.
    examples:
      - {code: "(+ 1 2)", value: "3"}
    intents: [zork the frob, grue of dark, xyzzy here, plugh there]
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def batch(lines: bytes, monkeypatch: pytest.MonkeyPatch, *options: str) -> int:
    """The exit status of a batch search over what stands on standard input."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(lines)))
    return main(["docs", "search", "--batch", *options])


def test_a_search_prints_what_an_agent_would_read(folder: Path, capsys: Capture) -> None:
    """Several words are one query; the best entry comes first."""
    assert main(["docs", "search", "glue", "strings", "with", "a", "separator"]) == 0
    assert capsys.readouterr().out.startswith("1. string/join  (string/join ")


def test_a_name_is_shown_whole(folder: Path, capsys: Capture) -> None:
    """The entry with all that is known of it."""
    assert main(["docs", "search", "foldl"]) == 0
    assert capsys.readouterr().out.startswith("foldl (function, lists)\n")


def test_hits_can_be_had_as_json(folder: Path, capsys: Capture) -> None:
    """Name, shape, sentence, example and the foreign row, as many as were asked for at most."""
    assert main(["docs", "search", "swap!", "--json", "--top", "2"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert (data["query"], data["exact"], data["fallback"]) == ("swap!", False, None)
    assert len(data["hits"]) == 2
    first = data["hits"][0]
    assert set(first) == {
        "name", "aliases", "kind", "module", "shape", "summary", "example", "score", "foreign",
    }  # fmt: skip
    assert "swap!" in first["foreign"]["names"]


def test_a_batch_answers_line_by_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """Each line keeps its id, of whatever kind; ten names unless told otherwise."""
    lines = b'{"id": "a", "query": "sort a list"}\n\n{"id": 7, "query": "qwzx"}\n'
    assert batch(lines, monkeypatch) == 0
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert (first["id"], first["names"][0], len(first["names"])) == ("a", "sort", 10)
    assert second == {"id": 7, "names": []}
    assert batch(lines, monkeypatch, "--top", "2") == 0
    assert len(json.loads(capsys.readouterr().out.splitlines()[0])["names"]) == 2


MALFORMED = {
    "no JSON": (b"nope", "not JSON"),
    "no object": (b"[1]", 'expected an object {"id"'),
    "no id": (b'{"query": "x"}', 'expected an object {"id"'),
    "no query": (b'{"id": 1}', "'query' is missing or no text"),
    "a number for a query": (b'{"id": 1, "query": 5}', "'query' is missing or no text"),
    "bytes that are no text": (b'{"id": 1, "query": "\xff"}', "not JSON"),
}


@pytest.mark.parametrize(("line", "message"), MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_line_is_told_and_loses_no_other(
    line: bytes,
    message: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Capture,
) -> None:
    """The number of the line stands in the message, the others are answered, the status is 1."""
    lines = b'{"id": 1, "query": "foldl"}\n' + line + b'\n{"id": 3, "query": "foldr"}'
    assert batch(lines, monkeypatch) == 1
    printed = capsys.readouterr()
    assert [json.loads(row)["id"] for row in printed.out.splitlines()] == [1, 3]
    assert printed.err.startswith("sema-bench: line 2: ")
    assert message in printed.err


WRONG = {
    "no query": ["docs", "search"],
    "an empty query": ["docs", "search", "  "],
    "a query and a batch": ["docs", "search", "--batch", "x"],
    "no hits": ["docs", "search", "x", "--top", "0"],
    "no command": ["docs"],
}


@pytest.mark.parametrize("argv", WRONG.values(), ids=WRONG)
def test_a_wrong_command_line_ends_with_2(argv: list[str], capsys: Capture) -> None:
    """The usage line comes with what is wrong."""
    with pytest.raises(SystemExit) as caught:
        main(argv)
    assert caught.value.code == 2
    assert "usage: sema-bench docs" in capsys.readouterr().err


def test_the_search_is_chosen_by_option_and_file(
    folder: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A search that cannot work is refused with status 3; the option goes over the file."""
    table = '[tool.sema-bench.docs]\nbackend = "openai"\nkey-env = "NO_SUCH_KEY"\n'
    (folder / "pyproject.toml").write_text(table)
    assert main(["docs", "search", "foldl"]) == 3
    assert "needs a key in the environment variable NO_SUCH_KEY" in capsys.readouterr().err
    monkeypatch.setenv("NO_SUCH_KEY", "sk-0123456789\n")
    assert main(["docs", "search", "foldl"]) == 3
    assert "the key in NO_SUCH_KEY holds a blank at an end" in capsys.readouterr().err
    assert main(["docs", "search", "foldl", "--sema-docs", "lexical"]) == 0


@pytest.mark.vm
def test_a_true_file_passes_the_check(folder: Path, capsys: Capture) -> None:
    """One file alone is checked without coverage."""
    (folder / "small.yaml").write_text(GOOD)
    assert main(["docs", "check", "small.yaml"]) == 0
    assert capsys.readouterr().out == (
        f"Sema {pinned_version()}: 1 entries, 0 foreign rows, 0 hints, 1 snippets run, 0 failures\n"
    )


def test_what_does_not_hold_for_the_vm_is_left_out(folder: Path, capsys: Capture) -> None:
    """A false example of another version does no harm; an entry must keep one, though."""
    later = '      - {code: "(+ 1 2)", value: "4", since: 99.0.0}\n'
    (folder / "small.yaml").write_text(GOOD.replace("    intents:", later + "    intents:"))
    assert main(["docs", "check", "small.yaml"]) == 0
    assert "1 snippets run" in capsys.readouterr().out
    (folder / "small.yaml").write_text(GOOD.replace('"3"}', '"3", since: 99.0.0}'))
    assert main(["docs", "check", "small.yaml"]) == 1
    assert "no example holds for this version of Sema" in capsys.readouterr().out


UNTRUE = {
    "another value": ('value: "3"', 'value: "4"', ":8: foldl-of-mine: (+ 1 2): gives 3"),
    "a dead link": ("    kind:", "    see: [nowhere]\n    kind:", ":3: foldl-of-mine: see"),
    "an unbound name": ("special form", "function", "'foldl-of-mine' is not bound in the VM"),
    "an unknown key": ("    kind:", "    sort: x\n    kind:", ":4: entries[0]: unknown key 'sort'"),
    "a taken name": ("foldl-of-mine", "foldl", "the name 'foldl' stands in 2 places"),
}  # fmt: skip


@pytest.mark.parametrize(("old", "new", "message"), UNTRUE.values(), ids=UNTRUE)
@pytest.mark.vm
def test_an_untrue_file_fails_the_check(
    old: str, new: str, message: str, folder: Path, capsys: Capture
) -> None:
    """Each problem comes with file and line, and the status is 1."""
    (folder / "small.yaml").write_text(GOOD.replace(old, new, 1))
    assert main(["docs", "check", "small.yaml"]) == 1
    printed = capsys.readouterr().out
    assert message in printed
    assert printed.startswith("small.yaml:")


@pytest.mark.vm
def test_a_bundled_file_passes_the_check(capsys: Capture) -> None:
    """What is shipped can be checked file by file."""
    path = next(path for path in corpus_files() if path.stem == "vectors")
    assert main(["docs", "check", str(path)]) == 0, capsys.readouterr().out


@pytest.mark.vm
def test_the_search_shows_what_holds_for_the_vm(capsys: Capture) -> None:
    """On 2.0.0 the mean of exact numbers is exact; on the pinned version it is a float."""
    assert main(["docs", "search", "list/avg"]) == 0
    assert "19/2" not in capsys.readouterr().out
    assert main(["docs", "search", "list/avg", "--sema-vm", str(sema_builds.wasm())]) == 0
    assert "19/2" in capsys.readouterr().out


@pytest.mark.vm
def test_documentation_is_proven_and_searched_in_a_dialect(folder: Path, capsys: Capture) -> None:
    """Snippets do what they say in other words; a search shows none of the old ones."""
    files = [path for path in corpus_files() if path.stem in ("lists-access", "reflect", "records")]
    assert main(["docs", "check", "--sema-dialect", "7", *map(str, files)]) == 0
    assert capsys.readouterr().out.strip().endswith(" 0 failures")
    assert main(["docs", "search", "--sema-dialect", "7", "fold a list with a start value"]) == 0
    assert "foldl" not in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["docs", "search", "--sema-dialect", "seven", "fold"])
    assert "found 'seven', expected SEED or SEED:STRENGTH" in capsys.readouterr().err
