"""From the VM's message to an `ErrorClass` and the name or form that it is about.

The VM gives text only: what happened, then a frame per line, then perhaps a hint. Errors that
keep a whole source from running (of the reader, of a special form's shape) have no frame for
top-level code, which the VM calls `<lambda>`; all others end with it. Where the message names
nothing, the sources do: a frame's position leads to the call that failed.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pytest_sema_bench.sema.reader import Form, Kind, ReadError, read_forms
from pytest_sema_bench.sema.vm.protocol import ErrorClass

_TOP_LEVEL = "<lambda>"
# `  at f (<input>:3:7)`, `  at map`; not `  at <input>:3:7`, which is the reader's.
_FRAME = re.compile(
    r"^\s+at (?!<input>)(?P<name>[^\s(]+)(?: \(<input>:(?P<line>\d+):(?P<column>\d+)\))?\s*$",
    re.MULTILINE,
)
# A place without a name before it: the reader got no further.
_READER_POSITION = re.compile(r"^\s+at <input>:\d+:\d+\s*$", re.MULTILINE)
# `  hint: map: expected a list` names a function, `  hint: Did you mean 'length'?` none.
_HINT = re.compile(r"^\s+hint: (?P<name>[^\s:]+): ", re.MULTILINE)
_RAISERS = frozenset({"throw", "error", "assert", "assert="})

_RULES: tuple[tuple[ErrorClass, re.Pattern[str]], ...] = (
    (ErrorClass.STEPS, re.compile(r"evaluation exceeded step limit")),
    (ErrorClass.STACK, re.compile(r"stack overflow")),
    (
        ErrorClass.OTHER,  # What ends the root of a program, as WASM and native say it: no frames.
        re.compile(
            r"runtime deadlocked|async scheduler: |channel/\w+: channel is |tool panicked: "
        ),
    ),
    (ErrorClass.EXCEPTION, re.compile(r"User exception:|assertion failed")),
    (ErrorClass.UNBOUND, re.compile(r"(?:Unbound variable|undefined variable): (?P<name>\S+)")),
    (ErrorClass.MATCH, re.compile(r"(?P<name>match\S*): no clause matched")),
    (ErrorClass.MATCH, re.compile(r"(?P<name>destructure): expected")),
    (ErrorClass.MATCH, re.compile(r"no method in multimethod '(?P<name>[^']+)'")),
    (ErrorClass.MATCH, re.compile(r"no matching syntax-rules clause for macro '(?P<name>[^']+)'")),
    (
        ErrorClass.ARITY,
        re.compile(r"(?P<name>\S+) expects (?:no|\d.*) arguments?, got "),
    ),
)
# `let: expected a list`: the form that is ill-shaped comes first.
_SHAPE = re.compile(r"(?P<name>[^\s:]+): ")
# `expected list, got int in map`, `string/upper argument 1 expected string, got int`, and
# `not callable: 5 (int)`. An article tells of a form's shape: `let: expected a list`.
_TYPE = re.compile(
    r"(?:(?P<name>[^\s:]+)(?: argument \d+|:) )?expected (?!an? ).+, got .+?(?: in (?P<in>\S+))?$"
    r"|not callable: |(?:.* )?cannot mix "
)
# `I/O error: file/read /x: No such file` names file/read.
_OTHER = re.compile(
    r"(?:I/O error: |Permission denied: )?(?P<name>[^\s:]+)(?: \S+)?"
    r"(?:: | requires | not supported)"
)
_NOT_CALLS = frozenset(
    {"and", "begin", "case", "cond", "def", "define", "define-syntax", "define-values", "defmacro"}
    | {"defmethod", "defmulti", "defn", "defun", "delay", "do", "else", "fn", "if", "lambda", "let"}
    | {"let*", "let*-values", "let-values", "letrec", "match", "or", "progn", "quasiquote"}
    | {"quote", "set!", "try", "unless", "when", "while"}
)
_MACRO = re.compile(
    r"\((?:defmacro|define-syntax|->>?|as->|some->|if-let|when-let|dotimes|for-range|guard"
    r"|parameterize|with-\w+|async/\w+|parallel\S*|pipeline\S*)[\s)]"
)
"""What makes code: `defmacro`, and what the VM prints as `<macro …>`."""
# What can be blamed: not `-1`, `:key`, `#t`, `<lambda>`, but `-`, `<` and `<=`.
_NAME = re.compile(r"(?!-?\d|[:#]|<\w|(?:nil|true|false)$)")
_LISTS = (Kind.LIST, Kind.LAMBDA, Kind.PREFIX)
_MAX_READ_CHARS = 20_000


@dataclass(frozen=True, slots=True)
class _Frame:
    name: str
    position: tuple[int, int] | None
    """Line and column, from 1."""


def classify(message: str, sources: Sequence[str] = ()) -> tuple[ErrorClass, str | None]:
    """The class of a VM message and the name or form concerned, None where nothing tells it.

    `sources` are those that the interpreter has been given, the failing one last.
    """
    first, _, rest = message.partition("\n")
    frames = [_make_frame(found) for found in _FRAME.finditer(rest)]
    calls = _calls_at(frames, sources)
    # The text of `(error …)` is the program's own: it may look like any message of the VM.
    if calls[:1] == ["error"]:
        return ErrorClass.EXCEPTION, "error"
    raiser = next((call for call in calls if call in _RAISERS), None)
    if _may_be_made(frames, sources):
        calls = []
    for error_class, pattern in _RULES:
        if found := pattern.match(first):
            return error_class, _explicit(found, frames) or _blamed(frames, calls)
    ran = any(frame.name == _TOP_LEVEL for frame in frames)
    if not ran:
        if _READER_POSITION.search(rest):
            return ErrorClass.PARSE, None
        if frames or _SHAPE.match(first):
            return ErrorClass.PARSE, _shape_name(first, frames, sources)
        return (ErrorClass.PARSE if "depth exceeded" in first else ErrorClass.OTHER), None
    if frames[0].name in _RAISERS:
        return ErrorClass.EXCEPTION, frames[0].name
    hint = _HINT.search(rest)
    name = hint["name"] if hint else None
    if found := _TYPE.match(first):
        return ErrorClass.TYPE, found["name"] or found["in"] or name or _blamed(frames, calls)
    if raiser:
        return ErrorClass.EXCEPTION, raiser
    named = _OTHER.match(first)
    return ErrorClass.OTHER, (named["name"] if named else name) or _blamed(frames, calls)


def _make_frame(found: re.Match[str]) -> _Frame:
    line = found["line"]
    return _Frame(found["name"], (int(line), int(found["column"])) if line else None)


def _explicit(found: re.Match[str], frames: Sequence[_Frame]) -> str | None:
    """The name in the message; of a stack overflow or an exception that of the first frame."""
    name = found.groupdict().get("name")
    if name is None and frames:
        name = frames[0].name
    return name if name is not None and _NAME.match(name) else None


def _shape_name(first: str, frames: Sequence[_Frame], sources: Sequence[str]) -> str | None:
    """The form as it was written, which the frame knows, unless a macro wrote it."""
    if frames and not _has_macros(sources):
        return frames[0].name
    found = _SHAPE.match(first)
    return found["name"] if found else None


def _blamed(frames: Sequence[_Frame], calls: Sequence[str]) -> str | None:
    """The call that failed if there is no doubt, else the first frame's function."""
    if len(calls) == 1:
        return calls[0]
    name = frames[0].name if frames else _TOP_LEVEL
    return name if _NAME.match(name) and not calls else None


def _may_be_made(frames: Sequence[_Frame], sources: Sequence[str]) -> bool:
    """Whether a macro may have made the code that failed at top level.

    The VM gives such code the position of whatever stood in its place in memory before: any
    call of any source, and another one the next time.
    """
    at_top = bool(frames) and frames[0].name == _TOP_LEVEL
    return at_top and _has_macros(sources)


def _has_macros(sources: Sequence[str]) -> bool:
    return any(map(_MACRO.search, sources))


def _calls_at(frames: Sequence[_Frame], sources: Sequence[str]) -> list[str]:
    """The names of the calls that the first frame's position can mean, innermost first.

    The VM gives a call the position of its last argument that is a list, so an enclosing call
    is meant as well as the one that starts there. What a macro made may have any position:
    it counts only within the definition of the function that the frame names.
    """
    position = frames[0].position if frames else None
    if position is None:
        return []
    functions = {frame.name for frame in frames if frame.position == position}
    for source in reversed(sources):
        path = _path_to(source, position)
        defined = {name for form in path for name in _signature(form)}
        if path and (_TOP_LEVEL in functions or functions & defined):
            return list(_calls(path, frames[0]))
    return []


def _calls(path: Sequence[Form], frame: _Frame) -> Iterator[str]:
    """The heads of a path's forms from its end, as far as each is the last list of the next."""
    in_data = [form.kind is Kind.PREFIX and form.text in "'`" for form in path]
    for index in range(len(path) - 1, -1, -1):
        form = path[index]
        if form.kind is Kind.LIST and form.head and not any(in_data[:index]):
            if form.head in _NOT_CALLS or not _NAME.match(form.head):
                return
            yield form.head
            if frame.name == form.head:
                return
        if index and form is not _last_list(path[index - 1]):
            return


def _last_list(form: Form) -> Form | None:
    return next((child for child in reversed(form.children) if child.kind in _LISTS), None)


def _signature(form: Form) -> tuple[str, ...]:
    """The name that a form defines, if it does."""
    if not (form.head or "").startswith("def") or len(form.children) < 2:
        return ()
    target = form.children[1]
    return (target.head or target.text,)


def _path_to(source: str, position: tuple[int, int]) -> list[Form]:
    """The forms around the one that starts at a position, outermost first; [] if none does."""
    lines = source[:_MAX_READ_CHARS].split("\n")
    if position[0] > len(lines):
        return []
    offset = sum(len(line) + 1 for line in lines[: position[0] - 1]) + position[1] - 1
    try:
        forms = read_forms(source[:_MAX_READ_CHARS])
    except ReadError:
        return []
    path: list[Form] = []
    while form := next((form for form in forms if form.start <= offset < form.end), None):
        path.append(form)
        if form.start == offset and form.kind is not Kind.ATOM:
            return path
        forms = form.children
    return []


def classify_trap(
    message: str, *, memory_bytes: int, cap_bytes: int, sources: Sequence[str] = ()
) -> tuple[ErrorClass, str | None]:
    """The class of a trap that killed the instance, and the name concerned if it can be told.

    A failed allocation traps without a word, and so does a function that needs a clock, which
    this build lacks. A JavaScript stack overflow says so.
    """
    if "call stack" in message or "stack overflow" in message:
        return ErrorClass.STACK, None
    # A clock traps with hardly any memory in use: with much of it, memory is what ran out.
    clock = re.search(r"\(\s*(time|time/ms)[\s)]", "\n".join(sources))
    if clock and memory_bytes < cap_bytes // 4:
        return ErrorClass.OTHER, clock[1]
    return (ErrorClass.MEMORY if "unreachable" in message else ErrorClass.OTHER), None
