"""TRL itself takes the formats that are made for it, on the processor; skipped without `trl`."""

import json
from pathlib import Path
from typing import Any

import pytest

from pytest_sema_bench.dataset.formats import FORMATS
from tests.samples.rows import PAIR, PROGRAMS, TRACE

pytestmark = [pytest.mark.train, pytest.mark.filterwarnings("default")]

CHAT = (
    "{% if tools %}{% for tool in tools %}{{ tool | tojson }}\n{% endfor %}{% endif %}"
    "{% for m in messages %}<{{ m.role }}>{{ m.content or '' }}"
    "{% for c in m.tool_calls or [] %}{{ c.function.name }} "
    "{{ c.function.arguments | tojson }}{% endfor %}<end>{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)


@pytest.fixture
def trl() -> Any:
    """The library; it comes with the extra `train`, for it brings torch along."""
    return pytest.importorskip("trl", reason="trl is not installed; the extra `train` has it")


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
    name: str, trl: Any, tokenizer: Any, tmp_path: Path
) -> None:
    """A step of `SFTTrainer` runs, and what counts of each record is its completion."""
    transformers = pytest.importorskip("transformers")
    rows = (*PROGRAMS[:3], TRACE) if name == "trl" else PROGRAMS[:3]
    data = load(tmp_path, name, rows)
    config = transformers.GPT2Config(
        vocab_size=len(tokenizer), n_embd=8, n_layer=1, n_head=1, n_positions=4096
    )
    arguments = trl.SFTConfig(
        output_dir=str(tmp_path / "out"),
        max_steps=1,
        per_device_train_batch_size=len(data),
        use_cpu=True,
        bf16=False,
        report_to="none",
        save_strategy="no",
        max_length=4096,
    )
    trainer = trl.SFTTrainer(
        model=transformers.GPT2LMHeadModel(config),
        args=arguments,
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
