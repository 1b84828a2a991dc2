"""Names of items, as they are shown and as they stand in a file system."""

import re

import pytest

from pytest_sema_bench.records.identity import ItemKey, Setup


def test_an_item_is_named_by_task_model_configuration_and_sample() -> None:
    """Each name is made in one place, the sample always with it."""
    item = ItemKey("L2-05-palindrome", Setup("kimi-k2.6", "tools"), 1)
    assert item.setup.name == "kimi-k2.6-tools"
    assert item.label == "kimi-k2.6-tools-s1"
    assert item.file == "L2-05-palindrome/kimi-k2.6-tools-s1"
    assert str(item) == "L2-05-palindrome kimi-k2.6-tools-s1"


NAMES = {
    "openrouter:deepseek/chat": "openrouter_deepseek_chat-tools-s1-",
    "../../etc/passwd": "_.._etc_passwd-tools-s1-",
    'a\\b|c"d': "a_b_c_d-tools-s1-",
    "m" * 300: "m" * 120 + "-",
}


@pytest.mark.parametrize(("name", "file"), NAMES.items(), ids=["slash", "up", "signs", "long"])
def test_an_item_is_a_path_of_two_parts(name: str, file: str) -> None:
    """Names of models never lead out of a folder, and no two of them to the same file."""
    item = ItemKey("double", Setup(name, "tools"), 1)
    assert re.fullmatch(re.escape(f"double/{file}") + "[0-9a-f]{6}", item.file)
    twin = ItemKey("double", Setup(name.replace("/", "|") + "x", "tools"), 1)
    assert twin.file != item.file


def test_a_task_has_a_folder_of_its_own_whatever_its_id() -> None:
    """It stays in the run folder, and letters of any script are kept."""
    up = ItemKey("../naïve", Setup("m", "tools"), 1)
    assert re.fullmatch(r"_naïve-[0-9a-f]{6}/m-tools-s1", up.file)
