"""What inputs are multiplied by, which shards a preset takes, and v1's matrix."""

import json
from dataclasses import replace

import h5py
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra `train` is not installed")
pytest.importorskip("lightning", reason="the extra `train` is not installed")

from isptools import shards  # noqa: E402 - behind the skip
from isptools.frame import Capture  # noqa: E402 - behind the skip
from isptools.train import data, feed, intake  # noqa: E402 - behind the skip
from isptools.train.settings import Settings  # noqa: E402 - behind the skip
from isptools.train.suits import expect_suitable  # noqa: E402 - behind the skip
from tests.shards import made  # noqa: E402 - behind the skip
from tests.train.test_data import batch_of  # noqa: E402 - behind the skip

TRUTHS = ("restoration",)


def shaded(folder, rows=None):
    """A shard whose first input (or those of `rows`) has gains 1 + y / 100 + x / 1000."""
    path = made.shard(folder)
    with made.changed(path) as file:
        count, height, width = file["input"].shape
        ends = [[1 + y / 100 + x / 1000 for x in (0, width)] for y in (0, height)]
        grid = {
            "kind": "grid", "area": [0, 0, height, width], "pitch": [1, 1], "first": [0.0, 0.0],
            "step": [height, width], "gains": ends,
        }  # fmt: skip
        texts = [json.dumps([grid]) if i in (rows or {0}) else "" for i in range(count)]
        file.create_dataset("shading", data=texts, dtype=h5py.string_dtype())
    return path


def by_hand(height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[:height, :width] + 0.5
    return 1 + y / 100 + x / 1000


def test_the_reader_multiplies_and_the_integers_stay(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    plain = shards.open(made.shard(tmp_path / "a"))
    source = shards.open(shaded(tmp_path / "b"))
    height, width = source.shape(0)
    np.testing.assert_array_equal(source.raw(0), plain.raw(0))
    wanted = plain[0].input * by_hand(height, width)
    np.testing.assert_allclose(source[0].input, wanted, rtol=1e-5, atol=1e-7)
    window = (3, 5, 11, 13)
    cut = source.cut(0, window).input
    np.testing.assert_allclose(cut, wanted[3:14, 5:18], rtol=1e-5, atol=1e-7)
    if len(source) > 1:
        assert source.shading(1) is None
        np.testing.assert_array_equal(source[1].input, plain[1].input)


def test_one_shaded_shard_of_two_has_all_cuts_bring_gains(tmp_path):
    path = shaded(tmp_path)
    made.shard(tmp_path, made.spec("b.h5"), ("s3",))
    source = data.open_shards(path.parent, "train", intake.PACKED, TRUTHS)
    assert [table.shaded for table in source.tables] == [True, False]
    assert "shading" in data.Cuts(source, 16, 3, TRUTHS).rooms()


def test_the_loader_hands_gains_over_beside_the_cut(tmp_path):
    source = data.open_shards(shaded(tmp_path).parent, "train", intake.PACKED, TRUTHS)
    cuts = data.Cuts(source, 16, 3, TRUTHS)
    seen = set()
    for n in range(12):
        rooms = {name: np.empty(shape, dtype) for name, (shape, dtype) in cuts.rooms().items()}
        cuts.fill(n, rooms)
        i, (top, left, side, _) = cuts.crops.window(n)
        seen.add(i)
        whole = by_hand(*source.shape(i)) if i == 0 else np.ones(source.shape(i))
        np.testing.assert_allclose(rooms["shading"], whole[top:, left:][:side, :side], rtol=1e-6)
    assert 0 in seen
    assert "shading" not in data.Cuts(source, 16, 3, TRUTHS, undone=False).rooms()
    batch = next(feed.loader(cuts, range(1), feed.Feed(batch=4)))
    assert batch["shading"].shape == batch["raw"].shape


@pytest.mark.parametrize("symmetry", range(8))
def test_gains_turn_with_their_pixels(symmetry):
    number = np.arange(81, dtype=np.uint16).reshape(9, 9)
    top, left, _ = data.phase("GRBG", symmetry, 9)
    batch = {
        "raw": torch.from_numpy(number)[None], "black": torch.zeros(1, 4),
        "shading": torch.from_numpy(number.astype(np.float32))[None],
    }  # fmt: skip
    out = data.arranged(batch, [(symmetry, top, left)])
    np.testing.assert_array_equal(out["shading"].numpy(), out["raw"].numpy().astype(np.float32))


def test_gains_come_before_the_cut_at_white_and_raise_the_noise():
    mosaic = np.full((4, 4), 544, np.uint16)
    gains = torch.linspace(1, 4, 16).reshape(1, 4, 4)
    batch = batch_of(mosaic, shading=gains)
    x = replace(intake.PACKED, noise=True).prepared(batch)[0].numpy()
    for plane, (row, column) in enumerate(((0, 0), (0, 1), (1, 0), (1, 1))):
        black = 64 + plane
        light = 2 * (544 - black) / (1023 - black) * gains[0].numpy()[row::2, column::2]
        np.testing.assert_allclose(x[plane], np.minimum(light, 1), rtol=1e-5)
    mean = 2 * gains[0].numpy().reshape(2, 2, 2, 2).mean((1, 3))
    np.testing.assert_allclose(x[4], mean * 1e-3 + mean**2 * 1e-5, rtol=1e-5)


# -- which shards --------------------------------------------------------------------------------


def settings(**words) -> Settings:
    stage = {"train": "restore", "steps": 1}
    return Settings.of({"title": "T", "network": "cameranet", "stages": [stage], **words})


def test_a_preset_refuses_shards_of_another_recipe_unless_told(tmp_path):
    source = shards.open(made.shard(tmp_path))
    name = json.loads(source.tables[0].attrs["recipe"])["name"]
    with pytest.raises(ValueError, match=f"made by recipe {name}, but 'T' is for sid-cameranet"):
        expect_suitable(source, settings(recipes=["sid-cameranet"]))
    for told in ([], [name], ["sid-cameranet", name]):
        expect_suitable(source, settings(recipes=told))


def history(path, found):
    """As a build before shards held gains wrote it."""
    with made.changed(path) as file:
        texts = [json.dumps([{"step": {"step": "shading"}, "found": found}])]
        count = len(file["truth_history"])
        del file["truth_history"]
        file.create_dataset("truth_history", data=texts * count, dtype=h5py.string_dtype())


def test_truths_without_shading_beside_inputs_with_it_are_refused(tmp_path):
    path = made.shard(tmp_path)
    history(path, [["gain_maps", [4]]])
    source = shards.open(path)
    with pytest.raises(ValueError, match=r"its inputs keep it.*build it again"):
        expect_suitable(source, settings())
    with pytest.raises(ValueError, match="these settings keep it"):
        expect_suitable(source, settings(shading="kept"))
    expect_suitable(source, settings(shading="as-stored"))
    history(path, [["gain_maps", [0]]])
    expect_suitable(shards.open(path), settings())
    expect_suitable(shards.open(path), settings(shading="kept"))


def test_shards_with_gains_suit_who_undoes_shading(tmp_path):
    source = shards.open(shaded(tmp_path))
    expect_suitable(source, settings())
    with pytest.raises(ValueError, match="these settings keep it"):
        expect_suitable(source, settings(shading="kept"))


# -- CameraNet v1's matrix -----------------------------------------------------------------------


def test_v1_takes_the_inverse_of_the_mean_of_two_matrices():
    """III.B, footnote 1: both matrices are averaged and the inverse of that is taken."""
    one = ((0.8, -0.2, 0.0), (-0.4, 1.2, 0.2), (0.0, 0.2, 0.6))
    two = ((1.0, -0.4, -0.1), (-0.2, 1.0, 0.2), (0.1, 0.0, 0.8))
    unit = (1.0, 1.0, 1.0, 1.0)
    facts = Capture("bayer", "RGGB", (64.0,) * 4, (64,) * 4, 1023, unit, unit,
                    color_matrix_1=one, color_matrix_2=two, xyz_to_camera=two)  # fmt: skip
    mean = data.mean_matrix(facts)
    np.testing.assert_allclose(mean, [[0.9, -0.3, -0.05], [-0.3, 1.1, 0.2], [0.05, 0.1, 0.7]])
    assert data.mean_matrix(replace(facts, color_matrix_1=None)) == two
    assert data.mean_matrix(replace(facts, color_matrix_1=None, color_matrix_2=None)) == two
    light = torch.tensor([0.3, 0.5, 0.2])
    flat = torch.from_numpy(np.tile([[0.3, 0.5], [0.5, 0.2]], (8, 8)).astype(np.float32))
    batch = {"xyz_from_camera": torch.from_numpy(np.linalg.inv(mean).astype(np.float32))[None]}
    got = intake.XYZ.planes(flat[None, None], batch)[0, :, 6, 6]
    np.testing.assert_allclose(np.asarray(mean) @ got.numpy(), light.numpy(), atol=1e-5)


def test_the_loader_states_the_mean_of_the_files_two_matrices(tmp_path):
    path = made.shard(tmp_path)
    one, two = np.eye(3).tolist(), (3 * np.eye(3)).tolist()
    with made.changed(path) as file:
        texts = []
        for text in file["facts"].asstr()[:]:
            stated = json.loads(text) | {"color_matrix_1": one, "color_matrix_2": two}
            texts.append(json.dumps(stated))
        del file["facts"]
        file.create_dataset("facts", data=texts, dtype=h5py.string_dtype())
    source = data.open_shards(tmp_path, "train", intake.XYZ, TRUTHS)
    batch = next(feed.loader(data.Cuts(source, 16, 0, TRUTHS), range(1), feed.Feed()))
    np.testing.assert_allclose(batch["xyz_from_camera"][0].numpy(), np.eye(3) / 2, atol=1e-6)
