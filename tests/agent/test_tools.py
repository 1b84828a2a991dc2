"""The tools as a model meets them: whatever it sends, text comes back."""

import asyncio
import json
from collections.abc import Callable

import pytest

from pytest_sema_bench.agent.tools import (
    HEAD_CHARS,
    TAIL_CHARS,
    ToolResult,
    check_tool_names,
    make_toolbox,
)
from pytest_sema_bench.errors import SettingsError
from pytest_sema_bench.sema.vm import ErrorClass, SemaVM
from pytest_sema_bench.settings import Limits

CallTool = Callable[[object, object], ToolResult]


@pytest.fixture
def call(event_loop_runner: asyncio.Runner, vm: SemaVM) -> CallTool:
    """Call a tool of a box that holds `eval_code`."""
    toolbox = make_toolbox(["eval_code"], vm, Limits(code_bytes=1000))
    return lambda name, arguments: event_loop_runner.run(toolbox.call(name, arguments))


NAMES = {
    "blanks": " eval_code ",
    "a name space": "functions.eval_code",
    "Kimi's id": "functions.eval_code:0",
    "Gemini's": "default_api:eval_code",
    "GLM's tags": "eval_code\n<arg_key>code</arg_key>",
}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_a_name_that_can_mean_one_tool_only_means_it(name: str, call: CallTool) -> None:
    """The call costs no round; that it was repaired is counted, under the tool's own name."""
    result = call(name, '{"code": "(+ 1 2)"}')
    assert (result.text, result.name, result.repaired) == ("Value: 3", "eval_code", True)


@pytest.mark.parametrize("name", ["eval", "my_eval_code", "eval-code", "", "docs_search", None, 7])
def test_any_other_name_is_answered_with_those_there_are(name: object, call: CallTool) -> None:
    """Nothing is guessed at."""
    result = call(name, '{"code": "(+ 1 2)"}')
    assert result.text.endswith("Tools: eval_code.")
    assert (result.repaired, result.misfit) == (False, True)


def test_the_schema_is_that_of_the_chat_api(vm: SemaVM) -> None:
    """A tool is declared as a function whose parameters are all required strings."""
    (schema,) = make_toolbox(["eval_code"], vm, Limits()).schemas
    assert schema["type"] == "function"
    function = schema["function"]
    assert function["name"] == "eval_code"
    assert "fresh interpreter" in function["description"]
    assert function["parameters"]["type"] == "object"
    assert function["parameters"]["properties"]["code"]["type"] == "string"
    assert function["parameters"]["required"] == ["code"]
    assert json.loads(json.dumps(schema)) == schema


RESULTS = {
    "a value": ("(+ 1 2)", "Value: 3"),
    "a string as Sema prints it": ('(string-append "a" "b")', 'Value: "ab"'),
    "false": ("(= 1 2)", "Value: #f"),
    "a definition": ("(define x 1)", "Value: nil (or the last form is a definition)"),
    "nothing": ("", "Value: nil (or the last form is a definition)"),
    "output and value": ('(println "hi") (println "you") 5', "Output:\nhi\nyou\nValue: 5"),
    "output and error": ('(println "hi") (error "no")', "Output:\nhi\nError: "),
    "an unbound name": ("(frobnicate 1)", "Error: Unbound variable: frobnicate"),
    "code that is too long": ("1 " * 501, "Error: the source has 1002 bytes, more than the limit"),
    "half a surrogate pair": ('"\ud83d"', "Value: "),
}


@pytest.mark.parametrize(("code", "text"), RESULTS.values(), ids=RESULTS)
def test_eval_code_shows_output_and_value_or_error(code: str, text: str, call: CallTool) -> None:
    """The model sees what was printed, then the value of the last form or the VM's error."""
    result = call("eval_code", json.dumps({"code": code}))
    assert result.text.startswith(text)
    assert (result.failure is not None) is ("Error: " in text)
    assert (result.repaired, result.misfit) == (False, False)


def test_a_failure_is_kept_with_its_class_and_name(call: CallTool) -> None:
    """What the tables of error classes count comes with the result."""
    failure = call("eval_code", json.dumps({"code": "(frobnicate 1)"})).failure
    assert failure is not None
    assert (failure.error_class, failure.name) == (ErrorClass.UNBOUND, "frobnicate")


def test_each_call_has_an_interpreter_of_its_own(call: CallTool) -> None:
    """What an earlier call defined is gone."""
    call("eval_code", json.dumps({"code": "(define leak 1)"}))
    assert call("eval_code", json.dumps({"code": "leak"})).failure is not None


def test_an_error_that_misleads_is_followed_by_a_hint_of_ours(call: CallTool) -> None:
    """One line below the VM's words, marked as ours, and only where it is known to help."""
    lines = call("eval_code", json.dumps({"code": "(even? 4.0)"})).text.splitlines()
    assert lines[0] == "Error: expected integer, got float"
    assert lines[-1].startswith("Hint of this tool, not of the VM: A float does not count")
    assert "Hint" not in call("eval_code", json.dumps({"code": "(frobnicate 1)"})).text


def test_hints_can_be_switched_off(event_loop_runner: asyncio.Runner, vm: SemaVM) -> None:
    """Without them the model reads the VM's words and nothing else."""
    toolbox = make_toolbox(["eval_code"], vm, Limits(), hints=False)
    result = event_loop_runner.run(toolbox.call("eval_code", '{"code": "(even? 4.0)"}'))
    assert result.text == "Error: expected integer, got float\n  at <lambda> (<input>:1:1)"


ONE_LINE = {
    "a list": ("(range 50)", f"({' '.join(map(str, range(50)))})"),
    "maps": ('(map (fn (i) {:name (str "a  " i)}) (range 9))', '({:name "a  0"} {:name "a  1"}'),
    "a line end in a string": ('(list "' + "x" * 90 + '\\n" 1)', 'xxx\\n" 1)'),
}


@pytest.mark.parametrize(("code", "part"), ONE_LINE.values(), ids=ONE_LINE)
def test_a_value_of_up_to_200_characters_is_one_line(code: str, part: str, call: CallTool) -> None:
    """The VM breaks lines after 80; blanks within strings stay."""
    text = call("eval_code", json.dumps({"code": code})).text
    assert "\n" not in text
    assert part in text


def test_a_longer_value_keeps_its_lines(call: CallTool) -> None:
    """Beyond that the layout of the VM is easier to read."""
    assert call("eval_code", '{"code": "(range 90)"}').text.startswith("Value: (0\n 1\n")


FRAMES = {
    "one function": ("(define (f n) (+ 1 (f n))) (f 0)", "at f (<input>:1:20)\n  … this frame "),
    "two functions": (
        "(define (f n) (+ 1 (g n))) (define (g n) (+ 1 (f n))) (f 0)",
        "at f (<input>:1:20)\n  at g (<input>:1:47)\n  … these 2 frames ",
    ),
}


@pytest.mark.parametrize(("code", "part"), FRAMES.values(), ids=FRAMES)
def test_frames_that_repeat_are_shown_once(code: str, part: str, call: CallTool) -> None:
    """A runaway recursion is told in a few lines, with its position and how often."""
    result = call("eval_code", json.dumps({"code": code}))
    assert len(result.text) < 600
    assert part in result.text
    assert result.failure is not None
    assert result.failure.error_class is ErrorClass.STACK


def test_long_output_is_cut_to_head_and_tail(call: CallTool) -> None:
    """A model that prints a book reads its beginning, its end, and how much is missing."""
    code = '(println "begin") (println (string/repeat "x" 20000)) (println "finish")'
    text = call("eval_code", json.dumps({"code": code})).text
    assert len(text) < HEAD_CHARS + TAIL_CHARS + 100
    assert text.startswith("Output:\nbegin\nxxx")
    assert "characters left out" in text
    assert text.endswith("finish\nValue: nil (or the last form is a definition)")


BROKEN: dict[str, tuple[object, str]] = {
    "empty": ("", "not JSON"),
    "none": (None, "must be an object"),
    "half a JSON text": ('{"code": "(+ 1', "not JSON"),
    "code as it is": ("(+ 1 2)", "not JSON"),
    "two objects": ('{"code": "1"}{"code": "2"}', "not one JSON object"),
    "a list": ('["(+ 1 2)"]', "must be an object"),
    "a string": ('"(+ 1 2)"', "must be an object"),
    "a number": ("7", "must be an object"),
    "a Python list": (["(+ 1 2)"], "must be an object"),
    "no key": ("{}", "'code' is missing"),
    "another key": ('{"source": "1"}', "'code' is missing"),
    "a number for code": ('{"code": 1}', "'code' is missing or no string"),
    "null for code": ('{"code": null}', "'code' is missing or no string"),
    "a list for code": ('{"code": ["1"]}', "'code' is missing or no string"),
    "too deep to read": ("[" * 200_000, "not JSON"),
    "a number too long to read": ("1" * 5000, "not JSON"),
}


@pytest.mark.parametrize(("arguments", "complaint"), BROKEN.values(), ids=BROKEN)
def test_broken_arguments_are_answered_with_what_is_wrong(
    arguments: object, complaint: str, call: CallTool
) -> None:
    """The text says what was found and what to send; nothing is run."""
    result = call("eval_code", arguments)
    assert result.text.startswith("Error: ")
    assert complaint in result.text
    assert (
        "send an object" in result.text
        or "send one" in result.text
        or '{"code": string}' in result.text
    )
    assert result.failure is None
    assert (result.repaired, result.misfit) == (False, True)


REPAIRED = {
    "a line end within the string": '{"code": "(+ 1\n2)"}',
    "stray quotes behind": '{"code": "(+ 1 2)"}""',
    "encoded twice": json.dumps('{"code": "(+ 1 2)"}'),
    "the whole call once more": '{"name": "eval_code", "arguments": {"code": "(+ 1 2)"}}',
    "a model's marks behind": '{"code": "(+ 1 2)"}<|tool_call_end|><｜end▁of▁sentence｜>',
    "a fence behind": '{"code": "(+ 1 2)"}\n```',
}


@pytest.mark.parametrize("arguments", REPAIRED.values(), ids=REPAIRED)
def test_what_can_mean_only_one_thing_is_repaired_and_counted(
    arguments: str, call: CallTool
) -> None:
    """The narrow set of repairs: nothing is guessed."""
    result = call("eval_code", arguments)
    assert (result.text, result.repaired, result.misfit) == ("Value: 3", True, False)


def test_an_object_instead_of_text_is_understood_and_counted(call: CallTool) -> None:
    """Some servers send the arguments as an object: that is repaired, and said so."""
    result = call("eval_code", {"code": "(+ 1 2)"})
    assert (result.text, result.repaired, result.misfit) == ("Value: 3", True, False)


def test_arguments_that_are_not_wanted_do_no_harm(call: CallTool) -> None:
    """A key too many is ignored."""
    assert call("eval_code", '{"code": "5", "timeout": 3}').text == "Value: 5"


@pytest.mark.parametrize("name", ["run_code", "", "EVAL_CODE", None, 7, ["eval_code"]])
def test_an_unknown_tool_is_answered_with_the_tools_there_are(name: object, call: CallTool) -> None:
    """A tool that does not exist gets an answer, not a crash."""
    assert call(name, "{}").text == f"Error: there is no tool {name!r}. Tools: eval_code."


def test_a_tool_name_of_200_kb_is_not_sent_back_whole(call: CallTool) -> None:
    """What the model made up is quoted only in part."""
    assert len(call("x" * 200_000, "{}").text) < 200


def test_a_box_without_tools_says_so(event_loop_runner: asyncio.Runner, vm: SemaVM) -> None:
    """An empty box has no schemas and knows no tool."""
    toolbox = make_toolbox([], vm, Limits())
    assert toolbox.schemas == []
    assert "Tools: none." in event_loop_runner.run(toolbox.call("eval_code", "{}")).text


def test_a_tool_that_a_configuration_made_up_is_refused(vm: SemaVM) -> None:
    """The user learns which tools there are, before anything is paid for."""
    with pytest.raises(SettingsError, match=r"unknown tool 'shell'.*known are .*eval_code"):
        check_tool_names(["eval_code", "shell"])
    with pytest.raises(SettingsError, match="shell"):
        make_toolbox(["shell"], vm, Limits())
