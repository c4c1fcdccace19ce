"""`isptools fuse`: files in, files out, one line for what can't be fused."""

import json
from dataclasses import replace

import imageio.v3 as imageio
import numpy as np
import pytest
import tifffile
from click.testing import CliRunner

from isptools import raw
from isptools.burst import Options, fuse
from isptools.cli import main
from isptools.cli.flow import WIDTH
from isptools.report.pictures import fit, of_raw
from isptools.report.sheet import GAP, LINE, Captioned, brightened, sheet
from tests.burst import made

SHIFTS = [(0.0, 0.0), (2.3, -1.6), (-4.1, 3.2)]


def run(*words):
    return CliRunner().invoke(main, [str(word) for word in words])


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("burst")
    frames, _ = made.burst(SHIFTS)
    for number, frame in enumerate(frames):
        raw.write_dng(folder / f"payload_N{number:03d}.dng", frame)
    whole = (folder / "payload_N001.dng").read_bytes()
    (folder / "payload_N003.dng").write_bytes(whole[: len(whole) // 2])
    for number, (name, value) in enumerate((("black", 64), ("white", 1023)) * 2):
        pixels = np.full_like(frames[0].pixels, value)
        raw.write_dng(folder / f"{name}_{number}.dng", replace(frames[0], pixels=pixels))
    return sorted(folder.glob("payload*.dng"))


def test_all_outputs(files, tmp_path):
    done = run(
        "fuse", *files, "--out", tmp_path / "m.dng", "--onto", 1, "--truth",
        "--weights", tmp_path / "w.tif", "--report", tmp_path / "r.json",
        "--image", tmp_path / "i.png",
    )  # fmt: skip
    assert done.exit_code == 3, done.output
    assert "3 of 4 frames onto frame 1" in done.output
    report = json.loads((tmp_path / "r.json").read_text())
    assert report["reference"] == 1
    assert report["offsets_px"][1] == [0.0, 0.0]
    assert report["offsets_px"][3] is None
    expected = np.array(SHIFTS[0]) - SHIFTS[1]
    assert np.abs(np.array(report["offsets_px"][0]) - expected).max() < 0.1
    assert [each["reason"] for each in report["refused"]] == ["unreadable"]
    assert 2.5 < report["effective_frames"] <= 3
    assert report["noise"]["after"]["read"][0] < report["noise"]["before"]["read"][0] / 2
    frames = [raw.read(path) for path in files[:3]]
    same = fuse(frames, Options(reference=1, method="truth"))
    np.testing.assert_array_equal(raw.read(tmp_path / "m.dng").pixels, same.frame.pixels)
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "w.tif"), same.weight)
    told = imageio.imread(tmp_path / "i.png")  # the fused picture, its weights, 3 frames' offsets
    first, _ = brightened(of_raw(same.frame))
    height = round(WIDTH * first.shape[0] / first.shape[1])
    cells = sheet([Captioned(fit(first, WIDTH), ("",) * 3)] * 5, 3, WIDTH)
    assert told.shape[1] == cells.shape[1]
    np.testing.assert_array_equal(
        told[GAP : GAP + height, GAP : GAP + WIDTH], cells[GAP : GAP + height, GAP : GAP + WIDTH]
    )
    weights = told[GAP : GAP + height, 2 * GAP + WIDTH : 2 * (GAP + WIDTH)]
    assert abs(weights.mean() / 255 - same.weight.mean()) < 0.02
    below = told[GAP + height : GAP + height + LINE, : GAP + WIDTH]
    assert below.min() < 100  # a caption
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"m.dng", "w.tif", "r.json", "i.png"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["{0}", "--out", "m.dng"], "at least two frames"),
        (["{0}", "{1}", "--out", "m.tif"], "ends in .dng"),
        (["{0}", "{1}", "--out", "m.dng", "--onto", "7"], "no frame 7"),
        (["{0}", "{3}", "--out", "m.dng"], "no frame fits"),
        (["{0}", "{1}", "--out", "{0}/m.dng"], "folder can't be made"),
        (["{3}", "nothing.dng", "--out", "m.dng"], "none of the frames"),
        (["{0}", "{black}", "--out", "m.dng", "--onto", "1"], "every pixel is 64"),
        (["{black}", "{black2}", "--out", "m.dng"], "every pixel is 64"),
        (["{white}", "{white3}", "--out", "m.dng"], "every pixel is 1023"),
    ],
)
def test_errors_are_one_line(files, tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    named = {"black": "black_0", "white": "white_1", "black2": "black_2", "white3": "white_3"}
    paths = {name: files[0].with_name(f"{file}.dng") for name, file in named.items()}
    done = run("fuse", *(word.format(*files, **paths) for word in words))
    assert done.exit_code == 1
    (line,) = [line for line in done.output.splitlines() if line.startswith("Error")]
    assert message in line
    assert list(tmp_path.iterdir()) == []
