"""Steps that LibRaw does not have, against known truths and other programs."""

from dataclasses import replace

import numpy as np
import pytest
import rawpy
import rawpy.enhance
from skimage.color import rgb2xyz
from skimage.metrics import structural_similarity

from isptools import raw
from isptools.develop import autotone, badpixels, noise, orient, shading, tone
from isptools.develop.chain import develop
from isptools.develop.color import mean_camera_to_xyz
from isptools.develop.demosaic.lab import cube_roots
from isptools.develop.steps import Balance, Demosaic, EncodeSrgb, Levels, ToXYZ
from isptools.frame import Frame, GainMap, Space, UnsupportedError
from isptools.raw.places import active_window
from tests.develop import slow
from tests.develop.libraw import capture, probe, written


def uniform(level: float, shape=(64, 96)) -> Frame:
    """A neutral wall of `level` (1 = where every channel is saturated) under the probe's light."""
    facts = replace(written(probe())[1].capture, black=(256.0,) * 4, black_libraw=(256,) * 4)
    gains = np.array([facts.as_shot[0], 1, 1, facts.as_shot[2]])  # per CFA position of RGGB
    values = np.array(facts.black) + level / gains * (facts.white - np.array(facts.black))
    tile = np.tile(values.reshape(2, 2), (shape[0] // 2, shape[1] // 2))
    return Frame(np.rint(tile).astype(np.uint16), Space.SENSOR, facts)


def test_xyz_truth_of_neutral_white_is_not_clipped():
    """All channels at the sensor's white: D65 white with Z = 1.089, whatever the camera."""
    frame = uniform(1.0)
    pixels = np.full_like(frame.pixels, frame.capture.white)
    xyz = develop(
        replace(frame, pixels=pixels), (Levels(), Balance(), Demosaic("linear"), ToXYZ())
    ).pixels
    np.testing.assert_allclose(xyz - [0.95047, 1, 1.08883], 0, atol=2e-5)


def test_gray_wall_is_gray_in_xyz_and_srgb():
    chain = (Levels(), Balance(), Demosaic("linear"), ToXYZ())
    xyz = develop(uniform(0.18), chain)
    np.testing.assert_allclose(xyz.pixels[5, 5] / [0.95047, 1, 1.08883], 0.18, rtol=2e-3)
    shown = develop(uniform(0.18), (*chain, EncodeSrgb())).pixels[5, 5] / 65535
    np.testing.assert_allclose(shown, 0.4614, atol=2e-3)  # IEC 61966-2-1 of 0.18


def test_encode_srgb_inverts_scikit_images_decoding():
    rgb = np.random.default_rng(0).uniform(0, 1, (32, 48, 3))
    shown = autotone.encode_srgb(rgb2xyz(rgb).astype(np.float32)) / 65535
    np.testing.assert_allclose(shown, rgb, atol=4e-4)  # its matrix has six digits


def test_libraw_xyz_is_our_truth_clipped(shared_data):
    """Cut to 16 bit, the float truth is LibRaw's XYZ output, but for one unit in the last place."""
    path = shared_data / "raw/canon_g2/CRW_0304.CRW"
    truth = develop(raw.read(path), (Levels(), Balance(), Demosaic("ahd"), ToXYZ())).pixels
    with rawpy.imread(str(path)) as opened:
        theirs = opened.postprocess(
            use_camera_wb=True, output_color=rawpy.ColorSpace.XYZ, gamma=(1, 1), output_bps=16,
            no_auto_bright=True, adjust_maximum_thr=0.0,
        )  # fmt: skip
    ours = np.clip(np.trunc(truth.astype(np.float64) * 65535), 0, 65535)
    assert np.abs(ours - theirs).max() <= 1
    assert np.mean(ours == theirs) > 0.999


def test_mean_matrix_is_cameranets(shared_data):
    """Against the numbers in the file's own tags, inverted by hand."""
    path = shared_data / "raw/gopro_hero6/gopro_hero6_0024_crop.dng"
    facts = raw.read(path).capture
    by_hand = np.linalg.inv((np.array(facts.color_matrix_1) + np.array(facts.color_matrix_2)) / 2)
    np.testing.assert_allclose(mean_camera_to_xyz(facts), by_hand)
    chain = (Levels(), Balance(), Demosaic("half"), ToXYZ("mean"))
    frame = raw.read(path)
    balanced = develop(frame, chain[:3])
    xyz = develop(balanced, chain[3:]).pixels
    camera = balanced.pixels / 65535 / np.array(balanced.gains[:3])
    wanted = camera @ by_hand.T
    scale = (by_hand @ (1 / np.array(balanced.gains[:3])))[1]
    np.testing.assert_allclose(xyz, wanted / scale, atol=2e-5)


def test_mean_matrix_needs_one():
    facts = replace(capture("RGGB", (0.0,) * 4, 4095), color_matrix_1=None)
    with pytest.raises(UnsupportedError, match="ColorMatrix"):
        mean_camera_to_xyz(facts)


def test_repair_equals_rawpys(shared_data):
    path = shared_data / "raw/canon_d30/CRW.CRW"  # five seconds: hot pixels
    frame = raw.read(path)
    sites = badpixels.candidates(frame.pixels)
    assert len(sites) > 100
    with rawpy.imread(str(path)) as opened:
        rawpy.enhance.repair_bad_pixels(opened, sites)
        np.testing.assert_array_equal(
            badpixels.repair(frame.pixels, sites), opened.raw_image_visible
        )


def test_hot_candidates_equal_rawpys(shared_data):
    """rawpy's search for hot pixels alone: its search for dead ones wraps around in uint16."""
    path = shared_data / "raw/canon_d30/CRW.CRW"
    frame = raw.read(path)
    sites = badpixels.candidates(frame.pixels)
    theirs = rawpy.enhance.find_bad_pixels([str(path)], find_dead=False)
    median = badpixels.repair(frame.pixels, np.argwhere(np.ones(frame.pixels.shape, bool)))
    hot = frame.pixels[tuple(sites.T)] > median[tuple(sites.T)]
    assert set(map(tuple, sites[hot])) == set(map(tuple, theirs))


def test_injected_bad_pixels_are_found_and_confirmed(shared_data):
    """A public frame with and without injected defects; the same defects in other pictures."""
    folder = shared_data / "bayer_dump/nikon_dsc1339"
    clean, bad = (
        np.fromfile(folder / name, "<u2").reshape(512, 768)
        for name in ("DSC_1339_768x512_rggb.raw", "DSC_1339_768x512_rggb_bpc_test.raw")
    )
    injected = np.argwhere(clean != bad)
    found = set(map(tuple, badpixels.candidates(bad)))
    strong = injected[np.abs(bad.astype(int) - clean)[tuple(injected.T)] > 800]
    assert len(strong) > 200  # the threshold on this frame is 65535 // 150 = 436
    assert all(tuple(site) in found for site in strong)
    rng = np.random.default_rng(0)
    sites = rng.choice(512 * 768, 60, replace=False)
    pictures = [np.roll(clean, (62 * i, 94 * i), (0, 1)).copy() for i in range(6)]
    for picture in pictures:
        picture.ravel()[sites] = picture.max()
    confirmed = badpixels.confirm([badpixels.candidates(p) for p in pictures])
    wanted = set(map(tuple, np.argwhere(np.isin(np.arange(512 * 768).reshape(512, 768), sites))))
    missed = wanted - set(map(tuple, confirmed))
    assert len(missed) <= 2  # a hot pixel on a saturated part can't be seen
    assert len(confirmed) < 1.2 * len(wanted)


def test_gain_map_is_bilinear_between_its_points():
    mosaic = np.full((40, 60), 1000, np.uint16)
    gains = (1.0, 2.0, 3.0, 1.5, 2.5, 3.5)  # 2 rows of 3 points
    one = GainMap(2, (0, 0, 40, 60), 0, 1, 2, 2, 2, 3, 1.0, 0.5, 0.0, 0.0, 1, gains)
    out = shading.apply_gain_map(mosaic, one, (0, 0, 40, 60))
    untouched = np.ones((40, 60), bool)
    untouched[::2, ::2] = False
    assert (out[untouched] == 1000).all()  # pitch 2: only one CFA plane
    y, x = (np.arange(0, 40, 2) + 0.5) / 40, (np.arange(0, 60, 2) + 0.5) / 60
    upper, lower = np.interp(x, [0, 0.5, 1], gains[:3]), np.interp(x, [0, 0.5, 1], gains[3:])
    wanted = 1000 * (upper * (1 - y[:, None]) + lower * y[:, None])
    np.testing.assert_allclose(out[::2, ::2], wanted, atol=0.51)


def test_gain_maps_of_four_planes_leave_other_planes_alone():
    mosaic = np.full((40, 60), 1000, np.uint16)
    for top, left in ((0, 0), (0, 1), (1, 0), (1, 1)):
        one = GainMap(2, (top, left, 40, 60), 0, 1, 2, 2, 1, 1, 1.0, 1.0, 0.0, 0.0, 1, (1.7,))
        out = shading.apply_gain_map(mosaic, one, (0, 0, 40, 60))
        assert (out[top::2, left::2] == 1700).all()
        assert np.count_nonzero(out != 1000) == 20 * 30


@pytest.mark.parametrize(("top", "left"), [(0, 0), (1, 3), (5, 2)])
def test_gain_map_of_a_cut_is_the_cut_of_the_gain_map(top, left):
    """LibRaw's visible area may begin inside the active area."""
    mosaic = np.random.default_rng(0).integers(0, 30000, (40, 60)).astype(np.uint16)
    one = GainMap(2, (1, 0, 39, 60), 0, 1, 2, 2, 2, 2, 1.0, 1.0, 0.0, 0.0, 1, (1.0, 2.0, 1.5, 1.2))
    whole = shading.apply_gain_map(mosaic, one, (0, 0, 40, 60))
    active = active_window((10 + top, 20 + left), (10, 20, 50, 80), (40 - top, 60 - left))
    cut = shading.apply_gain_map(mosaic[top:, left:].copy(), one, active)
    np.testing.assert_array_equal(cut, whole[top:, left:])


def test_radial_gain_follows_its_polynomial():
    mosaic = np.full((41, 61), 1000, np.uint16)
    out = shading.radial(mosaic, (0.5, 0.25), (0.5, 0.5))
    y, x = np.mgrid[:41, :61]
    square = ((x + 0.5 - 30.5) ** 2 + (y + 0.5 - 20.5) ** 2) / (30.5**2 + 20.5**2)
    np.testing.assert_allclose(out, 1000 * (1 + 0.5 * square + 0.25 * square**2), atol=0.51)
    assert out[20, 30] == 1000


@pytest.mark.parametrize("shot", [1e-4, 2e-3])
@pytest.mark.parametrize("read", [1e-7, 1e-5])
def test_estimated_noise_is_the_noise_that_was_added(shot, read):
    rng = np.random.default_rng(3)
    facts = replace(capture("GRBG", (512.0,) * 4, 16383), black_libraw=(512,) * 4)
    y, x = np.mgrid[:600, :800]
    light = 0.05 + 0.4 * (x / 800) + 0.2 * np.sin(y / 70.0) ** 2  # smooth, over many levels
    light[100:300, 100:300] += 0.1 * ((x // 4 + y // 4) % 2)[100:300, 100:300]  # some texture
    noisy = light + rng.normal(size=light.shape) * np.sqrt(shot * light + read)
    pixels = np.clip(np.rint(512 + noisy * (16383 - 512)), 0, 16383).astype(np.uint16)
    found = noise.noise_of(Frame(pixels, Space.SENSOR, facts))
    assert found.origin == "estimated"
    at = np.array([0.1, 0.3, 0.5])
    for s, r in zip(found.shot, found.read, strict=True):
        np.testing.assert_allclose(s * at + r, shot * at + read, rtol=0.15)


def test_noise_profile_comes_first(shared_data):
    frame = raw.read(shared_data / "raw/gopro_hero6/gopro_hero6_0024_crop.dng")
    found = noise.noise_of(frame)
    assert found.origin == "noise_profile"
    assert found.shot == (frame.capture.noise_profile[0][0],) * 4
    estimated = noise.estimate(frame)
    assert 0.2 < estimated.shot[1] / found.shot[1] < 2  # a photograph: the same order


def test_profile_of_three_pairs_goes_by_color():
    pairs = ((1e-3, 1e-6), (2e-3, 2e-6), (3e-3, 3e-6))
    facts = replace(capture("GBRG", (0.0,) * 4, 4095), noise_profile=pairs)
    found = noise.noise_of(Frame(np.zeros((32, 32), np.uint16), Space.SENSOR, facts))
    assert found.shot == (2e-3, 3e-3, 1e-3, 2e-3)


def test_auto_tone_uses_the_range_and_keeps_order_and_gray():
    rng = np.random.default_rng(0)
    dark = 0.02 + 0.1 * rng.random((64, 64, 1)) ** 2
    xyz = (dark * [0.95047, 1, 1.08883]).astype(np.float32)
    shown, (black, white, _) = autotone.auto_tone(xyz, 0.01, 0.45)
    assert shown.min() == 0
    assert shown.max() == 65535
    assert 0.005 < np.mean(xyz[..., 1] < black) < 0.015
    assert 0.005 < np.mean(xyz[..., 1] > white) < 0.015
    assert np.abs(shown.astype(int) - shown[..., :1]).max() < 40  # gray stays gray
    order = np.argsort(xyz[..., 1].ravel())
    assert (np.diff(shown[..., 1].ravel()[order].astype(int)) >= 0).all()
    assert abs(np.median(shown) / 65535 - 0.45) < 0.1


@pytest.mark.parametrize("value", [0.0, 1e-4, 1.0])
def test_auto_tone_of_a_flat_picture_is_finite(value):
    xyz = np.full((32, 32, 3), value, np.float32)
    shown, levels = autotone.auto_tone(xyz, 0.001, 0.45)
    assert np.isfinite(levels).all()
    assert len(np.unique(shown)) <= 3


def test_auto_tone_of_a_photograph_looks_like_the_cameras_own(shared_data):
    """Not equal, and not meant to be; but the same picture with its tones about in place."""
    import imageio.v3 as imageio  # noqa: PLC0415 - only here

    chain = (Levels(), Balance(), Demosaic("half"), ToXYZ())
    frame = develop(raw.read(shared_data / "raw/canon_g2/CRW_0304.CRW"), chain)
    shown, _ = autotone.auto_tone(frame.pixels, 0.001, 0.45)
    jpeg = imageio.imread(shared_data / "raw/canon_g2/IMG_0302.JPG")[:, :, :3]
    ours = shown[4:848, 10:1140, 1] / 65535
    theirs = jpeg[::2, ::2, 1][: ours.shape[0], : ours.shape[1]] / 255
    ours = ours[: theirs.shape[0], : theirs.shape[1]]
    assert structural_similarity(ours, theirs, data_range=1.0) > 0.5


@pytest.mark.parametrize("flip", range(8))
def test_onto_sensor_is_the_inverse_of_upright(flip):
    picture = np.random.default_rng(0).integers(0, 65535, (31, 47, 3)).astype(np.uint16)
    turned = orient.upright(picture, flip)
    assert turned.shape[:2] == ((47, 31) if flip & 4 else (31, 47))
    np.testing.assert_array_equal(orient.onto_sensor(turned, flip), picture)
    np.testing.assert_array_equal(orient.upright(picture[..., 0], flip), turned[..., 0])


@pytest.mark.parametrize("cfa", [((0, 1), (1, 2)), ((1, 2), (0, 1))])
def test_ahd_equals_its_slow_twin(cfa):
    from isptools.develop.demosaic.ahd import ahd  # noqa: PLC0415 - beside the twin
    from isptools.develop.demosaic.lab import xyz_from_camera  # noqa: PLC0415

    matrix = ((1.5, -0.3, -0.2), (-0.2, 1.6, -0.4), (0.1, -0.6, 1.5))
    mosaic = np.random.default_rng(1).integers(0, 65536, (80, 90)).astype(np.uint16)
    colors = np.array(cfa, np.uint8)
    twin = slow.ahd(mosaic, colors, xyz_from_camera(matrix), cube_roots())
    np.testing.assert_array_equal(ahd(mosaic, colors, matrix)[5:-5, 5:-5], twin)


def test_gamma_tables_are_monotonic_and_end_at_white():
    for power, slope in tone.CURVES.values():
        table = tone.curve(power, slope, 65536)
        assert (np.diff(table.astype(int)) >= 0).all()
        assert table[0] == 0
        assert table[-1] >= 65534
