"""Ranges of versions of Sema."""

import pytest

from pytest_sema_bench.sema.versions import ALWAYS, Versions, text_on, unproven_version

NEW, OLD = Versions(since="2.0.0"), Versions(until="2.0.0")
BETWEEN = Versions(since="1.9.0", until="1.36.0")
CASES = {
    "all of them": (ALWAYS, "0.0.1", True),
    "the first one": (NEW, "2.0.0", True),
    "a later one": (NEW, "10.0.0", True),
    "one before": (NEW, "1.36.0", False),
    "the last one": (OLD, "1.99.9", True),
    "the one that ends it": (OLD, "2.0.0", False),
    "a candidate of the next": (OLD, "2.0.0-rc.1", False),
    "in a range": (BETWEEN, "1.10.0", True),
    "numbers are no text": (BETWEEN, "1.4.0", False),
    "at the end of a range": (BETWEEN, "1.36.0", False),
}


@pytest.mark.parametrize(("versions", "version", "holds"), CASES.values(), ids=CASES)
def test_a_range_holds_from_its_first_version_to_the_one_that_ends_it(
    versions: Versions, version: str, holds: bool
) -> None:
    """`since` is in the range, `until` is not; numbers count, not letters."""
    assert (version in versions) is holds


def test_a_text_says_what_holds_for_a_version() -> None:
    """Marked parts come or go without their marks; braces of Sema's own stay."""
    text = "a{until 2.0.0:  and b}{since 2.0.0:  or c} {:k 1} {{since}}"
    assert text_on(text, "1.36.0") == "a and b {:k 1} {{since}}"
    assert text_on(text, "2.1.0") == "a or c {:k 1} {{since}}"


LABELS = {
    "wasm 1.36.0 (60a3e46f)": None,
    "native 2.0.0 (6b143f3a)": None,
    "native 2.1.0-rc.1 (6b143f3a)": "2.1.0-rc.1",
    "wasm 1": None,
}


@pytest.mark.parametrize(("label", "version"), LABELS.items(), ids=LABELS)
def test_a_version_that_nobody_has_proven_is_known_by_its_label(
    label: str, version: str | None
) -> None:
    """Another version is told; what is no label is none."""
    assert unproven_version(label) == version
    assert unproven_version(None) is None
