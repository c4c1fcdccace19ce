"""Real raws under SID's names: they build, check and read back, and the truths are rawpy's."""

import shutil

import numpy as np
import pytest
import rawpy
from click.testing import CliRunner

from isptools import shards
from isptools.cli import main
from isptools.recipe import find
from isptools.shards.check import check

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


@pytest.fixture(scope="module")
def source(shared_data, tmp_path_factory):
    """Each raw as the long and as a short exposure of one scene."""
    root = tmp_path_factory.mktemp("sid") / "dataset"
    for scene, name in SCENES.items():
        for place in (f"Sony/short/{scene}_00_0.1s.ARW", f"Sony/long/{scene}_00_10s.ARW"):
            (root / place).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(shared_data / "raw" / name, root / place)
    return root


def built(name, source, out):
    """The short exposures are the long ones: no ratio above 1 is stated, and check sees it."""
    recipe = out.with_suffix(".toml")
    text = find(name).read_text()
    recipe.write_text(text.replace("[truth]\n", "[truth]\nmax_ratio = 1.0\n", 1))
    words = ["build", str(recipe), "--source", str(source), "--out", str(out)]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0, done.output
    problems = [str(problem) for problem in check(out) if problem.sure]
    assert all(": same: " in problem for problem in problems), problems
    return shards.open(out)


def rendered(path, **parameters):
    with rawpy.imread(str(path)) as opened:
        return opened.postprocess(
            use_camera_wb=True, no_auto_bright=True, output_bps=16, user_flip=0, **parameters
        )


def test_restoration_truths_are_rawpys_xyz(source, tmp_path):
    data = built("sid", source.parent, tmp_path / "out")  # found below `dataset/`
    assert {data[i].facts.scene for i in range(len(data))} == set(SCENES) - REFUSED
    for i in range(len(data)):
        sample = data[i]
        path = source / f"Sony/long/{sample.facts.scene}_00_10s.ARW"
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
        theirs = rendered(source / f"Sony/long/{sample.facts.scene}_00_10s.ARW")
        ours = np.rint(sample.enhancement.transpose(1, 2, 0).astype(np.float64) * 65535)
        np.testing.assert_array_equal(ours, theirs)


def test_one_scene_is_refused_by_name(source, tmp_path):
    built("sid", source, tmp_path / "out")
    ledger = (tmp_path / "out/ledger.jsonl").read_text()
    assert '"10011"' in ledger
    assert "non-square-pixels" in ledger
