"""How an item, its conversation and a run end: closed sets, whose texts are what JSON holds."""

from enum import StrEnum


class Outcome(StrEnum):
    """The three ways an item can end; `void` is never counted as wrong."""

    PASS = "pass"  # noqa: S105 - an outcome, no password
    FAIL = "fail"
    VOID = "void"


class Reason(StrEnum):
    """Why a verdict fell."""

    RIGHT = "right"
    WRONG_VALUE = "wrong value"
    WRONG_OUTPUT = "wrong output"
    ERROR = "error"
    TIME = "time"
    """A call was stopped by the clock, ours or the processor's; what steps end is an error."""
    NO_ANSWER = "no answer"
    TRUNCATED = "truncated"
    REQUIRES = "required name not used"
    FORBIDS = "forbidden name used"


class Void(StrEnum):
    """Why an item says nothing about the model. The last two stand in no record."""

    API = "api error"
    NOT_ASKED = "not asked"
    BUDGET = "budget"
    RECORDING = "no recording"
    VM = "vm host fault"
    TASK = "task error"
    INTERNAL = "internal error"
    MISSING = "no record"
    UNLIKE = "graded unlike the other samples"


class Stop(StrEnum):
    """How a conversation with a model ended."""

    ANSWERED = "answered"
    FORCED = "rounds used up"
    TRUNCATED = "token limit"
    EMPTY = "empty answer"
    THOUGHT = "reasoning only"
    """The final message holds reasoning and no answer."""
    REFUSED = "refusal"
    """The final message says why there is no answer, where the chat API has a field for that."""
    STRAY_CALL = "tool call instead of an answer"


class RunStatus(StrEnum):
    """How far a run has come."""

    RUNNING = "running"
    INCOMPLETE = "incomplete"
    """It ended before every item was tried."""
    FINISHED = "finished"


def read_reason(outcome: Outcome, text: str) -> Reason | Void:
    """The reason of an outcome, by its text. Raises ValueError for what is none of its reasons."""
    return Void(text) if outcome is Outcome.VOID else Reason(text)
