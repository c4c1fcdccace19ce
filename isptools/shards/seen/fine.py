"""Place, sharpness, noise and single pixels of a pair, from windows at full resolution."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft2, rfft2
from scipy.ndimage import maximum_filter

from isptools import patches
from isptools.shards import passes
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
SHARED = 0.75  # correlation of the noise of two exposures, which share texture at most
FLAT = 0.5  # of the noise: texture that a block may have
BLOCKS = 40
HOT = 1e-4  # share of the truth's pixels
PEAK = 6.0  # deviations of the input's noise
TALL = 0.05  # of white: how far a hot pixel stands out
BRIGHT = 0.5  # of white: a bright one, which the input must be able to show


def place(windows: Sequence[Window], pairs: Sequence[tuple[F32, F32]]) -> list[Number]:
    """How far the input lies from its truth, in pixels, by cross-correlation of fine detail.

    `pairs` are the windows' `details`. Parts of the windows are looked at one by one, so that a
    truth which is zoomed or turned a little is found too.
    """
    whole = peak(np.sum([correlation(*pair) for pair in pairs], axis=0))
    found = []
    for window, pair in zip(windows, pairs, strict=True):
        for middle, *part in _parts(*pair):
            spot = peak(correlation(*part))
            if spot is not None:
                found.append((*spot, *(np.array(window.corner) + middle)))
    if len(found) < 4:
        return []
    spots = np.array(found)
    away = np.median(spots[:, :2], 0)
    near = np.hypot(*(spots[:, :2] - away).T)
    error = 1.4826 * float(np.median(near)) / len(spots) ** 0.5
    drift = _drift(spots)
    if drift is not None and drift > 1 and len(spots) >= 6:
        told = f"its truth is zoomed or turned a little: places differ by {drift:.1f} px"
        return [Number("place", drift, 2 * PLACE, told, "px")]
    if error > 0.5:
        return []
    down, right = away if whole is None else whole
    told = f"its truth lies {way(down, 'down', 'up')} and {way(right, 'right', 'left')} of it"
    if abs(abs(down) - 1) < 0.3 and abs(right) < 0.3:
        told += ": off by one row"
    return [Number("place", float(np.hypot(down, right)), limit(PLACE, error), told, "px")]


def _drift(spots: F64) -> float | None:
    """How far places differ between the ends of what was looked at, by a zoom or a turn.

    `spots` (N, 4): down, right, and where. None where no such motion explains them.
    """
    design = np.stack([spots[:, 2], spots[:, 3], np.ones(len(spots))], 1)
    if len(spots) < 6 or np.linalg.matrix_rank(design) < 3:
        return None
    parts = np.linalg.lstsq(design, spots[:, :2], rcond=None)[0]
    left = spots[:, :2] - design @ parts
    moved = design @ parts
    before = np.sqrt(np.mean((spots[:, :2] - spots[:, :2].mean(0)) ** 2))
    rest = np.sqrt(np.mean(left**2))
    return float(np.hypot(*np.ptp(moved, 0))) if rest < 0.5 and rest < before / 3 else None


def way(pixels: float, onward: str, back: str) -> str:
    """A shift in words: so many pixels `onward`, or `back` where it is negative."""
    return f"{abs(pixels):.1f} px {onward if pixels >= 0 else back}"


def details(window: Window) -> tuple[F32, F32]:
    """Fine detail of the green pixels, (H, W), 0 elsewhere and where clipped; and its truth's."""
    mask = window.greens & ~window.clipped
    weight = passes.box(mask.astype(np.float32), 7)
    mean = passes.box(np.where(mask, window.own, 0), 7) / np.maximum(weight, 1e-3)
    fine = np.where(mask, window.own - mean, 0)
    return fine, window.green - passes.box(window.green, 7)


def correlation(one: F32, other: F32) -> F64:
    """Circular cross-correlation (H, W) of two of one shape; normalized by their energies."""
    norm = float(
        np.sqrt((one.astype(np.float64) ** 2).sum() * (other.astype(np.float64) ** 2).sum())
    )
    # SciPy's transforms run wide over rows; in 64 bits, as NumPy's
    spectrum = np.conj(rfft2(one.astype(np.float64))) * rfft2(other.astype(np.float64))
    found = irfft2(spectrum, one.shape)
    cut = np.roll(found, (REACH, REACH), (0, 1))[: 2 * REACH + 1, : 2 * REACH + 1]
    return np.asarray(cut / norm if norm > 0 else cut, np.float64)


def _parts(one: F32, other: F32) -> Iterable[tuple[F64, F32, F32]]:
    """The middle of each ninth (quarter, of a small window), and both pictures there."""
    number = 3 if min(one.shape) > 6 * REACH + 3 else 2
    height, width = (side // number for side in one.shape)
    if min(height, width) <= 2 * REACH:
        return
    for top in range(0, number * height, height):
        for left in range(0, number * width, width):
            part = slice(top, top + height), slice(left, left + width)
            yield np.array((top + height / 2, left + width / 2)), one[part], other[part]


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


def sharpness(
    windows: Sequence[Window], pairs: Sequence[tuple[F32, F32]], slope: float
) -> list[Number]:
    """Whether the input has detail that its truth lacks: a truth that was blurred.

    `pairs` are the windows' `details`, `slope` is the input's signal over the expected one. Noise
    in the truth makes this smaller, never larger.
    """
    with_truth = own = chance = 0.0
    for window, (fine, truths) in zip(windows, pairs, strict=True):
        its = np.where(fine != 0, truths * np.float32(slope), 0)
        with_truth += float((fine.astype(np.float64) * its).sum())
        own += float((its.astype(np.float64) ** 2).sum())
        chance += float((its.astype(np.float64) ** 2 * window.variance).sum())
    if own <= 0:
        return []
    more, error = with_truth / own - 1, float(np.sqrt(chance)) / own
    told = f"its truth is blurred: the input's fine detail is {more + 1:.2f} times as strong"
    return [Number("sharpness", max(more, 0.0), limit(SOFT, error), told)]


def noise(found: F64) -> list[Number]:
    """Variance against the stated profile, of windows' `texture`.

    By second differences along rows and columns of each CFA plane; blocks where the truth shows
    texture are left out where the noise may be too strong, and count where it may be too weak.
    """
    found = found[found[:, 3] == 0]
    if len(found) < BLOCKS:
        return []
    told = []
    flat = found[found[:, 1] < FLAT]
    if len(flat) >= BLOCKS:
        more = flat[:, 0] - flat[:, 1]
        times = max(float(np.median(more)), 1e-9)
        error = 1.25 * float(np.std(more)) / len(more) ** 0.5
        told.append(_noisy(times, max(float(np.log(times)), 0.0), limit(NOISE, error / times)))
    quiet = float(np.median(np.sort(found[:, 0])[: max(len(found) // 4, BLOCKS)]))
    off = max(-float(np.log(max(quiet, 1e-9))), 0.0)
    return [*told, _noisy(quiet, off, limit(QUIET, 0.05))]


def _noisy(times: float, value: float, most: float) -> Number:
    return Number("noise", value, most, f"its noise has {times:.2f} times the stated variance")


def truth_noise(found: F64) -> float:
    """A truth's noise over its input's (variances) where the input shows hardly anything else; 0
    where it shows nothing but texture."""
    plain = _plain(found)
    return float(np.median(plain[:, 1])) if len(plain) >= BLOCKS else 0.0


def _plain(found: F64) -> F64:
    """Blocks with noise and hardly anything else."""
    return np.asarray(found[(found[:, 0] > 0.4) & (found[:, 0] < 1.4)])


def shared(found: F64) -> list[Number]:
    """Whether a truth goes along with its input's noise: one exposure as input and truth.

    `found` is the windows' `texture`.

    In blocks that show noise and hardly anything else, second differences of two exposures go
    along only as far as the texture does.
    """
    plain = _plain(found)
    if len(plain) < BLOCKS:
        return []
    alike = max(float(np.median(plain[:, 2])), 0.0)
    told = (
        f"its truth has its own noise (they go along by {alike:.2f}): the same exposure as input "
        "and truth"
    )
    return [Number("same", alike, SHARED, told)]


def texture(windows: Sequence[Window], slope: float) -> F64:
    """`_blocks` of all windows."""
    return np.concatenate([_blocks(window, slope) for window in windows] or [np.zeros((0, 4))])


def _blocks(window: Window, slope: float) -> F64:
    """(N, 4): second differences of the input and of the truth over the stated variance, their
    correlation, and the share of pixels that the truth has lost."""
    step = 2 if patches.period(window.cfa) == 2 else 6
    made = []
    for y in range(step):
        for x in range(step):
            cut = (slice(y, None, step), slice(x, None, step))
            expected = window.expected[cut] * np.float32(slope)
            made.append(_plane(window.own[cut], expected, window.variance[cut],
                               (window.bright[cut], window.clipped[cut])))  # fmt: skip
    return np.concatenate(made)


def _plane(
    own: F32, expected: F32, stated: F32, lost: tuple[NDArray[np.bool_], NDArray[np.bool_]]
) -> F64:
    side = BLOCK if min(own.shape) >= 8 * BLOCK else BLOCK // 2
    rows, columns = (length // side for length in own.shape)

    def cut(plane: NDArray[Any]) -> NDArray[Any]:
        part = plane[: rows * side, : columns * side].reshape(rows, side, columns, side)
        return part.swapaxes(1, 2).reshape(-1, side, side).astype(np.float64)

    level = cut(stated).mean((1, 2))
    ours, theirs = (_differences(cut(plane)) for plane in (own, expected))
    both = [
        (one * other).mean(1) for one, other in ((ours, ours), (theirs, theirs), (ours, theirs))
    ]
    like = both[2] / np.sqrt(np.maximum(both[0] * both[1], 1e-30))
    keep = (cut(lost[0]).max((1, 2)) == 0) & (level > 0)
    scale = 6 * np.maximum(level, 1e-20)
    ends = cut(lost[1]).mean((1, 2))
    return np.asarray(np.stack([both[0] / scale, both[1] / scale, like, ends], 1)[keep])


def _differences(blocks: F64) -> F64:
    """(N, M) second differences along rows and columns: 6 times the variance of white noise."""
    across, along = np.diff(blocks, 2, axis=2), np.diff(blocks, 2, axis=1)
    count = len(blocks)
    return np.concatenate([across.reshape(count, -1), along.reshape(count, -1)], 1)


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
    return np.asarray((25 * passes.box(plane, 5) - 9 * passes.box(plane, 3)) / 16)


def _ring(plane: F32) -> F32:
    """The largest value two pixels away."""
    ring = np.ones((5, 5), bool)
    ring[1:4, 1:4] = False
    most: F32 = maximum_filter(plane, footprint=ring)
    return most
