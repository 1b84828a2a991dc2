"""Models, their providers and prices as values, and the registry that finds them by name.

Where entries come from is `registry`'s business.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import chain
from typing import Any
from urllib.parse import urlsplit

from pytest_sema_bench.base_url import read_base_url
from pytest_sema_bench.catalog.arms import LADDER, LADDER_NAME
from pytest_sema_bench.errors import SettingsError
from pytest_sema_bench.records.transcript import Tokens
from pytest_sema_bench.settings import Config, Sampling

REFERENCE = "reference"
"""The offline model that answers from the tasks' reference answers."""
_WORST_BYTES_PER_TOKEN = 2
"""English, Lisp and JSON take three to four bytes a token; two is below any tokenizer seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """USD per million tokens, as of a date."""

    input_usd: float
    output_usd: float
    cached_input_usd: float | None = None
    """None where the provider bills cached input as input."""
    date: str | None = None

    def cost_usd(self, tokens: Tokens) -> float:
        """What the tokens cost."""
        cached = self.input_usd if self.cached_input_usd is None else self.cached_input_usd
        total = (tokens.prompt - tokens.cached) * self.input_usd + tokens.cached * cached
        return round((total + tokens.completion * self.output_usd) / 1e6, 8)

    def worst_usd(self, n_prompt_bytes: int, max_tokens: int) -> float:
        """What a call with such a prompt and that much output can cost at most."""
        n_prompt_tokens = n_prompt_bytes / _WORST_BYTES_PER_TOKEN
        return (n_prompt_tokens * self.input_usd + max_tokens * self.output_usd) / 1e6


class TextToolCalls(StrEnum):
    """What becomes of tool calls that a server hands on as text."""

    IGNORE = "ignore"
    """They are text like any other."""
    READ = "read"
    REFUSE = "refuse"
    """The server is not as it should be: nothing is said about the model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimits:
    """What a provider allows, as the registry says; None for no limit that is known."""

    concurrency: int | None = None
    """Calls in flight at once."""
    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None

    def divided(self, n: int) -> "RateLimits":
        """The n-th part of them. Raises ValueError if there are fewer calls at once than parts."""
        if self.concurrency is not None and self.concurrency < n:
            raise ValueError
        return RateLimits(
            concurrency=self.concurrency and self.concurrency // n,
            requests_per_minute=self.requests_per_minute and self.requests_per_minute / n,
            tokens_per_minute=self.tokens_per_minute and self.tokens_per_minute / n,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """Where and under which name a model is reached, and how it wants to be asked."""

    name: str
    """What the user calls it; stands in item names and tables."""
    id: str
    """What its server calls it."""
    provider: str
    base_url: str | None
    """None for the reference model, which has no server."""
    key_env: str | None = None
    """The environment variable that holds the key; None if the server wants none."""
    price: Price | None = None
    sampling: Sampling = field(default_factory=Sampling)
    """What a configuration does not set."""
    adapt: tuple[str, ...] = ()
    """Adaptations of the request that its server is known to need, by name (`chat.adapt`)."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Further fields of the request body."""
    limits: RateLimits = field(default_factory=RateLimits)
    text_tool_calls: TextToolCalls = TextToolCalls.READ

    def check_key(self, environment: Mapping[str, str]) -> None:
        """Raises SettingsError if the model wants a key that is missing or cannot be one."""
        if self.key_env is None:
            return
        key = environment.get(self.key_env, "")
        if not key:
            raise SettingsError(
                f"--sema-model={self.name} needs a key for {self.provider}: set the environment "
                f"variable {self.key_env}. Without a key, --sema-model=reference runs offline."
            )
        check_sendable(self.key_env, key)


def check_sendable(key_env: str, key: str) -> None:
    """Raises SettingsError if what the variable holds can be no key."""
    if not (key.isascii() and key.isprintable()) or key != key.strip():
        raise SettingsError(
            f"the key in {key_env} holds a blank at an end, a line end or letters that "
            "no HTTP header takes; was it copied whole?"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """A server that speaks OpenAI chat completions."""

    name: str
    base_url: str
    key_env: str | None = None
    adapt: tuple[str, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)
    limits: RateLimits = field(default_factory=RateLimits)
    text_tool_calls: TextToolCalls | None = None
    source: str
    """The file that the entry stands in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelEntry:
    """What a registry file says about a model."""

    name: str
    id: str
    provider: str | None
    """None if the entry names a base URL of its own."""
    base_url: str | None = None
    key_env: str | None = None
    aliases: tuple[str, ...] = ()
    price: Price | None = None
    sampling: Sampling = field(default_factory=Sampling)
    adapt: tuple[str, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)
    limits: RateLimits | None = None
    """None for those of the provider."""
    text_tool_calls: TextToolCalls | None = None
    """None for what the provider's entry says."""
    source: str
    """The file that the entry stands in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    """All entries, and how to find one."""

    providers: Mapping[str, Provider]
    models: Mapping[str, ModelEntry]
    configs: Mapping[str, Config]

    def model(self, name: str, base_url: str | None = None, key_env: str | None = None) -> Model:
        """The model called `name`; with a `base_url`, any name on that server.

        An entry's id, price and sampling hold on another server too, its provider's ways do not.
        Raises SettingsError that says what names there are, or why the URL is none.
        """
        if name == REFERENCE:
            free = Price(input_usd=0.0, output_usd=0.0)
            return Model(name=name, id=name, provider="offline", base_url=None, price=free)
        entry = self._entry(name)
        if base_url:
            entry = entry or ModelEntry(name=name, id=name, provider=None, source="command line")
            host = urlsplit(read_base_url(base_url)).netloc
            return _model(
                entry,
                Provider(name=host, base_url=base_url, key_env=key_env, source="command line"),
            )
        if entry is None:
            provider, separator, model_id = name.partition(":")
            if not (separator and model_id and provider in self.providers):
                raise self._unknown(name)
            entry = ModelEntry(name=name, id=model_id, provider=provider, source="command line")
        return _model(entry, self._provider(entry))

    def configs_named(self, names: Iterable[str]) -> tuple[Config, ...]:
        """The configurations of these names; `ladder` is all its arms. Raises SettingsError."""
        arms = [arm.name for arm in LADDER]
        all_names = chain(*(arms if name == LADDER_NAME else [name] for name in names))
        return tuple(map(self.config, dict.fromkeys(all_names)))

    def config(self, name: str) -> Config:
        """The configuration called `name`. Raises SettingsError that says what names there are."""
        try:
            return self.configs[name]
        except KeyError:
            raise SettingsError(
                f"--sema-config: unknown configuration {name!r}; "
                f"known ones are {', '.join(sorted(self.configs))}, and {LADDER_NAME} for its arms"
            ) from None

    def _entry(self, name: str) -> ModelEntry | None:
        if name in self.models:
            return self.models[name]
        return next((entry for entry in self.models.values() if name in entry.aliases), None)

    def _provider(self, entry: ModelEntry) -> Provider:
        if entry.provider is not None:
            return self.providers[entry.provider]
        assert entry.base_url is not None
        host = urlsplit(entry.base_url).netloc
        return Provider(name=host, base_url=entry.base_url, source=entry.source)

    def _unknown(self, name: str) -> SettingsError:
        return SettingsError(
            f"--sema-model: unknown model {name!r}. Known models are "
            f"{', '.join([*sorted(self.models), REFERENCE])}. For another model give "
            f"PROVIDER:MODEL with one of the providers {', '.join(sorted(self.providers))}, "
            "or --sema-base-url for any server that speaks OpenAI chat completions. "
            "`sema-bench models` lists them all."
        )


def _model(entry: ModelEntry, provider: Provider) -> Model:
    return Model(
        name=entry.name,
        id=entry.id,
        provider=provider.name,
        base_url=provider.base_url,
        key_env=entry.key_env or provider.key_env,
        price=entry.price,
        sampling=entry.sampling,
        adapt=tuple(dict.fromkeys([*provider.adapt, *entry.adapt])),
        extra={**provider.extra, **entry.extra},
        limits=entry.limits or provider.limits,
        text_tool_calls=entry.text_tool_calls or provider.text_tool_calls or TextToolCalls.READ,
    )
