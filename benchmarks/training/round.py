"""One whole round, small: data set, SFT, GRPO with the reward, served, benched, compared.

    python -m venv train && train/bin/pip install -e '.[train]'
    train/bin/python benchmarks/training/round.py [-o FOLDER] [--quick]

Everything happens in FOLDER, by default a temporary one, on the processor. The steps are those of
docs/training.md, each with the real thing: `sema-bench dataset`, TRL's trainers, the VM, HTTP,
pytest with this plugin, `sema-bench compare`. `--quick` does as little as shows that each hand-over
works; what it trains learns nothing. README.md beside this file says what the whole round shows.
The exit status is 1 if a step fails; whether the model got better is for `compare` to say.
"""

import argparse
import io
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Nothing is to be looked for on the Hub, and a model so small gains nothing by a second thread but
# waits for it on a busy machine. These are read when the libraries are imported.
os.environ |= {
    "OMP_NUM_THREADS": "1",
    "HF_HUB_OFFLINE": "1",
    "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "TRANSFORMERS_VERBOSITY": "error",
}

from datasets import load_dataset
from tiny import make_tokenizer, write_model
from toy import write_suites
from transformers import AutoTokenizer
from transformers.utils.logging import disable_progress_bar
from trl import GRPOConfig, GRPOTrainer, SFTConfig, SFTTrainer

from pytest_sema_bench.reward.scale import RewardSettings
from pytest_sema_bench.reward.trl import make_reward

SYSTEM = "You write Sema. Answer with one block of code."
MODEL = "tiny"
MAX_TOKENS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much is done."""

    n_kinds: int
    n_numbers: int
    """Tasks of each kind, those that are measured with included."""
    n_docs: int
    """Examples of the documentation that are mixed in."""
    width: int
    n_layers: int
    n_epochs: int
    grpo_steps: int
    batch: int


WHOLE = Size(
    n_kinds=10,
    n_numbers=28,
    n_docs=40,
    width=64,
    n_layers=2,
    n_epochs=40,
    grpo_steps=8,
    batch=32,
)
QUICK = Size(
    n_kinds=2, n_numbers=6, n_docs=6, width=16, n_layers=1, n_epochs=1, grpo_steps=1, batch=4
)


def run(folder: Path, module: str, *arguments: str | Path, may: tuple[int, ...] = (0,)) -> None:
    """Run a command of this Python's environment, its output shown. Exits if it fails."""
    command = [module, *map(str, arguments)]
    shown = " ".join(command).replace("pytest_sema_bench.cli", "sema-bench")
    print(f"\n$ {shown}".replace(str(folder), "."), flush=True)
    done = subprocess.run([sys.executable, "-m", *command], cwd=folder, check=False)
    if done.returncode not in may:
        sys.exit(f"{module} ended with status {done.returncode}")


def sema_bench(folder: Path, *arguments: str | Path, may: tuple[int, ...] = (0,)) -> None:
    """A command of `sema-bench`."""
    run(folder, "pytest_sema_bench.cli", *arguments, may=may)


@contextmanager
def step(name: str) -> Iterator[None]:
    """Says what is done and how long it took."""
    print(f"\n== {name}", flush=True)
    began = time.monotonic()
    yield
    print(f"== {name}: {time.monotonic() - began:.0f} s", flush=True)


def build(folder: Path, size: Size) -> Path:
    """Data sets for SFT and GRPO in `sft` and `grpo`; gives the suite to measure with."""
    taught, held_out = write_suites(folder, size.n_numbers, size.n_kinds)
    sema_bench(folder, "dataset", "tasks", "--suite", taught, "-o", "tasks.jsonl")
    sema_bench(folder, "dataset", "docs", "-o", "all-docs.jsonl")
    lines = (folder / "all-docs.jsonl").read_text("utf-8").splitlines(keepends=True)
    some = random.Random(0).sample(lines, size.n_docs)  # noqa: S311 - reproducible
    (folder / "docs.jsonl").write_text("".join(some), "utf-8")
    n_tasks = len((folder / "tasks.jsonl").read_text("utf-8").splitlines())
    for name, form, sources in (
        ("sft", "trl", {"tasks": n_tasks, "docs": size.n_docs}),
        ("grpo", "trl-grpo", {"tasks": n_tasks}),
    ):
        spec = {
            "name": name,
            "system": SYSTEM,
            "sources": [
                {"name": source, "files": [f"{source}.jsonl"], "share": share}
                for source, share in sources.items()
            ],
        }
        # JSON is YAML.
        (folder / f"{name}.yaml").write_text(json.dumps(spec, indent=1), "utf-8")
        sema_bench(
            folder,
            *("dataset", "build", f"{name}.yaml", "-o", name),
            *("--format", form, "--suite", held_out),
        )
        sema_bench(folder, "dataset", "check", name)
    return held_out


def load(folder: Path, name: str) -> Any:
    """A data set, as its card tells the Hub's library to read it."""
    return load_dataset(str(folder / name), cache_dir=str(folder / "cache"))


def make_model(folder: Path, size: Size) -> None:
    """A model of chance weights in `untrained`, its tokenizer trained on the data."""
    rows = load(folder, "sft")["train"]
    texts = [m["content"] for row in rows for m in [*row["prompt"], *row["completion"]]]
    tokenizer = make_tokenizer(texts)
    n = write_model(
        folder / "untrained", tokenizer, width=size.width, n_layers=size.n_layers, seed=0
    )
    print(f"{n:,} parameters, {len(tokenizer)} tokens, {len(rows)} rows")


def sft(folder: Path, size: Size) -> None:
    """Supervised: `untrained` becomes `sft-model`."""
    data = load(folder, "sft")
    trainer = SFTTrainer(
        model=str(folder / "untrained"),
        args=SFTConfig(
            num_train_epochs=size.n_epochs,
            per_device_train_batch_size=size.batch,
            learning_rate=2e-3,
            warmup_steps=20,
            lr_scheduler_type="cosine",
            max_length=256,
            logging_steps=20,
            **arguments_of(folder / "sft-out"),
        ),
        train_dataset=data["train"],
        eval_dataset=data.get("validation"),
        processing_class=AutoTokenizer.from_pretrained(folder / "untrained"),
    )
    trainer.train()
    if "validation" in data:
        print(f"validation: {trainer.evaluate()}")
    trainer.save_model(str(folder / "sft-model"))


def grpo(folder: Path, size: Size) -> None:
    """Reinforcement, paid by the VM's verdict: `sft-model` becomes `grpo-model`."""
    trainer = GRPOTrainer(
        model=str(folder / "sft-model"),
        reward_funcs=make_reward(RewardSettings(suites=(str(folder / "taught"),))),
        args=GRPOConfig(
            max_steps=size.grpo_steps,
            per_device_train_batch_size=2 * size.batch,
            num_generations=size.batch // 2,
            max_completion_length=MAX_TOKENS,
            learning_rate=1e-4,
            logging_steps=1,
            **arguments_of(folder / "grpo-out"),
        ),
        train_dataset=load(folder, "grpo")["train"],
        processing_class=AutoTokenizer.from_pretrained(folder / "sft-model"),
    )
    trainer.train()
    rewards = [step["reward"] for step in trainer.state.log_history if "reward" in step]
    print(f"mean reward by step: {' '.join(f'{reward:.2f}' for reward in rewards)}")
    trainer.save_model(str(folder / "grpo-model"))


def arguments_of(output: Path) -> dict[str, Any]:
    """What both trainers are told."""
    return {
        "output_dir": str(output),
        "use_cpu": True,
        "bf16": False,
        "report_to": "none",
        "save_strategy": "no",
        "disable_tqdm": True,
        "seed": 0,
    }


@contextmanager
def served(model: Path) -> Iterator[str]:
    """The address of a server of a model."""
    command = [sys.executable, str(Path(__file__).with_name("serve.py")), str(model)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            if not (url := server.stdout.readline().strip()):
                sys.exit("serve.py did not start")
            yield url
        finally:
            server.terminate()


def bench(folder: Path, model: str, suite: Path) -> Path:
    """The run folder of a model that is served and benched with this plugin."""
    (folder / "prompt.md").write_text(SYSTEM, "utf-8")
    reports = folder / "reports" / model
    with served(folder / model) as url:
        entry = {"base_url": url, "id": model, "price": {"input": 0, "output": 0}}
        sampling = {"max_tokens": MAX_TOKENS, "temperature": 0}
        plain = {"tools": [], "system_prompt": "prompt.md", "sampling": sampling}
        registry = {"models": {MODEL: entry}, "configs": {"plain": plain}}
        (folder / "sema-models.yaml").write_text(json.dumps(registry, indent=1), "utf-8")
        asked = (f"--sema-suite={suite}", f"--sema-model={MODEL}", "--sema-config=plain")
        # 1: some tasks failed, as they may.
        run(
            folder,
            "pytest",
            "-q",
            "--tb=no",
            "-p",
            "no:cacheprovider",
            "--rootdir=.",
            *asked,
            f"--sema-report-dir={reports}",
            may=(0, 1),
        )
    [made] = (path for path in reports.iterdir() if (path / "run.json").is_file())
    return made


def round_in(folder: Path, size: Size) -> None:
    """The whole round."""
    disable_progress_bar()
    # What the trainers print belongs between what the commands print.
    assert isinstance(sys.stdout, io.TextIOWrapper)
    sys.stdout.reconfigure(line_buffering=True)
    with step("data sets"):
        suite = build(folder, size)
    with step("a model that knows nothing"):
        make_model(folder, size)
    with step("bench before"):
        before = bench(folder, "untrained", suite)
    with step("SFT"):
        sft(folder, size)
    with step("bench after SFT"):
        between = bench(folder, "sft-model", suite)
    with step("GRPO"):
        grpo(folder, size)
    with step("bench after GRPO"):
        after = bench(folder, "grpo-model", suite)
    sema_bench(folder, "compare", between, after)
    bar = ("--require", "pass >= +10")
    sema_bench(folder, "compare", before, after, *bar, may=(0, 1, 10))


def main() -> None:
    """Read the command line, and go round."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--output", type=Path, metavar="FOLDER")
    parser.add_argument("--quick", action="store_true", help="as little as shows that it works")
    arguments = parser.parse_args()
    size = QUICK if arguments.quick else WHOLE
    if arguments.output is None:
        with tempfile.TemporaryDirectory(prefix="sema-round-") as folder:
            round_in(Path(folder), size)
        return
    arguments.output.mkdir(parents=True)
    round_in(arguments.output.resolve(), size)


if __name__ == "__main__":
    main()
