"""Rows for a small data set: a program of each kind, two traces, a pair."""

from typing import Any

from pytest_sema_bench.dataset.row import Row, RowError, Source
from pytest_sema_bench.sema.vm import ErrorClass

TOOLS: tuple[dict[str, Any], ...] = tuple(
    {
        "type": "function",
        "function": {
            "name": name,
            "description": f"{name} of Sema.",
            "parameters": {"type": "object", "properties": {argument: {"type": "string"}}},
        },
    }
    for name, argument in (("eval_code", "code"), ("docs_search", "query"))
)


def row(code: str, value: str | None = None, **more: Any) -> Row:
    """A row of a family of its own, as the VM proves it."""
    made: dict[str, Any] = {"source": Source.EXAMPLES, "licence": "MIT", "family": code}
    return Row(code=code, value=value, vm="1.36.0", **{**made, **more})


def call(number: int, name: str, arguments: str, weight: int) -> dict[str, Any]:
    """A message of the assistant that calls a tool."""
    made = {"id": f"call_{number}", "type": "function"}
    function = {"name": name, "arguments": arguments}
    return {
        "role": "assistant",
        "content": None,
        "tool_calls": [{**made, "index": 0, "function": function}],
        "weight": weight,
    }


def answer(number: int, text: str) -> dict[str, Any]:
    """What a tool answered."""
    return {"role": "tool", "tool_call_id": f"call_{number}", "content": text}


TRIPLE = "(define (triple n) (* 3 n))"
TRACE = row(
    TRIPLE,
    source=Source.TRACES,
    family="mine/triple",
    messages=(
        {"role": "system", "content": "You write Sema."},
        {"role": "user", "content": "Write a Sema function (triple n) that gives three n."},
        call(1, "eval_code", '{"code": "(triple 2)"}', 0),
        answer(1, "error: Unbound variable: triple"),
        call(2, "docs_search", '{"query": "multiply"}', 1),
        answer(2, "(* 2 3) => 6"),
        {"role": "assistant", "content": f"```sema\n{TRIPLE}\n```", "weight": 1},
    ),
    tools=TOOLS,
)
PAIR = row(
    "(define (quarter n) (/ n 4))",
    source=Source.TRACES,
    family="mine/quarter",
    messages=(
        {"role": "user", "content": "Write a Sema function (quarter n) that gives n by four."},
        {"role": "assistant", "content": "```sema\n(define (quarter n) (/ n 4))\n```", "weight": 1},
    ),
    dispreferred=({"role": "assistant", "content": "```sema\n(define (quarter n) 4)\n```"},),
)
PROGRAMS = (
    *(row(f"(+ {n} (* {n} {n + 7}))", str(n + n * (n + 7))) for n in range(40, 52)),
    row('(string/upper "rim")', '"RIM"', prompt="Write rim in capitals.", source=Source.DOCS),
    row("(begin (println 1 2) (println :x) 7)", "7", output=("1 2", ":x")),
    row(r'(str "é" "\n\"" 1)', r'"é\n\"1"'),
    row(
        "(car 5)",
        prompt="Show what the first of 5 is.",
        error=RowError(kind=ErrorClass.TYPE, message="Type error: expected list, got int"),
    ),
)
ALL = (*PROGRAMS, TRACE, PAIR)
