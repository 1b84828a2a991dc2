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

from pytest_sema_bench.catalog.models import Model, Price, Registry
from pytest_sema_bench.catalog.registry import USER_FILE, load_registry
from pytest_sema_bench.chat import HttpWire
from pytest_sema_bench.chat.capabilities import Findings, check_model
from pytest_sema_bench.errors import SettingsError
from pytest_sema_bench.redaction import Redactor

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
    model = load_registry(Path.cwd()).model(
        arguments.name, arguments.base_url, arguments.api_key_env
    )
    if model.base_url is None:
        print(f"{model.name} is offline: there is no server to check")
        return 0
    try:
        model.check_key(os.environ)
    except SettingsError as error:
        print(f"sema-bench models check: {error}", file=sys.stderr)
        return 2
    key = os.environ.get(model.key_env) if model.key_env else None
    findings = asyncio.run(_ask(model, key))
    for label, value in _facts(findings):
        print(f"{label:<22} {value}")
    print()
    print("\n".join(_advice(model, findings)))
    return 0 if findings.calls_tools is not False else 1


async def _ask(model: Model, key: str | None) -> Findings:
    wire = HttpWire(model.base_url or "", key)
    try:
        return await check_model(
            wire, model.id, redactor=Redactor([key]), adapt=model.adapt, extra=model.extra
        )
    finally:
        await wire.close()


def _facts(findings: Findings) -> Iterator[tuple[str, str]]:
    yield "calls tools", _yes_no(findings.calls_tools)
    yield "tool_choice none", _yes_no(findings.takes_tool_choice_none)
    yield "streaming", _yes_no(findings.streams)
    yield "usage", _yes_no(findings.reports_usage)
    yield "usage when streaming", _yes_no(findings.reports_usage_streamed)
    yield "reasoning in", findings.reasoning_field or "no field seen"
    yield "served model", findings.served_model or "not said"
    if findings.upstream:
        yield "upstream", findings.upstream
    yield "adapted", ", ".join(findings.adaptations) or "nothing"
    yield "spent", f"{findings.tokens.total:,} tokens in {findings.n_calls} calls"


def _yes_no(known: bool | None) -> str:
    return "not known" if known is None else "yes" if known else "no"


def _advice(model: Model, findings: Findings) -> Iterator[str]:
    """What the user may do with that."""
    if findings.calls_tools is False:
        yield "The model called no tool: ask it with --sema-config=bare, or switch its tools on."
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
