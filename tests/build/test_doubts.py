"""One file in two roles, and exposures that a name and a file state differently."""

import shutil
from dataclasses import replace
from typing import Any

import h5py
import pytest

from tests.build import tiny as tinies
from tests.build.tiny import Tiny, frame, write

SHORT, SECOND, LONG = "short/a1_0.dng", "short/a1_1.dng", "long/a1_long.dng"


def told(tiny: Tiny) -> list[tuple[str, str, str]]:
    """Kind, reason and file of every line about scene a1."""
    return [(line["kind"], line["reason"], line["file"]) for line in tinies.ledger(tiny.out)
            if line["scene"] == "a1"]  # fmt: skip


def rows(tiny: Tiny) -> list[str]:
    (shard,) = tiny.out.glob("*-train-*-0000.h5")
    with h5py.File(shard) as opened:
        return [row["source"].decode() for row in opened["meta"][:]]


def test_nothing_is_told_of_what_agrees(tiny: Tiny) -> None:
    tiny.build()
    assert told(tiny) == []


def test_a_truth_copied_over_its_input(tiny: Tiny) -> None:
    shutil.copy(tiny.file(LONG), tiny.file(SHORT))
    tiny.build()
    assert told(tiny) == [("refused", "same-file", SHORT)]
    assert rows(tiny) == [SECOND]


@pytest.mark.parametrize(("nominal", "kind"), [("0.1", "noted"), ("0.04", "refused")])
def test_an_input_copied_over_another(tiny: Tiny, nominal: str, kind: str) -> None:
    """It may be a copy of what it is named, but not where its name states another exposure."""
    table = tiny.folder / "manifest" / "files.tsv"
    line = f"input\t{SECOND}\t"
    table.write_text(table.read_text().replace(f"{line}0.1", f"{line}{nominal}"))
    shutil.copy(tiny.file(SHORT), tiny.file(SECOND))
    tiny.build()
    assert told(tiny) == [(kind, "same-file", SECOND)]
    assert len(rows(tiny)) == (2 if kind == "noted" else 1)


@pytest.mark.parametrize(
    ("facts", "kind"),
    [
        ({"exposure_s": 1 / 240}, "refused"),
        ({"iso": 800.0}, "noted"),  # ISO does not count: both names state the same one
        ({"exposure_s": 0.104}, ""),
        ({"exposure_s": None}, ""),
    ],
)
def test_an_input_against_its_name(tiny: Tiny, facts: dict[str, Any], kind: str) -> None:
    """0.1 s by the table."""
    own = frame(0, 0.01, **{"exposure_s": 0.1, **facts})
    write(tiny, SHORT, own)
    card = replace_ratio(tiny, "time")
    tiny.build(card=card)
    assert told(tiny) == ([(kind, "contradiction", SHORT)] if kind else [])
    assert (SHORT in rows(tiny)) == (kind != "refused")


def replace_ratio(tiny: Tiny, law: str) -> Any:
    path = tiny.folder / "manifest" / "dataset.toml"
    path.write_text(path.read_text() + f'ratio = "{law}"\n')
    return tiny.card


def test_iso_counts_where_the_law_is_light(tiny: Tiny) -> None:
    write(tiny, SHORT, frame(0, 0.01, exposure_s=0.1, iso=800.0))
    tiny.build()
    assert told(tiny) == [("refused", "contradiction", SHORT)]


def test_a_truth_against_its_name(tiny: Tiny) -> None:
    """10 s by the table, 1 s by the file: no ratio of its inputs can be trusted."""
    write(tiny, LONG, frame(0, exposure_s=1.0))
    tiny.build()
    assert told(tiny) == [
        ("noted", "contradiction", LONG),
        ("refused", "contradiction", SHORT),
        ("refused", "contradiction", SECOND),
    ]


def test_both_against_their_names_alike(tiny: Tiny) -> None:
    """A clock that is twice too slow for all: the ratio is the same."""
    write(tiny, LONG, frame(0, exposure_s=20.0))
    for seed, name in enumerate((SHORT, SECOND)):
        one = frame(0, 0.01, exposure_s=0.2)
        write(tiny, name, replace(one, pixels=one.pixels + seed))
    tiny.build()
    assert {(kind, reason) for kind, reason, _ in told(tiny)} == {("noted", "contradiction")}
    assert len(rows(tiny)) == 2
