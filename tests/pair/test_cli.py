"""`isptools align`: exit codes, the report, and what is no picture."""

import json

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from isptools import picture
from isptools.cli import main
from tests.pair import views


def run(*words):
    return CliRunner().invoke(main, ["align", *(str(word) for word in words)])


def save(path, pixels, **how):
    Image.fromarray(pixels).save(path, **how)
    return path


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """Two files and the homography between them."""
    folder = tmp_path_factory.mktemp("pair")
    phone = views.scene(720, 960)
    h, size = views.mapping(phone.shape)
    save(folder / "phone.png", phone)
    save(folder / "dslr.jpg", views.other(phone, h, size), quality=95)
    return folder / "phone.png", folder / "dslr.jpg", h


def test_a_pair_passes_with_its_report(pair, tmp_path):
    phone, dslr, h = pair
    done = run(phone, dslr, "--out", tmp_path / "out", "--report", tmp_path / "page.html")
    assert done.exit_code == 0, done.output
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["verdict"] == "pass"
    assert report["reasons"] == []
    assert views.corner_error(np.array(report["homography"]), h, (720, 960)) < 0.5
    assert report["inliers"] > 50
    assert 0 < report["heldout_rmse_px"] < 3
    assert 0 < report["residual_shift_px"]["median"] < report["residual_shift_px"]["p95"] < 1
    patches = report["patches"]
    assert patches["kept"] + patches["refused"] == len(report["windows"])
    one, two = (cv2.imread(str(tmp_path / "out" / f"{side}.png")) for side in ("phone", "dslr"))
    assert one.shape == two.shape
    top, left = report["canvas"]["top"], report["canvas"]["left"]
    whole = cv2.imread(str(phone))
    np.testing.assert_array_equal(one, whole[top : top + one.shape[0], left : left + one.shape[1]])
    page = (tmp_path / "page.html").read_text()
    assert '<p class="verdict ship">Use it: ' in page
    assert '<path class="arrow bar-of"' in page  # shifts, with a scale
    again = CliRunner().invoke(
        main, ["report", str(tmp_path / "out"), "--out", str(tmp_path / "again.html")]
    )
    assert again.exit_code == 0, again.output
    assert (tmp_path / "again.html").read_text() == page  # photographs still lie there


def test_different_scenes_fail_with_3_and_leave_no_pair(pair, tmp_path):
    other = save(tmp_path / "other.png", views.scene(720, 960, seed=55))
    out = tmp_path / "out"
    assert run(pair[0], pair[1], "--out", out).exit_code == 0
    done = run(pair[0], other, "--out", out, "--report", tmp_path / "page.html")
    assert done.exit_code == 3
    page = (tmp_path / "page.html").read_text()
    assert '<p class="verdict stop">Do not use this pair: ' in page
    assert "<figcaption>dslr: other.png</figcaption>" in page  # both photographs, and why
    assert page.count("<figcaption>") == 2
    report = json.loads((out / "report.json").read_text())
    assert report["verdict"] == "fail"
    assert report["reasons"]
    assert sorted(path.name for path in out.iterdir()) == ["report.json"]


def test_two_real_overlapping_photographs(shared_data, tmp_path):
    folder = shared_data / "registration" / "boofcv"
    names = [folder / f"apartment_building_0{i}.jpg" for i in (1, 2)]
    assert run(*names, "--out", tmp_path / "a").exit_code == 0
    assert run(names[0], folder / "kayak_01.jpg", "--out", tmp_path / "b").exit_code == 3


def test_portrait_by_exif_against_landscape(pair, tmp_path):
    """The phone's pixels lie on their side; EXIF says so."""
    phone, dslr, h = pair
    exif = Image.Exif()
    exif[0x0112] = 6
    lying = np.rot90(cv2.imread(str(phone))[..., ::-1])
    turned = save(tmp_path / "turned.jpg", np.ascontiguousarray(lying), quality=97, exif=exif)
    done = run(turned, dslr, "--out", tmp_path / "out")
    assert done.exit_code == 0, done.output
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert (report["phone"]["height"], report["phone"]["width"]) == (720, 960)
    assert views.corner_error(np.array(report["homography"]), h, (720, 960)) < 0.5


KINDS = {
    "gray.png": lambda p: Image.fromarray(p[..., 1]),
    "alpha.png": lambda p: Image.fromarray(np.dstack([p, np.full(p.shape[:2], 90, np.uint8)])),
    "cmyk.jpg": lambda p: Image.fromarray(p).convert("CMYK"),
    "palette.png": lambda p: Image.fromarray(p).quantize(200),
}


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_of_picture_is_read(pair, tmp_path, name):
    pixels = np.asarray(Image.open(pair[0]))
    KINDS[name](pixels).save(tmp_path / name)
    done = run(tmp_path / name, pair[1], "--out", tmp_path / "out", "--no-offsets")
    assert done.exit_code == 0, done.output


def test_sixteen_bits_stay_sixteen_bits(pair, tmp_path):
    pixels = cv2.imread(str(pair[0])).astype(np.uint16) * 257
    cv2.imwrite(str(tmp_path / "deep.png"), pixels)
    cv2.imwrite(str(tmp_path / "deep.tif"), pixels)
    for name in ("deep.png", "deep.tif"):
        np.testing.assert_array_equal(picture.read(tmp_path / name), pixels[..., ::-1])
    assert run(tmp_path / "deep.png", pair[1], "--out", tmp_path / "out").exit_code == 0
    made = cv2.imread(str(tmp_path / "out" / "phone.png"), cv2.IMREAD_UNCHANGED)
    assert made.dtype == np.uint16


def _cut(path, data, share):
    path.write_bytes(data[: int(len(data) * share)])
    return path


def test_damaged_files_are_errors_in_one_line(pair, tmp_path):
    jpeg, png = pair[1].read_bytes(), pair[0].read_bytes()
    text = tmp_path / "text.jpg"
    text.write_text("no picture")
    floats = tmp_path / "floats.tif"
    Image.fromarray(np.zeros((60, 60), np.float32)).save(floats)
    bad = [
        _cut(tmp_path / "cut.jpg", jpeg, 0.6),
        _cut(tmp_path / "cut.png", png, 0.6),
        _cut(tmp_path / "empty.jpg", jpeg, 0),
        _cut(tmp_path / "raw.dng", jpeg, 0.5),
        tmp_path / "absent.jpg",
        text,
        floats,
    ]
    for path in bad:
        done = run(path, pair[1], "--out", tmp_path / "out")
        assert done.exit_code == 1, (path, done.output)
        assert str(path) in done.output
        assert done.output.count("\n") == 1
        assert not (tmp_path / "out").exists()


def test_a_wrong_command_line_is_an_error_and_no_fail(pair, tmp_path):
    assert run(pair[0]).exit_code == 2
    assert run(pair[0], pair[1]).exit_code == 2
    assert run(*pair[:2], "--out", tmp_path, "--threshold", "x=1").exit_code == 1
    assert run(*pair[:2], "--out", tmp_path, "--limit", "x=1").exit_code == 1  # its former name
    assert run(*pair[:2], "--out", tmp_path, "--size", "wide").exit_code == 1
    assert run(*pair[:2], "--out", tmp_path, "--report", "r.txt").exit_code == 1
    save(tmp_path / "phone.png", views.scene(100, 100))
    done = run(tmp_path / "phone.png", pair[1], "--out", tmp_path)
    assert done.exit_code == 1
    assert "written over" in done.output
