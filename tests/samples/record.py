"""A record as a wrong answer leaves it; tests replace the fields that matter to them."""

from pytest_sema_bench.records.outcome import Outcome, Reason, Stop
from pytest_sema_bench.records.record import Record
from pytest_sema_bench.records.transcript import Tokens

RECORD = Record(
    key="abc",
    task="L2-05-palindrome",
    level="L2",
    category="string",
    model="m",
    config="tools",
    sample=1,
    outcome=Outcome.FAIL,
    reason=Reason.WRONG_VALUE,
    score=0.3,
    answer='```sema\n(define x "ü\u2028\u0085")\n```\r\n',
    cases=[{"call": "(x)", "expected": "1", "got": None, "pass": False, "error": "no"}],
    vm_errors=[{"where": "tool", "class": "unbound", "name": "x"}],
    tool_calls={"eval_code": 2},
    rounds=2,
    stop=Stop.ANSWERED,
    tokens=Tokens(prompt=3, cached=1, completion=2, reasoning=1),
    cost_usd=0.5,
    latency_s=1.5,
    provider="p",
    vm="wasm 1.36.0 (abc)",
    grader=1,
    task_hash="h",
)
