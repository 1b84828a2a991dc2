"""Whether an answer keeps to `requires` and `forbids`: what it called, and what its code says.

A function is watched: before the answer is loaded, its name is bound to a wrapper that notes
the call and passes it on. A special form or a macro cannot be watched, so it is looked for in
the code that can run. docs/grading.md says what follows from that.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pytest_sema_bench.grading.names import NameKind
from pytest_sema_bench.grading.probe import Probe
from pytest_sema_bench.records.outcome import Reason
from pytest_sema_bench.sema.names import (
    all_atoms,
    heads_used,
    names_defined,
    names_used,
    symbols_in,
    top_forms,
)
from pytest_sema_bench.sema.reader import Form, ReadError, read_forms

_FUNCTIONS = (NameKind.FUNCTION, NameKind.OPCODE)
_REPLACEABLE = (NameKind.MACRO, NameKind.SYNTAX)
_FORMS = (*_REPLACEABLE, NameKind.FIXED_SYNTAX)
# Anywhere in a name: `string->symbol` and `read-string` make a name out of text.
_MAKES_NAMES = re.compile("eval|symbol|read|intern|load")
# Likewise: what evaluates data, and what makes code of it before it is evaluated.
_MAKES_CODE = re.compile("eval|load|defmacro")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The names that a task requires and forbids, and what they are."""

    requires: tuple[str, ...]
    forbids: tuple[str, ...]
    kinds: Mapping[str, NameKind]

    @property
    def watched(self) -> tuple[str, ...]:
        """The functions among them, in a fixed order: that of the probe's flags."""
        names = dict.fromkeys([*self.requires, *self.forbids])
        return tuple(name for name in names if self.kinds[name] in _FUNCTIONS)

    def flags(self, probe: Probe) -> tuple[str, ...]:
        """The variables that hold whether each watched function was called."""
        return tuple(probe.name("called", name) for name in self.watched)

    def sources(self, probe: Probe) -> list[str]:
        """What watches the functions, to be loaded right before the answer."""
        if not self.watched:
            return []
        # Under a name of ours: the answer may define another `apply`.
        apply = probe.name("to call with", "apply")
        kept, wrappers, bound, macros = [f"(define {apply} apply)"], [], [], []
        for name, flag in zip(self.watched, self.flags(probe), strict=True):
            function = probe.name("function", name)
            wrapper = probe.name("wrapper", name)
            kept.append(f"(define {flag} #f) (define {function} {name})")
            wrappers.append(
                f"(define {wrapper}"
                f" (fn (. arguments) (set! {flag} #t) ({apply} {function} arguments)))"
            )
            if self.kinds[name] is NameKind.OPCODE and name in self.forbids:
                # A binding would not catch its calls; a macro does, and minds local names.
                macros.append(f"(defmacro {name} (. arguments) `({wrapper} ,@arguments))")
            else:
                bound.append(f"(define {name} {wrapper})")
        # A macro is known from the start of its source on, so each has one of its own.
        return ["\n".join(kept + wrappers), "\n".join(bound), *macros]

    def broken(
        self, answer: "Loaded", called: frozenset[str], users: Iterable[str]
    ) -> tuple[Reason, str] | None:
        """The first rule that the answer breaks, None if it keeps to all.

        `called` are the watched functions that it called, `users` the sources of the cases.
        """
        if not self.requires and not self.forbids:
            return None
        users = tuple(users)
        whole, ran = _Code(answer.read, users), _Code(answer.ran, users)
        # The VM's own macros call functions too; only what the answer can name is its doing.
        called = frozenset(name for name in called if whole.can_name(name))
        for name in self.requires:
            if not (name in called or (not ran.unread and self._stands_in(ran, name))):
                return Reason.REQUIRES, name
        for name in self.forbids:
            if name in called or self._forbidden_in(whole, name):
                return Reason.FORBIDS, name
        return None

    def _stands_in(self, code: "_Code", name: str) -> bool:
        """Whether code that can run uses a required name in a way that cannot be watched."""
        kind = self.kinds[name]
        if kind is NameKind.FUNCTION or (kind in _REPLACEABLE and name in code.defined):
            return False
        return name in (code.heads if kind in _FORMS else code.names)

    def _forbidden_in(self, code: "_Code", name: str) -> bool:
        kind = self.kinds[name]
        if kind is NameKind.OPCODE:
            return code.defined_elsewhere(name)
        if kind is NameKind.FUNCTION:
            return False
        # What makes code can make it of names that stand in data.
        made = kind in _FORMS and code.makes_code and name in code.atoms
        return code.unread or made or self._stands_in(code, name)

    def passed_as_value(self, blocks: Sequence[str], error: str | None) -> str | None:
        """The forbidden opcode that an answer tried to pass on, going by the VM's complaint."""
        if "macro" not in (error or ""):
            return None
        named = frozenset().union(*map(symbols_in, blocks))
        macros = (name for name in self.forbids if self.kinds[name] is NameKind.OPCODE)
        return next((name for name in macros if name in named), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What became of an answer's blocks."""

    read: tuple[str, ...]
    """Those that the VM could read: whatever is in them, it may have run."""
    ran: tuple[str, ...]
    """Those of which it has run something."""


class _Code:
    """The code of an answer that can run: what cases and top-level expressions lead to."""

    def __init__(self, blocks: Sequence[str], users: Iterable[str]) -> None:
        self.unread = False
        """Whether a block is beyond our reader, so that nothing can be said for sure."""
        self._by_block: list[list[Form]] = []
        for block in blocks:
            try:
                self._by_block.append(list(top_forms(read_forms(block))))
            except ReadError:
                self.unread = True
        forms = [form for forms in self._by_block for form in forms]
        self.atoms = frozenset().union(*map(all_atoms, forms))
        reached = _reached(forms, frozenset().union(*map(symbols_in, users)))
        self.defined = frozenset().union(*map(names_defined, forms))
        self.names = names_used(reached)
        self.heads = heads_used(reached)

    def can_name(self, name: str) -> bool:
        """Whether the answer spells a name anywhere, or could make it up while it runs."""
        makes_names = any(_MAKES_NAMES.search(atom) for atom in self.atoms)
        return self.unread or name in self.atoms or makes_names

    @property
    def makes_code(self) -> bool:
        """Whether the answer could run what it has put together of data."""
        return any(_MAKES_CODE.search(atom) for atom in self.atoms)

    def defined_elsewhere(self, name: str) -> bool:
        """Whether a block calls a name that only another block defines.

        The VM honours a definition of an opcode's name in its own source only.
        """
        defining = [name in frozenset().union(*map(names_defined, b)) for b in self._by_block]
        return any(defining) and any(
            name in heads_used(forms) and not defines
            for forms, defines in zip(self._by_block, defining, strict=True)
        )


def _reached(forms: Sequence[Form], wanted: frozenset[str]) -> list[Form]:
    """Expressions, and the definitions of names that they or `wanted` lead to."""
    reached = [form for form in forms if not names_defined(form)]
    waiting = [form for form in forms if names_defined(form)]
    wanted |= names_used(reached)
    while found := [form for form in waiting if names_defined(form) & wanted]:
        reached += found
        waiting = [form for form in waiting if not names_defined(form) & wanted]
        wanted |= names_used(found)
    return reached
