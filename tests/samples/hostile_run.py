"""A run folder whose every text tries to get out of the report, as a model could write it."""

import json
from dataclasses import replace
from pathlib import Path

from pytest_sema_bench.records.folder import RunFolder
from pytest_sema_bench.records.record import Record
from tests.samples.made_up_run import write_run_files
from tests.samples.record import RECORD

SCRIPT = "</script><script>document.title='pwned'</script>"
IMAGE = "<img src=x onerror=\"document.title='pwned'\">"
BIDI = "safe\u202eelif\u2066x"
ODD = "\x00\x1b[31mred\x1b[0m\u200b"
HALF = "half \ud800 of a character"
LONG = "x" * 200_000
HOSTILE = f"{SCRIPT} {IMAGE} {BIDI} {ODD} {HALF} {{{{ 7 * 7 }}}} {{% raw %}} ]]> <!-- "


def write_hostile_run(folder: Path) -> Record:
    """Write the run folder and give its only record."""
    folder.mkdir(parents=True)
    record = replace(
        RECORD,
        model=IMAGE,
        task=f"T-{SCRIPT}",
        category=BIDI,
        detail=HOSTILE,
        answer=HOSTILE + LONG,
        cases=[{"call": HOSTILE, "expected": SCRIPT, "got": LONG, "pass": False}],
        vm_errors=[{"where": "tool", "class": SCRIPT, "name": HOSTILE}],
        tool_calls={f"{IMAGE} {BIDI}": 1},
        served_model=SCRIPT,
        provider=IMAGE,
        transcript="transcripts/t.json",
    )
    call = {"function": {"name": IMAGE, "arguments": json.dumps({"code": HOSTILE, SCRIPT: IMAGE})}}
    odd = {"function": {"name": None, "arguments": "{no json " + SCRIPT}}
    messages = [
        {"role": "system", "content": HOSTILE},
        {"role": SCRIPT, "content": [{"type": "text", "text": HOSTILE}, {"type": "image"}, 3]},
        {"role": "assistant", "content": None, "reasoning": HOSTILE, "tool_calls": [call, odd, 7]},
        {"role": "tool", "content": LONG},
        {"role": "assistant", "content": f"```sema\n{HOSTILE}\n```\n{LONG}"},
    ]
    (folder / "transcripts").mkdir()
    talk = {"messages": messages, "calls": [], "traceback": SCRIPT}
    (folder / "transcripts" / "t.json").write_text(json.dumps(talk))
    (folder / "records.jsonl").write_text(record.to_json() + "\n", "utf-8")
    write_run_files(RunFolder(folder), [record])
    return record
