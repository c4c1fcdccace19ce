"""What a build makes: the right pixels and facts in the right rows, beside rawpy and plain h5py."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from types import FrameType

import h5py
import hdf5plugin  # noqa: F401 - decompression for plain h5py
import msgspec
import numpy as np
import pytest
import rawpy
from joblib import parallel_config

from isptools import raw, shards
from isptools.build import BuildError, Options, build, cards
from isptools.datasets import miniature
from isptools.develop.noise import noise_of
from isptools.frame import Capture
from isptools.recipe import Recipe
from isptools.shards.check import check
from tests.build import tiny as tinies
from tests.build.tiny import Tiny
from tests.recipes import changed, made


def full(tiny: Tiny) -> Recipe:
    """The recipe with every word of its source, as a shard states it."""
    source = {"data_set": "manifest", "pairs": "all", "val": "own", "exclude": []}
    return changed(tiny.recipe, source=source)


def test_names_splits_and_counts(tiny: Tiny) -> None:
    summary = tiny.build()
    names = [f"tiny-{s}-64x80-000{i}.h5" for s, i in
             (("test", 0), ("train", 0), ("train", 1), ("val", 0))]  # fmt: skip
    assert [shard.name for shard in summary.shards] == names
    assert (summary.made, summary.kept, summary.refusals) == (4, 0, {})
    assert sorted(tinies.listing(tiny.out)) == sorted(
        ["index.json", "ledger.jsonl", *cards.NAMES, *names]
    )
    index = json.loads((tiny.out / "index.json").read_text())
    assert index["counts"]["train"] == {"inputs": 4, "scenes": 2, "shards": 2}
    assert index["recipe"]["sha256"] == full(tiny).sha256
    assert index["data_set"]["licence"] == "CC0"
    assert [p for p in check(tiny.out) if p.sure] == []


def test_rows_hold_what_the_files_state(tiny: Tiny) -> None:
    tiny.build()
    with h5py.File(tiny.out / "tiny-train-64x80-0000.h5") as file:
        assert [key.decode() for key in file["meta"]["key"]] == ["tiny/a1/a1_0", "tiny/a1/a1_1"]
        assert file["restoration"].shape == (1, 3, 64, 80)  # once a scene
        for i in range(2):
            path = tiny.file(f"short/a1_{i}.dng")
            with rawpy.imread(str(path)) as opened:
                assert np.array_equal(file["input"][i], opened.raw_image_visible)
            frame, row = raw.read(path), file["meta"][i]
            assert row["black"].tolist() == [64, 65, 66, 67]
            assert row["cfa"] == b"RGGB"
            assert row["white"] == 4095
            assert row["exposure_s"] == pytest.approx(0.1)
            assert (row["ratio"], row["ratio_origin"]) == (100.0, b"manifest")
            assert (row["restoration"], row["enhancement"]) == (0, 0)
            assert row["shot"].tolist() == list(noise_of(frame).shot)
            assert row["noise_origin"] == b"noise_profile"
            assert np.allclose(row["camera_to_srgb"], frame.capture.camera_to_srgb)
            assert row["source"] == f"short/a1_{i}.dng".encode()
            assert msgspec.json.decode(file["facts"][i], type=Capture) == frame.capture
        truth = file["truth_meta"][0]
        assert truth["key"] == b"tiny/a1/a1_long"
        assert truth["white"] == 4095 - 64
        assert truth["gains"].tolist() == [2.0, 1.0, 1.5, 1.0]
        steps = [taken["step"]["step"] for taken in json.loads(file["truth_history"][0])]
        assert steps == ["levels", "balance", "demosaic", "xyz", "encode-srgb"]
        assert file.attrs["recipe"] == full(tiny).to_json().decode()
        assert file.attrs["recipe_sha256"] == full(tiny).sha256
        assert file.attrs["split"] == "train"
        assert not file.attrs["sample"]
        assert set(json.loads(file.attrs["versions"])) >= {"libraw", "rawpy", "numpy", "hdf5"}


def test_truths_are_rawpys_integers(tmp_path: Path) -> None:
    """SID as its authors rendered it, on the miniature, a picture turned upright among them."""
    name = "sid-paper2018"
    miniature("sid", tmp_path / "raw")
    made(name, tmp_path / "raw", tmp_path / "out", small=True)
    turned = 0
    with shards.open(tmp_path / "out") as opened:
        for table in opened.tables:
            with h5py.File(table.path) as file:
                for number, truth in enumerate(table.truths):
                    stored = file["enhancement"][number].transpose(1, 2, 0)
                    path = tmp_path / "raw" / truth.source
                    with rawpy.imread(str(path)) as picture:
                        wanted = picture.postprocess(
                            use_camera_wb=True, no_auto_bright=True, output_bps=16
                        )
                    if truth.orientation == 8:  # shown turned left; the truth lies as the sensor
                        wanted, turned = np.rot90(wanted, -1), turned + 1
                    assert np.array_equal(stored, wanted)
    assert turned == 1


def test_linear_truths_are_rawpys_within_their_rounding(tiny: Tiny) -> None:
    """Y of the truth against rawpy's linear XYZ, where that does not clip."""
    tiny.build()
    with rawpy.imread(str(tiny.file("long/a1_long.dng"))) as picture:
        wanted = picture.postprocess(
            use_camera_wb=True, no_auto_bright=True, output_bps=16, adjust_maximum_thr=0,
            output_color=rawpy.ColorSpace.XYZ, gamma=(1, 1), user_flip=0,
            demosaic_algorithm=rawpy.DemosaicAlgorithm.LINEAR,
        )  # fmt: skip
    with shards.open(tiny.out / "tiny-train-64x80-0000.h5") as opened:
        found = opened[0].restoration
    assert found is not None
    for channel, limit in ((0, 0.95), (1, 1.0), (2, 1.0)):
        plane = wanted[..., channel] / 65535
        inside = (plane > 0) & (plane < limit)
        assert inside.mean() > 0.5
        # rawpy truncates to 16 bit, the shard rounds to steps of 1.25 / 65535
        assert np.abs(found[channel] - plane)[inside].max() < 2.5 / 65535


def test_ratio_is_limited_and_falls_back_to_the_files(tiny: Tiny) -> None:
    short = changed(tiny.recipe, max_ratio=30.0)
    tiny.build(tiny.folder / "limited", short)
    table = tiny.folder / "manifest" / "files.tsv"
    table.write_text(table.read_text().replace("\t10\t200", "\t\t").replace("\t0.1\t200", "\t\t"))
    tiny.build()
    with shards.open(tiny.folder / "limited") as limited, shards.open(tiny.out) as stated:
        assert {sample.facts.ratio for sample in limited} == {30.0}
        assert {sample.facts.ratio_origin for sample in stated} == {"exif"}
        assert [sample.facts.ratio for sample in stated] == [pytest.approx(100)] * 8


def test_limit_and_val_and_pairs(tiny: Tiny) -> None:
    small = tiny.recipe.small(1)
    assert small.sha256 != tiny.recipe.sha256
    summary = tiny.build(tiny.folder / "small", small)
    assert [shard.split for shard in summary.shards] == ["test", "train", "val"]
    joined = changed(tiny.recipe, val="train", pairs="first", scenes_per_shard=9)
    summary = tiny.build(tiny.folder / "joined", joined)
    assert [(s.split, s.rows, s.scenes) for s in summary.shards] == [
        ("test", 1, 1),
        ("train", 3, 3),
    ]


def test_shapes_do_not_mix(tiny: Tiny) -> None:
    for name in ("long/b2_long.dng", "short/b2_0.dng", "short/b2_1.dng"):
        gain, seconds = (1.0, 10.0) if name.startswith("long") else (0.01, 0.1)
        tinies.write(tiny, name, tinies.frame(7, gain, shape=(56, 72), exposure_s=seconds))
    together = changed(tiny.recipe, scenes_per_shard=9)
    summary = tiny.build(recipe=together)
    assert [(s.name, s.scenes) for s in summary.shards if s.split == "train"] == [
        ("tiny-train-56x72-0000.h5", 1),
        ("tiny-train-64x80-0000.h5", 1),
    ]


def test_prepare_repairs_inputs_and_truths(tiny: Tiny) -> None:
    hot = tinies.frame(0, 0.01, exposure_s=0.1)
    pixels = hot.pixels.copy()
    pixels[20, 30] = 4000
    tinies.write(tiny, "short/a1_0.dng", tinies.replace(hot, pixels=pixels))
    recipe = tiny.folder / "recipe.toml"
    step = 'prepare = [{ step = "bad-pixels", camera = "Test One", sites = [[20, 30]] }]\n'
    recipe.write_text(recipe.read_text().replace("steps = [", step + "steps = [", 1))
    tiny.build()
    with h5py.File(tiny.out / "tiny-train-64x80-0000.h5") as file:
        stored = file["input"][0]
        around = pixels[18:23:2, 28:33:2]
        assert stored[20, 30] == np.median(around)
        assert (stored != pixels).sum() == 1
        assert json.loads(file["history"][0])[0]["found"] == [["repaired", [1.0]]]
        assert json.loads(file["truth_history"][0])[0]["step"]["step"] == "bad-pixels"


def test_one_frame_of_memory(tiny: Tiny) -> None:
    """Rows are written as they come: none is kept until the end."""
    together = changed(tiny.recipe, scenes_per_shard=9, compression="none")
    tiny.build(recipe=together)
    with h5py.File(tiny.out / "tiny-train-64x80-0000.h5") as file:
        at = [file["input"].id.get_chunk_info_by_coord((i, 0, 0)).byte_offset for i in range(4)]
        truths = [
            file["restoration"].id.get_chunk_info_by_coord((i, 0, 0, 0)).byte_offset
            for i in range(2)
        ]
    assert truths[0] < at[0] < at[1] < truths[1] < at[2] < at[3]


def test_a_recipe_whose_truth_is_not_on_the_sensor_stops(tiny: Tiny) -> None:
    recipe = tiny.folder / "recipe.toml"
    recipe.write_text(recipe.read_text().replace('"linear"', '"half"'))
    with pytest.raises(BuildError, match=r"recipe tiny: its restoration truth is .*half-size"):
        tiny.build()
    assert list(tiny.out.glob("*.h5")) == []


def test_the_data_set_may_lie_deeper(tiny: Tiny) -> None:
    (tiny.folder / "other").mkdir()
    tiny.source.rename(tiny.folder / "other" / "Tiny")
    summary = build(tiny.recipe, tiny.folder / "other", tiny.out, Options(data_set=tiny.opened()))
    assert len(summary.shards) == 4


def test_a_missing_data_set_is_explained_at_once(tiny: Tiny) -> None:
    with pytest.raises(BuildError) as error:
        build(tiny.recipe, tiny.folder / "nowhere", tiny.out, Options(data_set=tiny.opened()))
    text = str(error.value)
    for part in ("Tiny is not in", "https://example.org/tiny.zip", "CC0", "1 MB", "holds long/"):
        assert part in text
    assert not tiny.out.exists()


def test_unknown_exclusion_is_one_line(tiny: Tiny) -> None:
    with pytest.raises(BuildError, match="no exclusion list 'moved'"):
        tiny.build(recipe=changed(tiny.recipe, exclude=("moved",)))


def test_excluded_scenes_stand_in_the_ledger(tiny: Tiny) -> None:
    facts = tiny.folder / "manifest" / "dataset.toml"
    facts.write_text(
        facts.read_text() + '[[exclusions]]\nname = "moved"\nreason = "it moved"\nscenes = ["a1"]\n'
    )
    tiny.build(recipe=changed(tiny.recipe, exclude=("moved",)))
    lines = tinies.ledger(tiny.out)
    assert [(line["kind"], line["reason"], line["scene"]) for line in lines] == [
        ("excluded", "moved", "a1")
    ] * 3


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_a_backend_chosen_by_the_caller_gives_the_same_bytes(tiny: Tiny, backend: str) -> None:
    tiny.build()
    with parallel_config(backend=backend, n_jobs=2):
        tiny.build(tiny.folder / "again")
    assert tinies.listing(tiny.folder / "again") == tinies.listing(tiny.out)


def test_bytes_do_not_hang_on_when_objects_are_freed(tiny: Tiny) -> None:
    """A sampling profiler, as every Dask worker has one, holds frames and all that is in them."""
    tiny.build()
    held: list[FrameType] = []

    def hold(frame: FrameType, _event: str, _value: object) -> None:
        if Path(frame.f_code.co_filename).parent.name in {"_hl", "shards"}:  # h5py's and ours
            held.append(frame)

    sys.setprofile(hold)
    try:
        tiny.build(tiny.folder / "again")
    finally:
        sys.setprofile(None)
    assert any("dset" in frame.f_locals or "dataset" in frame.f_locals for frame in held)
    assert tinies.listing(tiny.folder / "again") == tinies.listing(tiny.out)


def test_workers_started_in_another_folder_write_into_this_one(tiny: Tiny, monkeypatch) -> None:
    (elsewhere := tiny.folder / "elsewhere").mkdir()
    monkeypatch.chdir(elsewhere)
    tiny.build(Path("one"), jobs=2)
    monkeypatch.chdir(tiny.folder)
    tiny = replace(tiny, folder=Path())
    tiny.build(Path("again"), jobs=2)
    assert tinies.listing(Path("again")) == tinies.listing(elsewhere / "one")
    assert [path.name for path in elsewhere.iterdir()] == ["one"]


def test_a_dask_cluster_makes_the_same_bytes(tiny: Tiny) -> None:
    distributed = pytest.importorskip("distributed", reason="needs the extra `cluster`")
    tiny.build()
    how = {"n_workers": 1, "threads_per_worker": 2, "processes": False, "dashboard_address": None}
    with distributed.Client(**how), parallel_config(backend="dask"):
        tiny.build(tiny.folder / "again")
    assert tinies.listing(tiny.folder / "again") == tinies.listing(tiny.out)
