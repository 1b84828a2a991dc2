"""The answer key of no task is in the documentation: tasks and corpus are compared text by text.

A model with `docs_search` reads examples and intents; if one of them were a case of a task, a
line of its reference or a sentence of its prompt, the tool would give the answer away.
"""

import re
from collections.abc import Iterator

import pytest

from pytest_sema_bench.docsearch.corpus import Corpus, load_corpus
from pytest_sema_bench.sema.reader import ReadError, read_forms
from pytest_sema_bench.suite.folder import suite_folder
from pytest_sema_bench.suite.task import Task, load_tasks

TASKS = load_tasks(suite_folder())
MIN_LINE_CHARS = 25
"""A shorter line of code, such as `(+ a b)`, is nobody's answer."""
MIN_INTENT_WORDS = 6


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    """The bundled corpus."""
    return load_corpus()


def plain(code: str) -> str:
    """Code with single blanks, without comments at the ends of lines."""
    return " ".join(re.sub(r";[^\"\n]*$", "", line) for line in code.splitlines()).strip()


def squeezed(code: str) -> str:
    """Code as one line with single blanks."""
    return " ".join(plain(code).split())


def codes(corpus: Corpus) -> Iterator[tuple[str, str]]:
    """Every snippet of the documentation with the name it stands under."""
    for entry in corpus.entries:
        for snippet in (*entry.examples, *entry.edges):
            yield entry.name, snippet.code
    for row in corpus.foreign:
        if row.example is not None:
            yield row.names[0], row.example.code


def forms(code: str) -> set[str]:
    """The whole code and each of its top-level forms, squeezed."""
    whole = {squeezed(code)}
    try:
        return whole | {squeezed(code[form.start : form.end]) for form in read_forms(code)}
    except ReadError:
        return whole  # an edge that shows what the reader refuses


def words(text: str) -> str:
    """A sentence as lower-case words with single blanks."""
    return " ".join(re.findall(r"[a-z0-9]+", text.lower()))


def sources(task: Task) -> Iterator[str]:
    """What a right or a wrong answer to the task looks like."""
    if task.reference:
        yield task.reference
    for wrong in task.wrong:
        yield wrong.code


def test_the_comparison_has_something_to_compare(corpus: Corpus) -> None:
    """There are tasks with calls and references, and a corpus with examples and intents."""
    assert len(TASKS) == 60
    assert sum(case.call is not None for task in TASKS for case in task.cases) > 200
    assert len(list(codes(corpus))) > 1500
    assert sum(len(entry.intents) for entry in corpus.entries) > 2500


def test_no_example_is_a_case(corpus: Corpus) -> None:
    """No form of an example or edge is the call of a case or what a case is given."""
    calls = {
        squeezed(text): task.id
        for task in TASKS
        for case in task.cases
        for text in (case.call, case.given)
        if text
    }
    shared = [
        (name, form, calls[form])
        for name, code in codes(corpus)
        for form in forms(code)
        if form in calls
    ]
    assert shared == []


def test_no_example_holds_a_line_of_an_answer(corpus: Corpus) -> None:
    """No line of note of a reference or a wrong answer stands in an example, nor the reverse."""
    lines = {
        squeezed(line).strip("()"): task.id
        for task in TASKS
        for source in sources(task)
        for line in source.splitlines()
    }
    notable = {line: task for line, task in lines.items() if len(line) >= MIN_LINE_CHARS}
    assert len(notable) > 300
    answers = {task.id: " ".join(map(squeezed, sources(task))) for task in TASKS}
    shared = []
    for name, code in codes(corpus):
        text = squeezed(code)
        shared += [(name, line, task) for line, task in notable.items() if line in text]
        if len(text) >= MIN_LINE_CHARS:
            shared += [(name, text, task) for task, answer in answers.items() if text in answer]
    assert shared == []


def test_no_intent_is_a_sentence_of_a_prompt(corpus: Corpus) -> None:
    """No intent of some words stands in a prompt as it is, and none is a whole sentence of one."""
    prompts = {task.id: f" {words(task.prompt)} " for task in TASKS}
    sentences = {
        words(sentence): task.id for task in TASKS for sentence in re.split(r"[.:;\n]", task.prompt)
    }
    shared = []
    for entry in corpus.entries:
        for intent in map(words, entry.intents):
            if intent in sentences:
                shared.append((entry.name, intent, sentences[intent]))
            elif len(intent.split()) >= MIN_INTENT_WORDS:
                shared += [
                    (entry.name, intent, task)
                    for task, prompt in prompts.items()
                    if f" {intent} " in prompt
                ]
    assert shared == []
