"""The tables of pyproject.toml as registry; what both files share is in test_models.py."""

from pathlib import Path

import pytest

from pytest_sema_bench.catalog.registry import load_registry
from pytest_sema_bench.errors import SettingsError


def write(folder: Path, text: str) -> Path:
    """A project folder with this pyproject.toml."""
    (folder / "pyproject.toml").write_text(text, encoding="utf-8")
    return folder


def test_a_provider_of_pyproject_serves_its_models(tmp_path: Path) -> None:
    """With TOML's own dates and numbers."""
    text = """
[tool.sema-bench.providers.here]
base_url = "http://127.0.0.1:8000/v1"
limits = {concurrency = 2}
[tool.sema-bench.models.mine]
provider = "here"
id = "m"
price = {input = 1, output = 2.5, date = 2026-01-31}
"""
    model = load_registry(write(tmp_path, text)).model("mine")
    assert (model.base_url, model.limits.concurrency) == ("http://127.0.0.1:8000/v1", 2)
    assert model.price is not None
    assert (model.price.output_usd, model.price.date) == (2.5, "2026-01-31")


BROKEN = {
    "id missing": ("models.m", "provider = 'fireworks'", 2, "models.m: 'id' is missing"),
    "unknown key": ("models.m", "id = 'i'\nurl = 'x'", 4, "models.m: unknown key 'url'"),
    "no URL": ("providers.p", "base_url = 'h'", 3, "providers.p.base_url: found 'h', expected"),
    "a number": ("models.m", "id = 5", 3, "models.m.id: found 5, expected text"),
    "no number": ("configs.c", "tools = []\nmax_rounds = inf", 4, "configs.c.max_rounds: found "),
    "not TOML": ("configs.c", "tools =", 3, ""),
    "a name in quotes": (
        "models.'a.b'",
        "id = 'i'\nprice.input = 1\nprovider = 'vllm'",
        4,
        "models.a.b.price: 'output' is missing",
    ),
}


@pytest.mark.parametrize(("table", "text", "line", "message"), BROKEN.values(), ids=BROKEN)
def test_a_broken_table_is_named_with_its_file_and_line(
    tmp_path: Path, table: str, text: str, line: int, message: str
) -> None:
    """As a broken sema-models.yaml is, but the file is pyproject.toml."""
    write(tmp_path, f"[tool]\n[tool.sema-bench.{table}]\n{text}\n")
    with pytest.raises(SettingsError) as caught:
        load_registry(tmp_path)
    place = f"{tmp_path / 'pyproject.toml'}:{line}: "
    assert str(caught.value).startswith(place)
    assert message in str(caught.value)
