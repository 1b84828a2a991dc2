"""The VM behind a dialect: sources in the dialect in, evaluations in its words out."""

from collections.abc import Sequence

from pytest_sema_bench.dialect.dialect import Dialect
from pytest_sema_bench.dialect.speech import speak
from pytest_sema_bench.sema.vm import Evaluation, SemaVM, VMInfo
from pytest_sema_bench.settings import Limits


class DialectVM:
    """A `SemaVM` that speaks a dialect."""

    def __init__(self, vm: SemaVM, dialect: Dialect) -> None:
        self._vm = vm
        self._dialect = dialect

    async def evaluate(self, sources: Sequence[str], limits: Limits) -> tuple[Evaluation, ...]:
        """See SemaVM.evaluate."""
        speech = speak(self._dialect, sources)
        results = await self._vm.evaluate(speech.sources, limits)
        results = results[len(results) - len(sources) :]
        return tuple(speech.back(result, index) for index, result in enumerate(results))

    async def info(self) -> VMInfo:
        """See SemaVM.info."""
        return await self._vm.info()

    async def close(self) -> None:
        """See SemaVM.close."""
        await self._vm.close()
