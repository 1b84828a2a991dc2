"""--sema-model: whom to ask."""

from tests.chat_server import ChatServer
from tests.plugin.bench_dir import REFERENCE, BenchDir


def test_models_are_given_as_a_list_or_one_by_one(bench_dir: BenchDir) -> None:
    """Each task is an item for each model, in the order in which the models are given."""
    asked = bench_dir.collect("--sema-model=kimi-k2.6,glm-5.2", REFERENCE, "-k", "adding")
    names = [name.partition("::")[2] for name in asked]
    assert names == [f"adding[{model}-tools]" for model in ("kimi-k2.6", "glm-5.2", "reference")]


def test_any_model_of_a_known_provider_can_be_asked(bench_dir: BenchDir) -> None:
    """PROVIDER:MODEL needs no entry in the registry."""
    (name,) = bench_dir.collect("--sema-model=fireworks:accounts/x/models/y", "-k", "adding")
    assert name.endswith("::adding[fireworks:accounts/x/models/y-tools]")


def test_two_models_are_compared_in_a_last_table(
    bench_dir: BenchDir, chat_server: ChatServer
) -> None:
    """Each model has a table, and the last one has a row for each."""
    chat_server.play(bench_dir.script())
    urls = f"--sema-base-url={chat_server.url}"
    result = bench_dir.run(f"{REFERENCE},some/other model", urls, "-k", "adding or doubling")
    result.assert_outcomes(passed=4, deselected=4)
    assert {request.body["model"] for request in chat_server.requests} == {"some/other model"}
    result.stdout.fnmatch_lines(
        [
            "reference-tools",
            "some/other model-tools",
            "pass rates",
            "model * L1 * L4 * all",
            "reference-tools * 100 % (1/1) * 100 % (1/1) * 100 % (2/2)",
            "some/other model-tools * 100 % (1/1) * 100 % (1/1) * 100 % (2/2)",
        ]
    )
