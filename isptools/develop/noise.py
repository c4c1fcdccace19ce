"""How noisy a sensor frame is: variance = shot * signal + read, on the scale black 0, white 1."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from typing import Literal

import numpy as np
import scipy
from numpy.typing import NDArray

from isptools.develop import rough
from isptools.frame import Frame

F64 = NDArray[np.float64]
LOW = 0.1  # the share of blocks of one brightness that is taken as free of texture
LOW_ON_PURE_NOISE = 0.612359761736009  # of the variances that blocks of variance 1 show, that low
GROUPS = 32  # of brightness, at most


@dataclass(frozen=True, slots=True)
class Noise:
    """Parameters per CFA position, row by row from the top left visible pixel.

    The variance of a pixel of signal x (black 0, white 1) is shot * x + read, as in DNG's
    NoiseProfile.
    """

    shot: tuple[float, ...]
    read: tuple[float, ...]
    origin: Literal["noise_profile", "estimated"]


def noise_of(frame: Frame) -> Noise:
    """From the file's NoiseProfile where it states one, else estimated from the picture.

    `frame` stands at SENSOR and has a CFA. A profile of one pair holds for every position; one of
    three holds for R, G, B (DNG 1.7, NoiseProfile; plane order of CFAPlaneColor).
    """
    cfa, stated = frame.capture.cfa, frame.capture.noise_profile
    if not stated:
        return estimate(frame)
    pairs = [stated["RGB".index(letter)] if len(stated) >= 3 else stated[0] for letter in cfa]
    return Noise(tuple(s for s, _ in pairs), tuple(o for _, o in pairs), "noise_profile")


def estimate(frame: Frame) -> Noise:
    """Fit shot and read noise to the flattest blocks of each brightness, color by color.

    In 8x8 blocks of a CFA plane the second difference along rows or columns, whichever is smaller,
    measures noise plus texture; per brightness the low tenth of the blocks is taken, corrected by
    what that tenth shows on pure noise; a line is fitted with both terms >= 0. Blocks that touch
    black or white are left out. An all-textured or all-clipped picture gives too much, or zero.
    """
    cfa = frame.capture.cfa
    found = rough.blocks(frame.pixels, frame.capture.black, frame.capture.white)
    fits: dict[str, tuple[float, float]] = {}
    for letter in sorted(set(cfa)):
        points = [found[i] for i, other in enumerate(cfa) if other == letter]
        mean, variance = (np.concatenate(parts) for parts in zip(*points, strict=True))
        fits[letter] = _fit(mean, variance)
    shot = tuple(fits[letter][0] for letter in cfa)
    return Noise(shot, tuple(fits[letter][1] for letter in cfa), "estimated")


def _fit(mean: F64, variance: F64) -> tuple[float, float]:
    """Of the blocks of one color, in some 32 groups of equal brightness."""
    if len(mean) < 2:
        return 0.0, 0.0
    order, count = _in_order(mean), min(GROUPS, max(1, len(mean) // 16))
    sizes = [len(group) for group in np.array_split(order, count)]  # the first are one larger
    split = sum(size == sizes[0] for size in sizes)
    at, low = np.empty(0), np.empty(0)
    for group in (order[: split * sizes[0]], order[split * sizes[0] :]):
        if len(group):
            rows = group.reshape(-1, sizes[0] if not len(at) else sizes[-1])
            at = np.append(at, mean[rows].mean(axis=1))
            low = np.append(low, np.quantile(variance[rows], LOW, axis=1))
    return _line(at, low / LOW_ON_PURE_NOISE)


def _in_order(values: F64) -> NDArray[np.int64]:
    """As a stable argsort, in a quarter of its time: equal values get their order afterwards."""
    order = np.argsort(values)
    rises = np.diff(values[order], prepend=values[order[:1]]) > 0
    place = np.cumsum(rises) << 32 | order
    place.sort()
    return place & 0xFFFFFFFF


@cache
def _solver() -> Callable[[F64, F64], F64]:
    """SciPy's `nnls` (Lawson and Hanson): its solution.

    The compiled function itself where it is found, since the package around it takes longer to load
    than most raws to decode.
    """
    found = PathFinder.find_spec("_slsqplib", [f"{scipy.__path__[0]}/optimize"])
    solve = None
    if found and found.loader:
        module = module_from_spec(found)
        found.loader.exec_module(module)
        solve = getattr(module, "nnls", None)
    if solve is None:  # of other versions
        from scipy.optimize import nnls  # noqa: PLC0415 - see above

        return lambda a, b: nnls(a, b)[0]

    def solved(a: F64, b: F64) -> F64:
        terms, _, wrong = solve(np.ascontiguousarray(a), b, 3 * a.shape[1])
        if wrong == 3:  # SciPy's word for too many rounds
            raise RuntimeError("the fit of the noise came to no end")
        return np.asarray(terms)

    return solved


def _line(at: F64, low: F64) -> tuple[float, float]:
    """Least absolute relative deviation with both terms >= 0, so that a few odd groups don't count.

    Odd groups: colors that saturate softly below the white level, or texture everywhere.
    """
    design = np.stack([np.maximum(at, 0), np.ones_like(at)], 1)
    fit = design[:, 0] * np.median(low / np.maximum(design[:, 0], 1e-6))
    terms = np.zeros(2)
    for _ in range(30):
        floor = max(float(fit.max()), 1e-15) * 1e-6
        fit = np.maximum(fit, floor)
        weight = 1 / np.sqrt(fit * np.maximum(np.abs(low - fit), 0.02 * fit))
        terms = _solver()(design * weight[:, None], low * weight)
        fit = design @ terms
    return float(terms[0]), float(terms[1])
