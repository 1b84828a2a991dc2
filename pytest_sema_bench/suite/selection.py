"""Which tasks a must-pass expression means: `L1 and not strings or palindrome`.

Names are whole task ids, slugs, levels (`L1`) and categories, joined by `and`, `or`, `not` and
brackets. Unlike pytest's `-k` a name never matches a part of another, and one that matches no
task is a mistake: a rule that silently means nothing would be worse than none.
"""

import ast
import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from pytest_sema_bench.errors import SettingsError

_WORD = re.compile(r"[^\s()]+")
# `L2-05-palindrome`, `string->number`; not `"a"` or `-L1`, which mean more to Python's parser.
_NAME = re.compile(r"\w[\w.+*/!?<>=:-]*")
_OPERATORS = {"and", "or", "not"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """A parsed expression."""

    text: str
    names: tuple[str, ...]
    """The names in it, in order, once each."""
    tree: ast.expr

    @classmethod
    def parse(cls, text: str) -> "Selection":
        """The expression of a text. Raises SettingsError that shows where it goes wrong."""
        names: list[str] = []

        def placeholder(found: re.Match[str]) -> str:
            word = found[0]
            if word in _OPERATORS:
                return word
            if not _NAME.fullmatch(word):
                raise _refusal(text, f"{word!r} is no name", found.start())
            if word not in names:
                names.append(word)
            # As long as the word, so that the parser's columns are those of the text.
            return f"n{names.index(word)}".ljust(len(word), "_")

        try:
            # Nothing at all is read as `()`, which is refused as all that is no name.
            tree = ast.parse(_WORD.sub(placeholder, text).strip() or "()", mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            column = (getattr(error, "offset", None) or 1) - 1
            raise _refusal(text, "expected names joined by and, or, not", column) from error
        _check(text, tree)
        return cls(text=text, names=tuple(names), tree=tree)

    def matches(self, names: frozenset[str]) -> bool:
        """Whether the expression means the task that answers to these `names_of` it."""
        return self._holds(self.tree, names)

    def check(self, tasks: Iterable[frozenset[str]]) -> None:
        """Raise SettingsError for a name that no task has, or if no task matches.

        `tasks` are the `names_of` all tasks that are about to run, or have run.
        """
        known = list(tasks)
        all_names = sorted(set().union(*known))
        for name in self.names:
            if name not in all_names:
                near = difflib.get_close_matches(name, all_names, n=3)
                hint = f"; did you mean {' or '.join(near)}?" if near else ""
                raise _refusal(self.text, f"no task is called or about {name!r}{hint}", None)
        if not any(map(self.matches, known)):
            raise _refusal(self.text, "no task matches it", None)

    def _holds(self, node: ast.expr, names: frozenset[str]) -> bool:
        if isinstance(node, ast.BoolOp):
            held = (self._holds(value, names) for value in node.values)
            return all(held) if isinstance(node.op, ast.And) else any(held)
        if isinstance(node, ast.UnaryOp):
            return not self._holds(node.operand, names)
        assert isinstance(node, ast.Name)
        return self.names[int(node.id[1:].rstrip("_"))] in names


def slug_of(task: str, level: str | None) -> str:
    """The id without level and number: `palindrome` of `L2-05-palindrome`."""
    if level is None or not task.startswith(f"{level}-"):
        return task
    return re.sub(r"^\d+-", "", task.removeprefix(f"{level}-"))


def names_of(task: str, level: str | None, category: str | None) -> frozenset[str]:
    """What a task of this id answers to: its id, its slug, its level, its category."""
    return frozenset(filter(None, (task, slug_of(task, level), level, category)))


def _check(text: str, node: ast.expr) -> None:
    match node:
        case ast.BoolOp(values=values):
            for value in values:
                _check(text, value)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            _check(text, operand)
        case ast.Name():
            pass
        case _:
            raise _refusal(text, "expected names joined by and, or, not", node.col_offset)


def _refusal(text: str, message: str, column: int | None) -> SettingsError:
    where = "" if column is None else f", column {column + 1}"
    return SettingsError(
        f"must-pass expression {text!r}{where}: {message}. Names are task ids, slugs, levels "
        "and categories, joined by and, or, not and brackets"
    )
