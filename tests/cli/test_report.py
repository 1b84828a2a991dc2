"""`sema-bench report`: one file from one run or several."""

from dataclasses import replace
from pathlib import Path

import pytest

from pytest_sema_bench.cli import main
from tests.conftest import Capture
from tests.samples.made_up_run import PLAYERS, suite, write_made_up_run

FEW = suite()[:12]


def test_one_run_gets_its_report_in_its_folder(tmp_path: Path, capsys: Capture) -> None:
    """Without -o the file stands beside the records, and its path is printed."""
    run = tmp_path / "run"
    write_made_up_run(run, players=PLAYERS[:1], tasks=FEW)
    assert main(["report", str(run)]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith(f"{run / 'report.html'}: 12 items, ")
    assert (run / "report.html").read_text("utf-8").startswith("<!doctype html>")


def test_several_runs_become_one_file(tmp_path: Path, capsys: Capture) -> None:
    """Models that ran apart stand side by side; folders on the way to the file are made."""
    for number, player in enumerate(PLAYERS[:3]):
        write_made_up_run(tmp_path / f"run{number}", players=[player], tasks=FEW, day=number + 1)
    output = tmp_path / "new" / "all.html"
    runs = [str(tmp_path / f"run{number}") for number in range(3)]
    assert main(["report", *runs, "-o", str(output)]) == 0
    assert "36 items" in capsys.readouterr().out
    page = output.read_text("utf-8")
    assert all(f"{player.name}-tools" in page for player in PLAYERS[:3])
    assert "Not compared with a baseline" in page


def test_a_baseline_adds_verdict_and_changes(tmp_path: Path) -> None:
    """A run that fell far is called regressed, and its broken tasks are links."""
    player = replace(PLAYERS[0], skill=0.95)
    write_made_up_run(tmp_path / "old", players=[player])
    write_made_up_run(tmp_path / "new", players=[replace(player, skill=0.2)], seed=7)
    arguments = ["report", str(tmp_path / "new"), "--baseline", str(tmp_path / "old")]
    assert main(arguments) == 0
    page = (tmp_path / "new" / "report.html").read_text("utf-8")
    assert "Gate: regressed" in page
    changes = page[page.index('<h2 id="changes">') : page.index('<h2 id="heat">')]
    assert changes.count('<a href="#/item/') > 20


@pytest.mark.parametrize("baseline", [False, True])
def test_what_cannot_be_read_is_said(tmp_path: Path, capsys: Capture, baseline: bool) -> None:
    """The path is named, and the exit status is that of a file that cannot be read."""
    run = tmp_path / "run"
    write_made_up_run(run, players=PLAYERS[:1], tasks=FEW)
    extra = [str(run), "--baseline"] if baseline else []
    assert main(["report", *extra, str(tmp_path / "nowhere")]) == 3
    assert str(tmp_path / "nowhere") in capsys.readouterr().err
    assert not (run / "report.html").exists()


def test_a_file_that_cannot_be_written_is_said(tmp_path: Path, capsys: Capture) -> None:
    """A folder in the file's place is named, and nothing half-written stays."""
    run = tmp_path / "run"
    write_made_up_run(run, players=PLAYERS[:1], tasks=FEW)
    (tmp_path / "taken").mkdir()
    assert main(["report", str(run), "-o", str(tmp_path / "taken")]) == 3
    assert "cannot be written" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run", "taken"]
