"""Place, sharpness, noise and single pixels of a pair, from windows at full resolution."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter, uniform_filter

from isptools import patches
from isptools.shards.seen.number import Number, limit
from isptools.shards.seen.windows import Window

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
REACH = 24  # pixels by which a shift is looked for
PLACE = 0.5  # pixels: half of one, beyond which another pixel is the nearer one
SOFT = 0.25  # of detail: demosaicking's own softness at green pixels, of which it has few
BLOCK = 8  # pixels of one CFA plane
NOISE = 0.75  # logarithm of the variance: stated profiles and real sensors differ by half
QUIET = 1.6  # the same downwards: raws that the camera has cleaned
SHARED = 0.15  # of the noise is left where a truth has its input's noise
FLAT = 0.5  # of the noise: texture that a block may have
BLOCKS = 40
HOT = 1e-4  # share of the truth's pixels
PEAK = 6.0  # deviations of the input's noise
TALL = 0.05  # of white: how far a hot pixel stands out
BRIGHT = 0.5  # of white: a bright one, which the input must be able to show


def place(windows: Sequence[Window]) -> list[Number]:
    """How far the input lies from its truth, in pixels, by cross-correlation of fine detail."""
    pairs = [_details(window) for window in windows]
    whole = peak(sum(correlation(*pair) for pair in pairs))
    if whole is None:
        return []
    quarters = [quarter for pair in pairs for quarter in _quarters(*pair)]
    each = [found for pair in quarters if (found := peak(correlation(*pair))) is not None]
    if len(each) < 4:
        return []
    spots = np.array(each)
    near = np.hypot(*(spots - np.median(spots, 0)).T)
    error = 1.4826 * float(np.median(near)) / len(spots) ** 0.5
    if error > 0.5:
        return []
    down, right = whole
    told = f"its truth lies {way(down, 'down', 'up')} and {way(right, 'right', 'left')} of it"
    if abs(abs(down) - 1) < 0.3 and abs(right) < 0.3:
        told += ": off by one row"
    return [Number("place", float(np.hypot(down, right)), limit(PLACE, error), told, "px")]


def way(pixels: float, onward: str, back: str) -> str:
    return f"{abs(pixels):.1f} px {onward if pixels >= 0 else back}"


def _details(window: Window) -> tuple[F32, F32]:
    """Fine detail of the green pixels, 0 elsewhere and where either is clipped; and the truth's."""
    mask = window.greens & ~window.clipped
    weight = uniform_filter(mask.astype(np.float32), 7)
    mean = uniform_filter(np.where(mask, window.own, 0), 7) / np.maximum(weight, 1e-3)
    fine = np.where(mask, window.own - mean, 0)
    return fine, window.green - uniform_filter(window.green, 7)


def correlation(one: F32, other: F32) -> F64:
    """Circular cross-correlation (H, W) of two of one shape; normalized by their energies."""
    norm = float(np.sqrt((one.astype(np.float64) ** 2).sum() * (other.astype(np.float64) ** 2).sum()))
    spectrum = np.conj(np.fft.rfft2(one)) * np.fft.rfft2(other)
    found = np.fft.irfft2(spectrum, one.shape)
    cut = np.roll(found, (REACH, REACH), (0, 1))[: 2 * REACH + 1, : 2 * REACH + 1]
    return np.asarray(cut / norm if norm > 0 else cut, np.float64)


def _quarters(one: F32, other: F32) -> Iterable[tuple[F32, F32]]:
    height, width = (side // 2 for side in one.shape)
    if min(height, width) <= 2 * REACH:
        return
    for top in (0, height):
        for left in (0, width):
            part = slice(top, top + height), slice(left, left + width)
            yield one[part], other[part]


def peak(correlation: F64) -> tuple[float, float] | None:
    """Down and right of the peak, between pixels by parabolas; None where it stands not clear."""
    y, x = np.unravel_index(int(correlation.argmax()), correlation.shape)
    if not (0 < y < len(correlation) - 1 and 0 < x < correlation.shape[1] - 1):
        return None
    noise = 1.4826 * float(np.median(np.abs(correlation - np.median(correlation))))
    if correlation[y, x] - float(np.median(correlation)) < 8 * noise:
        return None
    down = y - REACH + _vertex(correlation[y - 1 : y + 2, x])
    right = x - REACH + _vertex(correlation[y, x - 1 : x + 2])
    return float(down), float(right)


def _vertex(three: F64) -> float:
    curved = three[0] - 2 * three[1] + three[2]
    return float(0.5 * (three[0] - three[2]) / curved) if curved < 0 else 0.0


def sharpness(windows: Sequence[Window], slope: float) -> list[Number]:
    """Whether the input has detail that its truth lacks: a truth that was blurred.

    `slope` is the input's signal over the expected one. Noise in the truth makes this smaller,
    never larger.
    """
    with_truth = own = chance = 0.0
    for window in windows:
        fine, its = _details(window)
        its = np.where(fine != 0, its * np.float32(slope), 0)
        with_truth += float((fine.astype(np.float64) * its).sum())
        own += float((its.astype(np.float64) ** 2).sum())
        chance += float((its.astype(np.float64) ** 2 * window.variance).sum())
    if own <= 0:
        return []
    more, error = with_truth / own - 1, float(np.sqrt(chance)) / own
    told = f"its truth is blurred: the input's fine detail is {more + 1:.2f} times as strong"
    return [Number("sharpness", max(more, 0.0), limit(SOFT, error), told)]


def noise(windows: Sequence[Window], slope: float, own_truth: bool) -> list[Number]:
    """Variance against the stated profile, and whether the truth shares the input's noise.

    By second differences along rows and columns of each CFA plane; blocks where the truth shows
    texture are left out. `own_truth`: the input is its truth's own file.
    """
    found = np.concatenate([_blocks(window, slope) for window in windows] or [np.zeros((0, 4))])
    flat = found[found[:, 1] < FLAT]
    told: list[Number] = []
    if len(found) < BLOCKS:
        return told
    if len(flat) >= BLOCKS:
        more = float(np.median(flat[:, 0] - flat[:, 1]))
        error = 1.25 * float(np.std(flat[:, 0] - flat[:, 1])) / len(flat) ** 0.5
        told.append(_louder(more, error))
        if not own_truth and more > 0.5:
            told.append(_shared(float(np.median(flat[:, 2])) / max(float(np.median(flat[:, 0])), 1e-9)))
    quiet = float(np.median(np.sort(found[:, 0])[: max(len(found) // 4, BLOCKS)]))
    off = max(-float(np.log(max(quiet, 1e-9))), 0.0)
    text = f"its noise has {quiet:.2f} times the stated variance"
    return [*told, Number("noise", off, limit(QUIET, 0.05), text)]


def _louder(times: float, error: float) -> Number:
    off = float(np.log(max(times, 1e-9)))
    told = f"its noise has {times:.2f} times the stated variance"
    return Number("noise", max(off, 0.0), limit(NOISE, error / max(times, 1e-9)), told)


def _shared(left: float) -> Number:
    told = (
        f"its truth has its own noise ({left:.0%} of it is left between the two): the same "
        "exposure as input and truth"
    )
    return Number("same", max(1 - left, 0.0), 1 - SHARED, told)


def _blocks(window: Window, slope: float) -> F64:
    """(N, 4): over the stated variance, second differences of input, of truth, of what is left
    between them; mean signal."""
    every = patches.period(window.cfa)
    step = 2 if every == 2 else 6
    rest = window.own - np.float32(slope) * window.expected
    made = []
    for y in range(step):
        for x in range(step):
            planes = [each[y::step, x::step] for each in
                      (window.own, window.expected * np.float32(slope), rest)]  # fmt: skip
            stated, ok = window.variance[y::step, x::step], ~window.clipped[y::step, x::step]
            made.append(_plane(planes, stated, ok))
    return np.concatenate(made)


def _plane(planes: list[F32], stated: F32, ok: NDArray[np.bool_]) -> F64:
    side = BLOCK if min(stated.shape) >= 8 * BLOCK else BLOCK // 2
    rows, columns = (length // side for length in stated.shape)

    def cut(plane: NDArray[np.generic]) -> NDArray[np.generic]:
        part = plane[: rows * side, : columns * side].reshape(rows, side, columns, side)
        return part.swapaxes(1, 2).reshape(-1, side, side)

    level = np.asarray(cut(stated), np.float64).mean((1, 2))
    rough = [_rough(np.asarray(cut(plane), np.float64)) / np.maximum(level, 1e-20) for plane in planes]
    whole = np.asarray(cut(ok), bool).all((1, 2)) & (level > 0)
    return np.stack([*rough, level], 1)[whole]


def _rough(blocks: F64) -> F64:
    """Variance from second differences: 6 times that of white noise, so divided by 6."""
    across, along = np.diff(blocks, 2, axis=2), np.diff(blocks, 2, axis=1)
    return np.asarray(((across**2).mean((1, 2)) + (along**2).mean((1, 2))) / 12)


def hot(windows: Sequence[Window], slope: float) -> list[Number]:
    """Pixels that stand out of the truth alone, and that the input would show but does not.

    Looked for under green filters, whose numbers the truth has from one exposure as the input from
    the other. What the input is too noisy to show counts for nothing.
    """
    found = total = 0
    for window in windows:
        around = _around(window.green)
        away = window.green - around
        deviation = PEAK * np.sqrt(window.variance)
        sure = np.float32(slope) * away > deviation
        alone = (away > TALL) & (_ring(window.green) - around < away / 2)
        hidden = window.own < np.float32(slope) * (around + away / 2)
        found += int((window.greens & alone & sure & hidden).sum())
        total += int((window.greens & (np.float32(slope * BRIGHT) > deviation)).sum())
    if not total:
        return []
    share = found / total
    told = f"its truth has hot pixels: {share:.3%} of it stand out where the input shows nothing"
    return [Number("hot pixels", share, max(HOT, 8 / total), told)]


def _around(plane: F32) -> F32:
    """Mean of the 5 x 5 pixels around each, itself and its 8 neighbors left out."""
    return np.asarray((25 * uniform_filter(plane, 5) - 9 * uniform_filter(plane, 3)) / 16)


def _ring(plane: F32) -> F32:
    """The largest value two pixels away."""
    ring = np.ones((5, 5), bool)
    ring[1:4, 1:4] = False
    return np.asarray(maximum_filter(plane, footprint=ring))
