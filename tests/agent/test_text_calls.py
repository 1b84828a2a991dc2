"""Tool calls that arrive as text: which are seen, which are not, and what becomes of them."""

import json
import time

import pytest

from pytest_sema_bench.agent.text_calls import find_calls, server_flags, without_calls
from pytest_sema_bench.catalog.models import TextToolCalls
from pytest_sema_bench.errors import ModelError
from pytest_sema_bench.records.outcome import Outcome, Reason, Stop
from tests.asking import BARE, Converse
from tests.chat_server import ChatServer, say
from tests.samples.double_task import RIGHT

CODE = '(println "a\\n")\n(+ 1 2)'
ARGUMENTS = json.dumps({"code": CODE})
NAMED = json.dumps({"name": "eval_code", "arguments": {"code": CODE}})
DSML = f"""<｜DSML｜function_calls>
<｜DSML｜invoke name="eval_code">
<｜DSML｜parameter name="code" string="true">{CODE}</｜DSML｜parameter>
</｜DSML｜invoke>
</｜DSML｜function_calls>"""
INVOKE = DSML.replace("｜DSML｜", "")

FORMS: dict[str, tuple[str, str]] = {
    "Hermes": ("hermes", f"<tool_call>\n{NAMED}\n</tool_call>"),
    "Hermes, not closed": ("hermes", f"<tool_call>\n{NAMED}"),
    "Hermes, a line end in a string": (
        "hermes",
        f"<tool_call>{NAMED}</tool_call>".replace("\\n(", "\n("),
    ),
    "Granite": ("hermes", f"<|tool_call|>[{NAMED}]"),
    "Qwen3-Coder": (
        "qwen3-coder",
        "<tool_call>\n<function=eval_code>\n<parameter=code>\n"
        f"{CODE}\n</parameter>\n</function>\n</tool_call>",
    ),
    "GLM": (
        "glm",
        f"<tool_call>eval_code\n<arg_key>code</arg_key>\n<arg_value>{CODE}</arg_value>\n</tool_call>",
    ),
    "Kimi": (
        "kimi",
        "<|tool_calls_section_begin|><|tool_call_begin|>functions.eval_code:0"
        f"<|tool_call_argument_begin|>{ARGUMENTS}<|tool_call_end|><|tool_calls_section_end|>",
    ),
    "DeepSeek V3": (
        "deepseek",
        "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>eval_code\n```json\n"
        f"{ARGUMENTS}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
    ),
    "DeepSeek V3.1": (
        "deepseek",
        "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>eval_code<｜tool▁sep｜>"
        f"{ARGUMENTS}<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
    ),
    "DeepSeek V3.2": ("invoke", DSML),
    "its other bars": ("invoke", DSML.replace("｜", "|")),
    "MiniMax": ("invoke", INVOKE.replace("function_calls", "minimax:tool_call")),
    "Claude's": ("invoke", INVOKE),
    "Mistral v3": ("mistral", f"[TOOL_CALLS][{NAMED}]"),
    "Mistral v11": ("mistral", f"[TOOL_CALLS]eval_code[CALL_ID]abc123def[ARGS]{ARGUMENTS}"),
    "Mistral, bare": ("mistral", f"[TOOL_CALLS]eval_code{ARGUMENTS}"),
    "Llama 3": ("llama", "<|python_tag|>" + NAMED.replace("arguments", "parameters")),
    "Llama 3, a function tag": ("llama", f"<function=eval_code>{ARGUMENTS}</function>"),
    "gpt-oss": (
        "harmony",
        "<|channel|>commentary to=functions.eval_code <|constrain|>json<|message|>"
        f"{ARGUMENTS}<|call|>",
    ),
    "a fence": ("json", f"```json\n{NAMED}\n```"),
    "a fence with a list": ("json", f"```\n[{NAMED}]\n```"),
    "nothing else": ("json", NAMED.replace("arguments", "parameters")),
    "as the API has it": ("json", json.dumps({"type": "function", "function": json.loads(NAMED)})),
}


def is_eval(name: str) -> bool:
    """What a box with the one tool says of a name."""
    return "eval_code" in name


@pytest.mark.parametrize(("form", "text"), FORMS.values(), ids=FORMS)
def test_a_call_is_seen_in_every_form(form: str, text: str) -> None:
    """Its code comes out letter for letter, and what is said before it is kept."""
    (found,) = find_calls(f"I try it.\n{text}" if form != "json" else text, is_eval)
    assert found.form.value == form
    ((name, arguments),) = found.calls
    assert is_eval(name)
    assert arguments == {"code": CODE}


@pytest.mark.parametrize(("form", "text"), FORMS.values(), ids=FORMS)
def test_nothing_is_left_of_the_marks(form: str, text: str) -> None:
    """What a message says beside its calls is an answer, and marks are none."""
    said = "I try it.\n" if not text.startswith("{") else ""
    whole = said + text
    assert without_calls(whole, find_calls(whole, is_eval)) == said.strip()


@pytest.mark.parametrize(
    "text",
    [
        f"<tool_call>{NAMED}</tool_call>\n<tool_call>{NAMED}</tool_call>",
        f"<tool_call>[{NAMED}, {NAMED}]</tool_call>",
        f"[TOOL_CALLS][{NAMED},{NAMED}]",
        f"<|python_tag|>{NAMED}; {NAMED}",
        f"{INVOKE}{INVOKE}",
        f"```json\n{NAMED}\n{NAMED}\n```",
    ],
)
def test_several_calls_are_all_seen(text: str) -> None:
    """In their order."""
    found = find_calls(text, is_eval)
    assert [call for marked in found for call in marked.calls] == 2 * [
        ("eval_code", {"code": CODE})
    ]


PROSE = {
    "code": RIGHT,
    "a mark": "I would write <tool_call> and then the call.",
    "a mark that is closed": "Between <tool_call> and </tool_call> stands the call.",
    "another tool": f"<tool_call>{NAMED}</tool_call>".replace("eval_code", "shell"),
    "a thought": f"<think><tool_call>{NAMED}</tool_call></think>The value is 3.",
    "a fence with more in it": f"```json\n{NAMED} is what I would send\n```",
    "an object in prose": f"I would send {NAMED}.",
    "data": '```json\n{"name": "eval_code", "age": 3}\n```',
    "a tag that is not closed": "<function=eval_code>\n<parameter=code>\n(+ 1 2)",
    "a tag without arguments": '<invoke name="eval_code">run it</invoke>',
    "half an object": '<tool_call>{"name": "eval_code", "arguments": {"code": "(+ 1',
}


@pytest.mark.parametrize("text", PROSE.values(), ids=PROSE)
def test_what_is_no_call_stays_an_answer(text: str) -> None:
    """It must be closed, and name a tool that was offered."""
    assert find_calls(text, is_eval) == ()


UNITS = (
    "<tool_call>{",
    "<think>",
    '<tool_call>{"name":"',
    "[TOOL_CALLS]{",
    "<function=a>",
    "```\n{",
)


@pytest.mark.parametrize("unit", UNITS)
def test_a_hostile_text_is_read_in_time(unit: str) -> None:
    """Thousands of marks that lead nowhere cost no more than reading on."""
    started = time.process_time()
    find_calls(unit * (200_000 // len(unit)) + "</function></think>", is_eval)
    assert time.process_time() - started < 2.0


TEXT = f"I try it.\n<tool_call>\n{NAMED}\n</tool_call>"


def test_a_call_in_the_text_is_read_and_answered(
    converse: Converse, chat_server: ChatServer
) -> None:
    """It is a round like any other, counted as repaired; what came goes back as it came."""
    run, verdict = converse([say(TEXT), say(RIGHT)])
    assert (verdict.outcome, run.stop, run.rounds) == (Outcome.PASS, Stop.ANSWERED, 1)
    assert (run.tool_calls, run.n_repairs, run.n_misfits) == ({"eval_code": 1}, 1, 0)
    asked, answered = chat_server.requests[1].messages[-2:]
    assert asked == {"role": "assistant", "content": TEXT}
    assert answered == {
        "role": "user",
        "content": "<tool_response>\nOutput:\na\n\nValue: 3\n</tool_response>",
    }
    assert run.transcript.calls[0].adaptations == ("text-tool-calls=hermes",)


def test_a_call_in_the_text_that_is_no_json_gets_its_answer(
    converse: Converse, chat_server: ChatServer
) -> None:
    """That is the model's doing, and counted as such."""
    broken = '<tool_call>{"name": "eval_code", "arguments": {"code": (+ 1 2)}}</tool_call>'
    run, _ = converse([say(broken), say(RIGHT)])
    assert (run.n_repairs, run.n_misfits) == (0, 1)
    assert "not JSON" in chat_server.requests[1].messages[-1]["content"]


def test_a_call_among_the_thoughts_is_read_where_nothing_else_was_said(converse: Converse) -> None:
    """A parser of reasoning that finds no end takes the call with it."""
    run, verdict = converse([say("", reasoning_content=TEXT), say(RIGHT, reasoning_content=TEXT)])
    assert (verdict.outcome, run.tool_calls) == (Outcome.PASS, {"eval_code": 1})


def test_the_last_answer_is_asked_for_in_the_message_with_the_results(
    converse: Converse, chat_server: ChatServer
) -> None:
    """Some templates take no two messages of the user in a row; a call is no answer there."""
    run, verdict = converse([say(TEXT.removeprefix("I try it.\n"))])
    assert (run.stop, run.rounds, verdict.reason) == (Stop.STRAY_CALL, 3, Reason.NO_ANSWER)
    roles = [message["role"] for message in chat_server.requests[-1].messages]
    assert roles == ["system", "user", *3 * ["assistant", "user"]]
    assert "final answer now" in chat_server.requests[-1].messages[-1]["content"]


def test_calls_in_the_text_can_be_left_alone(converse: Converse) -> None:
    """They are then what the model has answered."""
    run, _ = converse([say(TEXT)], text_tool_calls=TextToolCalls.IGNORE)
    assert (run.answer, run.rounds) == (TEXT, 0)
    run, _ = converse([say(TEXT)], BARE)
    assert (run.answer, run.rounds) == (TEXT, 0)


def test_calls_in_the_text_can_be_refused(converse: Converse) -> None:
    """Nothing is said about the model then; the text says how to start the server."""
    run, _ = converse([say(TEXT)], text_tool_calls=TextToolCalls.REFUSE)
    assert isinstance(run.broken_off_by, ModelError)
    assert server_flags("hermes") in str(run.broken_off_by)
    assert "--tool-call-parser hermes" in server_flags("hermes")
