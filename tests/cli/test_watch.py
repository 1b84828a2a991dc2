"""`sema-bench watch`: of a run folder that grows."""

from pathlib import Path

from pytest_sema_bench.cli import main
from pytest_sema_bench.records.follow import Follower
from tests.conftest import Capture
from tests.samples.outcomes import records_of, tasks_of, write_run


def test_what_was_written_is_counted_once(tmp_path: Path) -> None:
    """Half a line waits for its end; a verdict goes over a void record of the same item."""
    void, verdict = (records_of({"L1-00-list": letter})[0] for letter in "vp")
    other = records_of({"L1-01-list": "f"})[0]
    file = tmp_path / "records.jsonl"
    file.write_text(f"{void.to_json()}\n{other.to_json()[:40]}")
    follower = Follower(tmp_path)
    first = follower.look()
    assert (first.n_graded, first.n_void, first.n_new) == (0, 1, 0)
    with file.open("a") as rest:
        rest.write(f"{other.to_json()[40:]}\n{verdict.to_json()}\n")
    second = follower.look()
    assert (second.n_graded, second.n_pass, second.n_void, second.n_new) == (2, 1, 0, 2)


def test_a_run_that_has_ended_is_said_once(tmp_path: Path, capsys: Capture) -> None:
    """One line, and the command ends."""
    write_run(tmp_path / "run", records_of(tasks_of("ppf")))
    assert main(["watch", str(tmp_path / "run")]) == 0
    assert "3 of" in capsys.readouterr().out
    assert main(["watch", str(tmp_path / "none")]) == 3
    assert "there is no run folder" in capsys.readouterr().err
