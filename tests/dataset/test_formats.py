"""Every format: written, proven by `dataset check`, and read by the library that it is made for."""

import asyncio
import json
import shutil
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_sema_bench.dataset.check import check_dataset
from pytest_sema_bench.dataset.formats import FORMATS, Format, Unfit
from pytest_sema_bench.dataset.mix import Mixture
from pytest_sema_bench.dataset.output import MANIFEST, hash_of, read_parquet, write_dataset
from pytest_sema_bench.dataset.row import Row
from pytest_sema_bench.dataset.spec import SourceSpec, Spec
from pytest_sema_bench.reward.truth import ProgramTruth, read_truth
from pytest_sema_bench.sema.vm import SemaVM
from pytest_sema_bench.sema.vm.install import install
from pytest_sema_bench.sema.vm.node import find_node
from tests.samples.rows import ALL, PAIR, TRACE, TRIPLE

pytestmark = pytest.mark.vm

SOURCE = SourceSpec(name="mine", files=(), share=1.0, benchmark=False)
SPEC = Spec(
    name="small",
    rows=None,
    seed=0,
    validation=0.2,
    near=0.7,
    system="You write Sema.",
    suites=(),
    sources=(SOURCE,),
)
Run = Callable[[Any], Any]


def fitting(form: Format) -> list[Row]:
    """The rows that a format has a place for."""
    rows = []
    for row in ALL:
        try:
            form.records(row, SPEC.system)
        except Unfit:
            continue
        rows.append(row)
    return rows


@pytest.fixture
def built(
    tmp_path: Path, event_loop_runner: asyncio.Runner, vm: SemaVM
) -> Callable[[str], tuple[Path, list[Row]]]:
    """Writes a data set of the small rows in a format; all but one are to train."""

    def build(name: str) -> tuple[Path, list[Row]]:
        form, folder = FORMATS[name], tmp_path / name
        rows = fitting(form)
        counts = {SOURCE.name: len(rows)}
        train, validation = (rows[1:], rows[:1]) if len(rows) > 1 else (rows, [])
        mixture = Mixture(
            train=tuple(train),
            validation=tuple(validation),
            dropped=(),
            found=counts,
            kept=counts,
            binding=None,
        )
        write_dataset(folder, SPEC, form, mixture, (), event_loop_runner.run(vm.info()))
        return folder, train

    return build


@pytest.mark.parametrize("name", FORMATS)
def test_what_was_written_is_proven_again(
    name: str,
    built: Callable[[str], tuple[Path, list[Row]]],
    event_loop_runner: asyncio.Runner,
    vm: SemaVM,
) -> None:
    """`dataset check` has nothing to say of any format as it was built."""
    folder, train = built(name)
    checked = event_loop_runner.run(check_dataset(folder, vm))
    assert checked.faults == ()
    assert checked.n_rows >= len(train) > 0
    assert checked.n_records >= checked.n_rows


@pytest.mark.parametrize("name", [name for name, form in FORMATS.items() if form.suffix])
def test_datasets_loads_a_format_by_its_card(
    name: str,
    built: Callable[[str], tuple[Path, list[Row]]],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """`load_dataset(DIR)` gives each record as it was written, without keys of its neighbours."""
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    datasets = pytest.importorskip("datasets")
    folder, train = built(name)
    loaded = datasets.load_dataset(str(folder), cache_dir=str(tmp_path / "cache"))
    form = FORMATS[name]
    expected = [record for row in train for record in form.records(row, SPEC.system)]
    assert [_without_none(record) for record in loaded["train"]] == expected


def _without_none(value: Any) -> Any:
    """A table's row without the cells that are empty in it."""
    if isinstance(value, dict):
        return {k: _without_none(v) for k, v in value.items() if v is not None}
    return [_without_none(v) for v in value] if isinstance(value, list) else value


def test_a_trace_becomes_a_record_for_each_answer_that_is_to_be_learnt() -> None:
    """For TRL the failing turn is context only, arguments are objects, tools have their names."""
    records = FORMATS["trl"].records(TRACE, None)
    assert [len(record["prompt"]) for record in records] == [4, 6]
    [call] = records[0]["completion"][0]["tool_calls"]
    assert call["function"] == {"name": "docs_search", "arguments": {"query": "multiply"}}
    assert records[1]["prompt"][3]["name"] == "eval_code"
    assert records[1]["completion"] == [
        {"role": "assistant", "content": f"```sema\n{TRIPLE}\n```"},
    ]


def test_a_trace_keeps_its_weights_for_chat_formats() -> None:
    """For OpenAI and Fireworks the failing turn has weight 0, and arguments are text."""
    [record] = FORMATS["openai"].records(TRACE, None)
    weights = [message.get("weight") for message in record["messages"]]
    assert weights == [None, None, 0, None, 1, None, 1]
    [call] = record["messages"][2]["tool_calls"]
    assert call["function"]["arguments"] == '{"code": "(triple 2)"}'
    assert "index" not in call


@pytest.mark.parametrize("name", ["trl-grpo", "fireworks-rft", "verl", "harbor"])
def test_a_ground_truth_is_what_the_reward_reads(name: str) -> None:
    """What a row is graded by is read by the room `reward`, value and output."""
    for row in fitting(FORMATS[name]):
        [record] = FORMATS[name].records(row, None)
        told = record.get("ground_truth") or record.get("truth")
        told = told or record["reward_model"]["ground_truth"]
        truth = read_truth(told)
        assert isinstance(truth, ProgramTruth)
        assert (truth.value, truth.output) == (row.value, row.output)


BROKEN: dict[str, tuple[str, Callable[[Any], None], str]] = {
    "a role that nobody has": (
        "openai",
        lambda r: r["messages"][0].update(role="model"),
        "messages[0].role: found 'model', expected one of system, user, assistant, tool",
    ),
    "a system message that comes late": (
        "openai",
        lambda r: r["messages"].append({"role": "system", "content": "x"}),
        "it must come first",
    ),
    "nothing to learn": (
        "openai",
        lambda r: r["messages"][-1].update(weight=0),
        "nothing is learnt",
    ),
    "arguments as text": (
        "trl",
        lambda r: r["completion"].append(
            {
                "role": "assistant",
                "content": "",
                "tool_calls": [
                    {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
                ],
            }
        ),
        "expected the arguments as an object",
    ),
    "a weight": (
        "trl",
        lambda r: r["completion"][0].update(weight=1),
        "expected no weight; TRL knows none",
    ),
    "no completion": ("trl-text", lambda r: r.pop("completion"), "'completion' is missing"),
    "no ground truth": ("fireworks-rft", lambda r: r.update(ground_truth={}), "with `task`, or"),
    "an answer in a request": (
        "fireworks-rft",
        lambda r: r["messages"].append({"role": "assistant", "content": "x"}),
        "expected one of system, user",
    ),
    "a user who chooses": ("dpo", lambda r: r["chosen"][0].update(role="user"), "expected the"),
    "two preferred answers": (
        "fireworks-dpo",
        lambda r: r["preferred_output"].append({"role": "assistant", "content": "x"}),
        "preferred_output",
    ),
    "a tool that nobody called": (
        "openai",
        lambda r: r["messages"].insert(2, {"role": "tool", "content": "x", "tool_call_id": "z"}),
        "answers the tool call 'z', which nobody made",
    ),
}


@pytest.mark.parametrize(("name", "breaks", "why"), BROKEN.values(), ids=BROKEN)
def test_a_broken_record_is_refused_with_its_line(
    name: str,
    breaks: Callable[[Any], None],
    why: str,
    built: Callable[[str], tuple[Path, list[Row]]],
    event_loop_runner: asyncio.Runner,
    vm: SemaVM,
) -> None:
    """One record against the rules of its format is told with file, line and reason."""
    folder, _ = built(name)
    path = folder / "train.jsonl"
    lines = path.read_text("utf-8").splitlines()
    record = json.loads(lines[-1])
    breaks(record)
    path.write_text("\n".join([*lines[:-1], json.dumps(record)]) + "\n", "utf-8")
    changed, found, *rest = event_loop_runner.run(check_dataset(folder, vm)).faults
    assert changed == f"{path}:1: has changed since it was built: its hash is another"
    assert found.startswith(f"{path}:{len(lines)}: ")
    assert why in found
    assert rest == []


@pytest.mark.parametrize("name", ["openai", "trl", "verl", "harbor"])
def test_a_broken_row_casts_no_doubt_on_others(
    name: str,
    built: Callable[[str], tuple[Path, list[Row]]],
    event_loop_runner: asyncio.Runner,
    vm: SemaVM,
) -> None:
    """A row that cannot be read is told, and nothing of those after it."""
    folder, _ = built(name)
    path = folder / "rows" / "train.jsonl"
    path.write_bytes(b"{" + path.read_bytes())
    changed, broken = event_loop_runner.run(check_dataset(folder, vm)).faults
    assert changed.startswith(f"{path}:1: has changed")
    assert broken.startswith(f"{path}:1: not JSON")


def test_a_broken_parquet_record_is_refused_with_its_number(
    built: Callable[[str], tuple[Path, list[Row]]],
    event_loop_runner: asyncio.Runner,
    vm: SemaVM,
) -> None:
    """A record of a parquet file is told by its place in it."""
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    folder, train = built("verl")
    path = folder / "train.parquet"
    records = read_parquet(path)
    records[2]["reward_model"]["style"] = "guess"
    parquet.write_table(pyarrow.Table.from_pylist(records), path)
    _, found = event_loop_runner.run(check_dataset(folder, vm)).faults
    assert found.startswith(f"{path}:3: reward_model.style: found 'guess'")
    assert len(records) == len(train)


def test_a_row_that_the_vm_contradicts_is_refused_with_its_line(
    built: Callable[[str], tuple[Path, list[Row]]],
    event_loop_runner: asyncio.Runner,
    vm: SemaVM,
) -> None:
    """A value that a program does not give is told, though all hashes are right again."""
    folder, _ = built("trl-text")
    path = folder / "rows" / "train.jsonl"
    text = path.read_text("utf-8").replace('"value":"2009"', '"value":"2010"')
    path.write_text(text, "utf-8")
    manifest = json.loads((folder / MANIFEST).read_text("utf-8"))
    manifest["files"]["rows/train.jsonl"]["sha256"] = hash_of(path)
    (folder / MANIFEST).write_text(json.dumps(manifest), "utf-8")
    found, *_ = event_loop_runner.run(check_dataset(folder, vm)).faults
    assert found == f"{path}:1: the VM gives 2009; the row says 2010"


def test_harbors_verifier_rewards_what_gives_the_value_and_nothing_else(
    built: Callable[[str], tuple[Path, list[Row]]], tmp_path: Path
) -> None:
    """Its own container grades the answer with the VM, and a VM that fails gives no reward."""
    folder, _ = built("harbor")
    [task] = [
        path
        for path in (folder / "train").iterdir()
        if "println" in (path / "solution/solve.sh").read_text("utf-8")
    ]
    config = tomllib.loads((task / "task.toml").read_text("utf-8"))
    assert config["verifier"]["environment_mode"] == "separate"
    assert config["artifacts"] == ["/app/answer.sema"]
    tests = tmp_path / "verifier"
    shutil.copytree(task / "tests", tests)
    node = find_node()

    def graded(answer: str | None) -> tuple[int, str]:
        path = tmp_path / "answer.sema"
        path.unlink(missing_ok=True)
        if answer is not None:
            path.write_text(answer, "utf-8")
        command = [str(node.executable), str(tests / "grade.mjs"), str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout

    assert graded("(+ 1 1)") == (1, "")
    package, _ = install(node)
    (tests / "node_modules" / "@sema-lang").mkdir(parents=True)
    (tests / "node_modules" / "@sema-lang" / "sema-wasm").symlink_to(package)
    right = "(println 1 2) (println :x) (+ 3 4)"
    assert graded(right) == (0, "1\n")
    assert graded("(println 1 2) (println :x) 8") == (0, "0\n")
    assert graded("(println :x) 7") == (0, "0\n")
    assert graded("(car 5)") == (0, "0\n")
    assert graded(None) == (0, "0\n")


def test_a_pair_has_no_place_among_rewards() -> None:
    """What gives neither value nor output is left out where an answer is to be graded."""
    with pytest.raises(Unfit, match="neither a value nor output"):
        FORMATS["verl"].records(PAIR, None)
