"""From a model's final message to a verdict, by running it on the Sema VM.

`Grader.grade` is the whole of it; `check` proves a task with it. Nothing here knows a model,
a network or pytest.
"""

from pytest_sema_bench.grading.grader import Grader
from pytest_sema_bench.grading.verdict import CaseResult, Verdict, VMFailure

__all__ = ["CaseResult", "Grader", "VMFailure", "Verdict"]
