"""Code in another language: Sema's in a dialect's words, and back.

Names change where they stand in code. Strings, comments, characters, keywords and quoted data stay
as they are, and so do names that the code binds: as parameters, in a `let` or a pattern, or by
a definition. A template is code; so is what a macro quotes, what is quoted within a call of
`eval`, and, where code defines macros, any quoted name that the language has.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from pytest_sema_bench.dialect.binders import BINDERS, Bound, names_in, pattern_names, record_names
from pytest_sema_bench.dialect.dialect import Dialect, special_forms
from pytest_sema_bench.sema.reader import TOO_DEEP, Form, Kind, ReadError, read_forms

LOST, WRAPPED = "~lost", "~wrapped"
"""How the VM is given a name that the dialect does not have, and a function whose arguments stand
in another order."""

_NONE: Bound = frozenset()
_DEFINERS = frozenset({"define", "def", "defn", "defun", "defmacro", "define-syntax", "defmulti"})
_MOST_IN_A_STRING = 150
"""Brackets in an f-string: what it interpolates may be nested too deeply, which is not told."""
_THREADS = frozenset({"->", "->>", "some->"})
_HOLE = Form(kind=Kind.ATOM, text="nil", start=0, end=0)
"""Stands for what `->` puts into a form."""
_MARKS = {"quote": "'", "quasiquote": "`", "unquote": ",", "unquote-splicing": ",@"}


class Quoted(Enum):
    """What quoted data is taken for."""

    DATA = "data"
    NAMES = "names"
    """Data in which a name of the language is meant as one."""
    CODE = "code"


@dataclass(frozen=True, slots=True)
class Edit:
    """A stretch of the source and what stands there now."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tongue:
    """How one language is said in another."""

    meaning: Callable[[str], str | None]
    """Sema's name for a name of the source; None if it has none there."""
    name: Callable[[str, Quoted], str]
    """What stands for a name that the source does not bind."""
    order: Callable[[str], tuple[int, ...] | None] = lambda name: None
    """In which order the arguments of a function of the source are to stand."""
    adapter: Callable[[str], str] = str
    """What stands for such a function where its arguments do not stand behind it."""


def to_sema(dialect: Dialect) -> Tongue:
    """From the dialect to what the VM is given."""

    def meaning(name: str) -> str | None:
        return dialect.sema.get(name) or (None if name in dialect.words else name)

    def name(text: str, quoted: Quoted) -> str:
        if known := dialect.sema.get(text):
            return known + WRAPPED if known in dialect.orders else known
        if quoted is Quoted.NAMES:
            return text
        lost = text in dialect.words or text.endswith((LOST, WRAPPED)) or text.startswith("__")
        return text + LOST if lost else text

    return Tongue(meaning=meaning, name=name)


def from_sema(dialect: Dialect) -> Tongue:
    """From Sema to the dialect."""

    def adapter(name: str) -> str:
        order = dialect.orders[name]
        given = [f"a{n + 1}" for n in range(len(order))]
        call = " ".join(given[place] for place in order)
        return f"({dialect.name('fn')} ({' '.join(given)}) ({dialect.name(name)} {call}))"

    return Tongue(
        meaning=str,
        name=lambda text, quoted: dialect.name(text),
        order=dialect.orders.get,
        adapter=adapter,
    )


def translate(source: str, tongue: Tongue, own: Iterable[str] = ()) -> tuple[Edit, ...]:
    """What changes in a source, in order; nothing in one that nobody can read.

    `own` are names that stay: those of the task, and those that other sources define.
    """
    try:
        forms = read_forms(source)
    except ReadError as error:
        return _refused(source) if str(error) == TOO_DEEP else ()
    walk = _Walk(source, tongue, frozenset(own) | _kept(forms, tongue), _quoted_in(forms, tongue))
    try:
        walk.all(forms, _NONE)
    except RecursionError:
        return _refused(source)
    return _sorted(walk.edits)


def _refused(source: str) -> tuple[Edit, ...]:
    """In place of what is nested too deeply: left as it is, it could run as plain Sema."""
    return (Edit(0, len(source), "(nested-too-deeply)"),)


def kept_names(source: str, tongue: Tongue) -> frozenset[str]:
    """The names that a source defines at its top level and that stay as they are."""
    try:
        return _kept(read_forms(source), tongue)
    except ReadError:
        return frozenset()


def edited(source: str, edits: Iterable[Edit], start: int = 0, end: int | None = None) -> str:
    """A stretch of the source, all of it unless told, with the edits made."""
    parts = []
    for edit in edits:
        parts += [source[start : edit.start], edit.text]
        start = edit.end
    return "".join([*parts, source[start : len(source) if end is None else end]])


def _sorted(edits: Iterable[Edit]) -> tuple[Edit, ...]:
    return tuple(sorted(edits, key=lambda edit: edit.start))


def _kept(forms: Iterable[Form], tongue: Tongue) -> Bound:
    # What the dialect lacks must not be had by defining it as itself; a form stays what it is.
    unfit = special_forms() | {None}
    return frozenset(n for n in _defined(forms, tongue) if tongue.meaning(n) not in unfit)


def _defined(forms: Iterable[Form], tongue: Tongue) -> Bound:
    """The names that forms define where they stand."""
    names: set[str] = set()
    for form in forms:
        meaning = tongue.meaning(form.head or "")
        rest = form.children[1:]
        if meaning in ("begin", "progn"):
            names |= _defined(rest, tongue)
        elif meaning == "define-values":
            names |= names_in(rest[:1])
        elif meaning == "define-record-type":
            names |= names_in(record_names(rest))
        elif meaning in _DEFINERS and rest:
            target = rest[0]
            while target.kind is Kind.LIST and target.children:
                target = target.children[0]
            names |= names_in([target])
    return frozenset(names)


def _quoted_in(forms: Iterable[Form], tongue: Tongue) -> Quoted:
    pending = list(forms)
    while pending:
        form = pending.pop()
        if tongue.meaning(form.head or "") == "defmacro":
            return Quoted.NAMES
        pending.extend(form.children)
    return Quoted.DATA


class _Walk:
    """One pass over the code of a source."""

    def __init__(self, source: str, tongue: Tongue, kept: Bound, quoted: Quoted) -> None:
        self.edits: list[Edit] = []
        self._source = source
        self._tongue = tongue
        self._kept = kept
        self._quoted = quoted
        self._outside: Bound | None = None
        """Within a template, the local names of the code around it."""

    def code(self, form: Form, bound: Bound, *, lacks_one: bool = False) -> None:
        """Note what changes in a form of code.

        `bound` are the local names; `lacks_one` says that a macro adds an argument to the call.
        """
        first = form.children[0] if form.children else None
        if form.kind is Kind.FSTRING and form.text.count("(") > _MOST_IN_A_STRING:
            raise RecursionError
        if form.kind is Kind.ATOM:
            self._atom(form, bound)
        elif form.kind is Kind.PREFIX:
            self._prefixed(form.text, form.children[0], bound)
        elif form.kind in (Kind.LIST, Kind.LAMBDA) and first and first.kind is Kind.ATOM:
            self._call(first, form.children[1:], bound, lacks_one=lacks_one)
        else:
            self.all(form.children, bound)

    def all(self, forms: Sequence[Form], bound: Bound) -> None:
        """See Visitor."""
        for form in forms:
            self.code(form, bound)

    def body(self, forms: Sequence[Form], bound: Bound, *, is_macro: bool = False) -> None:
        """See Visitor."""
        quoted = self._quoted
        self._quoted = Quoted.CODE if is_macro else quoted
        defined = _defined(forms, self._tongue)
        lost = {name for name in defined if self._lost(name)}
        self.all(forms, (bound | defined) - lost)
        self._quoted = quoted

    def bind(self, patterns: Sequence[Form], bound: Bound) -> Bound:
        """See Visitor.

        A name that the other language lacks is bound under another one, lest it captures what
        the language's own name becomes; but as a key of a map it must stay.
        """
        for pattern in patterns:
            self._unquoted(pattern, bound)
        inner = set(bound)
        for form, is_key in pattern_names(patterns):
            lost = self._lost(form.text)
            if lost is None or is_key:
                inner.add(form.text)
            else:
                self.edits.append(Edit(form.start, form.end, lost))
                inner.discard(form.text)
        return frozenset(inner)

    def _unquoted(self, form: Form, bound: Bound) -> None:
        if form.kind is Kind.PREFIX:
            self._prefixed(form.text, form.children[0], bound)
        else:
            for child in form.children:
                self._unquoted(child, bound)

    def _lost(self, name: str) -> str | None:
        """What stands for a name that the other language lacks; None for any other name."""
        text = self._tongue.name(name, Quoted.CODE)
        return text if text.endswith(LOST) and name not in self._kept else None

    def _atom(self, form: Form, bound: Bound, quoted: Quoted = Quoted.CODE) -> None:
        if form.text in bound or form.text in self._kept:
            return
        text = self._tongue.name(form.text, quoted)
        taken = text != form.text and (text in bound or text in self._kept)
        if taken and text not in special_forms():
            # A function, and what the code binds or the task asks for is called like it.
            text += WRAPPED
        if quoted is Quoted.CODE and self._tongue.order(form.text) is not None:
            text = self._tongue.adapter(form.text)
        if text != form.text:
            self.edits.append(Edit(form.start, form.end, text))

    def _prefixed(self, mark: str, inner: Form, bound: Bound) -> None:
        outside = self._outside
        if mark == "'":
            self._data(inner)
        elif mark == "`":
            self._outside = bound if outside is None else outside
            self.code(inner, _NONE)
        elif mark in (",", ",@") and outside is not None:
            self._outside = None
            self.code(inner, outside)
        else:
            self.code(inner, bound)
        self._outside = outside

    def _data(self, form: Form) -> None:
        if self._quoted is Quoted.CODE:
            self.code(form, _NONE)
        elif self._quoted is Quoted.NAMES:
            if form.kind is Kind.ATOM:
                self._atom(form, _NONE, Quoted.NAMES)
            for child in form.children:
                self._data(child)

    def _call(self, head: Form, rest: Sequence[Form], bound: Bound, *, lacks_one: bool) -> None:
        is_own = head.text in bound or head.text in self._kept
        meaning = None if is_own else self._tongue.meaning(head.text)
        order = None if is_own else self._tongue.order(head.text)
        if meaning in _MARKS:
            for form in rest:
                self._prefixed(_MARKS[meaning], form, bound)
        elif order is not None and not lacks_one and not _is_spliced(rest):
            self._reorder(head, rest, order, bound)
        elif meaning is not None and meaning in BINDERS and rest:
            self._atom(head, bound)
            if lacks_one and meaning == "as->":
                rest = (_HOLE, *rest)
            BINDERS[meaning](self, rest, bound)
        else:
            self._atom(head, bound)
            quoted = self._quoted
            self._quoted = Quoted.CODE if meaning in ("eval", "macroexpand") else quoted
            for index, form in enumerate(rest):
                self.code(form, bound, lacks_one=meaning in _THREADS and index > 0)
            self._quoted = quoted

    def _reorder(
        self, head: Form, rest: Sequence[Form], order: tuple[int, ...], bound: Bound
    ) -> None:
        """A call whose arguments change places; with too few or too many they keep theirs."""
        edits = [Edit(head.start, head.end, self._tongue.name(head.text, Quoted.CODE))]
        around, texts = self.edits, []
        for form in rest:
            self.edits = []
            self.code(form, bound)
            texts.append(edited(self._source, _sorted(self.edits), form.start, form.end))
        places = order if len(rest) == len(order) else range(len(rest))
        edits += [
            Edit(form.start, form.end, texts[place])
            for form, place in zip(rest, places, strict=True)
        ]
        self.edits = around + edits


def _is_spliced(forms: Iterable[Form]) -> bool:
    return any(form.kind is Kind.PREFIX and form.text == ",@" for form in forms)
