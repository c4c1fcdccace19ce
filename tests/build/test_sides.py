"""Inputs and truths of a shard stand on the same side of every opcode of their files."""

import struct
from dataclasses import replace

import numpy as np
import pytest

from isptools import shards
from isptools.build.sides import not_applied, sides_of
from isptools.develop.steps import Balance, Demosaic, Levels, Opcodes, Shading, ToXYZ, Vignetting
from tests.build import tiny
from tests.build.tiny import Tiny, ledger
from tests.raw.opcode_bytes import (
    OPTIONAL,
    bad_list,
    gain_map,
    lines,
    listing,
    polynomial,
    sites,
)
from tests.recipes import changed

HEIGHT, WIDTH = tiny.SHAPE
ALL = (0, 0, HEIGHT, WIDTH)
END = (Demosaic("linear"), ToXYZ())
AWARE = (Levels(), Opcodes(), Balance(), *END)
BLIND = (Levels(), Balance(), *END)
# a gain of 2 at the left edge and 1 at the right one
SLOPE = gain_map(sites(ALL), (1, 2), (1, 1), (0, 0), 1, [2.0, 1.0])


def falling() -> np.ndarray:
    """SLOPE at every column, by hand."""
    return 2 - (np.arange(WIDTH) + 0.5) / WIDTH


@pytest.fixture
def small(tmp_path) -> Tiny:
    """One scene of even light that falls off as SLOPE undoes; nothing states it yet."""
    made = tiny.make(tmp_path)
    rows = (made.folder / "manifest" / "files.tsv").read_text().splitlines()
    (made.folder / "manifest" / "files.tsv").write_text(
        "\n".join(rows[:3]).replace("\t0.1\t", "\t2.5\t") + "\n"
    )
    return made


def light(gain: float) -> np.ndarray:
    random = np.random.default_rng(0)
    scene = 0.1 + 0.3 * np.kron(random.random((8, 10)), np.ones((8, 8)))
    return gain * scene / falling()


def store(small: Tiny, **codes: bytes) -> None:
    """The scene's truth and input, whose files state these lists."""
    for name, gain, seconds in (("long/a1_long.dng", 1.0, 10.0), ("short/a1_0.dng", 0.25, 2.5)):
        made = tiny.frame(0, exposure_s=seconds, black=(64.0,) * 4, black_libraw=(64,) * 4)
        pixels = np.rint(64 + light(gain) * 4031).astype(np.uint16)
        facts = replace(made.capture, **codes)
        tiny.write(small, name, replace(made, pixels=pixels, capture=facts))


def built(small: Tiny, steps) -> shards.Shards:
    recipe = changed(small.recipe, enhancement=None, steps=steps)
    small.build(recipe=recipe)
    return shards.open(small.out)


def proportions(sample: shards.Sample) -> np.ndarray:
    """Green of the input over Y of the truth at the left and at the right, over their mean."""
    green = sample.input[::2, 1::2].mean(0)
    truth = sample.restoration[1].reshape(HEIGHT, -1, 2).mean((0, 2))
    ends = np.array([green[part].sum() / truth[part].sum() for part in (np.s_[:12], np.s_[-12:])])
    return ends / ends.mean()


def test_a_map_that_the_truth_has_undone_is_undone_in_the_input(small) -> None:
    store(small, opcode_list_2=listing((9, 0, SLOPE)))
    found = built(small, AWARE)
    assert np.abs(proportions(found[0]) - 1).max() < 0.02
    np.testing.assert_allclose(found.shading(0), np.tile(falling(), (HEIGHT, 1)), rtol=1e-5)
    assert found.raw(0).max() < 64 + 0.25 * 0.5 * 4031  # stored as the sensor has it
    window = (5, 9, 20, 30)
    np.testing.assert_array_equal(found.cut(0, window).input, found[0].input[5:25, 9:39])


def test_the_map_of_the_truth_serves_an_input_that_states_none(small) -> None:
    store(small)
    made = tiny.frame(0, black=(64.0,) * 4, black_libraw=(64,) * 4)
    pixels = np.rint(64 + light(1.0) * 4031).astype(np.uint16)
    facts = replace(made.capture, opcode_list_2=listing((9, 0, SLOPE)))
    tiny.write(small, "long/a1_long.dng", replace(made, pixels=pixels, capture=facts))
    assert np.abs(proportions(built(small, AWARE)[0]) - 1).max() < 0.02


@pytest.mark.parametrize("code", [(9, OPTIONAL, SLOPE), None])
def test_shading_that_stays_stays_in_both(small, code) -> None:
    store(small, opcode_list_2=listing(code) if code else b"")
    found = built(small, BLIND)
    assert np.abs(proportions(found[0]) - 1).max() < 0.02
    assert found.shading(0) is None
    notes = [line for line in ledger(small.out) if line["reason"] == "opcodes"]
    assert len(notes) == (2 if code else 0)
    assert all("opcode 9 (GainMap) of OpcodeList2 not applied" in n["detail"] for n in notes)


def test_a_mandatory_map_is_applied_or_left_by_name_or_refused(small) -> None:
    store(small, opcode_list_2=listing((9, 0, SLOPE)))
    small.build(recipe=changed(small.recipe, enhancement=None, steps=BLIND))
    refused = [line for line in ledger(small.out) if line["kind"] == "refused"]
    assert refused[0]["reason"] == "unsupported"
    words = 'GainMap) of OpcodeList2 is mandatory and the recipe does not apply it: put { step = "'
    assert words in refused[0]["detail"]
    small = replace(small)
    left = (Levels(), Opcodes(leave=(9,)), Balance(), *END)
    recipe = changed(small.recipe, enhancement=None, steps=left)
    small.build(out=small.folder / "left", recipe=recipe)
    with shards.open(small.folder / "left") as found:
        assert np.abs(proportions(found[0]) - 1).max() < 0.02
        assert found.shading(0) is None


def test_what_is_no_gain_is_done_to_the_inputs_numbers(small) -> None:
    """x -> x^2 + x / 2, then a map: neither alone could be a field behind the other."""
    curve = (8, 0, polynomial(sites(ALL), 0.0, 0.5, 1.0))
    store(small, opcode_list_2=listing(curve, (9, 0, SLOPE)))
    found = built(small, AWARE)
    x = np.rint(light(0.25) * 4031) / 4031
    wanted = 64 + (x * x + 0.5 * x) * falling() * 4031
    assert np.abs(found.raw(0) - wanted).max() <= 0.51
    assert found.shading(0) is None


def test_rows_that_scale_are_a_field(small) -> None:
    rows = lines(sites(ALL, pitch=(2, 1)), 1 + np.arange(HEIGHT // 2) / 100)
    store(small, opcode_list_2=listing((12, 0, rows)))
    field = built(small, AWARE).shading(0)
    wanted = np.where(np.arange(HEIGHT) % 2 == 0, 1 + np.arange(HEIGHT) // 2 / 100, 1)
    np.testing.assert_allclose(field, np.tile(wanted[:, None], (1, WIDTH)), rtol=1e-5)


def test_a_vignetting_step_of_the_recipe_counts_as_well(small) -> None:
    store(small)
    steps = (Levels(), Balance(), Vignetting((0.5, 0.1), (0.25, 0.5)), *END)
    field = built(small, steps).shading(0)
    y, x = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    square = (y - HEIGHT / 2) ** 2 + (x - WIDTH / 4) ** 2
    square /= (HEIGHT / 2) ** 2 + (WIDTH * 3 / 4) ** 2
    np.testing.assert_allclose(field, 1 + 0.5 * square + 0.1 * square**2, rtol=1e-5)


def test_list_3_gains_what_inputs_show_by_color(small) -> None:
    body = gain_map(sites(ALL, planes=3), (1, 1), (1, 1), (0, 0), 3, [2.0, 1.5, 1.25])
    store(small, opcode_list_3=listing((9, 0, body)))
    field = built(small, (Levels(), Balance(), Demosaic("linear"), Opcodes(), ToXYZ())).shading(0)
    assert np.array_equal(field[:2, :2], np.array([[2, 1.5], [1.5, 1.25]], np.float32))


def test_a_warp_is_refused_in_a_truth_beside_a_mosaic(small) -> None:
    warp = struct.pack(">I8d", 1, 1.02, 0, 0, 0, 0, 0, 0.5, 0.5)
    store(small, opcode_list_3=listing((1, 0, warp)))
    steps = (Levels(), Balance(), Demosaic("linear"), Opcodes(), ToXYZ())
    small.build(recipe=changed(small.recipe, enhancement=None, steps=steps))
    refused = [line["detail"] for line in ledger(small.out) if line["kind"] == "refused"]
    words = "opcode 1 (WarpRectilinear) of OpcodeList3 would move the truth away from its input"
    assert refused == [words]


def test_bad_pixels_of_the_file_are_repaired_in_inputs_too(small) -> None:
    store(small, opcode_list_1=listing((5, 0, bad_list([(20, 33)]))))
    path = small.file("short/a1_0.dng")
    made = tiny.raw.read(path)
    pixels = made.pixels.copy()
    clean, pixels[20, 33] = int(pixels[20, 33]), 4095
    tiny.write(small, "short/a1_0.dng", replace(made, pixels=pixels))
    stored = built(small, AWARE).raw(0)
    assert abs(int(stored[20, 33]) - clean) < 40


def test_an_unknown_mandatory_opcode_refuses_the_file_and_the_build_goes_on(small) -> None:
    store(small, opcode_list_1=listing((99, 0, bytes(8))))
    small.build(recipe=changed(small.recipe, enhancement=None, steps=AWARE))
    details = [line["detail"] for line in ledger(small.out) if line["kind"] == "refused"]
    assert any("opcode 99 of OpcodeList1 is not known, and it is mandatory" in d for d in details)


def test_shading_behind_balance_takes_list_2_as_well() -> None:
    sides = sides_of((Levels(), Balance(), Shading(), *END))
    facts = tiny.frame(0, opcode_list_2=listing((9, 0, SLOPE), (99, OPTIONAL, b""))).capture
    assert not_applied(facts, sides) == "opcode 99 of OpcodeList2 not applied"
