"""Every data set with a miniature against its golden text; see tests/golden/__init__.py."""

import pytest

from tests import golden

LONG = (
    "bursts",
    "dped-originals",
    "hdrplus",
    "hdrplus-fused",
    "pairs",
    "pairs-raw",
    "sid-fuji-paper2018",
)


@pytest.mark.parametrize(
    "name",
    [pytest.param(one, marks=pytest.mark.long if one in LONG else ()) for one in golden.recipes()],
)
def test_facts_and_statistics_are_the_golden_ones(name, tmp_path):
    path = golden.HERE / f"{name}.txt"
    found = golden.text(name, tmp_path)
    how = f"look at the difference, then `python -m tests.golden {name}`"
    assert path.exists(), f"no golden text: {how}"
    expected = path.read_text(encoding="utf-8")
    assert not golden.differences(found, expected), how


def test_no_golden_text_is_left_over():
    assert {path.stem for path in golden.HERE.glob("*.txt")} == set(golden.recipes())


@pytest.mark.parametrize(
    ("found", "same"),
    [
        ("mean  0.1235 of 12", True),
        ("mean  0.1236 of 12", False),
        ("mean 0.1234 of 13", False),
        ("median 0.1234 of 12", False),
        ("mean 0.1234 of 12\nmore", False),
    ],
)
def test_only_a_last_digit_may_differ(found, same):
    assert bool(golden.differences(found, "mean 0.1234 of 12")) != same
