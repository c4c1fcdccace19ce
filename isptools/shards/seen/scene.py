"""Light that differs over the frame, and values that pile up below white."""

import numpy as np
from numpy.typing import NDArray

from isptools.shards.schema import InputRow, Picture
from isptools.shards.seen.blocks import Blocks
from isptools.shards.seen.fits import Plane
from isptools.shards.seen.number import SIGMAS, Number, limit

F64 = NDArray[np.float64]
GRID = (6, 8)  # parts of the frame
FEW = 4  # blocks a part
LEAN = 0.2  # logarithm of the light from one border to the other: flicker, a cloud
CORNERS = {False: 0.2, True: 0.7}  # logarithm, from the middle: up to a stop
OFF = 0.25  # logarithm by which a part's light is off
PARTS = 0.15  # share of the parts
PILED = 2e-3  # share of the pixels that lie at the top of the range
STEEP = 5.0  # times as many as right below
LOW_WHITE = 0.25  # of the range: LibRaw's white is up to so much above what some cameras reach
LOW_TOP = 0.05  # a truth saturates at white; below it is cut off


def light(blocks: Blocks, planes: list[Plane], other_aperture: bool) -> list[Number]:
    """Whether the ratio of input and truth is the same all over the frame.

    Lenses darken the corners less when they are stopped down (`other_aperture`).
    """
    sure = [plane for plane in planes if plane.sure]
    if not sure:
        return []
    own, expected, variance = (np.zeros(blocks.usable.shape) for _ in range(3))
    keep = blocks.usable
    for plane in sure:
        own[keep] += plane.own - plane.line.offset
        expected[keep] += plane.line.slope * plane.expected
        variance[keep] += plane.variance
    enough = keep & (expected > 3 * np.sqrt(variance)) & (expected > 0)
    ratio = np.full(own.shape, np.nan)
    ratio[enough] = np.log(np.maximum(own[enough], 1e-9) / expected[enough])
    error = np.zeros(own.shape)
    error[enough] = np.sqrt(variance[enough]) / expected[enough]
    parts = _parts(ratio, error)
    if len(parts) < 12:
        return []
    return [*_tilt(parts, CORNERS[other_aperture]), _moved(parts)]


def _parts(ratio: F64, error: F64) -> F64:
    """(N, 4): place down and across from -1/2 to 1/2, median logarithm, its error."""
    rows, columns = ratio.shape
    found = []
    for i in range(GRID[0]):
        for j in range(GRID[1]):
            cut = (slice(i * rows // GRID[0], (i + 1) * rows // GRID[0]),
                   slice(j * columns // GRID[1], (j + 1) * columns // GRID[1]))  # fmt: skip
            values = ratio[cut][np.isfinite(ratio[cut])]
            if len(values) < FEW:
                continue
            middle = float(np.median(values))
            chance = 1.25 * float(np.median(error[cut][np.isfinite(ratio[cut])]))
            scatter = 1.85 * float(np.median(np.abs(values - middle)))
            spread = max(chance, scatter) / len(values) ** 0.5
            found.append(((i + 0.5) / GRID[0] - 0.5, (j + 0.5) / GRID[1] - 0.5, middle, spread))
    return np.array(found).reshape(-1, 4)


def _tilt(parts: F64, corners: float) -> list[Number]:
    """A slope of the logarithm from border to border, and its rise from the middle to the corners;
    of the latter `corners` are allowed."""
    far = 2 * (parts[:, 0] ** 2 + parts[:, 1] ** 2)  # 1 in the corners
    design = np.stack([parts[:, 0], parts[:, 1], far, np.ones(len(parts))], 1)
    weight = 1 / (parts[:, 3] ** 2 + 0.02**2)
    inverse = np.linalg.pinv(design.T @ (design * weight[:, None]))
    slopes = inverse @ (design.T @ (weight * parts[:, 2]))
    left = parts[:, 2] - design @ slopes
    scatter = max(float(np.sqrt(np.mean(left**2 * weight))), 1.0)
    errors = scatter * np.sqrt(np.maximum(np.diag(inverse), 0))
    lean, rise = float(np.hypot(slopes[0], slopes[1])), abs(float(slopes[2]))
    other = "its light is distributed otherwise than its truth's"
    tilted = f"{other}: {np.exp(lean):.2f} times from one border to the other (a moved light?)"
    rising = f"{other}: {np.exp(rise):.2f} times from the middle to the corners (lens shading?)"
    return [
        Number("light", lean, limit(LEAN, float(max(errors[:2]))), tilted),
        Number("light", rise, limit(corners, float(errors[2])), rising),
    ]


def _moved(parts: F64) -> Number:
    away = np.abs(parts[:, 2] - np.median(parts[:, 2]))
    share = float((away > OFF + SIGMAS * parts[:, 3]).mean())
    told = (
        f"its light is distributed otherwise than its truth's: {share:.0%} of the frame is "
        f"brighter or darker by {np.expm1(OFF):.0%} (a moved light, or something moved?)"
    )
    return Number("light", share, PARTS, told)


def white_level(counts: NDArray[np.int64], row: InputRow) -> list[Number]:
    """Whether the input saturates where its white is stated; `counts` of each of its integers.

    Saturated pixels have no noise: they lie closer together than noise would have them. Where the
    stated noise is less than a step that can't be told.
    """
    black, used = float(np.mean(row.black)), np.flatnonzero(counts)
    span, last, total = row.white - black, int(used[-1]), int(counts.sum())
    top = (last - black) / span
    above = int(counts[int(row.white + 0.02 * span) + 1 :].sum()) / total
    if above > PILED:
        told = f"a wrong white level: {above:.1%} of its pixels lie above {row.white:g} DN"
        return [Number("white level", above, PILED, told)]
    variance = float(np.mean(row.shot)) * top + float(np.mean(row.read))
    deviation = span * max(variance, 0.0) ** 0.5
    piled = 0.0
    if deviation >= 1:
        piled = int(counts[last - int(deviation / 4) :].sum()) / total
    told = (
        f"a wrong white level: {piled:.1%} of its pixels end at {top:.0%} of the stated white "
        f"{row.white:g} DN"
    )
    return [Number("white level", max(1 - top, 0.0) if piled > PILED else 0.0, LOW_WHITE, told)]


def truth_top(counts: NDArray[np.int64], picture: Picture) -> list[Number]:
    """Whether a truth ends below white; `counts` of its luminance or green as stored.

    A truth that is cut off has many pixels at one largest number, and hardly any right below.
    """
    used, total = np.flatnonzero(counts), int(counts.sum())
    last = int(used[-1])
    top, step = last * picture.scale, max(last // 500, 1)
    at = int(counts[last - step + 1 :].sum())
    below = int(counts[max(last - 2 * step + 1, 0) : last - step + 1].sum())
    piled = at > PILED * total and at > STEEP * below
    told = f"its truth is clipped: {at / total:.1%} of it end at {top:.0%} of white"
    return [Number("clipping", max(1 - top, 0.0) if piled else 0.0, LOW_TOP, told)]
