"""--sema-confirm: newly broken tasks are run again before they count."""

from collections import Counter

import pytest

from pytest_sema_bench.records.reader import read_records
from tests.chat_server import ChatServer, Request, Step
from tests.plugin.bench_dir import BenchDir, read_table
from tests.plugin.gated import ALL_PASS, BASELINE, FIVE_BROKEN, FOUR_BROKEN, GatedDir

REGRESSED = 1
CONFIRM = "--sema-confirm=2"


@pytest.fixture
def gated(bench_dir: BenchDir, chat_server: ChatServer) -> GatedDir:
    """A project of eight sums."""
    return GatedDir(bench_dir, chat_server)


class Recovering:
    """A script that goes from `first` to `later` with each task's second question."""

    def __init__(self, gated: GatedDir, first: str, later: str) -> None:
        self.n_asked: Counter[str] = Counter()
        self._gated = gated
        self._scripts = (gated.script(first), gated.script(later))

    def __call__(self, request: Request) -> Step:
        """The step of the script that it is the turn of."""
        slug = self._gated.bench_dir.slug(request)
        self.n_asked[slug] += 1
        return self._scripts[self.n_asked[slug] > 1](request)


BROKEN = [f"adding-{number}" for number in range(1, 6)]


@pytest.mark.parametrize("n_workers", ["-n0", "-n2"])
def test_an_alarm_that_is_not_confirmed_is_taken_back(gated: GatedDir, n_workers: str) -> None:
    """Only the newly broken tasks are asked again, K times; the table is that of the run."""
    gated.save_baseline(ALL_PASS)
    script = Recovering(gated, FIVE_BROKEN, ALL_PASS)
    gated.server.play(script)
    result = gated.bench_dir.ask(gated.server, BASELINE, CONFIRM, n_workers)
    assert result.ret == pytest.ExitCode.OK
    result.assert_outcomes(passed=3, failed=5)
    assert script.n_asked == {f"adding-{n}": 3 if n <= 5 else 1 for n in range(1, 9)}
    result.stdout.fnmatch_lines(
        [
            "gate: NO EVIDENCE OF REGRESSION*",
            "  the test fired, but further runs of the broken tasks did not confirm it",
        ]
    )
    row = read_table(result.outlines, "m-tools")["all"]
    assert (row["tasks"], row["passed"]) == ("8", "3")
    assert len(gated.records()) == 8
    further = read_records(gated.bench_dir.run_folder / "confirm")
    assert Counter(record.sample for record in further) == {2: 5, 3: 5}
    assert {record.outcome for record in further} == {"pass"}


def test_an_alarm_that_is_confirmed_stands(gated: GatedDir) -> None:
    """Still broken is status 1."""
    gated.save_baseline(ALL_PASS)
    script = Recovering(gated, FIVE_BROKEN, FOUR_BROKEN)
    gated.server.play(script)
    assert gated.bench_dir.ask(gated.server, BASELINE, CONFIRM).ret == REGRESSED
    assert sum(script.n_asked.values()) == 8 + 10


def test_further_runs_that_are_void_take_nothing_back(gated: GatedDir) -> None:
    """A server that is down by then does not make a run green."""
    gated.save_baseline(ALL_PASS)
    gated.server.play(Recovering(gated, FIVE_BROKEN, "v" * 8))
    result = gated.bench_dir.ask(gated.server, BASELINE, CONFIRM)
    assert result.ret == REGRESSED
    assert len(gated.records()) == 8


def test_without_an_alarm_nothing_is_asked_again(gated: GatedDir) -> None:
    """Four of eight broken are no evidence, so there is nothing to confirm."""
    gated.save_baseline(ALL_PASS)
    assert gated.run(FOUR_BROKEN, BASELINE, CONFIRM).ret == pytest.ExitCode.OK
    assert gated.server.n_requests == 8
    assert not (gated.bench_dir.run_folder / "confirm").exists()


@pytest.mark.parametrize("text", ["0", "-1", "two", "1.5"])
def test_the_number_is_whole_and_above_zero(gated: GatedDir, text: str) -> None:
    """Anything else is a usage error before anything is asked."""
    line = gated.refused(f"--sema-confirm={text}")
    assert line == f"--sema-confirm: found '{text}', expected a whole number from 1 to 100"
