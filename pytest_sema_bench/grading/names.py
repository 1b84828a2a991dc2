"""What names mean to the VM before an answer is loaded.

Asked of the VM itself, never listed here, so that another version or build is judged by its
own rules.
"""

import asyncio
import re
from collections.abc import Iterable, Sequence
from enum import Enum

from pytest_sema_bench.sema.names import NAMED_LET, names_defined, top_forms
from pytest_sema_bench.sema.reader import ReadError, read_forms
from pytest_sema_bench.sema.vm import ErrorClass, SemaVM
from pytest_sema_bench.settings import Limits
from pytest_sema_bench.suite.task import Task


class NameKind(Enum):
    """What the VM takes a name for. The rules about names follow from it."""

    FUNCTION = "function"
    OPCODE = "opcode"
    """A function whose calls are compiled in place, whatever its name is bound to."""
    MACRO = "macro"
    SYNTAX = "syntax"
    """A special form; a macro of that name comes before it."""
    FIXED_SYNTAX = "fixed syntax"
    """A special form that no macro can replace."""
    CONSTANT = "constant"
    """Bound to a value that is neither function nor macro."""
    FREE = "free"
    """Not bound, and no special form."""


_N_ARGUMENTS = (1, 2, 3, 4)


class NameBook:
    """What names are in a fresh interpreter: asked of the VM once, then known."""

    def __init__(self, vm: SemaVM, limits: Limits) -> None:
        self._vm = vm
        self._limits = limits
        self._known: dict[str, NameKind] = {}
        self._in_place: dict[str, frozenset[int]] = {}
        self._asking = asyncio.Lock()
        self._wanted: frozenset[str] = frozenset()

    async def kinds_of(self, names: Iterable[str]) -> dict[str, NameKind]:
        """What each name is."""
        wanted = frozenset(names)
        # Grading begins for many tasks at once: the names of all that wait are asked for together.
        self._wanted |= wanted
        async with self._asking:
            unknown = (self._wanted | wanted) - self._known.keys()
            self._wanted = frozenset()
            self._known |= await kinds_of(unknown, self._vm, self._limits)
        return {name: self._known[name] for name in wanted}

    async def in_place(self, names: Iterable[str]) -> dict[str, frozenset[int]]:
        """With how many arguments a call of each function is compiled in place."""
        wanted = sorted(frozenset(names))
        async with self._asking:
            unknown = [name for name in wanted if name not in self._in_place]
            self._in_place |= await _in_place(unknown, self._vm, self._limits)
        return {name: self._in_place[name] for name in wanted}


async def kinds_of(
    names: Iterable[str], vm: SemaVM, limits: Limits, given: str | None = None
) -> dict[str, NameKind]:
    """What each name is in a fresh interpreter, after `given` if there is one."""
    order = sorted(set(names) - {NAMED_LET})
    kinds = {NAMED_LET: NameKind.FIXED_SYNTAX} if NAMED_LET in names else {}
    if not order:
        return kinds
    before = [given] if given else []
    looks = [text for name in order for text in (f"(procedure? {name})", name)]
    seen = (await vm.evaluate([*before, *looks], limits))[len(before) :]
    functions, others = [], []
    for name, is_function, value in zip(order, seen[::2], seen[1::2], strict=True):
        if is_function.value == "#t":
            functions.append(name)
        elif (value.value or "").startswith("<macro "):
            kinds[name] = NameKind.MACRO
        elif value.error is None:
            kinds[name] = NameKind.CONSTANT
        else:
            others.append(name)
    return kinds | await _function_kinds(functions, vm, limits) | await _syntax(others, vm, limits)


async def _function_kinds(names: Sequence[str], vm: SemaVM, limits: Limits) -> dict[str, NameKind]:
    in_place = await _in_place(names, vm, limits)
    return {name: NameKind.OPCODE if in_place[name] else NameKind.FUNCTION for name in names}


async def _in_place(names: Sequence[str], vm: SemaVM, limits: Limits) -> dict[str, frozenset[int]]:
    """With how many arguments a call of each function ignores what its name is bound to."""
    sources = [
        text
        for name in names
        for text in (
            f"(define ({name} . arguments) :replaced)",
            *(f"({name} {' '.join('1' * n)})" for n in _N_ARGUMENTS),
        )
    ]
    results = await vm.evaluate(sources, limits) if sources else ()
    step = 1 + len(_N_ARGUMENTS)
    return {
        name: frozenset(
            n
            for n, call in zip(_N_ARGUMENTS, results[index * step + 1 :], strict=False)
            if call.value != ":replaced"
        )
        for index, name in enumerate(names)
    }


async def _syntax(names: Sequence[str], vm: SemaVM, limits: Limits) -> dict[str, NameKind]:
    """An unbound name is a special form if a call of it gets any other complaint."""
    sources = [
        text
        for name in names
        for text in (f"({name})", f"(defmacro {name} (. arguments) :replaced)", f"({name})")
    ]
    results = await vm.evaluate(sources, limits) if sources else ()
    kinds = {}
    for index, name in enumerate(names):
        before, _, after = results[index * 3 : index * 3 + 3]
        if before.error_class is ErrorClass.UNBOUND and before.error_name == name:
            kinds[name] = NameKind.FREE
        elif after.value == ":replaced":
            kinds[name] = NameKind.SYNTAX
        else:
            kinds[name] = NameKind.FIXED_SYNTAX
    return kinds


def names_asked(task: Task) -> frozenset[str]:
    """The names that an answer to the task is expected to define.

    What the reference defines; without a reference, what the prompt shows being called.
    """
    if task.reference is None:
        return frozenset(re.findall(r"\(([^\s()\[\]{}\"';`,]+)", task.prompt))
    try:
        forms = read_forms(task.reference)
    except ReadError:
        return frozenset()
    return frozenset().union(*map(names_defined, top_forms(forms)))
