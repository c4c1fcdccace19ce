"""Real raws by the recipes of SID: they build, check and read back, and the truths are rawpy's."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import rawpy
from click.testing import CliRunner

from isptools import shards
from isptools.cli import main
from isptools.cli.codes import LOOK

SCENES = {
    "00001": "canon_g2/CRW_0304.CRW",
    "00002": "nikon_d1/RAW_NIKON_D1.NEF",  # no as-shot balance
    "00004": "gopro_hero6/gopro_hero6_0024_crop.dng",  # mirrored
    "00009": "canon_d30/CRW.CRW",  # as-shot gain -1, black per position
    "10003": "kodak_dc50/DC0009L.KDC",  # a matrix that rawpy hides
    "10006": "apple_quicktake/Image__1.qtk",
    "10011": "kodak_dc120/P003909.KDC",  # pixels that are not square
}
REFUSED = {"10011"}


DATA_SET = """
name = "reals"
title = "Real raws"
licence = "not stated"
redistribution = "unknown"
home = "https://example.org/reals"
downloads = []
size = "7 files"
place = "any"
roots = ["."]
"""


@pytest.fixture(scope="module")
def source(shared_data, tmp_path_factory):
    """Each raw as input and truth of a scene of its own: SID's names would state two exposures."""
    root = tmp_path_factory.mktemp("reals")
    (root / "manifest").mkdir()
    (root / "manifest/dataset.toml").write_text(DATA_SET)
    lines = ["split\tscene\trole\tpath"]
    for scene, name in SCENES.items():
        file = f"{scene}.{name.rsplit('.', 1)[1]}"
        shutil.copy(shared_data / "raw" / name, root / file)
        lines += [f"train\t{scene}\t{role}\t{file}" for role in ("truth", "input")]
    (root / "manifest/files.tsv").write_text("\n".join(lines) + "\n")
    for recipe in ("sid", "sid-paper2018"):
        text = (Path(__file__).parents[2] / f"recipes/{recipe}.toml").read_text()
        text = text.replace('data_set = "sid"', 'data_set = "manifest"')
        (root / f"{recipe}.toml").write_text(text.replace('exclude = ["misaligned"]\n', ""))
    return root


def built(recipe, source, out):
    words = ["build", str(source / f"{recipe}.toml"), "--source", str(source), "--out", str(out)]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == LOOK, done.output  # one of them is refused
    checked = CliRunner().invoke(main, ["check", str(out)])
    assert checked.exit_code == 0, checked.output
    return shards.open(out)


def raw_of(source, scene):
    (path,) = source.glob(f"{scene}.*")
    return path


def rendered(path, **parameters):
    with rawpy.imread(str(path)) as opened:
        return opened.postprocess(
            use_camera_wb=True, no_auto_bright=True, output_bps=16, user_flip=0, **parameters
        )


def test_restoration_truths_are_rawpys_xyz(source, tmp_path):
    data = built("sid", source, tmp_path / "out")
    assert {data[i].facts.scene for i in range(len(data))} == set(SCENES) - REFUSED
    for i in range(len(data)):
        sample = data[i]
        path = raw_of(source, sample.facts.scene)
        theirs = rendered(
            path, output_color=rawpy.ColorSpace.XYZ, gamma=(1, 1), adjust_maximum_thr=0.0
        )
        ours = sample.restoration.transpose(1, 2, 0).astype(np.float64) * 65535
        unclipped = (theirs > 0) & (theirs < 65535)
        # stored in steps of 1.25 / 65535, LibRaw's integers are cut off: 0.625 + 1 units at most
        assert np.abs(ours - theirs)[unclipped].max() < 1.7
        assert ours.max() > 65535 or theirs.max() < 65535  # ours goes on where LibRaw clips
        with rawpy.imread(str(path)) as opened:
            np.testing.assert_array_equal(data.raw(i), opened.raw_image_visible)


def test_paper2018_truths_are_rawpys_integers(source, tmp_path):
    data = built("sid-paper2018", source, tmp_path / "out")
    for i in range(len(data)):
        sample = data[i]
        theirs = rendered(raw_of(source, sample.facts.scene))
        ours = np.rint(sample.enhancement.transpose(1, 2, 0).astype(np.float64) * 65535)
        np.testing.assert_array_equal(ours, theirs)


def test_one_scene_is_refused_by_name(source, tmp_path):
    built("sid", source, tmp_path / "out")
    ledger = (tmp_path / "out/ledger.jsonl").read_text()
    assert '"10011"' in ledger
    assert "non-square-pixels" in ledger
