"""The registry: what comes with the package, what a project adds, and how a name is found."""

from dataclasses import replace
from pathlib import Path

import pytest

from pytest_sema_bench.catalog.models import REFERENCE, Model, Price, RateLimits
from pytest_sema_bench.catalog.registry import BUNDLED as BUNDLED_SOURCE
from pytest_sema_bench.catalog.registry import USER_FILE, load_registry
from pytest_sema_bench.errors import SettingsError
from pytest_sema_bench.records.transcript import Tokens
from pytest_sema_bench.settings import Config, Sampling

BUNDLED = {
    "kimi-k2.6": ("kimi-k2p6", 0.95, 4.0),
    "deepseek-v4-pro": ("deepseek-v4-pro", 1.74, 3.48),
    "kimi-k2.7-code": ("kimi-k2p7-code", 0.95, 4.0),
    "qwen-3.7-plus": ("qwen3p7-plus", 0.40, 1.60),
    "glm-5.2": ("glm-5p2", 1.40, 4.40),
    "deepseek-v4-flash": ("deepseek-v4-flash", 0.14, 0.28),
}
LOCAL = """
providers:
  local: {base_url: "http://127.0.0.1:8000/v1"}
"""


def write(folder: Path, text: str) -> Path:
    """A project folder with this sema-models.yaml."""
    (folder / USER_FILE).write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize("name", BUNDLED)
def test_the_six_models_of_the_experiment_come_with_the_package(name: str, tmp_path: Path) -> None:
    """Their ids, their provider, where its key is, and their prices of DESIGN section 7."""
    model_id, input_usd, output_usd = BUNDLED[name]
    model = load_registry(tmp_path).model(name)
    assert model.id == f"accounts/fireworks/models/{model_id}"
    assert model.provider == "fireworks"
    assert model.base_url == "https://api.fireworks.ai/inference/v1"
    assert model.key_env == "FIREWORKS_API_KEY"
    assert model.price is not None
    assert (model.price.input_usd, model.price.output_usd) == (input_usd, output_usd)
    assert model.price.date is not None


def test_four_configurations_come_with_the_package(tmp_path: Path) -> None:
    """With both tools, with either of them, and without."""
    registry = load_registry(tmp_path)
    assert registry.config("tools").tools == ("eval_code", "docs_search")
    assert registry.config("eval-only").tools == ("eval_code",)
    assert registry.config("docs-only").tools == ("docs_search",)
    assert registry.config("bare") == Config(name="bare")


def test_the_reference_model_is_offline_and_free(tmp_path: Path) -> None:
    """It has no server and no key, even where a server is given, and costs nothing."""
    model = load_registry(tmp_path).model(REFERENCE, "http://127.0.0.1:1/v1", "KEY")
    assert (model.base_url, model.key_env) == (None, None)
    assert model.price == Price(input_usd=0.0, output_usd=0.0)


def test_a_project_adds_entries(tmp_path: Path) -> None:
    """Providers, models and configurations of sema-models.yaml stand beside the bundled ones."""
    (tmp_path / "prompt.md").write_text("Write Sema.")
    write(
        tmp_path,
        LOCAL
        + """
models:
  mine:
    provider: local
    id: my/model
    price: {input: 1, output: 2.5, cached_input: 0.5, date: 2026-01-31}
configs:
  careful:
    tools: [eval_code]
    max_rounds: 5
    hints: false
    system_prompt: prompt.md
    sampling: {temperature: 0, max_tokens: 100}
""",
    )
    registry = load_registry(tmp_path)
    assert registry.model("mine") == Model(
        name="mine",
        id="my/model",
        provider="local",
        base_url="http://127.0.0.1:8000/v1",
        price=Price(input_usd=1.0, output_usd=2.5, cached_input_usd=0.5, date="2026-01-31"),
    )
    assert registry.config("careful") == Config(
        name="careful",
        tools=("eval_code",),
        max_rounds=5,
        hints=False,
        system_prompt=tmp_path / "prompt.md",
        sampling=Sampling(temperature=0, max_tokens=100),
    )
    assert registry.model("glm-5.2").provider == "fireworks"


def test_a_project_replaces_an_entry_by_its_name(tmp_path: Path) -> None:
    """The whole entry is replaced, so no bundled price stays behind."""
    write(tmp_path, f"{LOCAL}\nmodels:\n  glm-5.2: {{provider: local, id: glm}}\n")
    model = load_registry(tmp_path).model("glm-5.2")
    assert (model.id, model.base_url, model.price) == ("glm", "http://127.0.0.1:8000/v1", None)


def test_an_empty_project_file_changes_nothing(tmp_path: Path) -> None:
    """A file with nothing but comments is as good as none."""
    assert load_registry(write(tmp_path, "# nothing yet\n")) == load_registry(tmp_path / "other")


def test_any_model_of_a_known_provider_can_be_named(tmp_path: Path) -> None:
    """PROVIDER:MODEL needs no entry; the id may hold further colons."""
    model = load_registry(write(tmp_path, LOCAL)).model("local:llama3:8b")
    assert (model.name, model.id, model.provider) == ("local:llama3:8b", "llama3:8b", "local")
    assert model.price is None


SERVERS = {
    "any name": ("any-name", "http://127.0.0.1:1/v1", "any-name", "127.0.0.1:1"),
    "an entry's name": (
        "glm-5.2",
        "https://h.example/v1",
        "accounts/fireworks/models/glm-5p2",
        "h.example",
    ),
    "a name with a colon": ("a:b", "http://h.example", "a:b", "h.example"),
    "a port": ("m", "http://h.example:8/v1", "m", "h.example:8"),
}


@pytest.mark.parametrize(("name", "url", "model_id", "provider"), SERVERS.values(), ids=SERVERS)
def test_with_a_base_url_any_name_will_do(
    name: str, url: str, model_id: str, provider: str, tmp_path: Path
) -> None:
    """The server's host stands for the provider."""
    model = load_registry(tmp_path).model(name, url, "SOME_KEY")
    assert replace(model, price=None) == Model(
        name=name, id=model_id, provider=provider, base_url=url, key_env="SOME_KEY"
    )


def test_an_entry_keeps_its_price_on_another_server(tmp_path: Path) -> None:
    """So a cap on cost can hold there too; a name without an entry has no price."""
    registry = load_registry(tmp_path)
    there = registry.model("glm-5.2", "https://h.example/v1")
    assert there.price == registry.model("glm-5.2").price is not None
    assert registry.model("any-name", "https://h.example/v1").price is None


ENTRY = """
providers:
  local:
    base_url: "http://127.0.0.1:8000/v1"
    adapt: [stream]
    extra: {chat_template_kwargs: {thinking: true}, top_k: 5}
    limits: {concurrency: 2, requests_per_minute: 60}
models:
  big:
    provider: local
    id: vendor/big
    aliases: [big-one]
    adapt: [no-temperature, stream]
    extra: {top_k: 9}
    sampling: {max_tokens: 9000}
  alone:
    base_url: "http://127.0.0.1:9000/v1"
    key_env: ALONE_KEY
    id: alone
    limits: {tokens_per_minute: 1000}
"""


def test_an_entry_adds_to_its_provider(tmp_path: Path) -> None:
    """Adaptations and further fields of both hold, the model's own before the provider's."""
    model = load_registry(write(tmp_path, ENTRY)).model("big")
    assert model.adapt == ("stream", "no-temperature")
    assert model.extra == {"chat_template_kwargs": {"thinking": True}, "top_k": 9}
    assert model.limits == RateLimits(concurrency=2, requests_per_minute=60)
    assert model.sampling.max_tokens == 9000


def test_an_alias_is_the_entry_under_its_own_name(tmp_path: Path) -> None:
    """So items and tables say the same whichever name was typed."""
    registry = load_registry(write(tmp_path, ENTRY))
    assert registry.model("big-one") == registry.model("big")


def test_an_entry_can_name_its_server_itself(tmp_path: Path) -> None:
    """A base URL in place of a provider, with a key and limits of its own."""
    model = load_registry(write(tmp_path, ENTRY)).model("alone")
    assert (model.base_url, model.key_env) == ("http://127.0.0.1:9000/v1", "ALONE_KEY")
    assert model.provider == "127.0.0.1:9000"
    assert model.limits == RateLimits(tokens_per_minute=1000)


def test_pyproject_adds_models_and_wins(tmp_path: Path) -> None:
    """`[tool.sema-bench.models]` comes after sema-models.yaml and says so as its source."""
    write(tmp_path, ENTRY)
    (tmp_path / "pyproject.toml").write_text(
        "[tool.sema-bench.models.big]\nprovider = 'local'\nid = 'other'\n"
    )
    registry = load_registry(tmp_path)
    assert registry.model("big").id == "other"
    assert registry.models["big"].source == "pyproject.toml"
    assert registry.models["alone"].source == USER_FILE
    assert registry.models["glm-5.2"].source == BUNDLED_SOURCE


PROVIDERS = {
    *("fireworks", "openrouter", "together", "deepseek", "moonshot", "zai", "alibaba"),
    *("openai", "anthropic", "ollama", "vllm", "llama.cpp"),
}


def test_providers_come_with_the_package(tmp_path: Path) -> None:
    """All that are asked for are there; those in the cloud want a key and use TLS."""
    providers = load_registry(tmp_path).providers
    assert set(providers) == PROVIDERS
    for provider in providers.values():
        local = provider.base_url.startswith("http://127.0.0.1")
        assert local == (provider.key_env is None)
        assert local or provider.base_url.startswith("https://")


def test_prices_follow_tokens() -> None:
    """Cached input has its own price where there is one; the worst case is never below it."""
    price = Price(input_usd=1.0, output_usd=4.0, cached_input_usd=0.5)
    tokens = Tokens(prompt=1000, cached=400, completion=100)
    assert price.cost_usd(tokens) == pytest.approx((600 * 1.0 + 400 * 0.5 + 100 * 4.0) / 1e6)
    assert replace(price, cached_input_usd=None).cost_usd(tokens) == pytest.approx(1400 / 1e6)
    assert price.worst_usd(4000, 100) >= price.cost_usd(tokens)


@pytest.mark.parametrize("name", ["gpt", "nobody:gpt", "fireworks:", ":gpt"])
def test_an_unknown_model_is_answered_with_the_known_ones(name: str, tmp_path: Path) -> None:
    """The error lists models and providers and names the way to any other server."""
    with pytest.raises(SettingsError) as caught:
        load_registry(tmp_path).model(name)
    message = str(caught.value)
    assert message.startswith(f"--sema-model: unknown model {name!r}.")
    assert all(known in message for known in (*BUNDLED, REFERENCE, "fireworks", "--sema-base-url"))


def test_an_unknown_configuration_is_answered_with_the_known_ones(tmp_path: Path) -> None:
    """The error lists the configurations."""
    with pytest.raises(
        SettingsError, match=r"unknown configuration 'x'; known ones are bare, cold, cold-docs,"
    ):
        load_registry(tmp_path).config("x")


MODEL = LOCAL + "models:\n  m: {provider: local, id: i"
BROKEN = {
    "not YAML": ("models: [", "not YAML: "),
    "no table": ("- a\n", "the file: found ['a'], expected a table with"),
    "unknown section": (
        "model: {}\n",
        "the file: unknown key 'model'; did you mean 'models'? known keys are configs, models,",
    ),
    "section is a list": ("models: [a]\n", "models: found ['a'], expected a table"),
    "section is empty": ("models:\n", "models: found nothing, expected a table"),
    "entry is text": ("models: {m: x}\n", "models.m: found 'x', expected a table with"),
    "name is a number": ("models: {4.5: {}}\n", "models.4.5: 'id' is missing"),
    "id missing": ("models: {m: {provider: fireworks}}\n", "models.m: 'id' is missing"),
    "id is a number": (
        "models: {m: {provider: fireworks, id: 5}}\n",
        "models.m.id: found 5, expected text",
    ),
    "unknown key": (
        MODEL + ", temperature: 1}\n",
        "models.m: unknown key 'temperature'; known keys",
    ),
    "provider and base URL": (
        MODEL + ", base_url: 'http://h'}\n",
        "expected a table with either `provider` or `base_url`",
    ),
    "neither of them": ("models: {m: {id: i}}\n", "expected a table with either `provider` or"),
    "limits in words": (
        MODEL + ", limits: {concurrency: few}}\n",
        "models.m.limits.concurrency: found 'few', expected a whole number",
    ),
    "unknown limit": (MODEL + ", limits: {rpm: 5}}\n", "models.m.limits: unknown key 'rpm'; known"),
    "adapt is text": (MODEL + ", adapt: stream}\n", "models.m.adapt: found 'stream', expected a"),
    "unknown provider": (
        "models: {m: {provider: nobody, id: i}}\n",
        "models.m.provider: there is no provider 'nobody'; defined are alibaba, anthropic,",
    ),
    "base URL missing": ("providers: {p: {}}\n", "providers.p: 'base_url' is missing"),
    "base URL is no URL": (
        "providers: {p: {base_url: h}}\n",
        "providers.p.base_url: found 'h', expected a URL, something like http",
    ),
    "price is a number": (MODEL + ", price: 5}\n", "models.m.price: found 5, expected a table"),
    "price is half": (MODEL + ", price: {input: 1}}\n", "models.m.price: 'output' is missing"),
    "price in words": (
        MODEL + ", price: {input: 1, output: cheap}}\n",
        "models.m.price.output: found 'cheap', expected a number",
    ),
    "price below zero": (
        MODEL + ", price: {input: -1, output: 1}}\n",
        "models.m.price.input: found -1, expected a number of 0 or more",
    ),
    "tools are text": (
        "configs: {c: {tools: eval_code}}\n",
        "configs.c.tools: found 'eval_code', expected a list",
    ),
    "rounds in words": (
        "configs: {c: {max_rounds: many}}\n",
        "configs.c.max_rounds: found 'many', expected a",
    ),
    "rounds are true": (
        "configs: {c: {max_rounds: true}}\n",
        "configs.c.max_rounds: found true, expected a",
    ),
    "prompt not there": (
        "configs: {c: {system_prompt: x.md}}\n",
        "configs.c.system_prompt: there is no file ",
    ),
    "unknown sampling": (
        "configs: {c: {sampling: {temp: 1}}}\n",
        "configs.c.sampling: unknown key 'temp'; known keys are max_tokens, reasoning_effort, ",
    ),
    "sampling in words": (
        "configs: {c: {sampling: {temperature: hot}}}\n",
        "configs.c.sampling.temperature: found 'hot', expected a number",
    ),
    "price without end": (
        MODEL + ", price: {input: .inf, output: 1}}\n",
        f"{USER_FILE}:5: found .inf, expected a number that is finite",
    ),
    "price beyond all": (
        MODEL + ", price: {input: 1e+9, output: 1}}\n",
        "models.m.price.input: found 1000000000.0, expected a number of 100000 or less",
    ),
    "temperature beyond all": (
        "configs: {c: {sampling: {temperature: 1.0e+400}}}\n",
        f"{USER_FILE}:1: found 1.0e+400, expected a number that is finite",
    ),
    "rounds for ever": (
        "configs:\n  c: {max_rounds: 99999999999999999999}\n",
        f"{USER_FILE}:2: configs.c.max_rounds: found 99999999999999999999, expected a number of",
    ),
    "rounds are a fraction": ("configs: {c: {max_rounds: 2.0}}\n", "expected a whole number"),
    "key twice": (
        "models:\n  m: {id: i, provider: vllm}\n  m: {id: j, provider: vllm}\n",
        f"{USER_FILE}:3: the key 'm' stands here a second time",
    ),
    "not a number in extra": (MODEL + ", extra: {seed: .nan}}\n", ":5: found .nan, expected"),
    "messages in extra": (
        MODEL + ", extra:\n  {top_k: 5,\n  messages: []}}\n",
        f"{USER_FILE}:7: models.m.extra: found 'messages', expected a field that the plugin does",
    ),
    "tag": (MODEL + ", extra: {a: !!python/tuple [1]}}\n", "cannot stand here"),
    "alias of itself": ("models: &m {a: *m}\n", f"{USER_FILE}:1: holds itself, by an alias"),
}


@pytest.mark.parametrize(("text", "message"), BROKEN.values(), ids=BROKEN)
def test_a_broken_project_file_is_named_with_the_entry(
    text: str, message: str, tmp_path: Path
) -> None:
    """The error has the file, the entry and key, what was found and what was expected."""
    with pytest.raises(SettingsError) as caught:
        load_registry(write(tmp_path, text))
    assert USER_FILE in str(caught.value).partition(": ")[0]
    assert message in str(caught.value)
