"""What a configuration puts before a model, in the parts that a comparison can be about.

Each part is told by a label: words for people, then a hash of its source. Sources and not what is
made of them for one version of Sema, so that runs on two versions differ in the VM alone.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict
from hashlib import sha256

from pytest_sema_bench.agent.loop import prompt_source
from pytest_sema_bench.agent.tools import about_tools
from pytest_sema_bench.catalog.arms import DOCS, EVAL
from pytest_sema_bench.catalog.models import Model
from pytest_sema_bench.docsearch.corpus import data_files
from pytest_sema_bench.records.identity import Setup
from pytest_sema_bench.run.item import asked_config
from pytest_sema_bench.settings import Config


def asked_parts(pairs: Iterable[tuple[Model, Config]]) -> dict[str, dict[str, str]]:
    """By `model-config`, the labels of its prompt, tools, docs and configuration."""
    return {
        Setup(model.name, config.name).name: _parts(asked_config(model, config))
        for model, config in pairs
    }


def _parts(config: Config) -> dict[str, str]:
    prompt = prompt_source(config)
    own = config.system_prompt.name if config.system_prompt else None
    return {
        "prompt": _label(own or ("primer" if config.primer else "cold"), prompt),
        "tools": _tools(config),
        "docs": _docs(config),
        "config": _label(config.name, config.max_rounds, asdict(config.sampling)),
    }


def _tools(config: Config) -> str:
    if config.mcp is not None:
        return _label(" ".join(config.mcp.command), asdict(config.mcp))
    if not config.tools:
        return "none"
    hints = config.hints and EVAL in config.tools and data_files("hints.yaml")
    return _label(", ".join(config.tools), about_tools(config.tools, 0), hints)


def _docs(config: Config) -> str:
    if DOCS not in config.tools:
        return "none"
    return _label(config.docs, data_files("corpus/*.yaml", "foreign.yaml", "synonyms.yaml"))


def _label(words: str, *content: object) -> str:
    # `lexical 3f2a91c0`: another hash is another content behind the same words.
    return f"{words} {sha256(json.dumps(content).encode()).hexdigest()[:8]}"
