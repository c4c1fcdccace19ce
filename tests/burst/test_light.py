"""Lamps that flicker, fade and change their color: a merged frame is as bright as its reference."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from isptools.burst import BurstError, Options, fuse
from tests.burst import made

SHIFTS = [(0.0, 0.0), (3.3, -5.7), (-1.25, 2.6), (7.5, 4.1)]
SIZE = (224, 288)
TRUTH = Options(reference=0, method="truth")
INSIDE = (slice(20, -20), slice(20, -20))


@pytest.fixture(scope="module")
def lights():
    scene = made.texture(5, *SIZE)
    return [made.mosaic(scene, shift) for shift in SHIFTS]


def frames_of(lights, gains, profile=True, stated=None, read=4.0):
    """Each frame's light times its gain; `stated` are exposure times at f/2 and ISO 100."""
    made_of = []
    for k, (light, gain) in enumerate(zip(lights, gains, strict=True)):
        facts = made.capture(read=read)
        if stated:
            facts = replace(facts, exposure_s=stated[k], iso=100.0, aperture=2.0)
        if not profile:
            facts = replace(facts, noise_profile=None)
        made_of.append(made.exposed(light * gain, facts, 300 + k, read))
    return made_of


def off(fused, clean):
    """Mean error of trusted pixels over the mean light, by position."""
    error, trusted = made.light(fused) - clean, fused.weight > 0
    out = []
    for y, x in np.ndindex(2, 2):
        one, sure, light = (each[INSIDE][y::2, x::2] for each in (error, trusted, clean))
        out.append(one[sure].mean() / light.mean())
    return np.array(out)


@pytest.mark.parametrize("profile", [True, False])
@pytest.mark.parametrize("gain", [0.97, 0.85, 0.7, 1.12])
def test_half_of_the_frames_in_other_light(lights, gain, profile):
    found = fuse(frames_of(lights, [1, 1, gain, gain], profile), TRUTH)
    assert found.refused == ()
    assert np.abs(off(found, lights[0])).max() < 1e-3
    assert found.brightness[0] == (1.0, 1.0, 1.0)
    for each, own in zip(found.brightness[1:], (1, gain, gain), strict=True):
        assert each == pytest.approx((own,) * 3, rel=2e-3)
    assert [each.frame for each in found.noted] == [2, 3]
    error = (made.light(found) - lights[0])[INSIDE]
    assert error.std() < 0.65 * 4


def test_the_merge_for_the_eye_is_matched_too(lights):
    found = fuse(frames_of(lights, [1, 1, 0.94, 0.94]), Options(reference=0))
    assert np.abs(off(found, lights[0])).max() < 1e-3


def test_a_lamp_changes_its_color(lights):
    """Red by 0.92, blue by 1.05, green as it was: each plane is matched on its own."""
    color = np.ones(SIZE, np.float32)
    color[::2, ::2], color[1::2, 1::2] = 0.92, 1.05
    found = fuse(frames_of(lights, [1, 1, color, color]), TRUTH)
    assert np.abs(off(found, lights[0])).max() < 1e-3
    assert found.brightness[3] == pytest.approx((0.92, 1.0, 1.05), rel=2e-3)
    assert "0.92" in found.noted[0].detail


@pytest.mark.parametrize("stated", [None, [0.1, 0.2, 0.1, 0.2]])
def test_exposures_that_are_not_quite_as_stated(lights, stated):
    """Twice the time gives 1.9 times the light: by measurement, not by what is stated."""
    dim = [light * 0.4 for light in lights]
    found = fuse(frames_of(dim, [1, 1.9, 0.95, 1.9], stated=stated), TRUTH)
    assert found.refused == ()
    assert np.abs(off(found, dim[0])).max() < 1e-3
    promised = 2.0 if stated else 1.0
    assert found.brightness[1] == pytest.approx((1.9 / promised,) * 3, rel=2e-3)


def test_a_shadow_that_moves_is_left_out(lights):
    """5 % over a third of the picture is twice the noise of a pixel, or less."""
    shaded = np.ones(SIZE, np.float32)
    shaded[:, 100:196] = 0.95
    found = fuse(frames_of(lights, [1, 1, shaded, shaded], read=8.0), TRUTH)
    error = made.light(found) - lights[0]
    under = (slice(24, -24), slice(112, 184))
    assert abs(error[under].mean() / lights[0][under].mean()) < 2e-3
    assert np.abs(off(found, lights[0])).max() < 1e-3
    beside, shade = (found.effective[:, part].mean() for part in (slice(210, 280), slice(112, 184)))
    assert shade < beside - 1


def test_light_that_nobody_promised_is_refused(lights):
    found = fuse(frames_of(lights, [1, 1, 0.5, 1], stated=[0.1] * 4), TRUTH)
    assert [(each.frame, each.reason) for each in found.refused] == [(2, "brightness")]
    assert found.brightness[2] is None


@pytest.mark.parametrize(
    ("fact", "name"), [("aperture", "aperture"), ("exposure_s", "exposure time"), ("iso", "ISO")]
)
def test_a_fact_that_one_file_lacks_is_named(lights, fact, name):
    """Its light is measured; f/1 taken for a missing f/2 would be four times too bright."""
    frames = frames_of(lights, [1, 1, 0.9, 1], stated=[0.1] * 4)
    frames[2] = replace(frames[2], capture=replace(frames[2].capture, **{fact: None}))
    found = fuse(frames, TRUTH)
    assert found.refused == ()
    (told,) = found.noted
    assert (told.frame, told.reason) == (2, "not-stated")
    assert f"it states no {name}" in told.detail
    assert np.abs(off(found, lights[0])).max() < 1e-3
    frames[0], frames[2] = frames[2], frames[0]
    assert all("the reference states no" in each.detail for each in fuse(frames, TRUTH).noted)


def test_too_dark_to_measure_what_is_not_stated():
    dark = [np.full((128, 160), 0.2, np.float32)] * 3
    frames = frames_of(dark, [1, 1, 1], stated=[0.1] * 3)
    frames[2] = replace(frames[2], capture=replace(frames[2].capture, aperture=None))
    found = fuse(frames, TRUTH)
    assert [(each.frame, each.reason) for each in found.refused] == [(2, "exposure")]


def test_clipped_light_is_not_measured():
    """1.9 times the light saturates a part of the picture; the rest tells the ratio."""
    scene = made.texture(5, *SIZE)
    scene *= np.linspace(0.4, 2, scene.shape[1], dtype=np.float32)[:, None]
    lights = [made.mosaic(scene, shift) for shift in SHIFTS]
    frames = frames_of(lights, [1, 1.9, 1, 1.9], stated=[0.1, 0.2, 0.1, 0.2])
    assert 0.1 < (frames[1].pixels == made.WHITE).mean() < 0.6
    found = fuse(frames, TRUTH)
    assert found.brightness[1] == pytest.approx((0.95,) * 3, rel=3e-3)


def test_noise_is_never_read_from_what_differs():
    """Two pictures of one camera that states no noise: what differs between them is no noise."""
    one, other = (made.texture(seed, *SIZE) for seed in (11, 12))
    smooth = [cv2.GaussianBlur(each, (0, 0), 3) for each in (one, other)]
    for pair in ((one, other), smooth):
        frames = frames_of([made.mosaic(each) for each in pair], [1, 1], profile=False)
        for method in ("view", "truth"):
            with pytest.raises(BurstError, match="something else"):
                fuse(frames, Options(reference=0, method=method))
