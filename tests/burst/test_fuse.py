"""Fused bursts against clean scenes, known shifts, a plain float64 merge, and LibRaw."""

import weakref
from dataclasses import replace

import cv2
import numpy as np
import pytest
import rawpy

from isptools.burst import BurstError, Options, fuse, walk
from isptools.burst import transform as fourier
from isptools.burst.colors import contrasts, interpolated
from isptools.burst.planes import split
from isptools.develop.chain import develop
from isptools.develop.steps import Balance, Demosaic, Encode, Levels, Orient, ToSpace
from isptools.frame import Frame
from isptools.raw import RawError, read, write_dng
from tests.burst import made, plain

SHIFTS = [(0.0, 0.0), (3.3, -5.7), (-1.25, 2.6), (7.5, 4.1), (10.9, -3.0), (2.0, -8.4),
          (-5.3, -6.6), (1.0, 1.0)]  # fmt: skip
FIRST = Options(reference=0)


@pytest.fixture(scope="module")
def still():
    return made.burst(SHIFTS)


@pytest.fixture(scope="module")
def fused(still):
    return fuse(still[0], FIRST)


def test_the_transform_is_numpys():
    tile = np.random.default_rng(0).standard_normal((16, 16)).astype(np.float32)
    out, back = np.empty(256, np.float32), np.empty(256, np.float32)
    fourier.forward(tile.ravel(), out)
    spectrum = np.fft.rfft(tile, axis=0, norm="ortho")
    found = out.reshape(16, 16)
    np.testing.assert_allclose(found[0], spectrum[0].real, atol=1e-5)
    np.testing.assert_allclose(found[8], spectrum[8].real, atol=1e-5)
    np.testing.assert_allclose(found[1:8], spectrum[1:8].real * np.sqrt(2), atol=1e-5)
    np.testing.assert_allclose(found[9:], -spectrum[1:8].imag * np.sqrt(2), atol=1e-5)
    fourier.backward(out, back)
    np.testing.assert_allclose(back, tile.ravel(), atol=1e-5)


@pytest.mark.parametrize("cfa", ["RGGB", "BGGR", "GRBG", "GBRG"])
@pytest.mark.parametrize(("read", "fine"), [(8.0, (0, 0)), (1.5, (0.2, 0.8))])
def test_equals_the_plain_merge(cfa, read, fine):
    """With little noise half of the picture is fine enough for a second look."""
    scene = made.texture(0, 96, 112)
    scene[:, :88] = cv2.GaussianBlur(scene, (0, 0), 6)[:, :88]
    facts = made.capture(cfa, read=read)
    lights = [made.mosaic(scene, shift, cfa) for shift in SHIFTS[:3]]
    frames = [made.exposed(light, facts, k, read) for k, light in enumerate(lights)]
    frames[2] = _with_a_patch(frames[2])
    found = fuse(frames, FIRST)
    assert found.reference == 0
    assert len(found.flows) == 2
    offsets = [flow.offsets for _, flow in sorted(found.flows.items())]
    variance = read**2 + 1 / 12
    gains = contrasts(split(frames[0]), cfa, np.full(4, variance))
    expected, looked_at = plain.fuse(frames, offsets, gains, variance)
    assert fine[0] <= looked_at <= fine[1]
    assert np.abs(made.light(found) - expected).max() < 0.5 / found.scale + 2e-3
    truth = fuse(frames, Options(reference=0, method="truth"))
    light, weight = plain.robust(frames, offsets, gains, variance)
    assert np.abs(made.light(truth) - light).max() < 0.5 / truth.scale + 4e-3
    trusted = truth.weight > 0
    assert 0.5 < trusted.mean() < 1
    assert np.abs(truth.weight - weight / len(frames))[trusted].max() < 1e-3


def _with_a_patch(frame):
    pixels = frame.pixels.copy()
    pixels[30:60, 40:80] = 700
    return replace(frame, pixels=pixels)


def test_offsets_are_found(fused):
    found = np.array(fused.offsets_px)
    assert np.abs(found - SHIFTS).max() < 0.1
    for (index, flow), shift in zip(sorted(fused.flows.items()), SHIFTS[1:], strict=True):
        inner = flow.offsets[2:-2, 2:-2] * 2
        assert np.median(np.abs(inner - shift).max(-1)) < 0.1, index


def test_a_few_edges_tell_the_hands_motion():
    """A dark wall with two long bars, neither of which tells of both directions."""
    scene = np.full((320, 384, 3), 60, np.float32)
    scene[:, 150:190] = 160
    scene[170:210, 260:] = 160
    scene = cv2.GaussianBlur(scene, (0, 0), 1.0)
    facts = made.capture()
    frames = [made.exposed(made.mosaic(scene, shift), facts, k)
              for k, shift in enumerate(SHIFTS[:5])]  # fmt: skip
    for (index, flow), shift in zip(sorted(fuse(frames, FIRST).flows.items()), SHIFTS[1:5],
                                    strict=True):  # fmt: skip
        error = np.hypot(*np.moveaxis(2 * flow.offsets - shift, -1, 0))
        assert np.median(error) < 0.25, index


def test_noise_falls_as_it_should(still, fused):
    frames, clean = still
    inside = (slice(24, -24), slice(24, -24))
    one = made.rmse((frames[0].pixels - made.BLACK - clean)[inside])
    error = made.rmse((made.light(fused) - clean)[inside])
    assert error < 1.15 * one / np.sqrt(8)
    assert 7 < fused.effective_frames <= 8
    ratio = fused.noise_after.read[0] / fused.noise_before.read[0]
    assert ratio == pytest.approx(1 / 8, rel=0.15)


def test_a_second_look_finds_what_sampling_missed(monkeypatch):
    """Little noise and much fine detail."""
    frames, clean = made.burst(SHIFTS, read=4.0)

    def error():
        return made.rmse((made.light(fuse(frames, FIRST)) - clean)[24:-24, 24:-24])

    seen_twice = error()
    monkeypatch.setattr(walk, "FEW", 2.0)  # no picture has so many tiles
    assert seen_twice < 0.95 * error()


@pytest.mark.parametrize(("photo", "blur"), [("08", 0.6), ("08", 1.0), ("13", 0.6)])
def test_colors_err_less_than_malvars(shared_data, photo, blur):
    """A photograph without noise, by the 5 x 5 kernels of Malvar, He and Cutler 2004 as well."""
    picture = cv2.imread(str(shared_data / f"testsets/kodak24/kodim{photo}.png"))
    scene = cv2.GaussianBlur((picture[:512, :512, ::-1] / 255) ** 2.2 * 900, (0, 0), blur)
    letter = np.tile([["R", "G"], ["G", "B"]], (256, 256))
    mosaic = np.select([letter == color for color in "RGB"], [*scene.transpose(2, 0, 1)])
    planes = np.array([mosaic[p // 2 :: 2, p % 2 :: 2] for p in range(4)], np.float32)
    found = interpolated(planes, "RGGB", np.ones(3, np.float32))
    found = np.stack([found[..., :256], found[..., 256:]], -1).reshape(3, 512, 512)
    ours, theirs = (
        made.rmse((each.transpose(1, 2, 0) - scene)[16:-16, 16:-16])
        for each in (found, _malvar(mosaic, letter))
    )
    assert ours < 0.8 * theirs


def _malvar(mosaic, letter):
    cross = np.array([[0, 0, -1, 0, 0], [0, 0, 2, 0, 0], [-1, 2, 4, 2, -1]])
    row = np.array([[0, 0, 0.5, 0, 0], [0, -1, 0, -1, 0], [-1, 4, 5, 4, -1]])
    other = np.array([[0, 0, -1.5, 0, 0], [0, 2, 0, 2, 0], [-1.5, 0, 6, 0, -1.5]])
    green, in_row, opposite = (
        cv2.filter2D(mosaic, -1, np.concatenate([k, k[1::-1]]) / 8) for k in (cross, row, other)
    )
    in_column = cv2.filter2D(mosaic, -1, np.concatenate([row, row[1::-1]]).T / 8)
    beside = np.roll(letter, 1, 1)
    out = [np.where(letter == "G", mosaic, green)]
    for color in "RB":
        at_green = np.where(beside == color, in_row, in_column)
        away = np.where(letter == "G", at_green, opposite)
        out.append(np.where(letter == color, mosaic, away))
    return np.stack([out[1], out[0], out[2]])


def test_turned_hands_are_followed(shared_data):
    """A photograph, turned by a quarter of a degree: tiles move by up to 1.5 pixels."""
    photo = cv2.imread(str(shared_data / "testsets/kodak24/kodim08.png")).astype(np.float32)
    scene = cv2.GaussianBlur(photo[..., ::-1], (0, 0), 1.0) * 3
    height, width = scene.shape[0] - 64, scene.shape[1] - 64
    middle = ((width - 1) / 2 + 32, (height - 1) / 2 + 32)
    facts = made.capture()
    frames = []
    for k, angle in enumerate((0, 0.25, -0.25)):
        turn = cv2.getRotationMatrix2D(middle, angle, 1)
        seen = cv2.warpAffine(scene, turn, scene.shape[1::-1], flags=cv2.INTER_LANCZOS4)
        frames.append(made.exposed(made.mosaic(np.clip(seen, 0, 850)), facts, k))
    found = fuse(frames, FIRST)
    y, x = np.mgrid[: len(found.flows[1].offsets), : found.flows[1].offsets.shape[1]]
    far = np.stack([16 * y - (height - 1) / 2, 16 * x - (width - 1) / 2], -1)
    for index, angle in ((1, 0.25), (2, -0.25)):
        c, s = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
        moved = far @ np.array([[c, s], [-s, c]]) - far
        flow = found.flows[index]
        textured = flow.texture > np.median(flow.texture)
        error = np.abs(2 * flow.offsets - moved).max(-1)[textured]
        assert np.median(error) < 0.1


def test_a_moving_thing_leaves_no_ghost():
    scene, thing = made.texture(1, 256, 320), made.texture(2, 64, 64)[32:-32, 32:-32]
    facts, frames, masks = made.capture(), [], []
    for k, shift in enumerate(SHIFTS):
        light = made.mosaic(scene, shift)
        place = (slice(96, 160), slice(100 + 12 * k, 164 + 12 * k))
        light[place] = made.mosaic(np.pad(thing, ((32, 32), (32, 32), (0, 0)), "edge")) * 0.9
        mask = np.zeros(light.shape, bool)
        mask[place] = True
        masks.append(mask)
        clean = light if k == 0 else clean  # noqa: F821 - the first round sets it
        frames.append(made.exposed(light, facts, k))
    found = fuse(frames, FIRST)
    moving = np.logical_or.reduce(masks)
    alone = made.rmse((frames[0].pixels - made.BLACK - clean)[moving])
    assert made.rmse((made.light(found) - clean)[moving]) < 1.05 * alone
    mean = np.mean([frame.pixels - made.BLACK for frame in frames], 0)
    assert made.rmse((mean - clean)[moving]) > 3 * alone


def test_nothing_is_clipped_at_black():
    """Light of 0 to 2 DN under noise of 8: half of the inputs lie below black."""
    facts = made.capture()
    ramp = np.linspace(0, 2, 320, dtype=np.float32)[None].repeat(256, 0)
    frames = [made.exposed(ramp, facts, k) for k in range(8)]
    found = made.light(fuse(frames, FIRST))
    mean = np.mean([frame.pixels - made.BLACK for frame in frames], 0)
    for start in range(0, 320, 32):
        band = (slice(None), slice(start, start + 32))
        assert abs(found[band].mean() - mean[band].mean()) < 0.1
    assert found.min() < -1


def test_a_truth_says_where_it_is_to_be_trusted(still):
    frames, clean = still
    pixels = [frame.pixels.copy() for frame in frames]
    pixels[0][100:120, 100:120] = made.WHITE
    for k in range(1, 8):
        pixels[k][40:80, 200:240] = 900 if k % 2 else 100
    changed = [replace(frame, pixels=each) for frame, each in zip(frames, pixels, strict=True)]
    found = fuse(changed, Options(reference=0, method="truth"))
    assert not found.weight[100:120, 100:120].any()
    assert found.weight[48:60, 212:228].mean() < 0.5
    calm = np.ones(clean.shape, bool)
    calm[:24], calm[-24:], calm[:, :24], calm[:, -24:] = False, False, False, False
    calm[80:140, 80:140], calm[20:100, 180:260] = False, False
    assert (found.weight[calm] > 0.5).mean() > 0.95
    one = made.rmse((frames[0].pixels - made.BLACK - clean)[calm])
    assert made.rmse((made.light(found) - clean)[calm]) < 1.15 * one / np.sqrt(8)
    trusted = found.weight > 0
    trusted[:24], trusted[-24:], trusted[:, :24], trusted[:, -24:] = False, False, False, False
    assert made.rmse((made.light(found) - clean)[trusted]) < 0.6 * one


def test_exposures_are_matched():
    scene = made.texture(3, 256, 320)
    clean = made.mosaic(scene) / 3
    frames = [
        made.exposed(made.mosaic(scene, shift) / 3 * gain,
                     made.capture(exposure_s=0.1 * gain, iso=100.0), k)
        for k, (shift, gain) in enumerate(zip(SHIFTS[:4], (1, 2, 1, 2), strict=True))
    ]  # fmt: skip
    found = fuse(frames, FIRST)
    error = (made.light(found) - clean)[24:-24, 24:-24]
    assert abs(error.mean()) < 0.1
    # a frame of twice the light has half of the noise: 1 + 4 + 1 + 4 frames' worth
    assert made.rmse(error) < 1.15 * 8 / np.sqrt(10)
    silent = [replace(f, capture=replace(f.capture, exposure_s=None)) for f in frames]
    assert made.rmse((made.light(fuse(silent, FIRST)) - clean)[24:-24, 24:-24]) < 1.3 * 8 / 10**0.5


def test_the_sharpest_of_the_first_is_the_reference(still):
    frames = list(still[0])
    blurred = replace(frames[0], pixels=_blurred(frames[0].pixels))
    assert fuse([blurred, *frames[1:4]]).reference != 0
    found = fuse([*frames[:3], _noise_alone(frames[3])], FIRST)
    assert [(each.frame, each.reason) for each in found.refused] == [(3, "unlike")]


def _blurred(pixels):
    out = pixels.copy()
    for y, x in np.ndindex(2, 2):
        out[y::2, x::2] = cv2.blur(pixels[y::2, x::2], (7, 7))
    return out


def _noise_alone(frame):
    pixels = np.random.default_rng(9).choice([200, 500], frame.pixels.shape)
    return replace(frame, pixels=pixels.astype(np.uint16))


class Many:
    """A long burst whose frames are made when they are asked for; counts what is alive."""

    def __init__(self, frames, count):
        self.frames, self.count, self.asked = frames, count, []
        self.given, self.most = [], 0

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        self.asked.append(index)
        if index == 5:
            raise RawError("five.dng", "it is cut off", "copy it again")
        frame = self.frames[index % len(self.frames)]
        pixels = frame.pixels.copy()
        pixels[index] ^= 1  # no two are the same file
        self.given = [each for each in self.given if each() is not None] + [weakref.ref(pixels)]
        self.most = max(self.most, len(self.given))
        return replace(frame, pixels=pixels)


def test_a_hundred_frames_are_taken_one_at_a_time(still):
    many = Many(still[0][:4], 100)
    found = fuse(many, FIRST)
    assert sorted(set(many.asked)) == list(range(100))
    assert many.most <= 3  # the reference, the one in hand, the one that it replaces
    assert [(each.frame, each.reason) for each in found.refused] == [(5, "unreadable")]


class Changing(list):
    """Frames of which one is another, or gone, when it is asked for again."""

    def __init__(self, frames, then):
        super().__init__(frames)
        self.then, self.asked = then, 0

    def __getitem__(self, index):
        self.asked += index == 3
        if index == 3 and self.asked > 1:
            return self.then(super().__getitem__(index))
        return super().__getitem__(index)


def _gone(_frame):
    raise OSError("no such file")


@pytest.mark.parametrize("then", [_gone, lambda frame: replace(frame, pixels=frame.pixels[:64])])
def test_a_frame_that_changes_before_the_second_look(then):
    frames, clean = made.burst(SHIFTS[:5], read=2.0)
    changing = Changing(frames, then)
    found = fuse(changing, FIRST)
    assert changing.asked == 2
    assert found.refused == ()
    both = [made.rmse((made.light(each) - clean)[24:-24, 24:-24]) for each in
            (found, fuse(frames, FIRST))]  # fmt: skip
    assert both[0] == pytest.approx(both[1], rel=0.1)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda f: Frame(f.pixels[:-2], f.space, f.capture), "wrong-size"),
        (lambda f: replace(f, capture=replace(f.capture, cfa="BGGR")), "wrong-cfa"),
        (lambda f: replace(f, capture=replace(f.capture, model="other")), "wrong-camera"),
        (lambda f: replace(f, pixels=np.full_like(f.pixels, 64)), "brightness"),
        (lambda f: replace(f, pixels=np.full_like(f.pixels, 1023)), "brightness"),
    ],
)
def test_what_does_not_fit_is_refused(still, change, reason):
    # stated exposures: a black or white frame can't be explained by another one
    frames = [
        replace(f, capture=replace(f.capture, exposure_s=0.1, iso=100.0)) for f in still[0][:3]
    ]
    found = fuse([*frames[:2], change(frames[2])], FIRST)
    assert [(each.frame, each.reason) for each in found.refused] == [(2, reason)]
    assert found.offsets_px[2] is None
    np.testing.assert_array_equal(found.frame.pixels, fuse(frames[:2], FIRST).frame.pixels)


@pytest.mark.parametrize(
    ("frames", "words"),
    [
        (lambda f: f[:1], "at least two frames"),
        (lambda f: [replace(f[0], pixels=np.full_like(f[0].pixels, 64))] * 2, "every pixel is 64"),
        (lambda f: [_saturated(f[0])] * 2, "saturated"),
        (lambda f: [f[0], Frame(f[1].pixels[:-2], f[1].space, f[1].capture)], "no frame fits"),
    ],
)
def test_a_useless_burst_is_one_line(still, frames, words):
    with pytest.raises(BurstError, match=words) as caught:
        fuse(frames(still[0]), FIRST)
    assert "\n" not in str(caught.value)


def _saturated(frame):
    pixels = np.full_like(frame.pixels, 1023)
    pixels[0, 0] = 1000
    return replace(frame, pixels=pixels)


def test_odd_sides(still):
    frames = [Frame(f.pixels[:-1, :-1], f.space, f.capture) for f in still[0][:3]]
    found = fuse(frames, FIRST)
    whole = fuse(still[0][:3], FIRST)
    assert found.frame.pixels.shape == frames[0].pixels.shape
    same = (slice(None, -40), slice(None, -40))
    close = np.abs(found.frame.pixels[same] - whole.frame.pixels[:-1, :-1][same].astype(int))
    assert np.median(close) <= 2


def test_the_dng_renders_in_libraw_as_the_array_does(tmp_path, still):
    frames = [
        replace(f, capture=replace(f.capture, make="made", orientation=6, flip=6))
        for f in still[0][:4]
    ]
    found = fuse(frames, FIRST)
    write_dng(tmp_path / "fused.dng", found.frame)
    steps = (Levels(), Balance(), Demosaic("ahd"), ToSpace("srgb"), Encode(), Orient())
    mine = develop(read(tmp_path / "fused.dng"), steps).pixels.astype(int)
    with rawpy.imread(str(tmp_path / "fused.dng")) as opened:
        theirs = opened.postprocess(
            use_camera_wb=True, no_auto_bright=True, adjust_maximum_thr=0.0, output_bps=16,
            demosaic_algorithm=rawpy.DemosaicAlgorithm.AHD,
        )  # fmt: skip
    assert np.abs(mine - theirs).max() <= 1
    facts = read(tmp_path / "fused.dng").capture
    assert facts.white == 1023 * 64
    assert facts.black == (64.0 * 64,) * 4
    assert facts.noise_profile == found.frame.capture.noise_profile
    assert facts.orientation == 6
