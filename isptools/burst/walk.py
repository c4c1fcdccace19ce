"""The walk of a burst: reference, then frame by frame align and merge, then one frame out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from isptools.burst import reference as choice
from isptools.burst.again import Mask, detailed, kept, unexplained
from isptools.burst.align import Flow
from isptools.burst.colors import interpolated
from isptools.burst.fitting import Fitted, Ground, fitted, ground
from isptools.burst.merge import PLANES, SHARE, Laid, merge
from isptools.burst.planes import F32, HOP, border, cells, means, split
from isptools.burst.result import Fused, Noted, Refused, Walked, finish
from isptools.burst.robust import robust
from isptools.develop.listed import without_bad_sites
from isptools.develop.noise import Noise, noise_of
from isptools.develop.steps import behind_first_list
from isptools.frame import Frame, Space, empty

LEAST_SHARE = 0.01  # a frame of which less fits is refused, though it shows the same scene
TOLD = 0.01  # logarithm of a brightness other than promised from which it is told
CLIPPED = 0.99  # share of pixels at white from which a reference shows nothing
FEWEST = 2  # frames from which another reference is tried where none fits the first
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

    onto: Ground
    total: F32
    seen: dict[bytes, int]  # frames by the signature of their pixels
    weight: float = 1.0  # of all frames that were taken, the reference's is 1
    taken: dict[int, tuple[NDArray[np.float64], float, Laid]] = field(default_factory=dict)
    # gain, weight


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
    numbers, refused = _chosen(frames, options.reference)
    first: BurstError | None = None
    for number in numbers:
        state, walked, noise = _walk(frames, number, dict(refused), options)
        if walked.flows:
            return _finished(state, walked, noise, frames, options)
        reasons = "; ".join(f"frame {each.frame} {each.detail}" for each in walked.refused.values())
        error = BurstError(f"no frame fits the reference, frame {number}: {reasons}")
        first = first or error
    raise first or BurstError("there is no reference")


def _walk(
    frames: Sequence[Frame], number: int, refused: dict[int, Refused], options: Options
) -> tuple[_State, Walked, Noise]:
    """Lay all frames onto one."""
    count, reference = len(frames), _read(frames, number)
    if isinstance(reference, Refused):
        raise BurstError(f"frame {number}, the reference: {reference.detail}")
    noise = options.noise or noise_of(reference)
    walked = Walked(number, count, {}, {number: 1.0}, refused, {number: (1.0, 1.0, 1.0)}, {})
    state = _begin(_usable(reference, number), number, noise, options.method)
    for done, index in enumerate(i for i in range(count) if i != number):
        options.progress(done, count - 1)
        if index not in refused:
            _note(walked, index, _add(state, frames, index, options.method))
    return state, walked, noise


def _finished(
    state: _State, walked: Walked, noise: Noise, frames: Sequence[Frame], options: Options
) -> Fused:
    _look_again(state, frames, options.method)
    options.progress(walked.count - 1, walked.count - 1)
    weight = None if options.method == "truth" else state.weight
    gathered = (state.onto.planes, state.total, weight, state.weight)
    return finish(state.onto.frame, gathered, noise, walked)


def _note(walked: Walked, index: int, taken: "_Taken | Refused") -> None:
    if isinstance(taken, Refused):
        walked.refused[index] = taken
        return
    walked.flows[index], walked.shares[index] = taken.flow, taken.share
    walked.brightness[index] = taken.brightness
    if taken.lacks:
        bright = taken.brightness[1]
        detail = f"{taken.lacks}: matched by its brightness, {bright:.3g} times the reference's"
        walked.noted[index] = Noted(index, "not-stated", detail, bright)
    elif max(abs(np.log(each)) for each in taken.brightness) > TOLD:
        walked.noted[index] = _otherwise_bright(index, taken.brightness)


def _otherwise_bright(index: int, brightness: tuple[float, float, float]) -> Noted:
    red, green, blue = brightness
    of_color = f"{green:.3f}" if red == green == blue else (
        f"{red:.3f} (red), {green:.3f} (green) and {blue:.3f} (blue)")  # fmt: skip
    detail = f"{of_color} times as bright as its exposure promises: matched"
    return Noted(index, "brightness", detail, green)


def _chosen(frames: Sequence[Frame], asked: int | None) -> tuple[list[int], dict[int, Refused]]:
    """The references' numbers, the best first, and the first frames that can't be read.

    The others are for where no frame fits the best: it may be the one that does not belong.
    """
    count = len(frames)
    if asked is not None:
        if not 0 <= asked < count:
            raise BurstError(f"there is no frame {asked}: the burst's are 0 to {count - 1}")
        return [asked], {}
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
    best = sorted(scores, key=lambda index: -scores[index])
    return best if count > FEWEST else best[:1], refused


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


def _begin(frame: Frame, number: int, noise: Noise, method: str) -> _State:
    onto = ground(frame, noise, method == "truth")
    total = empty((PLANES, *onto.planes.shape[1:]), np.float32)
    total[...] = 0
    return _State(onto, total, {choice.signature(frame): number})


@dataclass(frozen=True, slots=True)
class _Taken:
    """What is told of a frame that was merged."""

    flow: Flow
    share: float
    brightness: tuple[float, float, float]
    lacks: str  # facts of its exposure that are not stated


def _add(state: _State, frames: Sequence[Frame], index: int, method: str) -> _Taken | Refused:
    """Align and merge one frame; what became of it, or why it was not taken."""
    frame = _read(frames, index)
    if isinstance(frame, Refused):
        return frame
    reason, detail = choice.difference(frame, state.onto.frame)
    if reason:
        return Refused(index, reason, detail, 0.0)
    twin = state.seen.setdefault(choice.signature(frame), index)
    if twin != index:
        detail = f"its pixels are those of frame {twin}: one file twice counts once"
        return Refused(index, "same-file", detail, float(twin))
    found = fitted(state.onto, frame, index)
    if isinstance(found, Refused):
        return found
    share = _merged(state, found, index, method)
    if share < LEAST_SHARE:
        detail = f"only {share:.1%} of it fits the reference: its light differs, or what it shows"
        return Refused(index, "unlike", detail, float(share))
    lacks = choice.lacking(frame, state.onto.frame)
    return _Taken(found.flow, share, found.brightness, lacks)


def _merged(state: _State, found: Fitted, index: int, method: str) -> float:
    """Add a frame to the total, unless less fits than is worth it; the share that does."""
    lay = _LAY[method]
    share = lay(found.laid, state.total, found.weight)
    if share < LEAST_SHARE:
        lay(found.laid, state.total, -found.weight)
    else:
        state.weight += found.weight
        state.taken[index] = found.gain, found.weight, found.laid
    return share


def _look_again(state: _State, frames: Sequence[Frame], method: str) -> None:
    """Add to the total what the merged picture does not explain of its frames."""
    onto = state.onto
    height, width = cells(onto.frame.pixels.shape)
    own = 1 + state.total[SHARE] if method == "truth" else np.float32(state.weight)
    merged = state.total[:4] / own
    merged += onto.planes
    border(merged, height, width)
    active = detailed(merged, onto.noise / state.weight, height, width)
    if active.mean() < FEW:
        return
    total = np.zeros_like(state.total)
    weight = _laid_again(state, frames, (merged, active, total), method)
    missing = onto.planes - merged
    missing += total[:4]
    missing /= 1 + total[SHARE] if method == "truth" else np.float32(weight)
    border(missing, height, width)
    worth = 1 + state.total[None, SHARE]
    border(worth, height, width)
    left = onto.variance / means(worth, height, width)
    total[:4] = 0
    kept(missing, left, active, total[:4])
    total[:4] *= own
    state.total[:4] += total[:4]


def _laid_again(
    state: _State, frames: Sequence[Frame], onto: tuple[F32, Mask, F32], method: str
) -> float:
    """Lay what `merged` leaves unexplained of each frame into a total; all frames' weight."""
    merged, active, total = onto
    ours = state.onto
    colors = interpolated(merged, ours.frame.capture.cfa, ours.gains)
    cleaner = ours.variance * np.float32(1 - 1 / state.weight)
    missing, lay, count = np.empty_like(merged), _LAY[method], 1.0
    for index, (gain, weight, laid) in state.taken.items():
        frame = _read(frames, index)
        if isinstance(frame, Refused) or choice.difference(frame, ours.frame)[0]:
            continue  # its file has changed; it counts as it did before
        ours.buffer = split(frame, gain, ours.buffer)
        unexplained(replace(laid, frame=ours.buffer), colors, active, missing)
        border(missing, *cells(frame.pixels.shape))
        ours.colors = interpolated(missing, laid.cfa, ours.gains, ours.colors)
        again = replace(laid, reference=merged, frame=ours.colors, differs=True, active=active,
                        variance=laid.variance - cleaner)  # fmt: skip
        lay(again, total, weight)
        count += weight
    return count
