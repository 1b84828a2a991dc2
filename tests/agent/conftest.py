"""A task, and whole conversations about it: scripted server, loop, real VM, verdict."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from pytest_sema_bench.agent.loop import AgentRun, run_agent
from pytest_sema_bench.agent.tools import make_toolbox
from pytest_sema_bench.chat import ChatClient, Patience
from pytest_sema_bench.chat.transport import HttpWire
from pytest_sema_bench.grading import Grader, Verdict
from pytest_sema_bench.redaction import Redactor
from pytest_sema_bench.sema.vm import SemaVM
from pytest_sema_bench.settings import Config, Limits
from pytest_sema_bench.suite.task import Task, load_task
from tests.asking import TOOLS, Converse
from tests.chat_server import (
    ChatServer,
    Script,
)
from tests.samples.double_task import write_double_task


@pytest.fixture
def task(tmp_path: Path) -> Task:
    """A task that asks for `(double n)`."""
    return load_task(write_double_task(tmp_path / "tasks") / "double.yaml")


@pytest.fixture
def converse(
    event_loop_runner: asyncio.Runner, vm: SemaVM, chat_server: ChatServer, task: Task
) -> Converse:
    """Play a script to the end and grade what comes out."""

    async def run(
        script: Script, config: Config, options: dict[str, Any]
    ) -> tuple[AgentRun, Verdict]:
        chat_server.play(script)
        wire, patience = HttpWire(chat_server.url, "key"), Patience(attempts=3, first_wait_s=0.001)
        client = ChatClient(wire, redactor=Redactor(["key"]), patience=patience)
        toolbox = make_toolbox(config.tools, vm, Limits())
        try:
            run = await run_agent(
                task.full_prompt,
                client,
                model_id="m",
                config=config,
                toolbox=toolbox,
                **options,
            )
        finally:
            await client.close()
        return run, await Grader(vm).grade(task, run.answer, truncated=run.truncated)

    return lambda script, config=TOOLS, **options: event_loop_runner.run(
        run(script, config, options)
    )
