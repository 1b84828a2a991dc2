"""TRL itself takes the formats that are made for it, on the processor; skipped without `trl`.

`make train` installs it into a folder of its own and runs these tests.
"""

import json
import math
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_sema_bench.dataset.formats import FORMATS
from pytest_sema_bench.reward import process
from pytest_sema_bench.reward.scale import RewardSettings
from pytest_sema_bench.reward.trl import make_reward
from tests.samples.rows import PAIR, PROGRAMS, TRACE

pytestmark = [pytest.mark.train, pytest.mark.filterwarnings("default")]

CHAT = (
    "{% if tools %}{% for tool in tools %}{{ tool | tojson }}\n{% endfor %}{% endif %}"
    "{% for m in messages %}<{{ m.role }}>{{ m.content or '' }}"
    "{% for c in m.tool_calls or [] %}{{ c.function.name }} "
    "{{ c.function.arguments | tojson }}{% endfor %}<end>{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)
ROUND = Path(__file__).parents[2] / "benchmarks" / "training" / "round.py"


@pytest.fixture
def trl() -> Any:
    """The library; it comes with the extra `train`, for it brings torch along."""
    return pytest.importorskip(
        "trl", reason="trl is not installed; the extra `train` or `make train` has it"
    )


@pytest.fixture
def tokenizer() -> Any:
    """A tokenizer of bytes, made on the spot, with a chat template that knows tools."""
    tokenizers = pytest.importorskip("tokenizers")
    transformers = pytest.importorskip("transformers")
    alphabet = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {sign: n for n, sign in enumerate([*alphabet, "<end>"])}
    made = tokenizers.Tokenizer(tokenizers.models.BPE(vocab=vocabulary, merges=[]))
    made.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = tokenizers.decoders.ByteLevel()
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=made, eos_token="<end>", pad_token="<end>", chat_template=CHAT
    )


@pytest.fixture
def model(tokenizer: Any, tmp_path: Path) -> str:
    """The folder of a model that knows nothing."""
    transformers = pytest.importorskip("transformers")
    config = transformers.GPT2Config(
        vocab_size=len(tokenizer),
        n_embd=8,
        n_layer=1,
        n_head=1,
        n_positions=4096,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
    )
    folder = str(tmp_path / "model")
    transformers.GPT2LMHeadModel(config).save_pretrained(folder)
    return folder


@pytest.fixture
def arguments(tmp_path: Path) -> dict[str, Any]:
    """One step on the processor, with nothing written or told elsewhere."""
    return {
        "output_dir": str(tmp_path / "out"),
        "max_steps": 1,
        "use_cpu": True,
        "bf16": False,
        "report_to": "none",
        "save_strategy": "no",
        "logging_steps": 1,
    }


@pytest.fixture
def rewards() -> Iterator[RewardSettings]:
    """Settings of a VM pool that ends with the test."""
    yield RewardSettings(n_hosts=1)
    process.close()


def load(folder: Path, name: str, rows: Any) -> Any:
    """The records of rows, as `datasets` reads them."""
    datasets = pytest.importorskip("datasets")
    path = folder / f"{name}.jsonl"
    records = [record for row in rows for record in FORMATS[name].records(row, None)]
    path.write_text("".join(f"{json.dumps(record)}\n" for record in records), "utf-8")
    return datasets.load_dataset(
        "json", data_files=str(path), split="train", cache_dir=str(folder / "cache")
    )


@pytest.mark.parametrize("name", ["trl", "trl-text"])
def test_sft_trains_on_the_answers_alone(
    name: str, trl: Any, tokenizer: Any, model: str, arguments: dict[str, Any], tmp_path: Path
) -> None:
    """A step of `SFTTrainer` runs, and what counts of each record is its completion."""
    rows = (*PROGRAMS[:3], TRACE) if name == "trl" else PROGRAMS[:3]
    data = load(tmp_path, name, rows)
    size = {"per_device_train_batch_size": len(data), "max_length": 4096}
    trainer = trl.SFTTrainer(
        model=model,
        args=trl.SFTConfig(**arguments, **size),
        train_dataset=data,
        processing_class=tokenizer,
    )
    [batch] = trainer.get_train_dataloader()
    learnt = [
        tokenizer.decode([token for token in labels if token >= 0])
        for labels in batch["labels"].tolist()
    ]
    code = [row.code for row in rows if not row.messages]
    assert all(any(text in answer for answer in learnt) for text in code)
    assert not any("error: Unbound" in answer or "Write a" in answer for answer in learnt)
    assert trainer.train().training_loss > 0


def test_a_pair_is_a_preference_to_trl(trl: Any, tokenizer: Any, tmp_path: Path) -> None:
    """Prompt, chosen and rejected become texts that differ in the answer alone."""
    [record] = load(tmp_path, "dpo", [PAIR])
    assert trl.is_conversational(record)
    made = trl.apply_chat_template(record, tokenizer)
    assert made["prompt"].startswith("<user>Write a Sema function")
    assert "(/ n 4)" in made["chosen"]
    assert "(define (quarter n) 4)" in made["rejected"]


def test_dpo_starts_where_both_answers_are_as_good(
    trl: Any, tokenizer: Any, model: str, arguments: dict[str, Any], tmp_path: Path
) -> None:
    """A step of `DPOTrainer` on pairs of ours starts from the loss of one who knows nothing."""
    trainer = trl.DPOTrainer(
        model=model,
        args=trl.DPOConfig(**arguments, max_length=4096),
        train_dataset=load(tmp_path, "dpo", [PAIR] * 2),
        processing_class=tokenizer,
    )
    assert trainer.train().training_loss == pytest.approx(math.log(2), abs=1e-3)


@pytest.mark.vm
def test_grpo_is_paid_by_the_vm(
    trl: Any,
    tokenizer: Any,
    model: str,
    arguments: dict[str, Any],
    rewards: RewardSettings,
    tmp_path: Path,
) -> None:
    """A step of `GRPOTrainer` pays chance answers nothing, and the answers of the rows all."""
    rows = [row for row in PROGRAMS if row.error is None]
    data = load(tmp_path, "trl-grpo", rows)
    size = {"per_device_train_batch_size": 4, "num_generations": 4, "max_completion_length": 8}
    trainer = trl.GRPOTrainer(
        model=model,
        reward_funcs=make_reward(rewards),
        args=trl.GRPOConfig(**arguments, **size),
        train_dataset=data,
        processing_class=tokenizer,
    )
    trainer.train()
    [logged] = [step for step in trainer.state.log_history if "reward" in step]
    assert float(logged["rewards/sema_reward/mean"]) == 0.0
    answers = [[{"role": "assistant", "content": f"```sema\n{row.code}\n```"}] for row in rows]
    paid = make_reward(rewards)(data["prompt"], answers, ground_truth=data["ground_truth"])
    assert paid == [1.0] * len(rows)


@pytest.mark.vm
@pytest.mark.pytester
def test_a_round_goes_from_sources_to_a_verdict(trl: Any, tmp_path: Path) -> None:
    """Data sets, SFT, GRPO, a server, three runs and two comparisons: `round.py --quick`."""
    folder = tmp_path / "round"
    # Else the pytest that it starts would take itself for a worker of this one.
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")}
    done = subprocess.run(
        [sys.executable, str(ROUND), "--quick", "-o", str(folder)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    assert done.stdout.count("6 failed in") == 3
    assert done.stdout.rstrip().splitlines()[-1].endswith("cannot tell")
    assert (folder / "grpo-model" / "model.safetensors").is_file()
