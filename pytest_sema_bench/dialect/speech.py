"""What is said to the VM in a dialect, and what it says, in the dialect's words again."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

from pytest_sema_bench.dialect.dialect import Dialect
from pytest_sema_bench.dialect.prose import about_code
from pytest_sema_bench.dialect.translate import (
    LOST,
    WRAPPED,
    Edit,
    edited,
    kept_names,
    to_sema,
    translate,
)
from pytest_sema_bench.sema.vm import Evaluation

# A stack frame of a function of ours: `  at foldl~wrapped (<input>:1:20)`.
_OWN_FRAME = re.compile(rf"^  at \S+{WRAPPED}(?: \(<input>:\d+:\d+\))?\n?", re.MULTILINE)
_ADVICE = re.compile(r"^  hint: Did you mean '([^']*)'\?\n?", re.MULTILINE)
_UNBOUND = re.compile(r"^(?:Unbound|undefined) variable: (\S+)")
_PLACE = re.compile(r"(?<=<input>:)(\d+):(\d+)")
_WORD = re.compile(r"[^\s()\[\]{}\"';`,@:]+")
_MARKED = re.compile(rf"[^\s()\[\]{{}}\"';`,@:<]+(?:{LOST}|{WRAPPED})+(?![^\s()\[\]{{}}\"';`,@:>])")
# A string, or a symbol; a keyword is none.
_ATOM = re.compile(
    r'"(?:[^"\\]|\\.)*"|(?<![^\s()\[\]{}\'`,@])[^\s()\[\]{}"\';`,@:#<>][^\s()\[\]{}"\';`,@:]*'
)
# What no word of a text has: `string/join`, `set!`, but not `e.g.`
_SIGN = re.compile(r"[a-z][/*?!]|->|-[a-z]")
# Where the VM's messages name functions, be they English words or not: `map: expected`,
# `sort expects 2`, `got int in map`, `  at map`, `hint: map: …`, `'set!'`, `<native-fn map>`.
_NAME = r"[^\s()\[\]{}\"';`,@:<>][^\s()\[\]{}\"';`,@:<>]*|[<>]=?"
_NAMED = re.compile(
    rf"(?P<before>^|^  hint: )(?P<name>{_NAME})(?=: | expects | argument \d| requires )"
    rf"|(?P<at>^  at | in |'| variable: )(?P<there>{_NAME})"
    r"(?=['\"]| \(<input>|$)",
    re.MULTILINE,
)


# A function as it is printed, and the place of one in a caught error.
_PRINTED = re.compile(r"(?<=<native-fn )[^\s<>]+|(?<=<macro )[^\s<>]+")
_TRACED = re.compile(r'\{:col (\d+)\s+:line (\d+)\s+:name "([^"\s]+)"\}')


@dataclass(frozen=True, kw_only=True)  # without slots, for the words are kept once known
class Speech:
    """Sources as the VM gets them, and the way back."""

    dialect: Dialect | None
    said: tuple[str, ...]
    """What was said."""
    texts: tuple[str, ...]
    """The same as Sema."""
    edits: tuple[tuple[Edit, ...], ...] = ()
    prelude: str | None = None
    """A source that defines functions with the dialect's order of arguments."""

    @property
    def plain(self) -> str:
        """The last source as Sema has it, for who looks at its names."""
        return self.texts[-1].replace(WRAPPED, "")

    @property
    def sources(self) -> tuple[str, ...]:
        """All that the VM is given; the last ones are `texts`."""
        return self.texts if self.prelude is None else (self.prelude, *self.texts)

    def back(self, evaluation: Evaluation, index: int = -1) -> Evaluation:
        """The evaluation of one of the sources as the dialect has it."""
        if self.dialect is None:
            return evaluation
        error, name = evaluation.error, evaluation.error_name
        return replace(
            evaluation,
            value=evaluation.value and self.value(evaluation.value),
            output=tuple(map(self.shown, evaluation.output)),
            error=error and self.message(error, index),
            error_name=name and self.name(name),
        )

    def shown(self, text: str) -> str:
        """A line of output, in which only what cannot be the program's own words changes."""
        text = _PRINTED.sub(lambda found: self._unmarked(found[0]), text)
        # Marks go last: without them what the dialect lacks would be taken for what it has.
        return _MARKED.sub(lambda found: self.name(found[0]), self._told(text))

    def value(self, printed: str) -> str:
        """A printed value; symbols that stand in what was said were written so."""
        printed = _TRACED.sub(self._traced, printed)

        def outside(found: re.Match[str]) -> str:
            return found[0] if found[0][0] == '"' else self._unsaid(found)

        return self.shown(_ATOM.sub(outside, printed))

    def message(self, error: str, index: int = -1) -> str:
        """A message of the VM, with places of the source and an advice of the dialect."""
        text = _OWN_FRAME.sub("", error)
        found, advice = _UNBOUND.match(text), _ADVICE.search(text)
        text = _PLACE.sub(
            lambda at: "{}:{}".format(*self._where(int(at[1]), int(at[2]), index)), text
        )
        if advice is not None and self._is_sema(advice[1]):
            text = _ADVICE.sub("", text).removesuffix("\n")
            advice = None
        first, *rest = text.split("\n")
        lines = [self.shown(first), *(self._line(line) for line in rest)]
        if found is not None and advice is None:
            near = _nearest(self.name(found[1]), self.dialect)
            lines += [f"  hint: Did you mean '{near}'?"] if near else []
        return "\n".join(lines)

    def _line(self, line: str) -> str:
        """A frame or a hint."""
        told = self.shown(line)
        return self.about(told) if line.startswith("  hint: ") else told

    def _told(self, text: str) -> str:
        text = _NAMED.sub(
            lambda found: (
                (found["before"] or found["at"] or "")
                + self._unsaid(found["name"] or found["there"])
            ),
            text,
        )
        return _WORD.sub(
            lambda found: self._unsaid(found[0]) if _SIGN.search(found[0]) else found[0], text
        )

    def _traced(self, found: re.Match[str]) -> str:
        line, column = self._where(int(found[2]), int(found[1]), -1)
        return f'{{:col {column} :line {line} :name "{self.name(found[3])}"}}'

    def _unmarked(self, name: str) -> str:
        """The dialect's name for one that bears no mark."""
        return name if name.endswith((LOST, WRAPPED)) else self.name(name)

    def _unsaid(self, found: re.Match[str] | str) -> str:
        """The dialect's name for what is none of the program's own words."""
        name = found if isinstance(found, str) else found[0]
        return name if name in self._own_words else self._unmarked(name)

    @cached_property
    def _own_words(self) -> frozenset[str]:
        """The words of the sources, but for the names that were translated."""
        rest = (
            edited(said, [Edit(e.start, e.end, " ") for e in edits])
            for said, edits in zip(self.said, self.edits, strict=True)
        )
        return frozenset(word for text in rest for word in _WORD.findall(text))

    def about(self, text: str) -> str:
        """A hint of the VM, in which names stand in brackets or quotes."""
        return text if self.dialect is None else about_code(text, self.dialect, words=False)

    def name(self, name: str) -> str:
        """A name that the VM was given."""
        assert self.dialect is not None
        if name.endswith(LOST):
            return name.removesuffix(LOST)
        return self.dialect.name(name.removesuffix(WRAPPED))

    def _is_sema(self, name: str) -> bool:
        assert self.dialect is not None
        return name.endswith((LOST, WRAPPED)) or name in self.dialect.words

    def _where(self, line: int, column: int, index: int) -> tuple[int, int]:
        """The line and column in what was said for those in what the VM was given."""
        lines = self.texts[index].splitlines(keepends=True)
        if not self.edits or line > len(lines):
            return line, column
        at = _offset_before(self.edits[index], sum(map(len, lines[: line - 1])) + column - 1)
        before = self.said[index][:at]
        return before.count("\n") + 1, at - before.rfind("\n")


def speak(dialect: Dialect | None, sources: Sequence[str], own: Iterable[str] = ()) -> Speech:
    """The sources of one interpreter, said in a dialect, or in plain Sema if there is none.

    `own` are names that are not the dialect's there: those of the task.
    """
    said = tuple(sources)
    if dialect is None:
        return Speech(dialect=None, said=said, texts=said)
    tongue = to_sema(dialect)
    kept = frozenset(own).union(*(kept_names(source, tongue) for source in said))
    edits = tuple(translate(source, tongue, kept) for source in said)
    used = {edit.text for each in edits for edit in each if edit.text.endswith(WRAPPED)}
    wrappers = [_wrapper(name.removesuffix(WRAPPED), dialect, kept) for name in sorted(used)]
    return Speech(
        dialect=dialect,
        said=said,
        texts=tuple(edited(*each) for each in zip(said, edits, strict=True)),
        edits=edits,
        prelude="\n".join(wrappers) or None,
    )


def _wrapper(name: str, dialect: Dialect, kept: frozenset[str]) -> str:
    """The definition of a function that takes its arguments as the dialect has them."""
    order = dialect.orders.get(name)
    if order is None:
        return f"(define {name}{WRAPPED} {name})"
    given = " ".join(f"a{place + 1}" for place in order)
    called = " ".join(f"a{n + 1}" for n in range(len(order)))
    if name in kept:  # the program defines another function of that name
        return f"(define {name}{WRAPPED} ((fn (f) (fn ({given}) (f {called}))) {name}))"
    return f"(define ({name}{WRAPPED} {given}) ({name} {called}))"


def _offset_before(edits: Sequence[Edit], offset: int) -> int:
    """Where a place of the edited text was before."""
    shift = 0
    for edit in edits:
        start = edit.start + shift
        if offset < start:
            break
        grown = len(edit.text) - (edit.end - edit.start)
        if offset < start + len(edit.text):
            return edit.start
        shift += grown
    return offset - shift


@lru_cache(maxsize=1024)
def _nearest(name: str, dialect: Dialect) -> str | None:
    """What the VM would advise if it spoke the dialect: it bears with a third of the letters."""
    # A run in plain Sema has no use for it, and every run imports this.
    from rapidfuzz.distance import Levenshtein

    most = max(1, min(3, len(name.encode()) // 3))
    distances = (
        (Levenshtein.distance(name, word, score_cutoff=most), word) for word in dialect.vocabulary
    )
    distance, word = min((d, word) for d, word in distances if d)
    return word if distance <= most else None
