"""The light of an input against its truth's, and the noise that is left in a truth: measured."""

from typing import NamedTuple

import numpy as np

from isptools.build.rows import ReadFrame
from isptools.decode.refusal import Refusal
from isptools.develop.noise import Noise, estimate, noise_of
from isptools.frame import Array, Frame, Space
from isptools.measure.exposure import Law, Shot, ratio
from isptools.measure.residual import noise_variance
from isptools.measure.slope import Measured, Side, measured_ratio
from isptools.shards.schema import InputRow

OVERSTATED = 0.4  # of what a profile says is there: it is another exposure's
SIGMAS = 4.0  # of the measured ratio's error, beyond the recipe's tolerance


class Quality(NamedTuple):
    """10 log10(1 / variance) of the noise left in a truth, white is 1; and where it is from."""

    db: float | None
    origin: str  # "profile", "frames", "exposure", "measured", or "" where nothing is known


def light_ratio(own: Frame, truth: Frame, noise: Noise) -> Measured | None:
    """Light of a truth over that of an input, from their pixels; None where they can't tell.

    Truths are mosaics with the input's color filters, or linear pictures on its scale (as it comes
    with some data sets), of which each pixel's own color is taken.
    """
    if truth.pixels.shape[:2] != own.pixels.shape:
        return None
    facts, its = own.capture, truth.capture
    side = Side(own.pixels, facts.black, facts.white, noise.shot, noise.read)
    if truth.space is Space.CAMERA:
        none = (0.0,) * len(facts.cfa)
        return measured_ratio(side, Side(_under(truth.pixels, facts.cfa), none, truth.white))
    if its.cfa != facts.cfa:
        return None
    return measured_ratio(side, Side(truth.pixels, its.black, its.white))


def expect_ratio(
    row: InputRow, found: Measured | None, within: float, most: float, truth: Frame, law: Law
) -> None:
    """Refusal where the measured ratio is further from the stated one than `within` (relative).

    `most` is where the recipe cuts stated ratios. A data set whose `law` counts time alone may have
    another gain or aperture: what time, ISO and aperture together imply is as good there.
    """
    if found is None or row.ratio is None:
        return
    if law == "time":
        facts = truth.capture
        implied = ratio(
            Shot(row.exposure_s, row.iso, row.aperture),
            Shot(facts.exposure_s, facts.iso, facts.aperture),
        )
        if implied and abs(np.log(found.ratio / implied)) < np.log1p(within):
            return
    seen = min(found.ratio, row.ratio) if row.ratio >= most else found.ratio
    off = float(np.log(seen / row.ratio))
    if abs(off) > np.log1p(within) + SIGMAS * found.error:
        detail = (
            f"its truth has {found.ratio:.4g} times its light, {row.ratio:.4g} times are stated "
            f"({row.ratio_origin}); the number is the measured ratio"
        )
        raise Refusal("ratio", detail, round(found.ratio, 6))


def quality_of(truth: ReadFrame, own: ReadFrame | None = None) -> Quality:
    """The noise left in a truth: of the mosaic that it is developed from, or of a linear picture.

    By the profile that its file or its burst's merge states; else that of an input by the same
    camera at the same ISO (`own`); else measured on the picture.
    """
    frame = truth.frame
    if frame.space is not Space.SENSOR or len(frame.capture.cfa) not in {4, 36}:
        return quality_of_picture(frame.pixels, frame.white)
    noise, origin = truth.noise or noise_of(frame), "measured"
    if truth.fused:
        origin = "frames"
    elif frame.capture.noise_profile:
        origin = "profile"
    elif own is not None and _same_gain(frame, own.frame):
        noise, origin = noise_of(own.frame), "exposure"
    variance = _variance(frame, noise)
    if origin in {"profile", "exposure"}:  # a set may state its noisy exposures' for all
        measured = _variance(frame, estimate(frame))
        if 0 < measured < OVERSTATED * variance:
            return _decibels(measured, "measured")
    return _decibels(variance, origin)


def _variance(frame: Frame, noise: Noise) -> float:
    """Mean over the mosaic, white is 1."""
    facts, every = frame.capture, 6 if len(frame.capture.cfa) == 36 else 2
    variances = []
    for i, black in enumerate(facts.black):
        mean = float(frame.pixels[i // every :: every, i % every :: every].mean(dtype=np.float64))
        signal = max((mean - black) / (facts.white - black), 0.0)
        variances.append(noise.shot[i] * signal + noise.read[i])
    return float(np.mean(variances))


def quality_of_picture(pixels: Array, white: float) -> Quality:
    """Of the green of a picture (H, W, 3), by its own numbers; nothing where it is too small."""
    variance = noise_variance(pixels[..., 1].astype(np.float32) / np.float32(white))
    return Quality(None, "") if variance is None else _decibels(variance, "measured")


def _decibels(variance: float, origin: str) -> Quality:
    if not variance > 0:
        return Quality(None, "")
    return Quality(round(float(-10 * np.log10(variance)), 6), origin)


def _same_gain(one: Frame, other: Frame) -> bool:
    a, b = one.capture, other.capture
    same = (a.make, a.model, a.iso, a.cfa) == (b.make, b.model, b.iso, b.cfa)
    return bool(same and a.iso and b.noise_profile)


def _under(picture: Array, cfa: str) -> Array:
    """Of (H, W, 3) what lies under each color filter."""
    every = 6 if len(cfa) == 36 else 2
    out = np.empty(picture.shape[:2], picture.dtype)
    for i, letter in enumerate(cfa):
        spot = slice(i // every, None, every), slice(i % every, None, every)
        out[spot] = picture[spot[0], spot[1], "RGB".index(letter)]
    return out
