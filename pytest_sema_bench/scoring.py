"""Grade answers made elsewhere: the documented address of `grading.scoring`."""

from pytest_sema_bench.grading.scoring import (
    AnswerGrader,
    Scorer,
)

__all__ = ["AnswerGrader", "Scorer"]
