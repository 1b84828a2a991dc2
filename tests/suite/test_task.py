"""Task files: what they become, and what is said about those that are broken."""

from pathlib import Path

import pytest
import yaml

from pytest_sema_bench.errors import TaskError
from pytest_sema_bench.suite.folder import find_task_files, schema_file, suite_folder
from pytest_sema_bench.suite.task import Case, GradeKind, Task, load_task, load_tasks

SAMPLES = Path(__file__).parents[1] / "samples" / "tasks"

PROGRAM = """
id: L2-99-double
level: 2
category: numbers
prompt: |
  Write a function `(double n)`.
grade:
  kind: program
  cases:
    - call: (double 2)
      equals: "4"
      public: true
    - given: (define (add a b) (+ a b))
      call: (double 0.5)
      equals: ["1.0", "1"]
      tolerance: 0.01
    - call: (double 3)
      prints: ["calling", "done"]
  requires: [add]
  forbids: ["*"]
reference: |
  (define (double n) (add n n))
wrong:
  - why: adds two
    code: (define (double n) (+ n 2))
"""


def load(text: str, folder: Path, name: str = "task") -> Task:
    """The task of a file with that text."""
    path = folder / f"{name}.yaml"
    path.write_text(text, encoding="utf-8")
    return load_task(path)


def test_a_file_becomes_a_task(tmp_path: Path) -> None:
    """Every key of the format arrives, with its line where an editor needs it."""
    task = load(PROGRAM, tmp_path)
    assert (task.id, task.slug, task.level, task.category) == (
        "L2-99-double",
        "double",
        "L2",
        "numbers",
    )
    assert task.kind is GradeKind.PROGRAM
    assert task.cases == (
        Case(call="(double 2)", equals=("4",), public=True),
        Case(
            given="(define (add a b) (+ a b))",
            call="(double 0.5)",
            equals=("1.0", "1"),
            numeric=True,
            tolerance=0.01,
        ),
        Case(call="(double 3)", prints=("calling", "done")),
    )
    assert (task.requires, task.forbids) == (("add",), ("*",))
    assert task.reference == "(define (double n) (add n n))\n"
    assert [wrong.why for wrong in task.wrong] == ["adds two"]
    assert (task.line, task.reference_line) == (5, 22)


def test_a_small_file_is_enough(tmp_path: Path) -> None:
    """Who grades with files of their own need neither level nor reference nor cases."""
    text = "id: x\nprompt: p\ngrade: {kind: value, equals: '(1 2)', numeric: true}\n"
    task = load(text, tmp_path)
    assert (task.level, task.category, task.reference, task.wrong) == (None, None, None, ())
    assert task.cases == (Case(equals=("(1 2)",), numeric=True),)


PROMPTS = {
    "one public case": (
        "cases: [{call: (f 1), equals: '2', public: true}, {call: (f 2), equals: '3'}]",
        "Prompt.\n\nExample:\n```sema\n(f 1) ; => 2\n```",
    ),
    "two public cases": (
        "cases: [{call: (f 1), equals: ['2', '2.0'], public: true},"
        " {call: (f 2), prints: [two], public: true}]",
        "Prompt.\n\nExamples:\n```sema\n(f 1) ; => 2 or 2.0\n(f 2)\n; prints: two\n```",
    ),
    "no public case": ("cases: [{call: (f 1), equals: '2'}]", "Prompt."),
}


@pytest.mark.parametrize(("grade", "expected"), PROMPTS.values(), ids=PROMPTS)
def test_the_model_sees_the_public_cases_only(grade: str, expected: str, tmp_path: Path) -> None:
    """Public cases follow the prompt as examples; the others are never sent."""
    text = f"id: x\nprompt: |\n  Prompt.\ngrade:\n  kind: program\n  {grade}\n"
    assert load(text, tmp_path).full_prompt == expected


LAYOUTS = {
    "comments and blank lines": (PROGRAM.replace("level:", "\n# a comment\nlevel:"), True),
    "another order of keys": (PROGRAM.replace("level: 2\n", "") + "level: 2\n", True),
    "another reference": (PROGRAM.replace("(add n n)", "(add n  n)"), True),
    "another prompt": (PROGRAM.replace("Write a", "Make a"), False),
    "another expectation": (PROGRAM.replace('"4"', '"5"'), False),
    "another tolerance": (PROGRAM.replace("0.01", "0.02"), False),
    "another rule": (PROGRAM.replace("[add]", "[sum]"), False),
    "another id": (PROGRAM.replace("L2-99-double", "L2-98-double"), False),
}


@pytest.mark.parametrize(("text", "same"), LAYOUTS.values(), ids=LAYOUTS)
def test_the_hash_follows_what_is_asked_and_graded(text: str, same: bool, tmp_path: Path) -> None:
    """Layout and proofs may change without a run becoming another one; the rest may not."""
    before, after = load(PROGRAM, tmp_path, "a"), load(text, tmp_path, "b")
    assert (before.task_hash == after.task_hash) is same


TWICE = "stands here a second time"
NOT_ONE_FORM = "is not one whole Sema form"
BROKEN = {
    "empty": (1, "the file: found nothing, expected a table with `id`, `prompt` and `grade`"),
    "only-a-list": (1, "expected a table with `id`, `prompt` and `grade`"),
    "not-yaml": (4, "not YAML: "),
    "indented-with-tabs": (2, "not YAML: "),
    "two-documents": (3, "not YAML: "),
    "prompt-missing": (1, "the file: 'prompt' is missing"),
    "key-misspelt": (
        2,
        "the file: unknown key 'promt'; did you mean 'prompt'? known ",
    ),
    "key-twice": (3, f"the key 'prompt' {TWICE}"),
    "key-twice-in-a-case": (8, f"the key 'equals' {TWICE}"),
    "key-is-a-list": (3, "a key must be a plain word"),
    "id-with-blanks": (1, "id: found 'a task', expected letters, digits, dots, - and _"),
    "level-is-no-word": (2, "level: found 'L-6', expected the name of a level, such as L2"),
    "category-in-capitals": (2, "category: found 'Maths', expected a word in small letters"),
    "kind-unknown": (4, "grade.kind: found 'values', expected one of program, expression, value"),
    "kind-missing": (3, "grade: 'kind' is missing"),
    "equals-is-a-comment": (5, "grade.equals: is empty; a `#` starts a comment in YAML"),
    "equals-is-a-number": (
        9,
        "grade.cases[1].equals: found 3, expected the Sema source of ",
    ),
    "equals-is-two-forms": (7, f"equals: '1 2' {NOT_ONE_FORM}"),
    "equals-is-unbalanced": (7, f"equals: '(list 1' {NOT_ONE_FORM}"),
    "call-is-two-forms": (6, f"call: '(f) (f)' {NOT_ONE_FORM}"),
    "case-expects-nothing": (
        8,
        "expected a case with `equals`, `prints` or both",
    ),
    "case-key-unknown": (
        7,
        "grade.cases[0]: unknown key 'equal'; did you mean 'equals'? known ",
    ),
    "cases-empty": (5, "grade.cases: found [], expected at least 1 of them"),
    "prints-is-text": (7, "grade.cases[0].prints: found 'hello', expected a list"),
    "program-without-cases": (3, "a program task needs `cases`, each with a `call`"),
    "program-case-without-call": (6, "a case of a program task needs a `call`"),
    "value-with-cases": (3, "a value task needs `equals` and has no `cases`"),
    "value-with-requires": (6, "a value has no code, so `requires` cannot be checked"),
    "expression-with-both": (3, "an expression task needs either `equals` or `cases`"),
    "tolerance-is-nan": (7, "found .nan, expected a number that is finite"),
    "tolerance-is-text": (7, "grade.cases[0].tolerance: found 'a bit', expected a number"),
    "strict-program": (8, "`strict` is for value tasks only"),
    "wrong-without-why": (9, "wrong[1]: 'why' is missing"),
    "L2/04-level-differs": (2, "level is L3, but the folder is L2"),
    "L2/05-level-missing": (1, "level is missing, but the folder is L2"),
    "L2/06-id-differs": (2, "id is 'L2-05-id-differs', expected L2-06-id-differs as the file"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_named_with_line_and_cure(name: str) -> None:
    """The error prints as path:line: message and says what was found or expected."""
    path, (line, message) = SAMPLES / f"{name}.yaml", BROKEN[name]
    with pytest.raises(TaskError) as caught:
        load_task(path)
    assert (caught.value.path, caught.value.line) == (path, line)
    assert caught.value.message.startswith(message) or caught.value.message.endswith(message)
    assert str(caught.value) == f"{path}:{line}: {caught.value.message}"


def test_every_broken_sample_is_expected_to_be_broken() -> None:
    """No sample lies about without a test."""
    found = {
        file.relative_to(SAMPLES).with_suffix("").as_posix() for file in find_task_files(SAMPLES)
    }
    assert found == set(BROKEN)


UNREADABLE = {
    "another encoding": "id: caf\u00e9\n".encode("latin-1"),
    "control characters": b"id: \x00\n",
    "deep nesting": b"[" * 100_000,
    "deep blocks": b"- " * 100_000,
    "deep lines": b"\n".join(b" " * n + b"-" for n in range(3_000)),
    "a loop": b"id: &a [*a]\nprompt: x\ngrade: *a\n",
}


@pytest.mark.parametrize("content", UNREADABLE.values(), ids=UNREADABLE)
def test_a_file_that_is_no_text_is_a_task_error(content: bytes, tmp_path: Path) -> None:
    """Whatever the bytes, the error is about the file."""
    path = tmp_path / "task.yaml"
    path.write_bytes(content)
    with pytest.raises(TaskError) as caught:
        load_task(path)
    assert caught.value.path == path


def test_a_file_that_is_not_there_is_a_task_error(tmp_path: Path) -> None:
    """A path that cannot be opened is named."""
    with pytest.raises(TaskError, match=r"nowhere\.yaml:1: cannot be read"):
        load_task(tmp_path / "nowhere.yaml")


def test_files_come_in_order_without_hidden_ones(tmp_path: Path) -> None:
    """Folders are searched to their depth; other files and hidden ones are left alone."""
    for name in ("b.yaml", "a/z.yaml", "a/y.yaml", ".hidden.yaml", "notes.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = [file.relative_to(tmp_path).as_posix() for file in find_task_files(tmp_path)]
    assert found == ["a/y.yaml", "a/z.yaml", "b.yaml"]
    assert find_task_files(tmp_path / "b.yaml") == (tmp_path / "b.yaml",)


def test_two_files_with_one_id_are_an_error(tmp_path: Path) -> None:
    """The error stands at the second file and names the first."""
    load(PROGRAM, tmp_path, "a")
    load(PROGRAM, tmp_path, "b")
    with pytest.raises(TaskError, match=r"b\.yaml:1: id 'L2-99-double' is taken by .*a\.yaml"):
        load_tasks(tmp_path)


def test_the_suite_has_sixty_tasks_in_five_levels() -> None:
    """The numbers of the experiment, so that the tables can stand side by side."""
    levels = [task.level for task in load_tasks(suite_folder())]
    assert [levels.count(f"L{level}") for level in range(1, 6)] == [15, 15, 15, 10, 5]


def test_the_suite_keeps_its_own_rules() -> None:
    """Each task has a category, a reference, three wrong answers, and enough cases."""
    for task in load_tasks(suite_folder()):
        assert task.category, task.path
        assert task.reference, task.path
        assert len(task.wrong) >= 3, task.path
        assert task.kind is GradeKind.VALUE or len(task.cases) >= 5, task.path


def test_the_suite_names_its_schema_to_editors() -> None:
    """The hint in the first line of each file leads to the schema that the check uses."""
    for file in find_task_files(suite_folder()):
        hint = file.read_text("utf-8").splitlines()[0]
        assert hint.startswith("# yaml-language-server: $schema="), file
        named = file.parent / hint.partition("=")[2]
        assert named.read_text("utf-8") == schema_file("task").read_text("utf-8"), file


def test_the_schema_alone_takes_what_the_loader_takes() -> None:
    """The schema is plain enough for an editor: each task of the suite satisfies it."""
    from jsonschema import Draft202012Validator

    validator = Draft202012Validator(yaml.safe_load(schema_file("task").read_text("utf-8")))
    for file in find_task_files(suite_folder()):
        assert list(validator.iter_errors(yaml.safe_load(file.read_text("utf-8")))) == []
