"""--sema-config: how to ask."""

from tests.chat_server import ChatServer
from tests.plugin.bench_dir import REFERENCE, BenchDir

_REGISTRY = """
configs:
  terse:
    tools: [eval_code]
    max_rounds: 1
    system_prompt: terse.md
    sampling: {temperature: 0.5, max_tokens: 99}
"""


def test_tools_are_on_unless_bare_is_asked_for(bench_dir: BenchDir) -> None:
    """Configurations multiply the items; `tools` is the default."""
    names = bench_dir.collect(REFERENCE, "--sema-config=bare,tools", "-k", "adding")
    assert [name.partition("::")[2] for name in names] == [
        "adding[reference-bare]",
        "adding[reference-tools]",
    ]


def test_a_configuration_decides_what_is_sent(bench_dir: BenchDir, chat_server: ChatServer) -> None:
    """`bare` offers no tools; one of the project's own has its prompt, sampling and rounds."""
    (bench_dir.path / "sema-models.yaml").write_text(_REGISTRY)
    (bench_dir.path / "terse.md").write_text("Be terse.")
    chat_server.play(bench_dir.script())
    result = bench_dir.ask(chat_server, "--sema-config=bare", "--sema-config=terse", "-k", "adding")
    result.assert_outcomes(passed=2, deselected=6)
    terse = [r.body for r in chat_server.requests if "temperature" in r.body]
    (bare,) = [r.body for r in chat_server.requests if "temperature" not in r.body]
    assert "tools" not in bare
    assert "Sema" in bare["messages"][0]["content"]
    for body in terse:
        assert body["messages"][0]["content"].startswith("Be terse.")
        assert [tool["function"]["name"] for tool in body["tools"]] == ["eval_code"]
        assert (body["temperature"], body["max_tokens"]) == (0.5, 99)
    assert [body["tool_choice"] for body in terse] == ["auto", "none"]


def test_the_ladder_asks_in_eight_arms_and_compares_them(bench_dir: BenchDir) -> None:
    """Each task is asked eight times, and the summary says what each factor adds."""
    result = bench_dir.run(REFERENCE, "--sema-config=ladder", "-k", "adding")
    result.assert_outcomes(passed=8, deselected=24)
    result.stdout.fnmatch_lines(
        [
            "what primer and tools give reference",
            "*the primer adds 0 points * without tools; 1 tasks, 0 gained, 0 lost",
        ]
    )
