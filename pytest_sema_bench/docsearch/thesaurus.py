"""What can stand for a word or a phrase of a query, by stems."""

from collections.abc import Iterable, Sequence

from pytest_sema_bench.docsearch.words import stem


class Thesaurus:
    """Groups of words and phrases, each member of which can stand for the others."""

    def __init__(self, groups: Iterable[Sequence[str]]) -> None:
        self._words: dict[str, dict[str, None]] = {}
        self._phrases: dict[tuple[str, ...], dict[str, None]] = {}
        for group in groups:
            members = [tuple(stem(word) for word in text.lower().split()) for text in group]
            words = [member[0] for member in members if len(member) == 1]
            for member in members:
                others = dict.fromkeys(word for word in words if member != (word,))
                if len(member) == 1:
                    self._words.setdefault(member[0], {}).update(others)
                else:
                    self._phrases.setdefault(member, {}).update(others)
        self._longest = max(map(len, self._phrases), default=0)

    def words(self, term: str) -> tuple[str, ...]:
        """The stems that can stand for a stem."""
        return tuple(self._words.get(term, ()))

    def phrases(self, query: str) -> list[tuple[str, ...]]:
        """For each phrase that a query holds, the stems that can stand for it."""
        stems = [stem(word.strip("?.,;:!\"'()")) for word in query.lower().split()]
        return [
            tuple(self._phrases[window])
            for size in range(2, self._longest + 1)
            for start in range(len(stems) - size + 1)
            if (window := tuple(stems[start : start + size])) in self._phrases
        ]
