"""`sema-bench dataset describe` against a real server on loopback."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from pytest_sema_bench.cli import main
from pytest_sema_bench.dataset.answers import journal_of
from pytest_sema_bench.dataset.row import Row, Source, read_rows, write_rows
from tests.chat_server import ChatServer, Request, Step, refuse, say
from tests.conftest import Capture

pytestmark = pytest.mark.vm

KEY_NAME, KEY = "SOME_KEY", "sk-very-secret-8861"
PROGRAMS = {
    "sum": ("(+ 1 2 3)", "6", "Adds the numbers 1, 2\nand 3."),
    "upper": ('(string/upper "abc")', '"ABC"', 'Turns the string "abc" into capitals.'),
    "shout": ('(println "hi") (* 2 21)', "42", "Prints hi, then doubles 21."),
    "define": ("(define (f x) x)", None, "Defines the identity f."),
}
"""Code, value and sentence of each."""
ANSWERS = {
    "sum": "(foldl + 0 '(1 2 3))",
    "upper": '(string/upper "abc")',
    "shout": '(begin (println "hi") (+ 21 21))',
}
BOTH = {"sum", "upper", "shout"}


def sentence(name: str) -> str:
    """The sentence as it becomes a prompt, on one line."""
    return " ".join(PROGRAMS[name][2].split())


def script(**others: Step) -> Callable[[Request], Step]:
    """Sentences for code and code for sentences; `others` replace what is said for a sentence."""
    steps = {code: say(said) for code, _, said in PROGRAMS.values()}
    steps |= {sentence(name): say(f"```sema\n{code}\n```") for name, code in ANSWERS.items()}
    steps |= {sentence(name): step for name, step in others.items()}
    return choosing(steps)


def choosing(steps: Mapping[str, Step]) -> Callable[[Request], Step]:
    """A script that answers by what the question holds."""
    return lambda request: next(step for text, step in steps.items() if text in request.prompt)


@pytest.fixture
def rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of four programs in the working folder, and the key of the server."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(KEY_NAME, KEY)
    path = tmp_path / "rows.jsonl"
    source, licence, vm = Source.FUZZ, "CC0-1.0", "1.36.0"
    made = {
        name: Row(source=source, licence=licence, family=name, code=code, value=value, vm=vm)
        for name, (code, value, _) in PROGRAMS.items()
    }
    write_rows(path, made.values())
    return path


def ask(server: ChatServer, rows: Path, *arguments: str) -> tuple[int, dict[str, Row]]:
    """The exit status and the rows that came out, by family."""
    output = rows.parent / "out.jsonl"
    place = ["--base-url", server.url, "--api-key-env", KEY_NAME]
    status = main(
        ["dataset", "describe", str(rows), "--model", "m", "-o", str(output), *place, *arguments]
    )
    return status, {row.family: row for row in read_rows(output)} if output.exists() else {}


def test_the_sentence_becomes_the_prompt(rows: Path, chat_server: ChatServer) -> None:
    """All else stays: family, licence, value; the tags say what it was made from and by whom."""
    chat_server.play(script())
    status, found = ask(chat_server, rows)
    assert status == 0
    assert {name: row.prompt for name, row in found.items()} == {n: sentence(n) for n in PROGRAMS}
    row = found["sum"]
    assert (row.source, row.licence, row.value) == (Source.DESCRIBE, "CC0-1.0", "6")
    assert row.tags == ("from=fuzz", "model=m")
    assert chat_server.n_requests == 4
    assert {r.headers["authorization"] for r in chat_server.requests} == {f"Bearer {KEY}"}
    assert not journal_of(rows.parent / "out.jsonl").exists()


def test_a_sentence_that_does_not_determine_the_behaviour_is_dropped(
    rows: Path, chat_server: ChatServer, capsys: Capture
) -> None:
    """Code asked for by the sentence alone must give the same value and print the same."""
    chat_server.play(script())
    status, found = ask(chat_server, rows, "--check")
    assert status == 0
    assert set(found) == BOTH
    assert "gives nothing that could be compared" in capsys.readouterr().out
    quiet = say("```sema\n(+ 21 21)\n```")
    chat_server.play(script(sum=say("It is 6: `6`"), upper=say("```sema\n6\n```"), shout=quiet))
    status, found = ask(chat_server, rows, "--check")
    table = capsys.readouterr().out
    assert status == 1
    assert found == {}
    assert "the sentence leads to other behaviour 1" in " ".join(table.split())
    assert "the sentence gives the result away" in table


def test_what_is_no_sentence_is_dropped(
    rows: Path, chat_server: ChatServer, capsys: Capture
) -> None:
    """Silence, a block of code, a quotation of the program and a novel are no descriptions."""
    said = ["", "```sema\n(+)\n```", 'It runs (println "hi") (* 2 21) once.', "word " * 300]
    codes = [code for code, *_ in PROGRAMS.values()]
    chat_server.play(choosing({code: say(text) for code, text in zip(codes, said, strict=True)}))
    assert ask(chat_server, rows)[0] == 1
    table = " ".join(capsys.readouterr().out.split())
    assert "the model said nothing 1" in table
    assert "the sentence quotes the program 1" in table
    assert "the model wrote more than a sentence 2" in table


def test_a_repeated_command_asks_only_what_is_missing(
    rows: Path, chat_server: ChatServer, capsys: Capture
) -> None:
    """What the server refuses is void, never a fault of the program; what was paid for is kept."""
    chat_server.play(script(sum=refuse(400, f"no {KEY}")))
    status, found = ask(chat_server, rows, "--check")
    printed = capsys.readouterr()
    assert status == 3
    assert set(found) == BOTH - {"sum"}
    assert "is void (api error)" in printed.out
    assert "1 programs could not be asked about" in printed.err
    journal = journal_of(rows.parent / "out.jsonl")
    assert KEY not in journal.read_text("utf-8") + printed.out + printed.err
    with journal.open("a", encoding="utf-8") as file:
        file.write('{"key": "torn')  # as a killed process leaves it
    n_before = chat_server.n_requests
    chat_server.play(script())
    status, found = ask(chat_server, rows, "--check")
    assert status == 0
    assert set(found) == BOTH
    assert chat_server.n_requests == n_before + 1
    assert not journal.exists()


def test_the_cap_ends_it_before_it_costs_more(
    rows: Path, chat_server: ChatServer, capsys: Capture
) -> None:
    """Without a price a cap is a usage error; with one, what it leaves no room for is void."""
    chat_server.play(script())
    assert ask(chat_server, rows, "--max-cost", "0.01")[0] == 2
    assert "--max-cost: the price of m is unknown" in capsys.readouterr().err
    (rows.parent / "sema-models.yaml").write_text(
        f"models:\n  m: {{id: m, base_url: '{chat_server.url}', key_env: {KEY_NAME},"
        " price: {input: 1.0, output: 1000.0}}\n"
    )
    command = ["dataset", "describe", str(rows), "--model", "m", "-o", "out.jsonl"]
    command += ["--max-cost", "4.12", "--concurrency", "1"]
    assert main(command) == 3
    assert chat_server.n_requests == 3
    assert "is void (budget) 1" in " ".join(capsys.readouterr().out.split())
    assert main(command) == 3  # what was spent before counts
    assert chat_server.n_requests == 3


def test_a_recording_is_played_without_server_and_key(
    rows: Path, chat_server: ChatServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The replay gives the same rows, and no file of the recording holds the key."""
    chat_server.play(script())
    first = ask(chat_server, rows, "--check", "--record", "tape")
    files = sorted((rows.parent / "tape").rglob("*.json"))
    assert len(files) == 6
    assert KEY not in "".join(path.read_text("utf-8") for path in files)
    monkeypatch.delenv(KEY_NAME)
    n_before = chat_server.n_requests
    assert ask(chat_server, rows, "--check", "--replay", "tape") == first
    assert chat_server.n_requests == n_before
    assert ask(chat_server, rows)[0] == 2  # asking needs the key


def test_a_broken_file_is_told_before_anything_is_asked(
    rows: Path, chat_server: ChatServer, capsys: Capture
) -> None:
    """The line is named, the status is 2, and no request was sent."""
    rows.write_text(rows.read_text() + "{}\n")
    assert ask(chat_server, rows)[0] == 2
    assert "rows.jsonl:5: the file: 'code' is missing" in capsys.readouterr().err
    assert chat_server.n_requests == 0
