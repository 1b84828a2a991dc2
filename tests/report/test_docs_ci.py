"""The workflows that are shown, and the project's own, can be read by what they are for."""

import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]


def shown() -> list[Any]:
    """The YAML blocks of docs/ci.md."""
    text = (ROOT / "docs" / "ci.md").read_text("utf-8")
    return [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)]


def test_each_workflow_is_yaml_with_jobs() -> None:
    """Every job has a machine and steps, every step runs or uses something."""
    github, gitlab = shown()
    own = yaml.safe_load((ROOT / ".github" / "workflows" / "tests.yml").read_text("utf-8"))
    assert set(own["jobs"]) == {"test", "bench"}
    for workflow in (github, own):
        # YAML 1.1 reads the key `on` as true.
        assert workflow[True]
        for job in workflow["jobs"].values():
            assert job["runs-on"]
            assert all("run" in step or "uses" in step for step in job["steps"])
    assert gitlab["sema-bench"]["script"]
    assert gitlab["sema-bench"]["allow_failure"] == {"exit_codes": [10]}


def test_the_examples_of_shards_name_all_of_them() -> None:
    """As many jobs or pods as the share's divisor, and what merges them waits for them."""
    text = (ROOT / "docs" / "scale.md").read_text("utf-8")
    blocks = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    jobs, pods = (yaml.safe_load(block) for block in blocks)
    shard, whole = jobs["jobs"]["shard"], jobs["jobs"]["whole"]
    n_jobs = len(shard["strategy"]["matrix"]["shard"])
    assert f"--sema-shard=${{{{ matrix.shard }}}}/{n_jobs}" in str(shard["steps"])
    assert whole["needs"] == "shard"
    assert "merge shards/*/*/" in str(whole["steps"])  # of each artifact the run's folder
    (container,) = pods["spec"]["template"]["spec"]["containers"]
    assert f"+ 1))/{pods['spec']['completions']}" in container["command"][-1]


def test_forks_are_never_given_the_key() -> None:
    """The key is in the environment of single steps, and no job runs a fork's code with it."""
    github, _ = shown()
    assert "pull_request_target" not in github[True]
    assert "FIREWORKS_API_KEY" not in str(github["env"])
    for job in github["jobs"].values():
        assert "FIREWORKS_API_KEY" not in str(job.get("env", ""))
    steps = github["jobs"]["pull-request"]["steps"]
    for step in steps:
        if "secrets." in str(step):
            assert step["if"].endswith("head.repo.full_name == github.repository")


def test_the_workflow_of_a_language_gives_the_key_to_one_step() -> None:
    """docs/ci-language.md builds a stranger's binary; only the step that asks has the key."""
    text = (ROOT / "docs" / "ci-language.md").read_text("utf-8")
    (block,) = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    workflow = yaml.safe_load(block)
    assert "pull_request" in workflow[True]
    (job,) = workflow["jobs"].values()
    assert "FIREWORKS_API_KEY" not in str({**job, "steps": None})
    holders = [step["name"] for step in job["steps"] if "env" in step and "secrets" in str(step)]
    assert holders == ["Models on both"]
    commands = " ".join(step.get("run", "") for step in job["steps"])
    for command in ("cargo build", "vm compare", "--sema-vm=", "--across vm --gate", "pr comment"):
        assert command in commands
