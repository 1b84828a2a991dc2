"""`sema-bench models` and `models check` as a person uses them, against a server on loopback."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from pytest_sema_bench.catalog.registry import load_registry
from pytest_sema_bench.cli import main
from tests.chat_server import (
    USAGE,
    ChatServer,
    Request,
    Step,
    call_tool,
    delta,
    refuse,
    reply,
    say,
    stream,
)
from tests.conftest import Capture
from tests.server_kinds import behind

KEY_NAME, KEY = "SOME_KEY", "sk-very-secret-8861"
COUNT = {"choices": [], "usage": USAGE}
PROJECT = """\
providers:
  local: {base_url: "http://127.0.0.1:8000/v1"}
  cloud: {base_url: "https://cloud.example/v1", key_env: SOME_KEY}
models:
  mine:
    provider: local
    id: my/model
    aliases: [mein]
    price: {input: 1, output: 2.5, date: 2026-01-31}
  theirs: {provider: cloud, id: t}
  glm-5.2: {provider: cloud, id: glm}
"""


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that the commands run in, with a key in the environment and no other."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FIREWORKS_API_KEY", raising=False)
    monkeypatch.setenv(KEY_NAME, KEY)
    return tmp_path


def rows(capture: Capture, *, after: str) -> dict[str, list[str]]:
    """By first cell the other cells of the printed table whose heading starts so."""
    lines = capture.readouterr().out.splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith(after))
    rule = lines[start + 1]
    ends = [n for n, char in enumerate(rule + " ") if char == " " and rule[n - 1] == "-"]
    table = {}
    for line in lines[start + 2 :]:
        if not line:
            break
        begins = [0, *ends[:-1]]
        name, *cells = (line[b:e].strip() for b, e in zip(begins, [*ends[:-1], None], strict=True))
        table[name] = cells
    return table


def test_the_list_says_price_key_and_source(project: Path, capsys: Capture) -> None:
    """Aliases beside the name; an unknown price as a question; an entry replaced is the file's."""
    (project / "sema-models.yaml").write_text(PROJECT)
    assert main(["models"]) == 0
    table = rows(capsys, after="model ")
    source = "sema-models.yaml"
    assert table["mine, mein"] == [
        *("local", "my/model", "1", "2.5", "2026-01-31", "not needed", source)
    ]
    assert table["theirs"] == ["cloud", "t", "?", "?", "–", "yes", source]
    assert table["glm-5.2"] == ["cloud", "glm", "?", "?", "–", "yes", source]
    bundled = next(cells for name, cells in table.items() if name.startswith("kimi-k2.6"))
    assert bundled[0] == "fireworks"
    assert bundled[2:4] == ["0.95", "4"]
    assert bundled[-2:] == ["no", "bundled"]


def test_the_list_has_the_providers(project: Path, capsys: Capture) -> None:
    """Where they are, which variable holds the key and whether it is set."""
    (project / "sema-models.yaml").write_text(PROJECT)
    assert main(["models"]) == 0
    table = rows(capsys, after="provider ")
    assert table["cloud"] == ["https://cloud.example/v1", KEY_NAME, "yes", "sema-models.yaml"]
    assert table["local"] == ["http://127.0.0.1:8000/v1", "–", "not needed", "sema-models.yaml"]
    assert table["fireworks"][1:] == ["FIREWORKS_API_KEY", "no", "bundled"]


def test_pyproject_is_a_source_of_its_own(project: Path, capsys: Capture) -> None:
    """It comes last, so its entry is the one that is shown."""
    (project / "sema-models.yaml").write_text(PROJECT)
    (project / "pyproject.toml").write_text(
        "[tool.sema-bench.models.mine]\nprovider = 'cloud'\nid = 'other'\n"
    )
    main(["models"])
    assert rows(capsys, after="model ")["mine"] == [
        *("cloud", "other", "?", "?", "–", "yes", "pyproject.toml")
    ]


def test_no_key_is_ever_listed(project: Path, capsys: Capture) -> None:
    """Its variable's name is; the value is not."""
    (project / "sema-models.yaml").write_text(PROJECT)
    main(["models"])
    assert KEY not in capsys.readouterr().out


def test_a_broken_file_is_named(project: Path, capsys: Capture) -> None:
    """Status 3, as for every file that cannot be read."""
    (project / "sema-models.yaml").write_text("modles: {}\n")
    assert main(["models"]) == 3
    assert "sema-models.yaml:1: the file: unknown key 'modles'" in capsys.readouterr().err


def check(server: ChatServer, *args: str) -> int:
    """The status of `models check` of the model `m` on this server, with a key."""
    where = ("--base-url", server.url, "--api-key-env", KEY_NAME)
    return main(["models", "check", "m", *where, *args])


def facts(text: str) -> dict[str, str]:
    """What is said above the blank line."""
    lines = text.partition("\n\n")[0].splitlines()
    return {line[:22].strip(): line[22:].strip() for line in lines}


def good(request: Request) -> Step:
    """A server that can do all of it."""
    if request.messages[0]["role"] == "system":
        return reply({"content": "OK"}, usage={"prompt_tokens": 7500, "completion_tokens": 1})
    if request.body.get("stream"):
        return stream([delta(content="3"), delta("stop"), COUNT])
    return say("3") if request.turn else call_tool("(+ 1 2)", reasoning_content="Hm.")


def test_a_server_that_can_all_of_it(chat_server: ChatServer, capsys: Capture) -> None:
    """Eleven facts, and the entry that a user would write, to be completed by a price."""
    chat_server.play(good)
    assert check(chat_server) == 0
    out = capsys.readouterr().out
    assert facts(out) == {
        "calls tools": "yes",
        "tool_choice none": "yes",
        "streaming": "yes",
        "usage": "yes",
        "usage when streaming": "yes",
        "full conversation": "yes",
        "reasoning in": "reasoning_content",
        "served model": "served-name",
        "adapted": "nothing",
        "spent": "7,721 tokens in 3 calls",
    }
    assert out.partition("\n\n")[2].splitlines() == [
        "An entry for sema-models.yaml:",
        "models:",
        "  m:",
        f"    base_url: {chat_server.url}",
        f"    key_env: {KEY_NAME}",
        "    id: m",
        "    price: {input: …, output: …, date: …}   # USD per million tokens",
    ]
    assert KEY not in out
    assert {r.headers["authorization"] for r in chat_server.requests} == {f"Bearer {KEY}"}


def plain(request: Request) -> Step:
    """A server with neither tools nor usage nor streams."""
    if request.body.get("stream"):
        return refuse(400, "stream is not supported")
    return reply({"role": "assistant", "content": "3"}, usage=None)


def test_a_server_that_calls_no_tools(chat_server: ChatServer, capsys: Capture) -> None:
    """Status 1, and what to do about tools and usage."""
    chat_server.play(plain)
    assert check(chat_server) == 1
    out = capsys.readouterr().out
    found = facts(out)
    assert (found["calls tools"], found["streaming"], found["usage"]) == ("no", "no", "no")
    assert found["reasoning in"] == "no field seen"
    assert "--sema-config=bare" in out
    assert "Usage is not reported: cost stays unknown" in out


def choosy(request: Request) -> Step:
    """A server that does not know `tool_choice: none`."""
    if request.body.get("tool_choice") == "none":
        return refuse(400, "tool_choice 'none' is not supported")
    return good(request)


def test_what_a_server_needs_stands_in_the_entry(
    project: Path, chat_server: ChatServer, capsys: Capture
) -> None:
    """The printed entry can be copied: with it the next check adapts nothing more."""
    chat_server.play(choosy)
    assert check(chat_server) == 0
    out = capsys.readouterr().out
    assert facts(out)["tool_choice none"] == "no"
    assert facts(out)["adapted"] == "no-tool-choice"
    lines = out.partition("sema-models.yaml:\n")[2].splitlines()
    entry = [line for line in lines if "price" not in line]
    assert "    adapt: [no-tool-choice]" in entry
    (project / "sema-models.yaml").write_text("\n".join(entry) + "\n")
    model = load_registry(project).model("m")
    assert (model.adapt, model.key_env) == (("no-tool-choice",), KEY_NAME)
    assert main(["models", "check", "m"]) == 0


def test_an_entry_with_a_price_that_works_needs_nothing(
    project: Path, chat_server: ChatServer, capsys: Capture
) -> None:
    """Nothing is offered where there is nothing to add."""
    chat_server.play(good)
    (project / "sema-models.yaml").write_text(
        f"models:\n  m: {{base_url: '{chat_server.url}', id: m, price: {{input: 1, output: 2}}}}\n"
    )
    assert main(["models", "check", "m"]) == 0
    assert capsys.readouterr().out.endswith("\nNothing to add to its entry.\n")
    assert "authorization" not in chat_server.requests[0].headers


def test_a_model_of_a_known_provider_is_entered_with_it(
    project: Path, chat_server: ChatServer, capsys: Capture
) -> None:
    """PROVIDER:MODEL needs no entry; the one that is offered names the provider."""
    chat_server.play(choosy)
    (project / "sema-models.yaml").write_text(
        f"providers:\n  local: {{base_url: '{chat_server.url}'}}\n"
    )
    assert main(["models", "check", "local:llama3:8b"]) == 0
    assert chat_server.requests[0].body["model"] == "llama3:8b"
    assert '    provider: local\n    id: "llama3:8b"\n' in capsys.readouterr().out


def test_an_offered_entry_is_yaml(project: Path, chat_server: ChatServer, capsys: Capture) -> None:
    """Also for a name that YAML would read otherwise."""
    chat_server.play(choosy)
    where = ["--base-url", chat_server.url]
    assert main(["models", "check", "4.5", *where]) == 0
    lines = capsys.readouterr().out.partition("sema-models.yaml:\n")[2].splitlines()
    text = "\n".join(line for line in lines if "price" not in line)
    (project / "sema-models.yaml").write_text(text)
    assert load_registry(project).model("4.5").id == "4.5"


def test_a_missing_key_is_status_2(
    chat_server: ChatServer, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """Its variable is named and nobody is asked."""
    for value in (None, ""):
        if value is None:
            monkeypatch.delenv(KEY_NAME)
        else:
            monkeypatch.setenv(KEY_NAME, value)
        assert check(chat_server) == 2
        assert f"set the environment variable {KEY_NAME}" in capsys.readouterr().err
    assert main(["models", "check", "kimi-k2.6"]) == 2
    assert "FIREWORKS_API_KEY" in capsys.readouterr().err
    assert chat_server.n_connections == 0


REFUSALS: dict[str, Sequence[Step]] = {
    "a key in the error": [refuse(401, f"Incorrect API key provided: {KEY}.")],
    "no such model": [refuse(404, "no such model")],
    "a key in the answer": [say(KEY, reasoning_content=KEY), say(KEY)],
    "a key as the model's name": [reply({"content": "3"}, model=KEY)],
}


@pytest.mark.parametrize("script", REFUSALS.values(), ids=REFUSALS)
def test_no_key_is_printed_whatever_the_server_says(
    chat_server: ChatServer, script: Sequence[Step], capsys: Capture
) -> None:
    """Neither in an error, which is status 3, nor among the facts."""
    chat_server.play(script)
    status = check(chat_server)
    printed = capsys.readouterr()
    assert KEY not in printed.out + printed.err
    assert status == (3 if b"error" in script[0].payload else 1)


NOT_WHOLE = {"a letter no header takes": "sk-sécret-77", "a line end": "sk-secret-77\n"}


@pytest.mark.parametrize("key", NOT_WHOLE.values(), ids=NOT_WHOLE)
def test_a_key_that_was_not_copied_whole_is_refused(
    chat_server: ChatServer, monkeypatch: pytest.MonkeyPatch, capsys: Capture, key: str
) -> None:
    """As pytest refuses it: the variable is named, nothing is sent."""
    monkeypatch.setenv(KEY_NAME, key)
    assert check(chat_server) in (2, 3)
    assert KEY_NAME in capsys.readouterr().err
    assert chat_server.n_requests == 0


def test_the_reference_model_has_no_server(capsys: Capture) -> None:
    """There is nothing to ask."""
    assert main(["models", "check", "reference"]) == 0
    assert capsys.readouterr().out == "reference is offline: there is no server to check\n"


def test_an_unknown_name_is_answered_with_the_known_ones(capsys: Capture) -> None:
    """One line, no traceback."""
    assert main(["models", "check", "nobody"]) in (2, 3)
    assert "unknown model 'nobody'. Known models are" in capsys.readouterr().err


def test_a_server_that_is_not_there_is_status_3(capsys: Capture) -> None:
    """The address is named."""
    assert main(["models", "check", "m", "--base-url", "http://127.0.0.1:1/v1"]) == 3
    err = capsys.readouterr().err
    assert err.startswith("sema-bench: 127.0.0.1:1/v1/chat/completions: cannot reach the server")


KINDS = ("vLLM", "llama.cpp", "llama-cpp-python")


@pytest.mark.parametrize("kind", KINDS)
def test_a_server_that_refuses_its_own_messages_is_found_out(
    kind: str, chat_server: ChatServer, capsys: Capture
) -> None:
    """Before a run, with the entry that saves the lost call."""
    chat_server.play(behind(kind, good))
    assert check(chat_server) == 0
    assert "    adapt: [tidy-history]" in capsys.readouterr().out


def test_calls_that_arrive_as_text_are_found_out(chat_server: ChatServer, capsys: Capture) -> None:
    """With the flags of the servers that would read them."""
    call = '<tool_call>{"name": "eval_code", "arguments": {"code": "(+ 1 2)"}}</tool_call>'
    chat_server.play(lambda request: good(request) if request.turn else said(request, call))
    assert check(chat_server) == 0
    out = capsys.readouterr().out
    assert facts(out)["calls tools"] == "as text (hermes)"
    assert "--enable-auto-tool-choice --tool-call-parser hermes" in out


def said(request: Request, text: str) -> Step:
    """The text, but a long prompt is read as it is."""
    return good(request) if request.messages[0]["role"] == "system" else say(text)


TOO_SMALL = {
    "refused": (
        refuse(400, "This model's maximum context length is 4096 tokens."),
        "This model's maximum context length is 4096 tokens.",
    ),
    "cut without a word": (
        reply({"content": "OK"}, usage={"prompt_tokens": 4096, "completion_tokens": 1}),
        "of a prompt of 30,000 characters the server read 4,096 tokens",
    ),
}


@pytest.mark.parametrize(("step", "told"), TOO_SMALL.values(), ids=TOO_SMALL)
def test_a_context_that_is_too_small_is_found_out(
    step: Step, told: str, chat_server: ChatServer, capsys: Capture
) -> None:
    """Status 1, why, and how a local server is given more."""
    chat_server.play(
        lambda request: step if request.messages[0]["role"] == "system" else good(request)
    )
    assert check(chat_server) == 1
    out = capsys.readouterr().out
    assert facts(out)["full conversation"] == "no"
    assert told in out
    assert "OLLAMA_CONTEXT_LENGTH" in out
    assert chat_server.requests[-1].body["max_tokens"] == 4096


def test_a_url_that_is_none_is_told(capsys: Capture) -> None:
    """Before anything is sent."""
    where = ("--base-url", "http://[::1", "--api-key-env", KEY_NAME)
    assert main(["models", "check", "m", *where]) == 2
    assert "Invalid IPv6 URL" in capsys.readouterr().err
