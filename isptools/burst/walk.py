"""The walk of a burst: reference, then frame by frame align and merge, then one frame out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from isptools.burst import reference as choice
from isptools.burst.again import Mask, detailed, kept, unexplained
from isptools.burst.align import Flow, Levels, align
from isptools.burst.colors import contrasts, interpolated
from isptools.burst.merge import PLANES, SHARE, Laid, merge
from isptools.burst.planes import F32, HOP, border, cells, gray, means, split
from isptools.burst.result import Fused, Refused, Walked, finish
from isptools.burst.robust import robust, tolerance
from isptools.develop.listed import without_bad_sites
from isptools.develop.noise import Noise, noise_of
from isptools.develop.steps import behind_first_list
from isptools.frame import Frame, Space, empty

LEAST_SHARE = 0.15  # a frame of which less was taken is refused: it shows something else
BRIGHTNESS = 1.5  # factor by which a frame may differ from what its exposure promises
CALM_TILES = 0.3  # share of tiles taken to differ by nothing but noise
LIT = 0.05  # share of tiles above the noise of reading that brightness can be told from
CLEARLY = 0.03  # logarithm of two brightnesses from which they count as two exposures
CLIPPED = 0.99  # share of pixels at white from which a reference shows nothing
FEW = 1e-3  # share of finely detailed tiles below which no second look is worth its time
_LAY = {"view": merge, "truth": robust}


class BurstError(ValueError):
    """A burst that can't be fused; one line that says why and what to do."""


@dataclass(frozen=True, slots=True)
class Options:
    """How to fuse. `view` merges for the eye, `truth` keeps a weight for every pixel."""

    reference: int | None = None  # None takes the sharpest of the first frames
    method: Literal["view", "truth"] = "view"
    noise: Noise | None = None  # of the reference; None asks its file, else estimates
    progress: Callable[[int, int], None] = lambda _done, _total: None  # frames


@dataclass(slots=True)
class _State:
    """The reference as the others need it, and what was gathered so far."""

    frame: Frame
    planes: F32
    levels: Levels
    means: F32  # (4, tiles down, across): light of every tile, DN
    light: F32  # (tiles down, across): the same of the gray picture
    noise: NDArray[np.float64]  # (4, 2): variance = first * DN + second
    gains: F32  # (3,) of `contrasts`
    total: F32
    origin: str  # of the noise
    weight: float = 1.0  # of all frames that were taken, the reference's is 1
    buffer: F32 | None = None  # planes of the frame in hand
    colors: F32 | None = None
    tolerance: F32 | None = None  # for truths
    taken: dict[int, tuple[float, float, Laid]] = field(default_factory=dict)  # gain, weight


def fuse(frames: Sequence[Frame], options: Options | None = None) -> Fused:
    """Fuse a burst of Bayer frames at SENSOR into one frame of finer digital numbers.

    `frames` may read its items when they are asked for (a ValueError or OSError then refuses the
    frame); each is asked for up to twice, the first few thrice. Frames may differ in exposure.
    BurstError where there are fewer than two frames, the reference can't be used, or no other
    fits it.
    """
    options = options or Options()
    count = len(frames)
    if count < 2:
        raise BurstError(f"a burst needs at least two frames, got {count}")
    number, refused = _chosen(frames, options.reference)
    reference = _read(frames, number)
    if isinstance(reference, Refused):
        raise BurstError(f"frame {number}, the reference: {reference.detail}")
    noise = options.noise or noise_of(reference)
    walked = Walked(number, count, {}, {number: 1.0}, refused)
    state = _begin(_usable(reference, number), noise, options.method)
    for done, index in enumerate(i for i in range(count) if i != number):
        options.progress(done, count - 1)
        if index not in refused:
            _note(walked, index, _add(state, frames, index, options.method))
    if not walked.flows:
        reasons = "; ".join(f"frame {each.frame} {each.detail}" for each in refused.values())
        raise BurstError(f"no frame fits the reference, frame {number}: {reasons}")
    _look_again(state, frames, options.method)
    options.progress(count - 1, count - 1)
    weight = None if options.method == "truth" else state.weight
    return finish(state.frame, (state.planes, state.total, weight, state.weight), noise, walked)


def _note(walked: Walked, index: int, taken: tuple[Flow, float] | Refused) -> None:
    if isinstance(taken, Refused):
        walked.refused[index] = taken
    else:
        walked.flows[index], walked.shares[index] = taken


def _chosen(frames: Sequence[Frame], asked: int | None) -> tuple[int, dict[int, Refused]]:
    """The reference's number, and the first frames that can't be read."""
    count = len(frames)
    if asked is not None:
        if not 0 <= asked < count:
            raise BurstError(f"there is no frame {asked}: the burst's are 0 to {count - 1}")
        return asked, {}
    scores: dict[int, float] = {}
    refused: dict[int, Refused] = {}
    for index in range(count):
        frame = _read(frames, index)
        if isinstance(frame, Refused):
            refused[index] = frame
        elif frame.capture.kind == "bayer":
            scores[index] = choice.sharpness(frame)
        if len(scores) == choice.FIRST or (index >= choice.FIRST and scores):
            break
    if not scores:
        details = "; ".join(dict.fromkeys(each.detail for each in refused.values()))
        raise BurstError(f"none of the frames is a Bayer mosaic that can be read: {details}")
    return max(scores, key=lambda index: scores[index]), refused


def _read(frames: Sequence[Frame], index: int) -> Frame | Refused:
    try:
        return without_bad_sites(behind_first_list(frames[index]))
    except (ValueError, OSError) as error:
        detail = " ".join(str(error).split()) or type(error).__name__
        return Refused(index, "unreadable", detail, 0.0)


def _usable(frame: Frame, number: int) -> Frame:
    capture = frame.capture
    if frame.space != Space.SENSOR or capture.kind != "bayer":
        what = capture.kind if frame.space == Space.SENSOR else frame.space
        raise BurstError(f"frame {number}: only Bayer mosaics can be fused, this one is {what}")
    if min(frame.pixels.shape) < 4 * HOP:
        raise BurstError(f"frame {number}: a side of {min(frame.pixels.shape)} pixels is too small")
    low, high = int(frame.pixels.min()), int(frame.pixels.max())
    if low == high:
        raise BurstError(f"frame {number}: every pixel is {low}; there is nothing to align")
    clipped = float((frame.pixels >= capture.white).mean())
    if clipped > CLIPPED:
        raise BurstError(f"frame {number}: {clipped:.1%} of its pixels are saturated")
    return frame


def _begin(frame: Frame, noise: Noise, method: str) -> _State:
    height, width = cells(frame.pixels.shape)
    planes = split(frame)
    total = empty((PLANES, *planes.shape[1:]), np.float32)
    total[...] = 0
    picture, in_dn = gray(planes), _dn(frame, noise, 1)
    levels = Levels.of(picture, height, width)
    of_planes, light = means(planes, height, width), means(picture[None], height, width)[0]
    spread = _variance(in_dn, np.maximum(of_planes, 0)).mean((1, 2), dtype=np.float64)
    gains = contrasts(planes, frame.capture.cfa, spread)
    state = _State(frame, planes, levels, of_planes, light, in_dn, gains, total, noise.origin)
    if method == "truth":
        state.tolerance = tolerance(planes, in_dn)
    return state


def _dn(frame: Frame, noise: Noise, gain: float) -> NDArray[np.float64]:
    """(4, 2): variance = first * DN + second, in DN above black times `gain`."""
    span = _span(frame)
    shot = np.array(noise.shot) * span * gain
    # rounding alone makes 1/12 DN squared, whatever the file states
    read = np.maximum(np.array(noise.read) * span**2, 1 / 12) * gain**2
    return np.stack([shot, read], 1)


def _span(frame: Frame) -> NDArray[np.float64]:
    """DN from black to white per CFA position."""
    return frame.capture.white - np.array(frame.capture.black, np.float64)


def _add(
    state: _State, frames: Sequence[Frame], index: int, method: str
) -> tuple[Flow, float] | Refused:
    """Align and merge one frame; the share of it that was taken, or why it was not."""
    frame = _read(frames, index)
    if isinstance(frame, Refused):
        return frame
    reason, detail = choice.difference(frame, state.frame)
    if reason:
        return Refused(index, reason, detail, 0.0)
    stated = choice.stated_gain(frame, state.frame)
    gain, picture = _matched(state, frame, stated)
    brightness = _brightness(state, picture)
    if not 1 / BRIGHTNESS < brightness < BRIGHTNESS:
        detail = f"{brightness:.2f} times as bright as its exposure promises"
        return Refused(index, "brightness", detail, brightness)
    laid, flow, weight = _laid(state, frame, gain, picture)
    lay = _LAY[method]
    share = lay(laid, state.total, weight)
    if share < LEAST_SHARE:
        lay(laid, state.total, -weight)
        detail = f"shows something else: {share:.1%} of it fits the reference"
        return Refused(index, "unlike", detail, share)
    state.weight += weight
    state.taken[index] = gain, weight, laid
    return flow, share


def _look_again(state: _State, frames: Sequence[Frame], method: str) -> None:
    """Add to the total what the merged picture does not explain of its frames."""
    height, width = cells(state.frame.pixels.shape)
    own = 1 + state.total[SHARE] if method == "truth" else np.float32(state.weight)
    merged = state.total[:4] / own
    merged += state.planes
    border(merged, height, width)
    active = detailed(merged, state.noise / state.weight, height, width)
    if active.mean() < FEW:
        return
    total = np.zeros_like(state.total)
    weight = _laid_again(state, frames, (merged, active, total), method)
    missing = state.planes - merged
    missing += total[:4]
    missing /= 1 + total[SHARE] if method == "truth" else np.float32(weight)
    border(missing, height, width)
    worth = 1 + state.total[None, SHARE]
    border(worth, height, width)
    variance = _variance(state.noise, np.maximum(state.means, 0)) / means(worth, height, width)
    total[:4] = 0
    kept(missing, variance, active, total[:4])
    total[:4] *= own
    state.total[:4] += total[:4]


def _laid_again(
    state: _State, frames: Sequence[Frame], onto: tuple[F32, Mask, F32], method: str
) -> float:
    """Lay what `merged` leaves unexplained of each frame into a total; all frames' weight."""
    merged, active, total = onto
    colors = interpolated(merged, state.frame.capture.cfa, state.gains)
    light = np.maximum(state.means, 0)
    cleaner = _variance(state.noise, light) * np.float32(1 - 1 / state.weight)
    missing, lay, count = np.empty_like(merged), _LAY[method], 1.0
    for index, (gain, weight, laid) in state.taken.items():
        frame = _read(frames, index)
        if isinstance(frame, Refused) or choice.difference(frame, state.frame)[0]:
            continue  # its file has changed; it counts as it did before
        state.buffer = split(frame, gain, state.buffer)
        unexplained(replace(laid, frame=state.buffer), colors, active, missing)
        border(missing, *cells(frame.pixels.shape))
        state.colors = interpolated(missing, laid.cfa, state.gains, state.colors)
        again = replace(laid, reference=merged, frame=state.colors, differs=True, active=active,
                        variance=laid.variance - cleaner)  # fmt: skip
        lay(again, total, weight)
        count += weight
    return count


def _matched(state: _State, frame: Frame, stated: float | None) -> tuple[float, F32]:
    """The frame's planes in the reference's DN, its gain and gray picture.

    Without stated exposures the brightness of both decides, where it differs clearly.
    """
    gain = stated or 1.0
    state.buffer = split(frame, gain, state.buffer)
    picture = gray(state.buffer)
    if (
        stated is None
        and abs(np.log(max(brightness := _brightness(state, picture), 1e-6))) > CLEARLY
    ):
        gain = 1 / max(brightness, 1e-6)
        state.buffer = split(frame, gain, state.buffer)
        picture = gray(state.buffer)
    return gain, picture


def _brightness(state: _State, picture: F32) -> float:
    """Light of a frame over the reference's: median over tiles, which moving things don't sway.

    1 where too few tiles of the reference show any light.
    """
    height, width = cells(state.frame.pixels.shape)
    its = means(picture[None], height, width)[0]
    lit = state.light > np.sqrt(state.noise[:, 1].mean())
    return float(np.median(its[lit] / state.light[lit])) if lit.mean() > LIT else 1.0


def _laid(state: _State, frame: Frame, gain: float, picture: F32) -> tuple[Laid, Flow, float]:
    """The frame laid onto the reference, its flow, and its weight by noise."""
    same = gain == 1 and frame.capture.noise_profile == state.frame.capture.noise_profile
    noise = state.noise if same else _dn(frame, noise_of(frame), gain)
    light = np.maximum(state.means, 0)
    one, two = _variance(state.noise, light), _variance(noise, light)
    levels = Levels.of(picture, *cells(frame.pixels.shape))
    flow = align(state.levels, levels, (one + two).mean(0) / 8)
    if state.origin == "estimated":  # one picture shows too little where it was processed
        more = np.float32(max(1.0, float(np.quantile(flow.unrest, CALM_TILES))))
        one, two = one * more, two * more
    white = 0.99 * np.minimum(_span(frame) * gain, _span(state.frame))
    assert state.buffer is not None
    state.colors = interpolated(state.buffer, frame.capture.cfa, state.gains, state.colors)
    laid = Laid(state.planes, state.colors, frame.capture.cfa, flow.offsets, one + two,
                np.asarray(white, np.float32), state.tolerance)  # fmt: skip
    return laid, flow, float(one.mean() / two.mean())


def _variance(noise: NDArray[np.float64], light: F32) -> F32:
    return np.asarray(noise[:, 0, None, None] * light + noise[:, 1, None, None], np.float32)
