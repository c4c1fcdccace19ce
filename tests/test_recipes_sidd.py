"""SIDD: built from the miniature, compared with LibRaw on the same numbers, and spoiled."""

import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import rawpy

from isptools import raw, shards
from isptools.build import BuildError, Options, build
from isptools.datasets import miniature, sidd
from isptools.datasets.sidd import FILTERS, Instance
from isptools.frame import Frame, Space
from isptools.raw import mat
from isptools.raw.color import XYZ_FROM_SRGB
from isptools.recipe import Recipe
from isptools.shards.check import check
from tests import twice
from tests.recipes import changed, listed

S6, N6, IP = (name for name in sidd.INSTANCES if name[9:11] in {"S6", "N6", "IP"})
GP = "0155_007_GP_00100_00100_5500_N"


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("sidd")
    miniature("sidd", out)
    return out


@pytest.fixture
def copy(root, tmp_path) -> Path:
    return shutil.copytree(root, tmp_path / "root")


def made(source: Path, out: Path, **options):
    return build(Recipe.load("sidd"), source, out, Options(**options))


def ledger(out: Path) -> list[dict]:
    return [json.loads(line) for line in (out / "ledger.jsonl").read_text().splitlines()]


def rows(out: Path, split: str | None = None) -> dict[str, object]:
    with shards.open(out, split) as opened:
        facts = [opened.facts(i) for i in range(len(opened))]
    return {row.scene: row for row in facts}


def side(root: Path, instance: str, name: str) -> Path:
    return root / "Data" / instance / f"{instance[:4]}_{name}.MAT"


def test_the_grammar_of_folder_names():
    found = Instance.of("0052_002_S6_01600_01000_5500_N")
    assert (found.number, found.scene, found.phone) == ("0052", "002", "S6")
    assert (found.iso, found.exposure_s, found.kelvin, found.light) == (1600, 1 / 1000, 5500, "N")
    for wrong in ("0052_002_S6_01600_01000_5500_X", "0052_002_S6_01600_00000_5500_N", "Data", ""):
        assert Instance.of(wrong) is None


def test_the_phones_filters_as_two_code_bases_have_them():
    phones = {"GP": "BGGR", "IP": "RGGB", "S6": "GRBG", "N6": "BGGR", "G4": "BGGR"}
    assert phones == FILTERS
    turned = {code: "".join(cfa[i] for i in (0, 2, 1, 3)) for code, cfa in phones.items()}
    assert turned == phones | {"S6": "GBRG"}  # what one sees who reads the arrays transposed


def test_the_miniature_is_laid_out_as_the_data_set_is(root, tmp_path):
    names = (root / "Scene_Instances.txt").read_text().split()
    assert names == sorted(path.name for path in (root / "Data").iterdir())
    assert {Instance.of(name).phone for name in names} == set(FILTERS)
    for name in names:
        assert {path.name for path in (root / "Data" / name).iterdir()} == {
            f"{name[:4]}_{kind}_RAW_{frame}.MAT"
            for kind in ("GT", "NOISY") for frame in ("010", "011")
        } | {f"{name[:4]}_METADATA_RAW_010.MAT"}  # fmt: skip
    miniature("sidd", tmp_path)
    for path in root.rglob("*.MAT"):
        assert path.read_bytes() == (tmp_path / path.relative_to(root)).read_bytes()


def test_the_s6s_metadata_is_like_the_real_one(root):
    """CFAPattern 1 0 2 1, black 0, white 1023, cut by 8, turned by 180 degrees."""
    info = mat.record(side(root, S6, "METADATA_RAW_010").read_bytes(), "m", "metadata")
    tags = {int(tag["ID"]): list(tag["Value"]) for tag in info["UnknownTags"]}
    assert tags[33422] == [1, 0, 2, 1]
    assert len(tags[51041]) == 2
    assert (list(info["BlackLevel"]), info["WhiteLevel"], info["Orientation"]) == ([0] * 4, 1023, 3)
    assert list(info["DefaultCropOrigin"]) == [8, 8]


@pytest.mark.long
def test_one_command_and_two_jobs(root, tmp_path):
    twice.expect("sidd", root, tmp_path)


def test_facts_come_from_the_metadata_and_the_folders_name(root, tmp_path):
    made(root, tmp_path / "out")
    found = rows(tmp_path / "out")
    assert len(found) == 12
    row = found[f"{S6}/011"]
    assert (row.cfa, row.orientation, row.flip) == ("GRBG", 3, 3)
    assert (row.iso, row.exposure_s, row.ratio) == (100, 1 / 60, 1)
    assert (row.make, row.model, row.noise_origin) == ("isptools", "Miniature S6", "noise_profile")
    assert found[f"{IP}/010"].cfa == "RGGB"
    assert (found[f"{IP}/010"].orientation, found[f"{IP}/010"].flip) == (6, 6)
    camera = sidd.PHONES["IP"].camera("IP")
    assert found[f"{IP}/010"].shot == pytest.approx((camera.noise_profile(400)[0],) * 4)
    with shards.open(tmp_path / "out") as opened:
        for i in range(len(opened)):
            facts = opened.facts(i)
            values = mat.array((root / facts.source).read_bytes(), "x", "x").astype(np.float64)
            np.testing.assert_array_equal(opened.raw(i), np.rint(values * 65535))
            np.testing.assert_allclose(opened[i].input, values, atol=0.5001 / 65535)
            assert opened.truth_facts(i).source == facts.source.replace("NOISY", "GT")


def test_truths_are_what_libraw_makes_of_the_clean_numbers(root, tmp_path):
    """Camera RGB and the color matrix through rawpy, from a DNG of the same numbers and tags."""
    made(root, tmp_path / "out")
    with shards.open(tmp_path / "out") as opened:
        for i in range(0, len(opened), 2):
            capture = opened.capture(i)
            clean = root / opened.truth_facts(i).source
            values = mat.array(clean.read_bytes(), "x", "x").astype(np.float64)
            memory = io.BytesIO()
            pixels = np.rint(values * 65535).astype(np.uint16)
            raw.write_dng(memory, Frame(pixels, Space.SENSOR, capture))
            memory.seek(0)
            with rawpy.imread(memory) as file:
                to_srgb = file.color_matrix[:, :3]
                rgb = file.postprocess(
                    use_camera_wb=True, output_color=rawpy.ColorSpace.raw, gamma=(1, 1),
                    no_auto_bright=True, adjust_maximum_thr=0.0, output_bps=16, user_flip=0,
                )  # fmt: skip
            xyz = rgb / 65535 @ (XYZ_FROM_SRGB @ to_srgb).T
            expected = np.clip(xyz, 0, 1.25).transpose(2, 0, 1)
            np.testing.assert_allclose(opened[i].restoration, expected, atol=3e-5)


def test_no_scene_stands_in_two_splits(tmp_path):
    """The rule of the page: 010 is tested on, 007 validates, the other eight train."""
    folder = tmp_path / "all" / "Data"
    for scene in range(1, 11):
        for phone in FILTERS:
            name = f"{scene:04d}_{scene:03d}_{phone}_00100_00100_5500_N"
            (folder / name).mkdir(parents=True)
            for kind in ("GT", "NOISY"):
                (folder / name / f"{scene:04d}_{kind}_RAW_010.MAT").touch()
    found = listed("sidd", tmp_path / "all")
    lines, splits = found.lines, {}
    for scene in found.scenes:
        splits.setdefault(scene.name[5:8], set()).add(scene.split)
    assert splits == {f"{i:03d}": {"train"} for i in range(1, 11)} | {
        "007": {"val"}, "010": {"test"}
    }  # fmt: skip
    assert not lines
    (tmp_path / "all" / "splits.tsv").write_text("001\ttest\n002\ttrain\n")
    found = listed("sidd", tmp_path / "all")
    lines = found.lines
    assert {(scene.name[5:8], scene.split) for scene in found.scenes} == {
        ("001", "test"), ("002", "train")
    }  # fmt: skip
    assert {line.reason for line in lines} == {"not-listed"}
    with pytest.raises(
        BuildError, match="Smartphone Image Denoising Dataset, medium, raw is not in"
    ):
        made(tmp_path / "nothing", tmp_path / "out")


def test_phones_are_a_choice(root, tmp_path):
    recipe = changed("sidd", parts=("N6", "IP"))
    build(recipe, root, tmp_path / "out")
    assert {scene[9:11] for scene in rows(tmp_path / "out")} == {"N6", "IP"}
    left = {line["scene"] for line in ledger(tmp_path / "out") if line["reason"] == "other-phone"}
    assert len(left) == 4
    with pytest.raises(BuildError, match="no phone 'XX'; it has: GP, IP, S6, N6, G4"):
        build(changed(recipe, parts=("XX",)), root, tmp_path / "other")


def rewritten(path: Path, change) -> None:
    record = mat.record(path.read_bytes(), "m", "metadata")
    tags = {int(tag["ID"]): tag["Value"] for tag in record.pop("UnknownTags")}
    change(record, tags)
    path.write_bytes(mat.of_record({**record, "UnknownTags": sidd._tags(tags)}, "metadata"))


@pytest.mark.parametrize(
    ("pattern", "cfa"), [((1, 2, 0, 1), "GBRG"), ((0, 1, 1, 2), "RGGB"), (None, "GRBG")]
)
def test_the_metadata_comes_before_the_phone(copy, tmp_path, pattern, cfa):
    def change(_record, tags):
        del tags[33422]
        if pattern:
            tags[33422] = pattern

    rewritten(side(copy, S6, "METADATA_RAW_010"), change)
    made(copy, tmp_path / "out", splits=("train",))
    assert rows(tmp_path / "out")[f"{S6}/010"].cfa == cfa


def test_a_frames_own_metadata_comes_first(copy, tmp_path):
    own = side(copy, S6, "METADATA_RAW_011")
    shutil.copy(side(copy, S6, "METADATA_RAW_010"), own)
    rewritten(own, lambda record, _tags: record.update(Orientation=1.0))
    made(copy, tmp_path / "out", splits=("train",))
    found = rows(tmp_path / "out")
    assert [found[f"{S6}/{frame}"].orientation for frame in ("010", "011")] == [3, 1]
    rewritten(own, lambda record, _tags: record.update(Orientation=6.0))
    summary = made(copy, tmp_path / "out", splits=("train",))
    assert summary.made == 1  # the shard that depends on this file, and no other
    assert rows(tmp_path / "out")[f"{S6}/011"].orientation == 6


def other_variable(path: Path) -> None:
    path.write_bytes(mat.of_array(mat.array(path.read_bytes(), "x", "x"), "y"))


def rewrite(path: Path, change) -> None:
    path.write_bytes(mat.of_array(change(mat.array(path.read_bytes(), "x", "x")), "x"))


def transposed(path: Path) -> None:
    for kind in ("GT", "NOISY"):
        other = path.with_name(f"{path.name[:5]}{kind}_RAW_010.MAT")
        rewrite(other, lambda values: np.ascontiguousarray(values.T))


def small(path: Path) -> None:
    rewrite(path, lambda values: values[:-2])


def broken(path: Path) -> None:
    rewrite(path, lambda values: np.where(values == values.max(), np.float32(np.nan), values))


def ten_bits(path: Path) -> None:
    rewrite(path, lambda values: values * np.float32(1023))


def cut_off(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def no_pattern(path: Path) -> None:
    rewritten(path, lambda _record, tags: tags.update({33422: (0, 0, 1, 2)}))


@pytest.mark.parametrize(
    ("spoil", "name", "reason", "detail"),
    [
        (Path.unlink, "NOISY_RAW_010", "missing", "the file is not there"),
        (Path.unlink, "GT_RAW_010", "truth-missing", "can't be used (missing)"),
        (Path.unlink, "METADATA_RAW_010", "facts-missing", "METADATA_RAW_010.MAT can't be used"),
        (other_variable, "NOISY_RAW_010", "unreadable", "no variable 'x'; it holds y"),
        (other_variable, "GT_RAW_010", "truth-missing", "can't be used (unreadable)"),
        (small, "NOISY_RAW_010", "wrong-size", "238 x 320, its truth 240 x 320"),
        (transposed, "NOISY_RAW_010", "beside", "it lies transposed"),
        (broken, "GT_RAW_010", "truth-missing", "can't be used (unreadable)"),
        (broken, "NOISY_RAW_010", "unreadable", "values from nan to nan, expected 0 to 1"),
        (ten_bits, "NOISY_RAW_010", "unreadable", "expected 0 to 1"),
        (cut_off, "NOISY_RAW_010", "unreadable", "can't be read as a .MAT file"),
        (cut_off, "METADATA_RAW_010", "beside", "can't be read as a .MAT file"),
        (no_pattern, "METADATA_RAW_010", "beside", "is no Bayer pattern"),
    ],
)
def test_a_bad_file_ends_in_the_ledger(copy, tmp_path, spoil, name, reason, detail):
    spoil(side(copy, N6, name))
    made(copy, tmp_path / "out", splits=("train",))
    assert not check(tmp_path / "out")
    found = [line for line in ledger(tmp_path / "out") if line["scene"] == f"{N6}/010"]
    why = {line["reason"]: line["detail"] for line in found}
    assert reason in why, found
    assert detail in why[reason]
    assert not any(str(copy) in line["detail"] for line in found)
    others = rows(tmp_path / "out")
    assert f"{N6}/010" not in others
    assert f"{S6}/010" in others
    assert (f"{N6}/011" in others) == ("METADATA" not in name)


def test_odd_folders_are_told(copy, tmp_path):
    shutil.copytree(copy / "Data" / GP, copy / "Data" / "0156_007_GP_00100_00100_5500_N")
    (copy / "Data" / "unpacked").mkdir()
    for path in (copy / "Data" / S6).iterdir():
        path.unlink()
    names = (copy / "Scene_Instances.txt").read_text() + "0160_007_GP_00100_00100_5500_N\n"
    (copy / "Scene_Instances.txt").write_text(names)
    made(copy, tmp_path / "out", splits=("train", "val"))
    told = {(line["scene"], line["reason"]) for line in ledger(tmp_path / "out")}
    assert {
        ("0156_007_GP_00100_00100_5500_N", "unlisted"), ("unpacked", "other-name"),
        (S6, "no-frames"), ("0160_007_GP_00100_00100_5500_N", "missing"),
    } == told  # fmt: skip
