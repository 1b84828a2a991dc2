"""`docs_search` as a model meets it, what is kept of it, and what the prompt says of tools."""

import asyncio
import json
import subprocess
import sys

import pytest

from pytest_sema_bench.agent.tools import Toolbox, ToolResult, about_tools, make_toolbox
from pytest_sema_bench.docsearch.usage import docs_use, ranks_of_used
from pytest_sema_bench.sema.vm import SemaVM
from pytest_sema_bench.settings import Limits
from tests.small_docs import small_search


@pytest.fixture
def toolbox(vm: SemaVM) -> Toolbox:
    """A box with both tools over the small documentation."""
    return make_toolbox(["eval_code", "docs_search"], vm, Limits(), small_search())


def call(toolbox: Toolbox, runner: asyncio.Runner, query: str) -> ToolResult:
    """The result of one search."""
    return runner.run(toolbox.call("docs_search", json.dumps({"query": query})))


def test_a_search_is_answered_with_what_was_found(
    toolbox: Toolbox, event_loop_runner: asyncio.Runner
) -> None:
    """The text is for the model, the result for the record."""
    result = call(toolbox, event_loop_runner, "glue words with commas")
    assert result.text.startswith("1. string/join  (string/join x)")
    assert result.found is not None
    assert result.found.rank_of("string-join") == 1
    assert (result.failure, result.repaired) == (None, False)


def test_nothing_found_is_an_answer_too(
    toolbox: Toolbox, event_loop_runner: asyncio.Runner
) -> None:
    """The model is told how to ask, and the result has no hits."""
    result = call(toolbox, event_loop_runner, "qwzx")
    assert result.text.startswith("Nothing found for 'qwzx'")
    assert result.found is not None
    assert result.found.hits == ()


def test_broken_arguments_are_no_search(
    toolbox: Toolbox, event_loop_runner: asyncio.Runner
) -> None:
    """What could not be read was not searched for."""
    result = event_loop_runner.run(toolbox.call("docs_search", '{"q": "x"}'))
    assert result.text.startswith("Error: argument 'query' is missing")
    assert result.found is None


def test_the_arguments_are_repaired_as_those_of_other_tools(
    toolbox: Toolbox, event_loop_runner: asyncio.Runner
) -> None:
    """An object instead of its text is understood, and counted."""
    result = event_loop_runner.run(toolbox.call("docs_search", {"query": "filter"}))
    assert result.text.startswith("filter (function, small)")
    assert result.repaired


def test_the_bundled_documentation_is_what_a_box_searches_by_default(
    vm: SemaVM, event_loop_runner: asyncio.Runner
) -> None:
    """Without a search of its own a box uses the lexical one."""
    toolbox = make_toolbox(["docs_search"], vm, Limits())
    result = event_loop_runner.run(toolbox.call("docs_search", '{"query": "foldl"}'))
    assert result.text.startswith("foldl (function")


def test_the_prompt_speaks_of_the_tools_there_are() -> None:
    """Who has no `eval_code` is not told to run programs, who has no `docs_search` not to ask."""
    both = about_tools(["eval_code", "docs_search"], 3)
    only_docs, only_eval = about_tools(["docs_search"], 3), about_tools(["eval_code"], 3)
    assert "at most 3 rounds" in both
    assert "run" not in only_docs.replace("rounds", "")
    assert "docs_search" not in only_eval
    assert "eval_code" in only_eval
    assert "eval_code" not in only_docs
    assert both.count("docs_search") == both.count("eval_code") == 1


def test_nothing_heavy_is_imported_before_a_search() -> None:
    """A box with `docs_search` costs nothing until it is asked: not even NumPy is loaded."""
    code = (
        "import sys\n"
        "from pytest_sema_bench.docsearch.choose import make_search\n"
        "import pytest_sema_bench.agent.tools, pytest_sema_bench.cli.docs\n"
        "make_search()\n"
        "print([m for m in ('numpy', 'rapidfuzz', 'snowballstemmer') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_places_of_the_names_that_are_used_are_kept() -> None:
    """Of several searches the best place counts; names never shown and own names are left out."""
    search = small_search()
    searches = [
        search.find_now(query)
        for query in ("keep what passes a test", "satisfy a predicate", "qwzx")
    ]
    answer = "(define (evens xs) (filter even? xs))\n(define (not x) x)"
    use = docs_use([answer, "(list/reject not '())"], searches)
    ranks = use["used"]
    assert ranks["filter"] == 1
    assert "even?" not in ranks
    assert "not" not in ranks
    assert ranks == ranks_of_used(["filter", "list/reject"], searches)
    assert use == {"searches": 3, "empty": 1, "fallbacks": 0, "used": ranks}


def test_an_alias_in_an_answer_counts_as_found() -> None:
    """The entry was shown under its first name, the answer uses the other."""
    found = small_search().find_now("glue words with commas")
    assert ranks_of_used(["string-join", "lambda"], [found]) == {"string-join": 1}


def test_no_search_and_no_code_is_no_use() -> None:
    """Nothing was asked and nothing can be read."""
    nothing = {"searches": 0, "empty": 0, "fallbacks": 0, "used": {}}
    assert docs_use([], []) == nothing
    assert docs_use(["(unclosed"], []) == nothing
