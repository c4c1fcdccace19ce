"""`isptools render` keeps LibRaw's picture where LibRaw departs from the file, and says so."""

import io

import numpy as np
import pytest
import rawpy
import tifffile
from click.testing import CliRunner

from isptools import raw
from isptools.cli import main
from isptools.develop.chain import develop
from tests.develop import libraw
from tests.raw import tiff

SHAPE = (48, 64)
PIXELS = np.random.default_rng(0).integers(300, 3500, SHAPE).astype("<u2").tobytes()
ROWS = tiff.fractions(np.linspace(0, 90, SHAPE[0]))
FILES = {
    "black: BlackLevel, BlackLevelDeltaV say": ((50714, 3, [64]), (50716, 10, ROWS)),
    "as_shot: AsShotWhiteXY": ((50728, 5, []), (50729, 5, tiff.fractions([0.38, 0.37]))),
    "black: BlackLevel says": (
        (50713, 3, [2, 2]), (50714, 3, [64, 80, 96, 112]), (50829, 4, [1, 1, *SHAPE]),
    ),
}  # fmt: skip


def rendered(path, tmp_path, *options):
    out = tmp_path / "x.tif"
    result = CliRunner().invoke(main, ["render", str(path), "--out", str(out), *options])
    assert result.exit_code == 0, result.output
    return tifffile.imread(out), result.output.splitlines()


@pytest.mark.parametrize("says", FILES)
def test_libraws_picture_and_a_line_about_it(says, tmp_path):
    data = tiff.dng(SHAPE, [PIXELS], *FILES[says])
    (tmp_path / "a.dng").write_bytes(data)
    picture, (_, line) = rendered(tmp_path / "a.dng", tmp_path)
    with rawpy.imread(io.BytesIO(data)) as opened:
        assert np.array_equal(picture, opened.postprocess(**libraw.parameters()))
    assert says in line
    assert "LibRaw's were taken" in line


@pytest.mark.parametrize("says", FILES)
def test_or_the_files(says, tmp_path):
    path = tmp_path / "a.dng"
    path.write_bytes(tiff.dng(SHAPE, [PIXELS], *FILES[says]))
    picture, (_, line) = rendered(path, tmp_path, "--trust", "file")
    assert np.array_equal(picture, develop(raw.read(path), libraw.steps()).pixels)
    assert not np.array_equal(picture, rendered(path, tmp_path)[0])
    assert "the file's were taken" in line


def test_nothing_is_said_where_there_is_nothing_to_say(tmp_path):
    path = tmp_path / "a.dng"
    path.write_bytes(tiff.dng(SHAPE, [PIXELS], (50714, 3, [64])))
    assert len(rendered(path, tmp_path)[1]) == 1


def test_a_gray_world_is_named(tmp_path):
    path = tmp_path / "a.dng"
    path.write_bytes(tiff.dng(SHAPE, [PIXELS], (50728, 5, [])))
    assert "gray world was taken" in rendered(path, tmp_path)[1][1]
