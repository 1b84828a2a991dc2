"""What a run is asked to do, as frozen values: limits, configurations, options.

Read once at the door, from the command line over `[tool.sema-bench]` of pyproject.toml
(`options`), then trusted.
"""

import hashlib
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

DEFAULT_MAX_TOKENS = 4096
DEFAULT_SUITE = "core"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much one evaluation may use before the program is blamed."""

    cpu_s: float = 15.0
    """Processor seconds per source: the backstop for loops that the VM's step limit misses.
    Processor time and not wall time, so that a verdict does not depend on a busy machine;
    the WASM host counts in those of a machine of the usual speed."""
    again_cpu_s: float | None = None
    """Processor seconds of a second try, made alone, for what `cpu_s` has stopped; None: none."""
    wall_s: float = 60.0
    """Seconds per source spent without any work: ends programs that sleep or wait."""
    output_bytes: int = 262_144
    """Characters kept of each of value, output and error."""
    code_bytes: int = 200_000
    """Longest source in bytes that is sent to the VM."""

    @property
    def for_verdicts(self) -> "Limits":
        """These limits, with a second try of four times the processor time."""
        return replace(self, again_cpu_s=4 * self.cpu_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """Sampling parameters sent with each call; None leaves the choice to the server."""

    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    """Always sent, `DEFAULT_MAX_TOKENS` if nobody sets it: servers' own defaults go down to 512."""
    reasoning_effort: str | None = None

    def body(self) -> dict[str, Any]:
        """The parameters that are set, as a request has them."""
        found = {spec.name: getattr(self, spec.name) for spec in fields(self)}
        return {name: value for name, value in found.items() if value is not None}

    def over(self, other: "Sampling") -> "Sampling":
        """These parameters, and where they are None those of `other`."""
        return replace(other, **self.body())


@dataclass(frozen=True, slots=True, kw_only=True)
class McpServer:
    """A server over stdio whose tools a configuration offers."""

    command: tuple[str, ...]
    """Program and arguments; `sema` is `$SEMA_BIN`, or the one on PATH."""
    include: tuple[str, ...] | None = None
    """The tools that are offered, by the server's names; None for all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """A way to ask a model: which tools, how many rounds, which system prompt."""

    name: str
    tools: tuple[str, ...] = ()
    mcp: McpServer | None = None
    """The server whose tools are offered instead."""
    max_rounds: int = 3
    system_prompt: Path | None = None
    """File with the system prompt; None for the bundled one."""
    primer: bool = True
    """Whether the bundled system prompt explains the language, or only names it."""
    sampling: Sampling = field(default_factory=Sampling)
    hints: bool = True
    """Whether eval_code adds a line of ours to errors whose message does not tell the cure."""
    docs: str = "lexical"
    """Who answers docs_search; part of what is asked."""

    @property
    def has_tools(self) -> bool:
        """Whether the model is offered any tool."""
        return bool(self.tools or self.mcp)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """A share of a run's items, which a run of its own asks."""

    number: int
    """1 for the first."""
    n_shards: int

    def holds(self, item: str) -> bool:
        """Whether an item of that name is of this share: the same on every machine."""
        digest = hashlib.sha256(item.encode()).digest()
        return int.from_bytes(digest[:8], "big") % self.n_shards == self.number - 1

    def __str__(self) -> str:
        return f"{self.number}/{self.n_shards}"


class DatabaseUrl(str):
    """The URL of a PostgreSQL database as it may be shown and kept: without its password."""

    full: str
    """As it was given, to connect with."""
    passwords: tuple[str, ...]

    def __new__(cls, url: str) -> "DatabaseUrl":
        """Raises ValueError for what is no such URL."""
        parts = urlsplit(url)
        if parts.scheme not in ("postgresql", "postgres") or not parts.path.strip("/"):
            raise ValueError
        query = parse_qsl(parts.query)
        user, at, hosts = parts.netloc.rpartition("@")
        shown = parts._replace(
            netloc=user.partition(":")[0] + at + hosts,
            query=urlencode([(name, value) for name, value in query if "password" not in name]),
        )
        self = super().__new__(cls, shown.geturl())
        self.full = url
        given = [user.partition(":")[2], parts.password, *(v for n, v in query if "password" in n)]
        self.passwords = tuple(password for password in given if password)
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The options of one run (DESIGN section 4), after defaults and pyproject.toml."""

    models: tuple[str, ...]
    configs: tuple[str, ...] = ("tools",)
    samples: int = 1
    max_rounds: int | None = None
    """Replies with tool calls that an item may take; None for what the configuration says."""
    concurrency: int = 32
    vm: str = "wasm"
    suite: str = DEFAULT_SUITE
    """A bundled suite, or the folder of another one."""
    tasks: Path | None = None
    """Folder or file with tasks, in place of a suite."""
    dialect: str | None = None
    """The dialect that models write, as `SEED` or `SEED:STRENGTH`; None for plain Sema."""
    report_dir: Path = Path("reports")
    base_url: str | None = None
    api_key_env: str | None = None
    timeout_s: float = 300.0
    """Longest time for one reply of a model."""
    max_cost_usd: float | None = None
    """What the run may cost in all, resumed parts included."""
    record: Path | None = None
    """Folder to write every exchange with a server to."""
    replay: Path | None = None
    """Folder with recorded exchanges to answer from."""
    resume: str | None = None
    """A run to take up: its name or folder, or `NEWEST`."""
    shard: Shard | None = None
    """The share of the items that is asked, with that share of cap and pace; None for all."""
    ledger: DatabaseUrl | None = None
    """The database in which machines share pace, refusals and budget; None for the local file."""
    run: str | None = None
    """The name there of a run whose items machines share; None for a run of this machine."""
    estimate: bool = False
    """Only say what the run would cost."""
    docs: str | None = None
    """Which search answers `docs_search`, as `BACKEND` or `BACKEND:MODEL`."""
    baseline: Path | None = None
    """File or run folder to compare with."""
    baseline_new: bool = False
    """Whether the baseline need not exist yet."""
    across: str | None = None
    """The differences from the baseline that are meant: `vm,docs`."""
    gate: bool = True
    """Whether baseline, must-pass tasks and floor decide the exit status."""
    must_pass: str | None = None
    """Expression that names the tasks that must pass."""
    fail_under: float | None = None
    """Floor of the pass rate in percent."""
    confirm: int = 0
    """How often newly broken tasks are run again before they count."""


NEWEST = "newest"
"""The run that `--sema-resume` takes up if none is named."""
