"""Wrong answers made by machine: the reference with one small change each.

If no case of a task catches such a mutant, either it behaves as the reference does, or the
task lets a wrong answer pass. Which changes there are is in `edits`.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from pytest_sema_bench.grading.proof.edits import Edit, edits, text_of
from pytest_sema_bench.grading.proof.operators import Operator
from pytest_sema_bench.sema.reader import Form, Kind, ReadError, read_form, read_forms

_MAX_SHOWN = 56
_MAX_PART = 24
_MAX_LINE = 90


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """The source of an answer with one change."""

    id: str
    """`operator before -> after`, with ` @2` behind the second of the same: this names the
    mutant in a task file, and stays the same when other parts of the answer change."""
    operator: Operator
    line: int
    """Line of the change in the answer, counted from 1."""
    before: str
    after: str
    """The changed form as it was and as it is, shortened; "nothing" if it was left out."""
    source: str


def mutate(source: str) -> tuple[Mutant, ...]:
    """All mutants of a program, each once, in an order that depends on the program only.

    () for a text that cannot be read. Mutants that cannot be read are left out.
    """
    try:
        found = list(edits(read_forms(source)))
    except ReadError:
        return ()
    mutants: dict[str, Mutant] = {}
    n_named: Counter[str] = Counter()
    for edit in found:
        changed = source[: edit.start] + edit.text + source[edit.end :]
        if changed == source or changed in mutants or not _readable(changed):
            continue
        before = _sketch(edit.shown)
        after = _shown_after(edit, changed, len(changed) - len(source))
        name = f"{edit.operator.value} {before} -> {after}"
        n_named[name] += 1
        mutants[changed] = Mutant(
            id=name if n_named[name] == 1 else f"{name} @{n_named[name]}",
            operator=edit.operator,
            line=source.count("\n", 0, edit.start) + 1,
            before=before,
            after=after,
            source=changed,
        )
    return tuple(mutants.values())


def choose(mutants: Sequence[Mutant], limit: int) -> tuple[Mutant, ...]:
    """At most `limit` of the mutants, spread over the operators, in their order.

    The choice goes by a hash of the id, so an edit elsewhere in the answer hardly moves it.
    """
    if len(mutants) <= limit:
        return tuple(mutants)
    ranked = sorted(mutants, key=lambda mutant: hashlib.sha256(mutant.id.encode()).digest())
    n_before: Counter[Operator] = Counter()
    rounds: list[tuple[int, int, Mutant]] = []
    for rank, mutant in enumerate(ranked):
        rounds.append((n_before[mutant.operator], rank, mutant))
        n_before[mutant.operator] += 1
    chosen = {mutant.id for _, _, mutant in sorted(rounds, key=lambda r: r[:2])[:limit]}
    return tuple(mutant for mutant in mutants if mutant.id in chosen)


def _readable(source: str) -> bool:
    try:
        return bool(read_forms(source))
    except ReadError:
        return False


def _shown_after(edit: Edit, changed: str, n_longer: int) -> str:
    end = edit.shown.end + n_longer
    if not changed[edit.shown.start : end].strip():
        return "nothing"
    return _sketch(read_form(changed[:end], edit.shown.start))


def _sketch(form: Form) -> str:
    """The form on one line; where it is long, its longer parts are shown by their heads."""
    line = _one_line(form)
    if len(line) > _MAX_SHOWN and form.children:
        if form.kind is Kind.PREFIX:
            return form.text + _sketch(form.children[0])
        line = _joined(form, [_shortened(child) for child in form.children])
    return line if len(line) <= _MAX_LINE else f"{line[: _MAX_LINE - 1]}…"


def _shortened(form: Form) -> str:
    line = _one_line(form)
    if len(line) <= _MAX_PART:
        return line
    if form.kind is Kind.PREFIX:
        return form.text + _shortened(form.children[0])
    return f"({form.head} …)" if form.head else "…"


def _one_line(form: Form) -> str:
    if form.kind is Kind.PREFIX:
        return form.text + _one_line(form.children[0])
    if form.kind in (Kind.ATOM, Kind.STRING, Kind.FSTRING) or not form.children:
        return " ".join(text_of(form).split()) if form.kind is not Kind.STRING else form.text
    return _joined(form, [_one_line(child) for child in form.children])


def _joined(form: Form, parts: Sequence[str]) -> str:
    # `(`, `[`, `{`, `#(` or `#u8(`.
    opening = form.text[: form.text.index(form.text.lstrip("#u8")[0]) + 1]
    return f"{opening}{' '.join(parts)}{form.text[-1]}"
