"""The miniature SID as files: official names, the same bytes, and LibRaw agrees with its facts."""

import hashlib
from collections import Counter
from functools import cache
from itertools import pairwise
from pathlib import Path

import msgspec
import numpy as np
import pytest
import rawpy

from isptools import raw
from isptools.datasets import Card, miniature, sid
from isptools.datasets import card as cards
from isptools.measure.exposure import Shot, ratio
from tests import recipes

BLACK = {"sid": 512, "sid-fuji": 1024}
CFA = {"sid": "RGGB", "sid-fuji": "RBGBRGGGRGGBGGBGGRBRGRBGGGBGGRGGRGGB"}
TURNED = {"00179": 5, "00021": 6}  # LibRaw's flip codes
NAMES = pytest.mark.parametrize(
    "name",
    [pytest.param(one, marks=pytest.mark.long if "fuji" in one else ()) for one in sid.MINIATURES],
)


@pytest.fixture(scope="module")
def roots(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    out = {name: tmp_path_factory.mktemp(name) for name in tuple(sid.MINIATURES)}
    for name, root in out.items():
        miniature(name, root)
    return out


def small(name: str) -> Card:
    return sid.small(cards.load(name))


@cache
def scene_of(name: str, scene: str) -> np.ndarray:
    return sid.scene(name, scene)


@cache
def profiles(name: str) -> dict[str, tuple[float, float]]:
    """The NoiseProfile (S, O) of every file."""
    found = {}
    for entry, frame in sid.frames(cards.load(name)):
        assert frame.capture.noise_profile is not None
        (found[entry.path],) = frame.capture.noise_profile
    return found


def digests(root: Path) -> dict[str, str]:
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files
    }


@NAMES
def test_files_have_official_names_and_places(name: str, roots: dict[str, Path]) -> None:
    official = {entry.path for entry in cards.load(name).files}
    written = set(digests(roots[name]))
    assert written <= official
    assert written == {entry.path for entry in small(name).files}


@NAMES
def test_write_returns_its_files_in_the_manifests_order(name: str, tmp_path: Path) -> None:
    written = miniature(name, tmp_path / "deep" / "er")
    assert written == [tmp_path / "deep" / "er" / entry.path for entry in small(name).files]
    assert all(path.is_file() for path in written)


@NAMES
def test_same_bytes_twice(name: str, roots: dict[str, Path], tmp_path: Path) -> None:
    miniature(name, tmp_path)
    assert digests(tmp_path) == digests(roots[name])


def test_same_bytes_in_any_order_and_any_company(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = {entry.path: frame.pixels for entry, frame in sid.frames(cards.load("sid"))}
    keep = [entry for entry in small("sid").files if entry.scene in {"10003", "00179"}][::-1]
    few = msgspec.structs.replace(small("sid"), files=tuple(keep))
    monkeypatch.setattr(sid, "small", lambda _card: few)
    part = {entry.path: frame.pixels for entry, frame in sid.frames(cards.load("sid"))}
    assert list(part) == [entry.path for entry in keep]
    for path, pixels in part.items():
        np.testing.assert_array_equal(pixels, whole[path])


def test_another_seed_gives_other_files() -> None:
    for (entry, first), (_, second) in zip(
        sid.frames(cards.load("sid")), sid.frames(cards.load("sid"), seed=1), strict=True
    ):
        assert np.mean(first.pixels != second.pixels) > 0.5, entry.path


@NAMES
def test_the_manifest_is_the_official_one_made_smaller(name: str, roots) -> None:
    official, ours = cards.load(name), small(name)
    assert [row for row in official.files if row in ours.files] == list(ours.files)
    scenes = recipes.listed_of(ours, roots[name]).scenes
    assert Counter(scene.split for scene in scenes) == {"train": 3, "val": 1, "test": 2}
    assert all(2 <= len(scene.shot.inputs) <= 3 for scene in scenes)
    ratios = {
        min(ratio(Shot(one.exposure_s), Shot(scene.shot.truth.exposure_s)), 300)
        for scene in scenes
        for one in scene.shot.inputs
    }
    assert ratios == {100.0, 250.0, 300.0}
    assert any("_01_" in one.path for scene in scenes for one in scene.shot.inputs)
    without = recipes.listed_of(ours, roots[name], exclude=("misaligned",)).scenes
    assert len(without) == len(scenes) - 1
    assert "miniature" in ours.title
    assert ours.citation == official.citation


@NAMES
def test_libraw_reads_the_facts_that_were_set(name: str, roots: dict[str, Path]) -> None:
    setups = sid.MINIATURES[name].scenes
    for entry in small(name).files:
        with rawpy.imread(str(roots[name] / entry.path)) as raw:
            side = 2 if name == "sid" else 6
            letters = [raw.color_desc.decode()[i] for i in raw.raw_colors[:side, :side].ravel()]
            assert "".join(letters) == CFA[name]
            assert raw.black_level_per_channel == [BLACK[name]] * 4
            assert raw.white_level == 16383
            assert tuple(raw.camera_whitebalance[:3]) == setups[entry.scene].gains
            assert raw.sizes.flip == TURNED.get(entry.scene, 0)
            camera = sid.MINIATURES[name].camera
            np.testing.assert_allclose(raw.rgb_xyz_matrix[:3], 0)  # LibRaw does not know the model
            forward = np.linalg.inv(raw.color_matrix[:, :3].astype(np.float64))
            wanted = np.array(camera.xyz_to_camera) @ XYZ
            np.testing.assert_allclose(
                forward, wanted / wanted.sum(axis=1, keepdims=True), atol=1e-5
            )


XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750],
     [0.0193339, 0.1191920, 0.9503041]]
)  # fmt: skip


@NAMES
def test_our_reader_gets_the_same_frame_back(name: str, roots: dict[str, Path]) -> None:
    facts = (
        "kind", "cfa", "black", "white", "as_shot", "make", "model", "color_matrix_1",
        "illuminant_1", "noise_profile", "exposure_s", "iso", "aperture", "orientation", "flip",
    )  # fmt: skip
    for entry, frame in sid.frames(cards.load(name)):
        found = raw.read(roots[name] / entry.path)
        np.testing.assert_array_equal(found.pixels, frame.pixels)
        for fact in facts:
            assert getattr(found.capture, fact) == getattr(frame.capture, fact), fact


def light_on_pixels(raw: rawpy.RawPy, scene: np.ndarray, share: float) -> np.ndarray:
    """What each pixel should hold in units of saturation, by what LibRaw says of the file alone:
    its matrix inverted, its gains divided out, its color of each pixel."""
    camera = scene.astype(np.float64) @ np.linalg.inv(raw.color_matrix[:, :3].astype(np.float64)).T
    gains = np.array(raw.camera_whitebalance[:3])
    colors = raw.raw_colors_visible.astype(int)
    colors[colors == 3] = 1
    return np.take_along_axis(camera * gains.min() / gains, colors[..., None], 2)[..., 0] * share


@NAMES
def test_every_mosaic_is_its_scene_within_the_stated_noise(
    name: str, roots: dict[str, Path]
) -> None:
    """Mean square of (pixel - scene) / (noise the NoiseProfile states) is 1 over all unclipped
    pixels; a wrong phase, matrix, gain, black, exposure or noise model shows here."""
    truth_s = {e.scene: e.exposure_s for e in small(name).files if e.role == "truth"}
    for entry in small(name).files:
        scene = scene_of(name, entry.scene)
        shot, read = profiles(name)[entry.path]
        seconds = {0.033: 1 / 30}.get(entry.exposure_s or 0, entry.exposure_s or 0)
        with rawpy.imread(str(roots[name] / entry.path)) as raw:
            wanted = light_on_pixels(raw, scene, seconds / (truth_s[entry.scene] or 1))
            span = raw.white_level - BLACK[name]
            found = (raw.raw_image_visible.astype(np.float64) - BLACK[name]) / span
        open_ = (wanted < 0.8) & (wanted + 5 * np.sqrt(shot * wanted + read) < 1)
        assert open_.mean() > 0.9
        z = (found - wanted)[open_] / np.sqrt(shot * wanted[open_] + read)
        assert abs(z.mean()) < 0.015, entry.path  # 5 standard errors of 100,000 pixels
        assert np.mean(z * z) == pytest.approx(1.0, abs=0.03), entry.path


def test_no_two_files_share_their_noise(roots: dict[str, Path]) -> None:
    residuals = []
    for frame in ("00_0.1", "01_0.1"):
        with rawpy.imread(str(roots["sid"] / f"Sony/short/00001_{frame}s.ARW")) as raw:
            wanted = light_on_pixels(raw, scene_of("sid", "00001"), 0.01)
            dn = raw.raw_image_visible.astype(np.float64) - 512
        residuals.append((dn - wanted * capture_span("sid")).ravel())
    correlation = np.corrcoef(residuals)[0, 1]
    assert abs(correlation) < 5 / np.sqrt(residuals[0].size)


@NAMES
def test_variance_follows_the_level(name: str, roots: dict[str, Path]) -> None:
    """In bins of the expected level, not only on average over the picture."""
    path = {"sid": "Sony/short/00001_00_0.1s.ARW", "sid-fuji": "Fuji/short/00002_00_0.1s.RAF"}[name]
    shot, read = profiles(name)[path]
    with rawpy.imread(str(roots[name] / path)) as raw:
        wanted = light_on_pixels(raw, sid.scene(name, path[11:16]), 0.01)
        found = (raw.raw_image_visible.astype(np.float64) - BLACK[name]) / capture_span(name)
    edges = np.quantile(wanted, np.linspace(0, 1, 9))
    measured, stated = [], []
    for low, high in pairwise(edges):
        inside = (wanted >= low) & (wanted <= high)
        measured.append(np.mean((found - wanted)[inside] ** 2))
        stated.append(np.mean(shot * wanted[inside] + read))
    np.testing.assert_allclose(measured, stated, rtol=0.06)
    assert stated[-1] > 3 * stated[0]  # the bins do differ


def capture_span(name: str) -> int:
    return 16383 - BLACK[name]


def blocks(picture: np.ndarray, side: int) -> np.ndarray:
    """Means over side x side blocks."""
    high, wide = (length // side * side for length in picture.shape[:2])
    cut = picture[:high, :wide].reshape(high // side, side, wide // side, side, -1)
    return np.asarray(cut.mean(axis=(1, 3)))


def noise_of_block_means(
    truth: np.ndarray, raw: rawpy.RawPy, profile: tuple[float, float]
) -> np.ndarray:
    """Standard deviation of the developed (linear sRGB) means over 12 x 12 pixels, as the noise
    model has it: each color's own pixels averaged, gains and matrix applied."""
    matrix = raw.color_matrix[:, :3].astype(np.float64)
    gains = np.array(raw.camera_whitebalance[:3])
    gains /= gains.min()
    shares = np.bincount(raw.raw_colors_visible[:12, :12].ravel(), minlength=4)
    counts = np.array([shares[0], shares[1] + shares[3], shares[2]])
    mosaic = truth @ np.linalg.inv(matrix).T / gains
    variance = (profile[0] * mosaic + profile[1]) / counts * gains**2
    return np.asarray(np.sqrt(variance @ (matrix**2).T))


@NAMES
def test_developing_the_long_exposure_gives_the_scene_back(
    name: str, roots: dict[str, Path]
) -> None:
    """LibRaw's own chain (its default demosaic, linear sRGB, fixed white) against the scene, in
    means over 12 x 12 pixels without clipped ones.

    Pure noise leaves a median error of 0.67 standard deviations: measured 0.68 at ISO 25600, and
    0.78 to 1.19 where noise is so low that demosaicking errors at fine edges count beside it.
    Those make the worst blocks too: 1 % beyond 0.008 to 0.019, 0.027 at ISO 25600.
    """
    for entry in (entry for entry in small(name).files if entry.role == "truth"):
        scene = scene_of(name, entry.scene)
        with rawpy.imread(str(roots[name] / entry.path)) as raw:
            truth = blocks(scene, 12)
            noise = noise_of_block_means(truth, raw, profiles(name)[entry.path])
            found = raw.postprocess(
                use_camera_wb=True, no_auto_bright=True, adjust_maximum_thr=0.0, user_flip=0,
                gamma=(1, 1), output_bps=16,
            )  # fmt: skip
        bright = scene.max(axis=2, keepdims=True) > 0.9
        open_ = blocks(bright.astype(np.float64), 12)[..., 0] == 0
        error = (blocks(found / 65535.0, 12) - truth)[open_]
        assert open_.mean() > 0.8
        assert 0.6 < np.median(np.abs(error) / noise[open_]) < 1.3, entry.path
        assert np.quantile(np.abs(error), 0.99) < 0.03, entry.path
        assert np.abs(error.mean(axis=0)).max() < 0.0025, entry.path


@NAMES
def test_unknown_names_are_refused_in_one_line(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no data set 'mars'"):
        miniature("mars", tmp_path)
    with pytest.raises(ValueError, match=f"miniature of {name} has no scene '99999'; it has: "):
        sid.scene(name, "99999")
    assert list(tmp_path.iterdir()) == []
