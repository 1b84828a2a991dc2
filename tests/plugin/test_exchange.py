"""Runs in other tools' formats, read by the real libraries, and back."""

import csv
import importlib.util
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from pyarrow import parquet

from pytest_sema_bench.cli import main
from pytest_sema_bench.exchange.frames import COLUMNS
from pytest_sema_bench.exchange.inspect_log import SCORER
from pytest_sema_bench.records.outcome import Outcome
from pytest_sema_bench.records.reader import read_run
from pytest_sema_bench.tables.levels import make_tables
from tests.chat_server import ChatServer, Request, Step, call_tool, complete, refuse
from tests.plugin.bench_dir import WRONG, BenchDir

# In a process of its own: the package starts threads and warns as it is imported.
READ = """
import json, sys
from inspect_ai.log import read_eval_log, read_eval_log_sample_summaries
log = read_eval_log(sys.argv[1])
summaries = read_eval_log_sample_summaries(sys.argv[1])
print(json.dumps({**log.model_dump(mode="json"), "n_summaries": len(summaries)}))
"""


def odd(request: Request) -> Step:
    """A tool call that is no JSON, then reasoning beside an answer."""
    if request.turn == 0:
        return call_tool(arguments="{broken")
    message = {"role": "assistant", "content": "Value: 3", "reasoning_content": "1 + 2"}
    return complete({"choices": [{"message": message, "finish_reason": "stop"}]})


@pytest.fixture
def ran(bench_dir: BenchDir, chat_server: ChatServer) -> BenchDir:
    """A run with a right, a wrong and a void item and an odd conversation, two samples each."""
    refusal = refuse(400, "no")
    chat_server.play(bench_dir.script(palindrome=WRONG, doubling=refusal, adding=odd))
    result = bench_dir.ask(chat_server, "--sema-samples=2")
    result.assert_outcomes(passed=4, failed=2, errors=2)
    return bench_dir


def test_inspect_reads_the_log(ran: BenchDir, capsys: pytest.CaptureFixture[str]) -> None:
    """Counts, scores, epochs, messages; void items are errors without a score."""
    log = ran.path / "run.eval"
    assert main(["export", str(ran.run_folder), "-o", str(log)]) == 0
    assert capsys.readouterr().out == f"{log}: 8 samples of m-tools\n"
    done = subprocess.run([sys.executable, "-c", READ, log], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    read = json.loads(done.stdout)
    assert (read["status"], read["n_summaries"]) == ("success", 8)
    (score,) = read["results"]["scores"]
    assert score["metrics"]["accuracy"]["value"] == pytest.approx(4 / 6)
    assert (score["scored_samples"], score["unscored_samples"]) == (6, 2)
    samples = {(sample["id"], sample["epoch"]): sample for sample in read["samples"]}
    for record in read_run(ran.run_folder).records:
        sample = samples[record.task, record.sample]
        graded = sample["scores"].get(SCORER)
        assert (graded and graded["value"]) == (
            (record.graded and ("C" if record.passed else "I")) or None
        )
        assert (sample["error"] is None) == record.graded
        assert sum(u["total_tokens"] for u in sample["model_usage"].values()) == record.tokens.total
    _, _, asked, told, answer = samples["L1-01-adding", 1]["messages"]
    assert asked["tool_calls"][0]["parse_error"]
    assert (told["role"], answer["content"][0]["reasoning"]) == ("tool", "1 + 2")
    assert "not #f" in samples["L2-01-palindrome", 2]["scores"][SCORER]["explanation"]


def test_a_log_becomes_a_run_again(ran: BenchDir, capsys: pytest.CaptureFixture[str]) -> None:
    """Answers are graded anew, whatever the log says of them; compare and report take the run."""
    log, back = ran.path / "run.eval", ran.path / "back"
    assert main(["export", str(ran.run_folder), "-o", str(log)]) == 0
    cheated = ran.path / "cheated.eval"
    with zipfile.ZipFile(log) as old, zipfile.ZipFile(cheated, "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name).replace(b'"value": "I"', b'"value": "C"'))
    argv = ["import", str(cheated), "-o", str(back), "--tasks", str(ran.path / "tasks")]
    assert main(argv) == 0
    before, after = read_run(ran.run_folder).records, read_run(back).records
    ends = [
        sorted((r.task, r.sample, r.outcome, r.answer) for r in side if r.graded)
        for side in (before, after)
    ]
    assert ends[0] == ends[1]
    assert sum(record.outcome is Outcome.VOID for record in after) == 2
    assert main(["report", str(back), "-o", str(ran.path / "r.html")]) == 0
    assert main(["compare", str(ran.run_folder), str(back)]) == 0
    assert "difference 0 points" in capsys.readouterr().out
    assert main(argv) == 3
    assert "is there already" in capsys.readouterr().err


def test_notebooks_read_the_records(ran: BenchDir) -> None:
    """CSV by the standard library and Parquet by pyarrow hold the same rows; columns say what."""
    folder = str(ran.run_folder)
    assert main(["export", folder, "--format", "csv", "-o", str(ran.path / "r.csv")]) == 0
    assert main(["export", folder, "--format", "parquet", "-o", str(ran.path / "r.parquet")]) == 0
    with (ran.path / "r.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    table = parquet.read_table(ran.path / "r.parquet")
    assert [row["task"] for row in rows] == table.column("task").to_pylist()
    assert [row["score"] for row in rows] == [
        "" if score is None else str(score) for score in table.column("score").to_pylist()
    ]
    assert table.column("cost_usd").null_count == 8
    assert table.schema.field("reason").metadata[b"description"] == COLUMNS[7].meaning.encode()


WRONGLY: dict[str, tuple[list[str], int, str]] = {
    "no output": (["export", "RUN"], 2, "-o what to write"),
    "no run": (["export", "none", "-o", "x.eval"], 3, "there is no run folder none"),
    "no log": (["import", "none.eval"], 3, "there is no log none.eval"),
    "another file": (["import", "pyproject.toml"], 3, "not a log of Inspect AI"),
}


@pytest.mark.parametrize(("argv", "status", "message"), WRONGLY.values(), ids=WRONGLY)
def test_a_mistake_is_named(
    argv: list[str],
    status: int,
    message: str,
    bench_dir: BenchDir,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What is missing, and nothing is written."""
    monkeypatch.chdir(bench_dir.path)
    if status == 2:
        with pytest.raises(SystemExit):
            main(argv)
    else:
        assert main(argv) == status
    assert message in capsys.readouterr().err
    assert not Path("x.eval").exists()


def test_every_eval_ever_takes_the_rates(ran: BenchDir, capsys: pytest.CaptureFixture[str]) -> None:
    """Rates and intervals are the table's; its own validator reads them where it is installed."""
    command = ["export", str(ran.run_folder), "--format", "every-eval-ever", "-o", str(ran.path)]
    with pytest.raises(SystemExit, match="2"):
        main(command)
    assert "--organization NAME" in capsys.readouterr().err
    assert main([*command, "--organization", "us"]) == 0
    path = Path(capsys.readouterr().out.strip())
    read = json.loads(path.read_text("utf-8"))
    assert path.parent == ran.path / "data" / "sema-bench" / read["model_info"]["id"]
    assert read["source_metadata"]["source_organization_name"] == "us"
    *levels, total = read["evaluation_results"]
    assert [level["score_details"]["score"] for level in levels] == [1.0, 0.0, 1.0]
    run = read_run(ran.run_folder)
    told, row = total["score_details"], make_tables(run.records, run.items)[0].total
    assert (told["score"], told["uncertainty"]["num_samples"]) == (row.pass_rate, 6)
    found = told["uncertainty"]["confidence_interval"]
    assert (found["lower"], found["upper"]) == row.interval
    assert told["details"]["void"] == "2"
    if importlib.util.find_spec("every_eval_ever"):
        check = [sys.executable, "-m", "every_eval_ever", "validate", str(path)]
        assert subprocess.run(check, check=False).returncode == 0
