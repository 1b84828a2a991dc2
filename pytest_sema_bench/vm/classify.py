"""From the VM's message to an `ErrorClass` and the name it is about.

The VM gives text only; its first line says what happened, the later ones where. A reader
error has a bare position (`at <input>:1:6`), a run-time error a frame (`at car (<input>:1:1)`).
"""

import re

from pytest_sema_bench.vm import ErrorClass

_RULES: tuple[tuple[ErrorClass, re.Pattern[str]], ...] = (
    (ErrorClass.STEPS, re.compile(r"evaluation exceeded step limit")),
    (ErrorClass.STACK, re.compile(r"stack overflow")),
    (ErrorClass.EXCEPTION, re.compile(r"User exception:|assertion failed")),
    (ErrorClass.UNBOUND, re.compile(r"(?:Unbound variable|undefined variable): (?P<name>\S+)")),
    (ErrorClass.MATCH, re.compile(r"match\S*: no clause matched")),
    (
        ErrorClass.ARITY,
        re.compile(
            r"(?P<name>\S+?):? expects (?:at least |at most |exactly )?\d.* arguments?, got"
        ),
    ),
    (ErrorClass.TYPE, re.compile(r"(?:(?P<name>\S+): )?expected .+, got |not callable|cannot mix")),
)
_READER_POSITION = re.compile(r"^\s+at <input>:\d+:\d+\s*$")
_FRAME = re.compile(r"^\s+at (?P<name>\S+) \(<input>:\d+:\d+\)")
_READER_WORDS = re.compile(r"^(?:Reader error|unterminated |unexpected (?:closing|character|end))")


def classify(message: str) -> tuple[ErrorClass, str | None]:
    """The class of a VM message and the name or form concerned, None where it tells none."""
    first, _, rest = message.partition("\n")
    second = rest.partition("\n")[0]
    frame = _FRAME.match(second)
    frame_name = frame["name"] if frame and not frame["name"].startswith("<") else None
    for error_class, pattern in _RULES:
        if found := pattern.search(first):
            return error_class, found.groupdict().get("name") or frame_name
    if _READER_POSITION.match(second) or _READER_WORDS.match(first):
        return ErrorClass.PARSE, None
    return ErrorClass.OTHER, frame_name


def classify_trap(message: str, *, memory_bytes: int, cap_bytes: int) -> ErrorClass:
    """The class of a trap that killed the instance, from its text and the memory it held.

    A failed allocation traps without a word, a Rust panic leaves its text behind, and a
    JavaScript stack overflow says so.
    """
    if "call stack" in message or "stack overflow" in message:
        return ErrorClass.STACK
    if "panicked" in message and "alloc" not in message and "capacity" not in message:
        return ErrorClass.OTHER
    if memory_bytes >= cap_bytes // 2 or "unreachable" in message:
        return ErrorClass.MEMORY
    return ErrorClass.OTHER
