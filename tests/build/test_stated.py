"""What files state, where LibRaw has it otherwise or has nothing: in shards and in the ledger."""

import json
from dataclasses import replace

import msgspec
import numpy as np
import pytest

from isptools import datasets, shards
from isptools.build import BuildError, Options, build
from isptools.develop.steps import Bin
from isptools.raw import header
from isptools.recipe import Recipe
from isptools.shards.columns import Rows
from isptools.shards.schema import TruthRow, table
from tests.build.tiny import SHAPE, Tiny, frame, ledger, write
from tests.raw import tiff
from tests.shards.made import truth_row

LONG, SHORT = "long/a1_long.dng", "short/a1_0.dng"
PLACES = {
    "balance": '"balance", by = "camera"', "truth": "[truth]", "levels": '{ step = "levels" }',
}  # fmt: skip
UNSTATED = (0.0, 1.0, 0.0, 0.0)
CAMERA = ((271, 2, b"Test\0"), (272, 2, b"One\0"), (50708, 2, b"Test One\0"))


def stated(tiny: Tiny, name: str, pixels: np.ndarray, *tags: tiff.Tag) -> None:
    """A file byte by byte, of the tiny camera."""
    seconds = (33434, 5, tiff.fractions([10 if name.startswith("long") else 0.1]))
    iso = (34855, 3, [200])
    data = tiff.dng(pixels.shape, [pixels.astype("<u2").tobytes()], seconds, iso, *CAMERA, *tags)
    tiny.file(name).write_bytes(data)


def only(tiny: Tiny, **words: str) -> None:
    """Scene a1 alone has files; words of the recipe's text replaced."""
    text = (tiny.folder / "recipe.toml").read_text()
    for old, new in words.items():
        text = text.replace(PLACES[old], new)
    # the light of these frames is not what the table states
    text = text.replace("[truth]\n", "[truth]\nratio_within = 1e3\n", 1)
    (tiny.folder / "recipe.toml").write_text(text)
    lines = (tiny.folder / "manifest/files.tsv").read_text().splitlines()
    kept = [lines[0], *(line for line in lines if "a1_long" in line or "a1_0" in line)]
    (tiny.folder / "manifest/files.tsv").write_text("\n".join(kept) + "\n")
    for path in tiny.source.rglob("*.dng"):
        if path.relative_to(tiny.source).as_posix() not in {LONG, SHORT}:
            path.unlink()


def unbalanced(tiny: Tiny) -> None:
    for name in (LONG, SHORT):
        light = 1.0 if name == LONG else 0.01
        write(tiny, name, frame(0, light, as_shot=UNSTATED, exposure_s=10 * light))


@pytest.mark.parametrize(
    ("words", "origin"),
    [
        ("", "gray_world"),
        (', else = "gray-world"', "gray_world"),
        (', else = "daylight"', "daylight"),
    ],
)
def test_a_white_balance_that_nobody_states_is_noted(tiny, words, origin):
    unbalanced(tiny)
    only(tiny, balance=f'"balance", by = "camera"{words}')
    tiny.build()
    with shards.open(tiny.out) as data:
        assert data.truth_facts(0).balance_origin == origin
    (line,) = ledger(tiny.out)
    assert (line["kind"], line["reason"], line["file"]) == ("noted", "no-white", LONG)
    assert origin.replace("_", " ") in line["detail"]


def test_or_refused(tiny):
    unbalanced(tiny)
    only(tiny, balance='"balance", by = "camera", else = "refuse"')
    tiny.build()
    first = ledger(tiny.out)[0]
    assert (first["kind"], first["file"]) == ("refused", LONG)
    assert "states no white balance" in first["detail"]


def test_a_stated_one_is_named_too(tiny):
    only(tiny)
    tiny.build()
    with shards.open(tiny.out) as data:
        assert data.truth_facts(0).balance_origin == "as_shot"
    assert ledger(tiny.out) == []


def test_both_sides_of_a_shard_have_the_same_black(tiny):
    """Rows of a banding sensor: inputs less their black are the light, and so are truths."""
    rows = np.round(np.linspace(0, 50, SHAPE[0]))
    light = frame(0).pixels.astype(int) - 64
    for name, share in ((LONG, 1.0), (SHORT, 0.1)):
        pixels = 64 + rows[:, None] + np.rint(light * share)
        stated(tiny, name, pixels, (50714, 3, [64]), (50716, 10, tiff.fractions(rows)))
    only(tiny)
    tiny.build()
    with shards.open(tiny.out) as data:
        facts = data.facts(0)
        assert facts.black == (114.0,) * 4
        assert np.allclose(data[0].input * (4095 - 114), light * 0.1, atol=1)
        assert data.truth_facts(0).white == 4095 - 114
    told = [line for line in ledger(tiny.out) if line["reason"] == "libraw-black"]
    assert {line["file"] for line in told} == {LONG, SHORT}
    assert all("64 to 114 DN" in line["detail"] and line["kind"] == "noted" for line in told)


def quad(tiny: Tiny) -> None:
    """Every pixel of the tiny scene as a cell of 2x2."""
    for name, share in ((LONG, 1.0), (SHORT, 0.1)):
        pixels = 64 + np.rint((frame(0).pixels.astype(int) - 64) * share)
        letters = np.kron([[0, 1], [1, 2]], np.ones((2, 2), int)).ravel().tolist()
        stated(tiny, name, np.kron(pixels, np.ones((2, 2))), (33421, 3, [4, 4]),
               (33422, 1, letters), (50714, 3, [64]), (51041, 12, [1e-4, 1e-6]))  # fmt: skip


def test_quad_bayer_is_refused_by_name(tiny):
    quad(tiny)
    only(tiny)
    assert header(tiny.file(LONG)).kind == "quad"
    tiny.build()
    refused = [line for line in ledger(tiny.out) if line["file"] == LONG]
    assert "a quad Bayer array" in refused[0]["detail"]
    assert "bin" in refused[0]["detail"]


def test_quad_bayer_is_binned_where_the_recipe_says_so(tiny):
    quad(tiny)
    only(tiny, truth='[truth]\nprepare = [{ step = "bin" }]')
    tiny.build()
    assert ledger(tiny.out) == []
    with shards.open(tiny.out) as data:
        facts = data.facts(0)
        assert (facts.cfa, facts.black, facts.white) == ("RGGB", (64.0,) * 4, 4095)
        assert facts.shot == pytest.approx((2.5e-5,) * 4)
        light = np.rint((frame(0).pixels.astype(int) - 64) * 0.1) / (4095 - 64)
        assert np.allclose(data[0].input, light, atol=1e-6)
        assert data[0].restoration.shape == (3, *SHAPE)
        steps = [step["step"] for step in json.loads(data.tables[0].attrs["steps"])["prepare"]]
    assert steps == ["bin"]


def test_bin_anywhere_else_is_refused(tiny):
    only(tiny, levels='{ step = "bin" }, { step = "levels" }')
    with pytest.raises((ValueError, BuildError), match="first step of `prepare`"):
        tiny.build()


def test_older_shards_lack_the_column():
    """They read as nothing stated, and are whole."""
    row = truth_row("a", "b", balance_origin="as_shot")
    record = table([row], 4)
    names = [name for name in record.dtype.names if name != "balance_origin"]
    assert Rows(TruthRow, record[names])[0] == replace(row, balance_origin="")


def test_frames_of_a_burst_are_binned_before_they_are_fused(tiny, tmp_path):
    letters = np.kron([[0, 1], [1, 2]], np.ones((2, 2), int)).ravel().tolist()
    for k in range(3):
        noisy = frame(0, shape=(96, 96)).pixels + np.random.default_rng(k).integers(0, 20, (96, 96))
        path = tmp_path / "bursts" / "one" / f"{k}.dng"
        path.parent.mkdir(parents=True, exist_ok=True)
        stated(tiny, LONG, np.kron(noisy, np.ones((2, 2))),
               (33421, 3, [4, 4]), (33422, 1, letters), (50714, 3, [64]))  # fmt: skip
        tiny.file(LONG).rename(path)
    recipe = Recipe.load("bursts")
    truth = msgspec.structs.replace(recipe.truth, prepare=(Bin(),))
    recipe = msgspec.structs.replace(recipe, truth=truth)
    opened = datasets.opened(recipe.source)
    build(recipe, tmp_path / "bursts", tmp_path / "out", Options(data_set=opened))
    with shards.open(tmp_path / "out") as data:
        assert data[0].restoration.shape == (3, 96, 96)
        assert data.tables[0].fusions[0].frames == 3
