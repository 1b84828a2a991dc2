"""A run counted once, and the lines that show it: on the terminal and in summary.md."""

from collections.abc import Iterator
from dataclasses import dataclass

from pytest_sema_bench.records.reader import RunData
from pytest_sema_bench.records.record import Record
from pytest_sema_bench.report.failures import failure_lines
from pytest_sema_bench.report.ladder import ladder_lines
from pytest_sema_bench.report.summary import error_lines, table_lines
from pytest_sema_bench.tables.ladder import Ladder, make_ladders
from pytest_sema_bench.tables.levels import Table, make_tables
from pytest_sema_bench.tables.vm_errors import ErrorTable, make_error_tables


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedRun:
    """The records that count, and the tables that are made of them."""

    records: tuple[Record, ...] = ()
    tables: tuple[Table, ...] = ()
    errors: tuple[ErrorTable, ...] = ()
    ladders: tuple[Ladder, ...] = ()

    @classmethod
    def of(cls, run: RunData) -> "CountedRun":
        """A run as its folder holds it."""
        levels = run.manifest.levels
        return cls(
            records=run.records,
            tables=make_tables(run.records, run.items, levels),
            errors=make_error_tables(run.records, levels),
            ladders=make_ladders(run.records),
        )

    def lines(self, *, markdown: bool = False) -> Iterator[str]:
        """All tables."""
        yield from table_lines(self.tables, markdown=markdown)
        yield from error_lines(self.errors, markdown=markdown)
        if markdown:  # for the terminal they are too much
            yield from failure_lines(self.records, markdown=True)
        yield from ladder_lines(self.ladders, markdown=markdown)
