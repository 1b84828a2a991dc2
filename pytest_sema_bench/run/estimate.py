"""What a run would cost: from the records of earlier runs, or else from the sizes of prompts."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tabulate import tabulate

from pytest_sema_bench.agent.loop import system_prompt
from pytest_sema_bench.errors import BenchError
from pytest_sema_bench.records.reader import RUN_FILE, read_run
from pytest_sema_bench.records.record import Record
from pytest_sema_bench.records.transcript import Tokens
from pytest_sema_bench.run.item import WorkItem

_N_RUNS = 20
"""So many of the newest runs are read."""
# English, Lisp and JSON take three to four.
_CHARS_PER_TOKEN = 3.5
_TOOL_ROUNDS = 2
"""What models make use of, of the three they may have."""
_TOKENS_PER_ROUND = 500
"""Written by the model in one reply, and added to the next prompt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What one model in one configuration would use."""

    name: str
    """`model-config`, as in item names."""
    n_items: int
    n_from_records: int
    """Items whose estimate rests on records of the same task, or of its level."""
    prompt_tokens: float
    completion_tokens: float
    cost_usd: float | None
    """None when the price is unknown."""


def make_estimates(items: Sequence[WorkItem], report_dir: Path) -> tuple[Estimate, ...]:
    """An estimate for each model and configuration, in order of appearance. Calls nobody."""
    groups: dict[str, list[WorkItem]] = defaultdict(list)
    for item in items:
        groups[item.item.setup.name].append(item)
    records = list(_earlier_records(report_dir))
    return tuple(_estimate(name, members, records) for name, members in groups.items())


def estimate_lines(estimates: Sequence[Estimate]) -> Iterator[str]:
    """The estimates as a table, and what they rest on."""
    rows = [
        [
            estimate.name,
            estimate.n_items,
            estimate.n_from_records,
            f"{estimate.prompt_tokens:,.0f}",
            f"{estimate.completion_tokens:,.0f}",
            "?" if estimate.cost_usd is None else f"{estimate.cost_usd:.2f}",
        ]
        for estimate in estimates
    ]
    headers = ["", "items", "from records", "prompt tokens", "completion tokens", "cost $"]
    align = ("left", *["right"] * 5)
    yield from tabulate(rows, headers, colalign=align, disable_numparse=True).splitlines()
    yield ""
    costs = [estimate.cost_usd for estimate in estimates]
    known = sum(cost for cost in costs if cost is not None)
    yield f"in all about ${known:.2f}" + (", and what has no price" if None in costs else "")
    if any(estimate.n_from_records < estimate.n_items for estimate in estimates):
        yield (
            f"without records of earlier runs: {_TOOL_ROUNDS} rounds of tool calls and "
            f"{_TOKENS_PER_ROUND} tokens a reply are assumed; models that reason write far more"
        )


def _earlier_records(report_dir: Path) -> Iterator[Record]:
    runs = sorted((path.parent for path in report_dir.glob(f"*/{RUN_FILE}")), reverse=True)
    for run in runs[:_N_RUNS]:
        try:
            yield from read_run(run, may_be_empty=True).records
        except BenchError:
            continue  # a damaged run is no reason not to estimate


def _estimate(name: str, items: Sequence[WorkItem], records: Sequence[Record]) -> Estimate:
    model, setup = items[0].model, items[0].item.setup
    known = [r for r in records if r.setup == setup and r.graded and r.tokens.total]
    by_task, by_level = _means(known, "task"), _means(known, "level")
    found = [by_task.get(i.task.id) or by_level.get(i.task.level) for i in items]
    used = [tokens or _guess(item) for tokens, item in zip(found, items, strict=True)]
    total = sum(used, Tokens())
    return Estimate(
        name=name,
        n_items=len(items),
        n_from_records=sum(tokens is not None for tokens in found),
        prompt_tokens=total.prompt,
        completion_tokens=total.completion,
        cost_usd=None if model.price is None else model.price.cost_usd(total),
    )


def _means(records: Sequence[Record], field: str) -> Mapping[object, Tokens]:
    """Mean token counts by a field of the records."""
    groups: dict[object, list[Tokens]] = defaultdict(list)
    for record in records:
        groups[getattr(record, field)].append(record.tokens)
    return {value: _mean(tokens) for value, tokens in groups.items()}


def _mean(tokens: Sequence[Tokens]) -> Tokens:
    total, n = sum(tokens, Tokens()), len(tokens)
    return Tokens(
        prompt=round(total.prompt / n),
        cached=round(total.cached / n),
        completion=round(total.completion / n),
    )


def _guess(item: WorkItem) -> Tokens:
    """From sizes alone: each call sends the whole conversation so far."""
    n_calls = 1 + (min(_TOOL_ROUNDS, item.config.max_rounds) if item.config.has_tools else 0)
    chars = len(system_prompt(item.config, dialect=item.dialect)) + len(item.shown.full_prompt)
    first = chars / _CHARS_PER_TOKEN
    prompt = sum(first + 2 * _TOKENS_PER_ROUND * call for call in range(n_calls))
    return Tokens(prompt=round(prompt), completion=n_calls * _TOKENS_PER_ROUND)
