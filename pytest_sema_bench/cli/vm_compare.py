"""`sema-bench vm compare A B`: what the project knows, run on two VMs."""

import argparse
import asyncio
import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from importlib.resources import files
from pathlib import Path

from pytest_sema_bench.cli.arguments import add_format_option, vm_type
from pytest_sema_bench.docsearch.corpus import docs_folder, load_corpus, load_hints
from pytest_sema_bench.docsearch.entry import Hint, Row
from pytest_sema_bench.extraction import as_answer
from pytest_sema_bench.grading.proof.check import wrong_answers
from pytest_sema_bench.grading.regrade import tasks_of
from pytest_sema_bench.grading.two_vms import (
    Answer,
    Program,
    compare_answers,
    compare_programs,
)
from pytest_sema_bench.records.outcome import Stop
from pytest_sema_bench.records.reader import read_run
from pytest_sema_bench.report.two_vms import TwoVMs, two_vms_facts, two_vms_lines
from pytest_sema_bench.sema.reader import read_forms
from pytest_sema_bench.sema.vm import SemaVM, create_vm
from pytest_sema_bench.suite.folder import bundled_suites, suite_folder
from pytest_sema_bench.suite.task import Task, load_tasks

# At the beginning of a line only: backticks inside of code end no block.
_BLOCK = re.compile(r"^```sema\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_PROMPT = "system.md"
_PARTS = ("suite", "docs", "prompt")


def add_command(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `compare` to the commands of `vm`."""
    parser = verbs.add_parser(
        "compare",
        help="run what the project knows on two VMs and print what differs",
        description="Grades every reference and wrong answer of a suite, and runs every snippet "
        "of the documentation and of the system prompt, on both. Differences are grouped by kind. "
        "The exit status is 1 if a verdict of the suite differs.",
    )
    for name in ("first", "second"):
        parser.add_argument(name, type=vm_type, metavar=name.upper(), help="as for --sema-vm")
    parser.add_argument(
        "--suite",
        default="core",
        metavar="NAME|FOLDER",
        help=f"whose tasks (default: core; bundled are {', '.join(bundled_suites())})",
    )
    parser.add_argument(
        "--run",
        dest="runs",
        type=Path,
        action="append",
        default=[],
        metavar="RUN",
        help="a run folder: its stored answers as well; repeatable",
    )
    parser.add_argument(
        "--only",
        choices=_PARTS,
        action="append",
        help="a part of all that: the suite, the documentation or the prompt; repeatable",
    )
    add_format_option(parser)
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    tasks = load_tasks(suite_folder(arguments.suite))
    stored = [answer for run in arguments.runs for answer in _stored(run)]
    parts = frozenset(arguments.only or _PARTS)
    answers = list(_suite(tasks)) if "suite" in parts else []
    programs = [
        *(_snippets() if "docs" in parts else ()),
        *(_prompt() if "prompt" in parts else ()),
    ]
    both = asyncio.run(_compare(arguments.first, arguments.second, answers, stored, programs))
    if arguments.format == "json":
        print(json.dumps(two_vms_facts(both), indent=1, ensure_ascii=False))
    else:
        print("\n".join(two_vms_lines(both, markdown=arguments.format == "markdown")))
    return 0 if both.suite_holds else 1


async def _compare(
    first: str,
    second: str,
    of_suite: Sequence[Answer],
    stored: Sequence[Answer],
    programs: Sequence[Program],
) -> TwoVMs:
    n_hosts = os.cpu_count() or 1
    vms: list[SemaVM] = []
    try:
        vms += (create_vm(name, n_hosts) for name in (first, second))
        infos = [await vm.info() for vm in vms]
        suite = await compare_answers(of_suite, *vms)
        others = [await compare_programs(programs, *vms), await compare_answers(stored, *vms)]
    finally:
        await asyncio.gather(*(vm.close() for vm in vms))
    subjects: tuple[Answer | Program, ...] = (*of_suite, *programs, *stored)
    return TwoVMs(
        first=infos[0],
        second=infos[1],
        n_run=Counter(subject.sort for subject in subjects),
        n_unsteady=sum(found.n_unsteady for found in (suite, *others)),
        of_suite=suite.differences,
        others=tuple(difference for found in others for difference in found.differences),
    )


def _suite(tasks: Iterable[Task]) -> Iterator[Answer]:
    for task in tasks:
        if task.reference is not None:
            message = as_answer(task.kind, task.reference)
            yield _answer(task, "references", "the reference answer", message)
        for name, message in wrong_answers(task):
            yield _answer(task, "wrong answers", name, message)


def _answer(task: Task, sort: str, name: str, message: str) -> Answer:
    place = f"{task.path.parent.name}/{task.path.name}:{task.line}"
    return Answer(sort=sort, name=f"{task.id}, {name}", place=place, task=task, message=message)


def _snippets() -> Iterator[Program]:
    corpus = load_corpus()
    rows: tuple[Row, ...] = (
        *corpus.entries,
        *corpus.foreign,
        *load_hints(docs_folder() / "hints.yaml"),
    )
    # What a snippet gives is written down for each version: its code is the same.
    found = {snippet.code: (row, snippet) for row in rows for snippet in row.snippets}
    for row, snippet in found.values():
        yield Program(
            sort="snippets of the documentation",
            name="hint" if isinstance(row, Hint) else row.names[0],
            place=f"{row.path.name}:{snippet.line}",
            sources=(snippet.code,),
        )


def _prompt() -> Iterator[Program]:
    """The blocks of the bundled system prompt; the forms of each share an interpreter."""
    text = (files("pytest_sema_bench.agent.prompts") / _PROMPT).read_text("utf-8")
    for block in _BLOCK.finditer(text):
        code = block[1]
        forms = tuple(code[form.start : form.end] for form in read_forms(code))
        line = text.count("\n", 0, block.start()) + 1
        place = f"{_PROMPT}:{line}"
        yield Program(
            sort="blocks of the system prompt", name="system prompt", place=place, sources=forms
        )


def _stored(run_folder: Path) -> Iterator[Answer]:
    run = read_run(run_folder)
    tasks = {task.id: task for task in load_tasks(tasks_of(run))}
    for record in run.records:
        if record.answer is not None and record.stop is not None and record.task in tasks:
            yield Answer(
                sort="stored answers",
                name=str(record.item),
                place=run_folder.name,
                task=tasks[record.task],
                message=record.answer,
                truncated=record.stop is Stop.TRUNCATED,
            )
