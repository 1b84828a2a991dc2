"""A run folder as six models would leave it: made up, with the suite's own tasks and a seed.

Answers are the tasks' references and their known wrong answers, verdicts are tossed. What the
report is fed in tests, in its benchmark and for its pictures.
"""

import json
import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from pytest_sema_bench.agent.loop import system_prompt
from pytest_sema_bench.records.folder import RunFolder
from pytest_sema_bench.records.items import PlannedItem
from pytest_sema_bench.records.outcome import Outcome, Reason, Stop, Void
from pytest_sema_bench.records.record import Record
from pytest_sema_bench.records.transcript import Tokens
from pytest_sema_bench.settings import Config
from pytest_sema_bench.suite.folder import suite_folder
from pytest_sema_bench.suite.task import Task, load_tasks


@dataclass(frozen=True, slots=True, kw_only=True)
class Player:
    """A model that is made up: how good it is, and what a million tokens of it cost."""

    name: str
    skill: float
    price: tuple[float, float]


PLAYERS = (
    Player(name="ash-2", skill=0.70, price=(0.95, 4.00)),
    Player(name="birch-pro", skill=0.64, price=(1.74, 3.48)),
    Player(name="cedar-code", skill=0.66, price=(0.95, 4.00)),
    Player(name="larch-plus", skill=0.58, price=(0.40, 1.60)),
    Player(name="maple-5", skill=0.55, price=(1.40, 4.40)),
    Player(name="rowan-mini", skill=0.45, price=(0.14, 0.28)),
)
_EASE = {"L1": 0.25, "L2": 0.12, "L3": 0.0, "L4": -0.2, "L5": -0.35}
_WRONG = [Reason.WRONG_VALUE] * 6 + [Reason.ERROR] * 5 + [Reason.TRUNCATED, Reason.NO_ANSWER]
_ERRORS = (
    ("unbound", "string/reverse", "Error: Unbound variable: string/reverse"),
    ("arity", "foldl", "Error: foldl expects 3 arguments, got 2"),
    ("type", "string/upper", "Error: string/upper: expected a string, got list"),
    ("parse", None, "Error: unexpected end of input, 1 bracket is still open"),
)
START = "2026-11-{day:02d}T02:10:00+00:00"


@cache
def suite() -> tuple[Task, ...]:
    """The sixty tasks."""
    return load_tasks(suite_folder())


def write_made_up_run(
    folder: Path,
    *,
    players: Sequence[Player] = PLAYERS,
    tasks: Sequence[Task] | None = None,
    samples: int = 1,
    seed: int = 6,
    day: int = 24,
    filler_chars: int = 0,
) -> list[Record]:
    """Write a run folder and give its records; `filler_chars` lengthens each conversation."""
    dice = random.Random(seed)
    run = RunFolder(folder)
    folder.mkdir(parents=True)
    chosen = suite() if tasks is None else tasks
    records: list[Record] = []
    lines: list[str] = []
    for player in players:
        for task in chosen:
            ease = random.Random(f"{task.id}").gauss(0.0, 0.22)
            chance = min(0.98, max(0.02, player.skill + _EASE[task.level or "L3"] + ease))
            for sample in range(1, samples + 1):
                record, talk = _play(player, task, sample, chance, dice, filler_chars)
                path = folder / record.transcript if record.transcript else folder
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(json.dumps(talk, ensure_ascii=False), "utf-8")
                records.append(record)
                lines.append(record.to_json() + "\n")
    (folder / "records.jsonl").write_text("".join(lines), "utf-8")
    write_run_files(run, records, day=day)
    return records


def write_run_files(run: RunFolder, records: Sequence[Record], *, day: int = 24) -> None:
    """Write run.json and items.json for records."""
    run.write_items(map(PlannedItem.of, records))
    run.write_run(
        {
            "run": run.path.name,
            "state": "finished",
            "start": START.format(day=day),
            "end": START.format(day=day).replace("02:10", "02:31"),
            "vm": "wasm 1.36.0 (60a3e46f)",
            "grader": 1,
            "task_hashes": {record.task: record.task_hash for record in records},
            "git_commit": "5f0cbaa1d2c3b4a5968778695a4b3c2d1e0f9a8b",
            "versions": {"python": "3.11.2", "pytest-sema-bench": "0.1.0"},
        }
    )


def _play(
    player: Player, task: Task, sample: int, chance: float, dice: random.Random, filler_chars: int
) -> tuple[Record, dict[str, Any]]:
    """One item's record and transcript."""
    right, void = dice.random() < chance, dice.random() < 0.006
    stumbles = 0 if dice.random() < 0.55 else dice.randint(1, 2)
    wrong = task.wrong[dice.randrange(len(task.wrong))].code if task.wrong else "nil"
    code = (task.reference or "") if right else wrong
    reason = Reason.RIGHT if right else dice.choice(_WRONG)
    errors = [dice.choice(_ERRORS) for _ in range(stumbles)]
    messages, calls = _talk(task, code, errors, dice, player.name, filler_chars)
    if reason is Reason.TRUNCATED:
        calls[-1]["finish_reason"] = "length"
    if void:
        messages, calls = messages[:2], []
    tokens = sum((Tokens(**call["tokens"]) for call in calls), Tokens())
    name = f"{player.name}-tools-s{sample}"
    cost = (
        (tokens.prompt - tokens.cached) * player.price[0]
        + tokens.cached * player.price[0] / 5
        + tokens.completion * player.price[1]
    )
    record = Record(
        key=f"{dice.getrandbits(96):024x}",
        task=task.id,
        level=task.level,
        category=task.category,
        model=player.name,
        config="tools",
        sample=sample,
        outcome=Outcome.PASS if right else Outcome.FAIL,
        reason=reason,
        score=1.0 if right else 0.3 if reason is Reason.WRONG_VALUE else 0.0,
        answer=messages[-1]["content"],
        cases=_cases(task, right=right, reason=reason, dice=dice),
        vm_errors=[{"where": "tool", "class": e[0], "name": e[1]} for e in errors],
        tool_calls={"eval_code": stumbles + 1, "docs_search": 1} if stumbles else {"eval_code": 1},
        rounds=stumbles + 1,
        stop=Stop.TRUNCATED if reason is Reason.TRUNCATED else Stop.ANSWERED,
        tokens=tokens,
        cost_usd=round(cost / 1e6, 8),
        latency_s=round(sum(call["latency_s"] for call in calls), 3),
        retries=sum(call["retries"] for call in calls),
        served_model=f"groves/{player.name}",
        provider="grove",
        vm="wasm 1.36.0 (60a3e46f)",
        grader=1,
        task_hash=task.task_hash,
        transcript=f"transcripts/{task.id}/{name}.json",
    )
    if not right and reason is Reason.ERROR:
        class_, about, _ = dice.choice(_ERRORS)
        found = {"where": "grade", "class": class_, "name": about}
        record = replace(record, vm_errors=[*record.vm_errors, found])
    if void:
        record = replace(
            record,
            outcome=Outcome.VOID,
            reason=Void.API,
            detail="HTTP 503 from https://api.grove.invalid/v1 after 6 attempts in 181 s",
            score=None,
            answer=None,
            cases=[],
            cost_usd=None,
            stop=None,
        )
    return record, {"record": record.key, "task": task.id, "messages": messages, "calls": calls}


def _talk(
    task: Task,
    code: str,
    errors: Sequence[tuple[str, str | None, str]],
    dice: random.Random,
    model: str,
    filler_chars: int,
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Messages and calls: a tool call for each error, one that works, the final answer."""
    config = Config(name="tools", tools=("eval_code",), max_rounds=3)
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": system_prompt(config)},
        {"role": "user", "content": task.full_prompt},
    ]
    calls: list[dict[str, Any]] = []
    n_prompt = 1700 + dice.randrange(300)
    for number, error in enumerate([*errors, None]):
        made = [_call("eval_code", {"code": code}, dice)]
        replies = [error[2] if error else "Value: nil (or the last form is a definition)"]
        if number and errors:
            made.append(_call("docs_search", {"query": errors[0][1] or "brackets"}, dice))
            replies.append("## string/reverse\n(string/reverse s): the characters backwards.")
        thought = f"The task is {task.slug}. I define it and try the example. "
        if filler_chars:
            thought += _filler(filler_chars // (len(errors) + 1), dice)
        messages.append(
            {"role": "assistant", "content": None, "reasoning_content": thought, "tool_calls": made}
        )
        for one, reply in zip(made, replies, strict=True):
            messages.append({"role": "tool", "tool_call_id": one["id"], "content": reply})
        calls.append(_timed("tool_calls", model, n_prompt, dice))
        n_prompt += 150 + dice.randrange(200)
    answer = f"The function walks the input once.\n\n```sema\n{code.rstrip()}\n```"
    messages.append({"role": "assistant", "content": answer})
    calls.append(_timed("stop", model, n_prompt, dice))
    return messages, calls


def _call(name: str, arguments: dict[str, str], dice: random.Random) -> dict[str, Any]:
    function = {"name": name, "arguments": json.dumps(arguments)}
    return {"id": f"call_{dice.getrandbits(48):012x}", "type": "function", "function": function}


def _timed(finish: str, model: str, n_prompt: int, dice: random.Random) -> dict[str, Any]:
    tokens = Tokens(
        prompt=n_prompt,
        cached=n_prompt // 2,
        completion=dice.randrange(90, 900),
        reasoning=dice.randrange(0, 80),
    )
    return {
        "finish_reason": finish,
        "served_model": f"groves/{model}",
        "tokens": asdict(tokens),
        "latency_s": round(dice.lognormvariate(0.9, 0.6), 3),
        "retries": int(dice.random() < 0.04),
    }


def _cases(task: Task, *, right: bool, reason: Reason, dice: random.Random) -> list[dict[str, Any]]:
    if reason in {Reason.NO_ANSWER, Reason.TRUNCATED}:
        return []
    broken = set() if right else {dice.randrange(len(task.cases))}
    lines: list[dict[str, Any]] = []
    for number, case in enumerate(task.cases):
        expected = (case.equals or case.prints or ("nil",))[0]
        line: dict[str, Any] = {"call": case.call or "the value", "expected": expected}
        line |= {"got": expected, "pass": number not in broken}
        if number in broken and reason is Reason.ERROR:
            line |= {"got": None, "error": "Unbound variable: string/reverse\n  at f (<input>:1:2)"}
        elif number in broken:
            line["got"] = "nil"
        lines.append(line)
    return lines


def _filler(n_chars: int, dice: random.Random) -> str:
    words = ["walk", "the", "list", "once", "keep", "what", "fits", "fold", "filter", "map", "so"]
    return " ".join(dice.choices([*words, f"{dice.random():.6f}"], k=n_chars // 5))
