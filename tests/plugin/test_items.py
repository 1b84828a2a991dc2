"""Which items there are, what they are called, and how they are chosen."""

import shutil

import pytest

from tests.chat_server import ChatServer
from tests.plugin.bench_dir import REFERENCE, SLUGS, BenchDir

_FILES = {
    "adding": "tasks/L1/01-adding.yaml",
    "palindrome": "tasks/L2/01-palindrome.yaml",
    "doubling": "tasks/L4/01-doubling.yaml",
    "summing": "tasks/L5/01-summing.yaml",
}


def _item(slug: str, how: str = "reference-tools") -> str:
    return f"{_FILES[slug]}::{slug}[{how}]"


def test_an_item_is_named_by_task_model_and_configuration(bench_dir: BenchDir) -> None:
    """Without a path the tasks are collected in file order, and nothing below testpaths is."""
    assert bench_dir.collect(REFERENCE) == [_item(slug) for slug in SLUGS]


def test_the_header_does_not_claim_that_testpaths_are_used(bench_dir: BenchDir) -> None:
    """What pytest says about testpaths would be wrong: tasks are collected in their place."""
    bench_dir.run_here(REFERENCE, "--collect-only").stdout.no_fnmatch_line("testpaths: *")
    bench_dir.run_here("--collect-only").stdout.fnmatch_lines(["testpaths: tests"])


def test_the_second_sample_has_a_suffix(bench_dir: BenchDir) -> None:
    """Samples lie beside each other; from the second on they say which they are."""
    names = bench_dir.collect(REFERENCE, "--sema-samples=2", "-k", "adding")
    assert names == [_item("adding"), _item("adding", "reference-tools-s2")]


def test_collect_only_needs_no_key_no_vm_and_leaves_nothing(
    bench_dir: BenchDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What would be asked of a paid model can be looked at on a machine without anything."""
    monkeypatch.setenv("PATH", "/nonexistent")
    assert bench_dir.collect("--sema-model=kimi-k2.6")[0] == _item("adding", "kimi-k2.6-tools")
    assert not (bench_dir.path / "reports").exists()


DRY = ("--collect-only", "--setup-plan", "--setup-only", "--fixtures", "--markers")


@pytest.mark.parametrize("n_workers", ["-n0", "-n2"])
@pytest.mark.parametrize("option", DRY)
def test_a_dry_run_asks_nobody(
    bench_dir: BenchDir,
    chat_server: ChatServer,
    monkeypatch: pytest.MonkeyPatch,
    option: str,
    n_workers: str,
) -> None:
    """What pytest only looks at needs neither key nor VM, costs nothing and leaves nothing."""
    monkeypatch.delenv("SOME_KEY")
    monkeypatch.setenv("PATH", "/nonexistent")
    result = bench_dir.ask(chat_server, option, n_workers)
    assert result.ret == pytest.ExitCode.OK
    assert chat_server.n_connections == 0
    assert not (bench_dir.path / "reports").exists()
    assert not any("pass rate" in line for line in result.outlines)


SELECTIONS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "levels": (("-m", "L4 or L5"), ("doubling", "summing")),
    "no level": (("-m", "not L1 and not L4"), ("palindrome", "summing")),
    "category": (("-m", "list"), ("doubling", "summing")),
    "keyword": (("-k", "palindrome"), ("palindrome",)),
    "keyword of a level": (("-k", "L2"), ("palindrome",)),
    "task": (("-k", "L2-01-palindrome or L5-01-summing"), ("palindrome", "summing")),
    "file": ((_FILES["doubling"],), ("doubling",)),
    "folder": (("tasks/L5",), ("summing",)),
    "two paths": (("tasks/L5", _FILES["adding"]), ("summing", "adding")),
    "name in a file": ((f"{_FILES['doubling']}::doubling[reference-tools]",), ("doubling",)),
    "deselected": ((f"--deselect={_item('adding')}", "tasks"), SLUGS[1:]),
    "ignored": (("--ignore=tasks/L5", "tasks"), SLUGS[:3]),
}


@pytest.mark.parametrize(("arguments", "slugs"), SELECTIONS.values(), ids=SELECTIONS)
def test_items_are_chosen_as_tests_are(
    bench_dir: BenchDir, arguments: tuple[str, ...], slugs: tuple[str, ...]
) -> None:
    """Markers, keywords and paths choose among the items."""
    assert bench_dir.collect(REFERENCE, *arguments) == [_item(slug) for slug in slugs]


def test_a_file_of_any_name_is_collected_when_it_is_given(bench_dir: BenchDir) -> None:
    """A YAML file outside of the suite counts as a task only if the command line names it."""
    mine = bench_dir.path / "tests" / "mine.yaml"
    text = (bench_dir.path / _FILES["adding"]).read_text()
    mine.write_text(text.replace("L1-01-adding", "mine").replace("level: 1\n", ""))
    assert bench_dir.collect(REFERENCE, "tests/mine.yaml") == [
        "tests/mine.yaml::mine[reference-tools]"
    ]
    assert bench_dir.collect(REFERENCE, "tests") == ["tests/test_plain.py::test_plain"]


def test_task_files_are_collected_below_a_folder_that_is_given(bench_dir: BenchDir) -> None:
    """Folders called like a level hold tasks wherever they are; other YAML is left alone."""
    shutil.copytree(bench_dir.path / "tasks" / "L5", bench_dir.path / "more" / "L5")
    (bench_dir.path / "more" / "docker-compose.yaml").write_text("services: {}\n")
    assert bench_dir.collect(REFERENCE, "more") == [
        "more/L5/01-summing.yaml::summing[reference-tools]"
    ]


def test_the_markers_are_listed(bench_dir: BenchDir) -> None:
    """`--markers` knows the levels in a run of the bench."""
    result = bench_dir.run_here(REFERENCE, "--markers")
    result.stdout.fnmatch_lines([f"@pytest.mark.L{level}: *" for level in (1, 2, 4, 5)])


def test_tests_and_tasks_run_together(bench_dir: BenchDir, workers: tuple[str, ...]) -> None:
    """Python tests that are given beside tasks run, and do not count in the table."""
    result = bench_dir.run(REFERENCE, *workers, "tests", "tasks/L2", "tasks/L5")
    result.assert_outcomes(passed=3)
    assert result.ret == pytest.ExitCode.OK
    assert sorted(r.task for r in bench_dir.records()) == ["L2-01-palindrome", "L5-01-summing"]


def test_what_is_not_chosen_is_not_asked(bench_dir: BenchDir, chat_server: ChatServer) -> None:
    """A deselected item costs nothing, although items are started ahead."""
    chat_server.play(bench_dir.script())
    bench_dir.ask(chat_server, "-m", "L2").assert_outcomes(passed=1, deselected=3)
    assert bench_dir.asked(chat_server) == {"palindrome"}
