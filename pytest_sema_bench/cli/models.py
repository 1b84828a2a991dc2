"""`sema-bench models` and `sema-bench models check NAME`: which there are, what one takes."""

import argparse
import asyncio
import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from tabulate import tabulate

from pytest_sema_bench.agent.loop import system_prompt
from pytest_sema_bench.agent.text_calls import find_calls, server_flags
from pytest_sema_bench.catalog.models import Model, Price, Registry
from pytest_sema_bench.catalog.registry import USER_FILE, load_registry
from pytest_sema_bench.chat.capabilities import Capabilities, check_model
from pytest_sema_bench.chat.transport import HttpWire
from pytest_sema_bench.errors import SettingsError
from pytest_sema_bench.redaction import Redactor
from pytest_sema_bench.settings import DEFAULT_MAX_TOKENS

_FULL_CHARS = 30_000
"""System prompt, tools and task, and three rounds of code with results of 4,000 characters."""
# With a `:`, a `#` or a digit in front YAML may read something else than this text.
_PLAIN = re.compile(r"[A-Za-z][\w./-]*")


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `models`, alone and with `check`."""
    parser = commands.add_parser("models")
    parser.set_defaults(run=_list)
    group = parser.add_subparsers(metavar="COMMAND")
    check = group.add_parser(
        "check", help="ask a model's server in a few cheap calls what it supports"
    )
    check.add_argument("name", help="a name of the list, or PROVIDER:MODEL")
    check.add_argument("--base-url", metavar="URL", help="any server instead of the provider's")
    check.add_argument("--api-key-env", metavar="NAME", help="variable with the key for that URL")
    check.set_defaults(run=_check)


def _list(arguments: argparse.Namespace) -> int:
    registry = load_registry(Path.cwd())
    headers = ["model", "provider", "id there", "in $", "out $", "as of", "key", "from"]
    print(_table(headers, _models(registry)))
    print()
    print(_table(["provider", "base URL", "key in", "set", "from"], _providers(registry)))
    print()
    print("PROVIDER:MODEL works for any model of a provider; --sema-base-url for any other server.")
    return 0


def _table(headers: list[str], rows: Iterator[list[str]]) -> str:
    return tabulate(list(rows), headers, disable_numparse=True)


def _models(registry: Registry) -> Iterator[list[str]]:
    for entry in registry.models.values():
        model = registry.model(entry.name)
        name = ", ".join([entry.name, *entry.aliases])
        price = _price(entry.price)
        yield [name, model.provider, entry.id, *price, _key(model.key_env), entry.source]


def _providers(registry: Registry) -> Iterator[list[str]]:
    for provider in registry.providers.values():
        key_env = provider.key_env or "–"
        yield [provider.name, provider.base_url, key_env, _key(provider.key_env), provider.source]


def _price(price: Price | None) -> list[str]:
    if price is None:
        return ["?", "?", "–"]
    return [f"{price.input_usd:g}", f"{price.output_usd:g}", price.date or "–"]


def _key(key_env: str | None) -> str:
    if key_env is None:
        return "not needed"
    return "yes" if os.environ.get(key_env) else "no"


def _check(arguments: argparse.Namespace) -> int:
    try:
        model = load_registry(Path.cwd()).model(
            arguments.name, arguments.base_url, arguments.api_key_env
        )
        if model.base_url is None:
            print(f"{model.name} is offline: there is no server to check")
            return 0
        model.check_key(os.environ)
    except SettingsError as error:
        text = str(error).removeprefix("--sema-model: ")
        print(f"sema-bench models check: {text}", file=sys.stderr)
        return 2
    key = os.environ.get(model.key_env) if model.key_env else None
    findings = asyncio.run(_ask(model, key))
    for label, value in _facts(findings):
        print(f"{label:<22} {value}")
    print()
    print("\n".join(_advice(model, findings)))
    works = findings.calls_tools is not False or _text_form(findings) is not None
    return 0 if works and findings.holds_full_prompt is not False else 1


async def _ask(model: Model, key: str | None) -> Capabilities:
    wire = HttpWire(model.base_url or "", key)
    try:
        return await check_model(
            wire,
            model.id,
            redactor=Redactor([key]),
            adapt=model.adapt,
            extra=model.extra,
            full_prompt=_full_prompt(),
            max_tokens=model.sampling.max_tokens or DEFAULT_MAX_TOKENS,
        )
    finally:
        await wire.close()


def _full_prompt() -> str:
    """As much text, of the kind that it is, as the longest conversation of a run holds."""
    text = system_prompt(load_registry(Path.cwd()).config("tools"))
    return (text * (_FULL_CHARS // len(text) + 1))[:_FULL_CHARS]


def _text_form(findings: Capabilities) -> str | None:
    """The form in which the tool was called in the text of the reply, if it was."""
    calls = find_calls(findings.said, lambda name: "eval_code" in name)
    return calls[0].form.value if calls else None


def _facts(findings: Capabilities) -> Iterator[tuple[str, str]]:
    form = _text_form(findings)
    yield "calls tools", f"as text ({form})" if form else _yes_no(findings.calls_tools)
    yield "tool_choice none", _yes_no(findings.takes_tool_choice_none)
    yield "streaming", _yes_no(findings.streams)
    yield "usage", _yes_no(findings.reports_usage)
    yield "usage when streaming", _yes_no(findings.reports_usage_streamed)
    yield "full conversation", _yes_no(findings.holds_full_prompt)
    yield "reasoning in", findings.reasoning_field or "no field seen"
    yield "served model", findings.served_model or "not said"
    if findings.upstream:
        yield "upstream", findings.upstream
    yield "adapted", ", ".join(findings.adaptations) or "nothing"
    yield "spent", f"{findings.tokens.total:,} tokens in {findings.n_calls} calls"


def _yes_no(known: bool | None) -> str:
    return "not known" if known is None else "yes" if known else "no"


def _advice(model: Model, findings: Capabilities) -> Iterator[str]:
    """What the user may do with that."""
    if form := _text_form(findings):
        yield f"Tool calls arrive as text, and are read from it; better: {server_flags(form)}."
    elif findings.calls_tools is False:
        yield "The model called no tool: ask it with --sema-config=bare, or switch its tools on."
    if findings.full_prompt_fault is not None:
        yield f"A conversation of full length: {findings.full_prompt_fault}."
    if findings.holds_full_prompt is False:
        yield (
            "Give a local server more (OLLAMA_CONTEXT_LENGTH, --max-model-len, --ctx-size), or the "
            "model a lower max_tokens."
        )
    if findings.reports_usage is False and not findings.reports_usage_streamed:
        yield "Usage is not reported: cost stays unknown, and a cap counts every call's worst case."
    if not findings.entry and model.price is not None:
        yield "Nothing to add to its entry."
        return
    yield f"An entry for {USER_FILE}:"
    yield "models:"
    yield f"  {_quoted(model.name)}:"
    yield from _place(model)
    yield f"    id: {_quoted(model.id)}"
    if findings.entry:
        yield f"    {findings.entry}"
    if model.price is None:
        yield "    price: {input: …, output: …, date: …}   # USD per million tokens"


def _quoted(name: str) -> str:
    """The name as YAML takes it for a text."""
    return name if _PLAIN.fullmatch(name) else json.dumps(name)


def _place(model: Model) -> Iterator[str]:
    if model.provider in load_registry(Path.cwd()).providers:
        yield f"    provider: {model.provider}"
        return
    yield f"    base_url: {model.base_url}"
    if model.key_env:
        yield f"    key_env: {model.key_env}"
