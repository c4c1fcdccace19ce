"""A frame made ready to be merged: matched in brightness, aligned, and judged whether it belongs.

Brightness first as far as it is plain to see, as alignment compares light; then measured where
both show the same, color by color; where that changes much, the frame is aligned once more.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isptools.burst import light, reference
from isptools.burst.align import Flow, Levels, align
from isptools.burst.belongs import Laying, belongs
from isptools.burst.colors import contrasts, interpolated
from isptools.burst.merge import Laid
from isptools.burst.planes import F32, cells, gray, means, split
from isptools.burst.result import Refused
from isptools.burst.robust import tolerance
from isptools.develop.noise import Noise, noise_of
from isptools.frame import Capture, Frame

BRIGHTNESS = 1.5  # factor by which a frame may differ from what its exposure promises
UNSTATED = 64.0  # the same where the exposure is not stated
CLEARLY = 0.03  # logarithm of two brightnesses that are plain to see before alignment
ALIGNED = 0.005  # the same from which a frame is aligned again
LIT = 0.05  # share of tiles above the noise of reading that brightness can be told from
FULL = 0.99  # of the white level, from which a pixel may be saturated
DIM = 0.75  # of that, from which one color of a gray cell may be
F64 = NDArray[np.float64]


@dataclass(slots=True)
class Ground:
    """The reference as the others need it, and room for the planes of the frame in hand."""

    frame: Frame
    planes: F32
    levels: Levels
    means: F32  # (4, tiles down, across): light of every tile, DN, not below 0
    light: F32  # (tiles down, across): the same of the gray picture
    noise: F64  # (4, 2): variance = first * DN + second
    gains: F32  # (3,) of `contrasts`
    tolerance: F32 | None  # for truths
    buffer: F32 | None = None
    colors: F32 | None = None

    @property
    def variance(self) -> F32:
        """(4, tiles down, across): of a pixel."""
        return variance(self.noise, self.means)


@dataclass(frozen=True, slots=True)
class Fitted:
    """A frame on the reference, in its DN."""

    laid: Laid
    flow: Flow
    gain: F64  # (4,): what each position's DN above black was multiplied by
    weight: float  # by its noise, the reference's is 1
    brightness: tuple[float, float, float]  # R, G, B over what its exposure promises


def ground(frame: Frame, noise: Noise, truth: bool) -> Ground:
    """Of a usable reference of that noise."""
    height, width = cells(frame.pixels.shape)
    planes = split(frame)
    picture, in_dn = gray(planes), noise_in_dn(frame.capture, noise, np.ones(4))
    levels = Levels.of(picture, height, width)
    of_planes = np.maximum(means(planes, height, width), 0)
    shown = means(picture[None], height, width)[0]
    spread = variance(in_dn, of_planes).mean((1, 2), dtype=np.float64)
    gains = contrasts(planes, frame.capture.cfa, spread)
    kept = tolerance(planes, in_dn) if truth else None
    return Ground(frame, planes, levels, of_planes, shown, in_dn, gains, kept)


@dataclass(slots=True)
class _Offered:
    """A frame in hand: what it is multiplied by, and what that makes of it."""

    onto: Ground
    frame: Frame
    noise: Noise | None  # None: the reference's, both were set alike
    gain: F64  # (4,)
    planes: F32
    picture: F32  # gray
    levels: Levels

    @property
    def cfa(self) -> str:
        return self.frame.capture.cfa

    def lit(self, gain: F64) -> None:
        """Its light times a gain, (4,), on top."""
        self.gain = self.gain * gain
        self.planes = split(self.frame, self.gain, self.planes)
        self.picture = gray(self.planes)
        self.levels = Levels.of(self.picture, *cells(self.frame.pixels.shape))

    @property
    def variance(self) -> F32:
        """(4, tiles down, across): of a pixel times its gain."""
        if self.noise is None:
            own, gain = self.onto.noise, self.gain
            in_dn = np.stack([own[:, 0] * gain, own[:, 1] * gain**2], 1)
        else:
            in_dn = noise_in_dn(self.frame.capture, self.noise, self.gain)
        return variance(in_dn, self.onto.means)

    @property
    def of_gray(self) -> F32:
        """(tiles down, across): variance of a gray cell, the mean of both frames'."""
        return np.asarray((self.onto.variance + self.variance).mean(0) / 8, np.float32)

    @property
    def white(self) -> F64:
        """(4,): DN of the reference above black from which one of the two may be saturated."""
        own, its = _span(self.onto.frame.capture), _span(self.frame.capture)
        return np.asarray(FULL * np.minimum(its * self.gain, own))

    def aligned(self) -> Flow:
        return align(self.onto.levels, self.levels, self.of_gray)

    def belongs(self, flow: Flow) -> tuple[bool, float]:
        white = DIM * float(self.white.min())
        return belongs(Laying(self.onto.levels, self.levels, flow.offsets, self.of_gray, white))

    def seen(self, flow: Flow) -> light.Seen:
        own, its = (
            np.array(each.capture.black, np.float64) for each in (self.onto.frame, self.frame)
        )
        floor = np.stack([0.5 - own, (0.5 - its) * self.gain])  # half a step above none
        noise = self.onto.variance + self.variance
        return light.Seen(self.onto.planes, self.planes, flow.offsets, noise, floor, self.white)


def fitted(onto: Ground, frame: Frame, index: int) -> Fitted | Refused:
    """Matched, aligned and found to belong; or why not."""
    stated = reference.stated_gain(frame, onto.frame)
    offered = _offered(onto, frame, stated or 1.0)
    bright = _brightness(onto, offered.picture)
    if _beyond(bright, stated):
        return _too_bright(index, bright, stated)
    if abs(np.log(bright)) > CLEARLY:
        offered.lit(np.full(4, 1 / bright))
    flow = offered.aligned()
    like, shared = offered.belongs(flow)
    if not like:
        detail = f"shows something else: it explains {shared:.0%} of the reference's structure"
        return Refused(index, "unlike", detail, float(shared))
    flow, measured = _matched(offered, flow)
    lacks = reference.lacking(frame, onto.frame)
    if lacks and not measured:
        detail = f"{lacks}, and it shows too little light to measure its exposure"
        return Refused(index, "exposure", detail, 0.0)
    gains = [float(offered.gain[offered.cfa.index(letter)]) for letter in "RGB"]
    of_color = [(stated or 1.0) / gain for gain in gains]
    for each in of_color:
        if _beyond(each, stated):
            return _too_bright(index, each, stated)
    return _ready(offered, flow, (of_color[0], of_color[1], of_color[2]))


def _offered(onto: Ground, frame: Frame, gain: float) -> _Offered:
    """The reference's noise holds for a frame that was set alike; else its file's, or estimated
    within it."""
    own, its = frame.capture, onto.frame.capture
    alike = (own.noise_profile, own.iso, _span(own).tolist()) == (
        its.noise_profile, its.iso, _span(its).tolist())  # fmt: skip
    alike = alike and bool(own.noise_profile or own.iso)
    onto.buffer = split(frame, gain, onto.buffer)
    picture = gray(onto.buffer)
    levels = Levels.of(picture, *cells(frame.pixels.shape))
    noise = None if alike else noise_of(frame)
    return _Offered(onto, frame, noise, np.full(4, gain), onto.buffer, picture, levels)


def _beyond(bright: float, stated: float | None) -> bool:
    most = UNSTATED if stated is None else BRIGHTNESS
    return not 1 / most < bright < most


def _too_bright(index: int, bright: float, stated: float | None) -> Refused:
    than = "the reference" if stated is None else "its exposure promises"
    return Refused(index, "brightness", f"{bright:.2f} times as bright as {than}", bright)


def _brightness(onto: Ground, picture: F32) -> float:
    """Light of a frame over the reference's: median over tiles, which moving things don't sway.

    1 where too few tiles of the reference show any light.
    """
    height, width = cells(onto.frame.pixels.shape)
    its = means(picture[None], height, width)[0]
    lit = onto.light > np.sqrt(onto.noise[:, 1].mean())
    found = float(np.median(its[lit] / onto.light[lit])) if lit.mean() > LIT else 1.0
    return max(found, 1e-6)


def _matched(offered: _Offered, flow: Flow) -> tuple[Flow, bool]:
    """As bright as the reference, color by color; its flow then, and whether light was measured."""
    measured = False
    for _ in range(2):
        more = light.gains(offered.seen(flow), offered.cfa)
        measured = measured or more is not None
        if more is None or (more == 1).all():
            break
        offered.lit(more[["RGB".index(letter) for letter in offered.cfa]])
        if np.abs(np.log(more)).max() < ALIGNED:
            break
        flow = offered.aligned()
    return flow, measured


def _ready(offered: _Offered, flow: Flow, brightness: tuple[float, float, float]) -> Fitted:
    onto, one, two = offered.onto, offered.onto.variance, offered.variance
    onto.colors = interpolated(offered.planes, offered.cfa, onto.gains, onto.colors)
    laid = Laid(onto.planes, onto.colors, offered.cfa, flow.offsets, one + two,
                np.asarray(offered.white, np.float32), onto.tolerance)  # fmt: skip
    return Fitted(laid, flow, offered.gain, float(one.mean() / two.mean()), brightness)


def noise_in_dn(capture: Capture, noise: Noise, gain: F64) -> F64:
    """(4, 2): variance = first * DN + second, in DN above black times `gain` (4,)."""
    span = _span(capture)
    shot = np.array(noise.shot) * span * gain
    # rounding alone makes 1/12 DN squared, whatever the file states
    read = np.maximum(np.array(noise.read) * span**2, 1 / 12) * gain**2
    return np.stack([shot, read], 1)


def _span(capture: Capture) -> F64:
    """DN from black to white per CFA position."""
    return capture.white - np.array(capture.black, np.float64)


def variance(noise: F64, lit: F32) -> F32:
    """(4, ...) of pixels of that light, DN."""
    return np.asarray(noise[:, 0, None, None] * lit + noise[:, 1, None, None], np.float32)
