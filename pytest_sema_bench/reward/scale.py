"""What a verdict is worth as a reward: the modes, and what may be taken off if asked for."""

from dataclasses import dataclass
from enum import StrEnum

from pytest_sema_bench.errors import SettingsError
from pytest_sema_bench.extraction import extract
from pytest_sema_bench.grading.graded import Graded
from pytest_sema_bench.records.outcome import Outcome, Reason
from pytest_sema_bench.settings import Limits
from pytest_sema_bench.suite.task import Task

_BROKEN_RULES = (Reason.REQUIRES, Reason.FORBIDS)


class Mode(StrEnum):
    """How a verdict becomes a number."""

    PASS = "pass"  # noqa: S105 - a mode, no password
    """1.0 for a right answer, else 0.0."""
    SHARE = "share"
    """The share of the hidden cases that pass."""
    SCALE = "scale"
    """The original experiment's: 1.0 right, 0.3 runs but is wrong, 0.0 does not run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardSettings:
    """How answers are graded and rewarded."""

    mode: Mode = Mode.PASS
    length_chars: int | None = None
    """Answers longer than this lose `length_off` of their reward; None: length does not count."""
    length_off: float = 0.1
    """Share in [0, 1]."""
    format_off: float = 0.0
    """Share in [0, 1] that an answer loses that is not in fenced blocks of code."""
    suites: tuple[str, ...] = ()
    """Folders of suites, or of tasks, that rows may name beside the bundled suites."""
    vm: str = "wasm"
    n_hosts: int | None = None
    """Evaluations at a time in each process; None for as many as there are processors."""
    limits: Limits | None = None

    @property
    def of_pool(self) -> "RewardSettings":
        """The part that decides which VM pool grades."""
        return RewardSettings(
            suites=self.suites, vm=self.vm, n_hosts=self.n_hosts, limits=self.limits
        )

    def __post_init__(self) -> None:
        for name in ("length_off", "format_off"):
            if not 0 <= getattr(self, name) <= 1:
                raise SettingsError(f"{name} is {getattr(self, name)}; expected 0 to 1")
        if self.mode not in set(Mode):
            known = ", ".join(Mode)
            raise SettingsError(f"there is no reward mode {self.mode!r}; there is {known}")


def points(task: Task, graded: Graded, answer: str, settings: RewardSettings) -> float | None:
    """The reward in [0, 1] for an answer's grade; None for what is void.

    Length and format only take away, so what is wrong earns nothing by its looks.
    """
    if graded.score is None:
        return None
    worth = _worth(task, graded, settings.mode)
    if settings.length_chars is not None and len(answer) > settings.length_chars:
        worth *= 1 - settings.length_off
    if settings.format_off and not extract(answer, task.kind).rule.startswith("fenced block"):
        worth *= 1 - settings.format_off
    return worth


def _worth(task: Task, graded: Graded, mode: Mode) -> float:
    if graded.outcome is Outcome.PASS:
        return 1.0
    if mode == Mode.SCALE:
        return graded.score or 0.0
    if mode == Mode.PASS or graded.reason in _BROKEN_RULES:
        return 0.0
    # The public cases stand in the prompt: an answer that holds nothing else earns nothing.
    public = [case.public for case in task.cases]
    counted = public if not all(public) else [False] * len(public)
    n_passed = sum(
        case["pass"] is True and not shown
        for case, shown in zip(graded.cases, counted, strict=False)  # none of what is no answer
    )
    return n_passed / counted.count(False)
