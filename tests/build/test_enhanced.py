"""The user's own pictures as enhancement truths: found by scene, laid onto the sensor."""

import hashlib
from pathlib import Path
from typing import Any

import cv2
import imageio.v3 as imageio
import msgspec
import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image, ImageCms

from isptools import shards
from isptools.build import BuildError
from isptools.datasets.fivek import icc_profile
from isptools.develop import profile
from isptools.recipe import Own
from isptools.shards.check import check
from tests.build import tiny as tinies
from tests.build.tiny import SHAPE, SPLITS, Tiny, frame, write
from tests.recipes import changed

# what turns a sensor picture upright, from EXIF's definition: where row 0 and column 0 are shown
UPRIGHT = {
    1: lambda p: p,
    2: lambda p: p[:, ::-1],
    3: lambda p: p[::-1, ::-1],
    4: lambda p: p[::-1],
    6: lambda p: np.rot90(p, -1),
    8: lambda p: np.rot90(p, 1),
}
FLIPS = {1: 0, 2: 1, 3: 3, 4: 2, 6: 6, 8: 5}


@pytest.fixture
def own(tiny: Tiny) -> Path:
    """A folder of pictures: what the build develops, made a bit warmer."""
    tiny.build(tiny.folder / "plain")
    folder = tiny.folder / "own"
    folder.mkdir()
    with shards.open(tiny.folder / "plain") as opened:
        for sample in opened:
            assert sample.enhancement is not None
            save(folder / f"{sample.facts.scene}.png", warm(sample.enhancement), np.uint16)
    return folder


def warm(planes: NDArray[np.float32]) -> NDArray[np.float64]:
    return planes.transpose(1, 2, 0) ** np.array([0.9, 1, 1.1])


def save(path: Path, picture: NDArray[Any], dtype: Any) -> NDArray[Any]:
    pixels = np.rint(picture * np.iinfo(dtype).max).astype(dtype)
    if path.suffix == ".tif":
        tifffile.imwrite(path, pixels, photometric="rgb")
    elif dtype is np.uint16:
        assert cv2.imwrite(str(path), np.ascontiguousarray(pixels[..., ::-1]))
    else:
        imageio.imwrite(path, pixels)
    return pixels


def sixteen(tiny: Tiny) -> Any:
    truth = msgspec.structs.replace(tiny.recipe.truth.enhancement, dtype="uint16")
    return changed(tiny.recipe, enhancement=truth)


def stored(tiny: Tiny, scene: str) -> tuple[NDArray[Any], Any]:
    """The enhancement truth of a scene as stored, (H, W, 3), and its facts."""
    with shards.open(tiny.out) as opened:
        i = next(i for i in range(len(opened)) if opened.facts(i).scene == scene)
        truth = opened[i].enhancement
        assert truth is not None
        return truth.transpose(1, 2, 0), opened.truth_facts(i)


def test_embedded_profiles_are_applied(tiny: Tiny, own: Path) -> None:
    """ProPhoto is converted; sRGB's own profile changes nothing; one of tables is refused."""
    first, second, third = list(SPLITS)[:3]
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    pictures = {}
    for scene, data in ((first, icc_profile()), (second, srgb), (third, lab)):
        pictures[scene] = cv2.imread(str(own / f"{scene}.png"))[..., ::-1]
        Image.fromarray(pictures[scene]).save(own / f"{scene}.png", icc_profile=data)
    tiny.build(recipe=sixteen(tiny), enhanced=own)
    for scene, wanted in (
        (first, profile.to_srgb(pictures[first], profile.parse(icc_profile())) / 65535),
        (second, pictures[second] / 255),
    ):
        np.testing.assert_allclose(stored(tiny, scene)[0], wanted, atol=2e-5)
    lines = [line for line in tinies.ledger(tiny.out) if line["scene"] == third]
    assert {line["reason"] for line in lines} == {"unsupported"}
    assert all(f"{third}.png: its ICC profile" in line["detail"] for line in lines)


def test_16_bits_arrive_as_16_bits(tiny: Tiny, own: Path) -> None:
    summary = tiny.build(recipe=sixteen(tiny), enhanced=own)
    assert isinstance(summary.recipe.truth.enhancement, Own)
    assert summary.recipe.sha256 != sixteen(tiny).sha256
    for scene in SPLITS:
        path = own / f"{scene}.png"
        wanted = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)[..., ::-1]
        assert wanted.dtype == np.uint16
        found, facts = stored(tiny, scene)
        assert np.array_equal(np.rint(found * 65535), wanted)
        assert facts.enhanced == path.name
        assert facts.enhanced_sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
        assert facts.enhanced_turned == 0
    with shards.open(tiny.out) as opened:
        assert opened.tables[0].pictures["enhancement"].source == "files"
        assert "own pictures" in opened.tables[0].pictures["enhancement"].note
    assert [problem for problem in check(tiny.out) if problem.sure] == []


@pytest.mark.parametrize(("suffix", "dtype"), [
    (".png", np.uint8), (".tif", np.uint16), (".tif", np.uint8), (".jpg", np.uint8),
])  # fmt: skip
def test_formats_and_depths(tiny: Tiny, own: Path, suffix: str, dtype: Any) -> None:
    with shards.open(tiny.folder / "plain") as opened:
        picture = opened[0].enhancement
        assert picture is not None
    (own / "a1.png").unlink()
    pixels = save(own / f"a1{suffix}", warm(picture), dtype)
    tiny.build(recipe=sixteen(tiny), enhanced=own)
    found, facts = stored(tiny, "a1")
    assert facts.enhanced == f"a1{suffix}"
    if suffix == ".jpg":
        decoded = cv2.imread(str(own / "a1.jpg"))[..., ::-1].astype(float)
        assert np.abs(found * 255 - decoded).max() <= 3  # two decoders of JPEG
    else:
        assert np.array_equal(np.rint(found * np.iinfo(dtype).max), pixels)


@pytest.mark.parametrize("orientation", list(UPRIGHT))
@pytest.mark.parametrize("upright", [True, False])
def test_upright_pictures_are_turned_back(
    tiny: Tiny, own: Path, orientation: int, upright: bool
) -> None:
    facts = {"orientation": orientation, "flip": FLIPS[orientation]}
    write(tiny, "long/a1_long.dng", frame(0, **facts))
    lying = cv2.imread(str(own / "a1.png"), cv2.IMREAD_UNCHANGED)
    shown = UPRIGHT[orientation](lying) if upright else lying
    cv2.imwrite(str(own / "a1.png"), np.ascontiguousarray(shown))
    tiny.build(recipe=sixteen(tiny), enhanced=own)
    found, row = stored(tiny, "a1")
    assert np.array_equal(np.rint(found * 65535), lying[..., ::-1])
    assert row.enhanced_turned == int(upright and orientation != 1)


@pytest.mark.parametrize("name", ["a1_long.png", "a1-final version.png", "a1.final.png"])
def test_names(tiny: Tiny, own: Path, name: str) -> None:
    (own / "a1.png").rename(own / name)
    tiny.build(enhanced=own)
    assert stored(tiny, "a1")[1].enhanced == name


def refused(tiny: Tiny, own: Path, reason: str) -> str:
    """Scene a1 alone was refused for this reason; its line for people."""
    tiny.build(enhanced=own)
    lines = [line for line in tinies.ledger(tiny.out) if line["reason"] == reason]
    assert {line["scene"] for line in lines} == {"a1"}
    assert {"short/a1_0.dng", "short/a1_1.dng"} <= {line["file"] for line in lines}
    with shards.open(tiny.out) as opened:
        assert {sample.facts.scene for sample in opened} == {"b2", "c3", "d4"}
    return str(lines[0]["detail"])


def test_no_picture(tiny: Tiny, own: Path) -> None:
    (own / "a1.png").rename(own / "a11.png")  # another scene's name begins alike
    assert "no picture named a1" in refused(tiny, own, "enhanced-missing")


def test_two_pictures(tiny: Tiny, own: Path) -> None:
    save(own / "a1 copy.tif", np.zeros((*SHAPE, 3)), np.uint8)
    assert "a1 copy.tif, a1.png" in refused(tiny, own, "enhanced-two-files")


def test_another_size(tiny: Tiny, own: Path) -> None:
    save(own / "a1.png", np.zeros((SHAPE[0] - 1, SHAPE[1], 3)), np.uint16)
    assert "a1.png is 63 x 80" in refused(tiny, own, "unsupported")


def test_no_picture_at_all(tiny: Tiny, own: Path) -> None:
    (own / "a1.png").write_text("no picture")
    assert "a1.png: no picture that can be read" in refused(tiny, own, "unsupported")


def test_a_gray_picture(tiny: Tiny, own: Path) -> None:
    cv2.imwrite(str(own / "a1.png"), np.zeros(SHAPE, np.uint8))
    assert "no RGB picture" in refused(tiny, own, "unsupported")


def test_four_inks(tiny: Tiny, own: Path) -> None:
    (own / "a1.png").unlink()
    tifffile.imwrite(own / "a1.tif", np.zeros((*SHAPE, 4), np.uint8), photometric="separated")
    assert "no RGB picture" in refused(tiny, own, "unsupported")


def test_alpha_of_a_png_is_left_out(tiny: Tiny, own: Path) -> None:
    pixels = cv2.imread(str(own / "a1.png"), cv2.IMREAD_UNCHANGED)
    cv2.imwrite(str(own / "a1.png"), np.dstack([pixels, pixels[..., :1] // 2]))
    tiny.build(recipe=sixteen(tiny), enhanced=own)
    assert np.array_equal(np.rint(stored(tiny, "a1")[0] * 65535), pixels[..., ::-1])


def test_a_changed_picture_is_built_again(tiny: Tiny, own: Path) -> None:
    tiny.build(enhanced=own)
    save(own / "c3.png", np.full((*SHAPE, 3), 0.5), np.uint8)
    again = tiny.build(enhanced=own)
    assert (again.made, again.kept) == (1, 3)
    assert stored(tiny, "c3")[0] == pytest.approx(np.full((*SHAPE, 3), 128 / 255))


def test_what_goes_with_what(tiny: Tiny, own: Path) -> None:
    with pytest.raises(BuildError, match="give --enhanced DIR"):
        tiny.build(recipe=changed(tiny.recipe, enhancement=Own()))
    with pytest.raises(BuildError, match="leave out --enhanced"):
        tiny.build(recipe=changed(tiny.recipe, enhancement=None), enhanced=own)
    with pytest.raises(BuildError, match="no such folder"):
        tiny.build(enhanced=tiny.folder / "nowhere")
