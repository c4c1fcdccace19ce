"""The miniature's cameras: phase, exposure, noise, clipping, each against a plain restatement."""

import numpy as np
import pytest
from numpy.random import PCG64, Generator

from isptools.synth.camera import FUJI, SONY, Camera, Exposure, cfa_indices, expected, expose

PLAIN = Exposure(seconds=10.0, scene_seconds=10.0, iso=100.0, gains=(2.0, 1.0, 2.5))
CAMERAS = pytest.mark.parametrize("camera", [SONY, FUJI], ids=["bayer", "xtrans"])


def gray(level: float, side: int = 300) -> np.ndarray:
    return np.full((side, side, 3), level, np.float32)


def short(ratio: float, iso: float) -> Exposure:
    return Exposure(seconds=10.0 / ratio, scene_seconds=10.0, iso=iso, gains=(2.0, 1.0, 2.5))


@CAMERAS
def test_a_neutral_scene_differs_only_by_the_gains(camera: Camera) -> None:
    mosaic = expected(gray(0.4, 36), camera, PLAIN)
    for index, gain in enumerate(PLAIN.gains):
        np.testing.assert_allclose(
            mosaic[cfa_indices(camera, mosaic.shape)[..., 0] == index], 0.4 / gain
        )


def test_bayer_phase_is_rggb() -> None:
    mosaic = expected(gray(0.4, 22), SONY, PLAIN)
    np.testing.assert_allclose(mosaic[0::2, 0::2], 0.4 / 2.0)
    np.testing.assert_allclose(mosaic[0::2, 1::2], 0.4)
    np.testing.assert_allclose(mosaic[1::2, 0::2], 0.4)
    np.testing.assert_allclose(mosaic[1::2, 1::2], 0.4 / 2.5)


def test_xtrans_phase_is_the_one_that_sids_authors_pack() -> None:
    """Their packing code takes red and blue from these places (row, column modulo 6)."""
    red = {(0, 0), (0, 4), (3, 1), (3, 3), (1, 2), (2, 5), (5, 2), (4, 5)}
    blue = {(0, 1), (0, 3), (3, 0), (3, 4), (2, 2), (1, 5), (4, 2), (5, 5)}
    mosaic = expected(gray(1.0, 24), FUJI, PLAIN)
    for (row, column), value in np.ndenumerate(mosaic):
        place = (row % 6, column % 6)
        wanted = 1 / 2.0 if place in red else 1 / 2.5 if place in blue else 1.0
        np.testing.assert_allclose(value, wanted, rtol=1e-6)


@CAMERAS
def test_colors_pass_through_the_cameras_matrix(camera: Camera) -> None:
    """A random color against matrix algebra: XYZ to camera, rows normalized, one inverse."""
    xyz_from_srgb = np.array(
        [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750],
         [0.0193339, 0.1191920, 0.9503041]]
    )  # fmt: skip
    color = np.array([0.7, 0.2, 0.05])
    forward = np.array(camera.xyz_to_camera) @ xyz_from_srgb
    camera_rgb = np.diag(1 / forward.sum(axis=1)) @ forward @ color / np.array(PLAIN.gains)
    scene = np.broadcast_to(color.astype(np.float32), (36, 36, 3))
    mosaic = expected(scene, camera, PLAIN)
    indices = cfa_indices(camera, mosaic.shape)[..., 0]
    np.testing.assert_allclose(mosaic, camera_rgb[indices], rtol=1e-6)


@CAMERAS
@pytest.mark.parametrize("iso", [100.0, 1600.0, 25600.0])
@pytest.mark.parametrize("ratio", [1.0, 100.0, 300.0])
def test_noise_is_what_the_profile_says(camera: Camera, iso: float, ratio: float) -> None:
    frame = expose(gray(0.3), camera, short(ratio, iso), Generator(PCG64(8)))
    assert frame.capture.noise_profile is not None
    ((shot, read),) = frame.capture.noise_profile
    x = (frame.pixels.astype(np.float64) - camera.black) / camera.span
    indices = cfa_indices(camera, x.shape)[..., 0]
    for index, gain in enumerate(PLAIN.gains):
        samples = x[indices == index]
        level = 0.3 / gain / ratio
        variance = shot * level + read
        error = np.sqrt(variance / samples.size)
        assert abs(samples.mean() - level) < 4 * error
        assert samples.var() == pytest.approx(variance, rel=0.05)


def test_photons_come_in_whole_numbers() -> None:
    """Far apart enough at high ISO, the values stand at multiples of one electron."""
    quiet = Camera(
        make="", model="", kind="bayer", cfa="RGGB", black=512, white=16383,
        xyz_to_camera=SONY.xyz_to_camera, full_well=1000.0, read_electrons=0.0, read_dn=0.0,
    )  # fmt: skip
    frame = expose(gray(0.2), quiet, short(1.0, 1600.0), Generator(PCG64(4)))
    electrons = (frame.pixels.astype(np.float64) - 512) / quiet.dn_per_electron(1600.0)
    np.testing.assert_allclose(electrons, np.rint(electrons), atol=0.5 / 15871 * 1000)
    green = electrons[0::2, 1::2]
    counts = np.bincount(np.rint(green).astype(int).ravel()) / green.size
    mean = 0.2 * 1000 / 16
    assert counts[12] == pytest.approx(np.exp(-mean) * mean**12 / 479001600.0, rel=0.05)


@CAMERAS
def test_lights_clip_at_white_and_nothing_else_does(camera: Camera) -> None:
    scene = gray(0.5, 60)
    scene[:30] = 9.0
    frame = expose(scene, camera, PLAIN, Generator(PCG64(2)))
    assert (frame.pixels[:30] == camera.white).all()
    assert frame.pixels[30:].max() < camera.white
    assert frame.pixels.dtype == np.uint16


def test_noise_reaches_below_black() -> None:
    frame = expose(gray(0.0), SONY, short(100.0, 3200.0), Generator(PCG64(6)))
    below = (frame.pixels < SONY.black).mean()
    assert 0.4 < below < 0.5
    assert frame.pixels.mean() == pytest.approx(SONY.black, abs=0.1)


def test_the_capture_states_what_was_set() -> None:
    turned = Exposure(1 / 30, 10.0, 800.0, (2.0, 1.0, 2.5), orientation=6, aperture=5.6)
    facts = expose(gray(0.2, 24), FUJI, turned, Generator(PCG64(1))).capture
    assert (facts.exposure_s, facts.iso, facts.aperture) == (1 / 30, 800.0, 5.6)
    assert (facts.orientation, facts.flip) == (6, 6)
    assert facts.as_shot[:3] == (2.0, 1.0, 2.5)
    assert (facts.kind, len(facts.cfa), len(facts.black)) == ("xtrans", 36, 36)
    assert (facts.make, facts.model) == ("isptools", "Miniature Fuji")
