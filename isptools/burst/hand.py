"""The motion of the whole hand, from the offsets that single tiles found.

Most tiles of a dim scene show nothing but noise, or an edge that tells of one direction only. So
each tile counts by what it knows of its offset: the inverse covariance that Lucas and Kanade's
equations give it, of which noise's own share was taken away.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
SURE = 2500.0  # 1 / cells squared: no tile counts as better known than to 0.02 cells
CLEAR = 25.0  # known to a fifth of a cell in every direction
VAGUE = 16.0  # what is known to a quarter of a cell at best may be noise alone
OWN_WAY = 30.0  # squared deviation over the usual from which a tile moves by itself
FEW = 16  # tiles from which on a turn can be told from noise
FEWEST = 4  # a small bright thing lies in so many tiles
# smoothing before makes neighbors err alike: a tile knows so much less than from white noise
SMOOTHED = np.float32(3)


@dataclass(frozen=True, slots=True)
class Known:
    """What every tile knows of its offset: inverse variances in 1 / cells squared."""

    yy: F32
    yx: F32
    xx: F32
    least: F32  # in the direction it knows least of
    most: F32

    @classmethod
    def of(cls, yy: F32, yx: F32, xx: F32, left: F32) -> "Known":
        """From the energy of the gradients above what noise makes, and the variance left: (down,
        across)."""
        middle, reach = (yy + xx) / 2, np.sqrt(((yy - xx) / 2) ** 2 + yx**2)
        noise = np.maximum(left, 1e-12)
        least, most = (np.maximum(middle + way * reach, 0) / noise for way in (-1, 1))
        low, high = np.minimum(least, SURE), np.minimum(most, SURE)
        slope = (high - low) / np.maximum(2 * reach, 1e-12)
        base = low - slope * (middle - reach)
        return cls(
            *(np.asarray(each, np.float32) for each in
              (slope * yy + base, slope * yx, slope * xx + base, least, most))
        )  # fmt: skip

    def flat(self) -> tuple[NDArray[np.bool_], F64, tuple[F64, F64, F64]]:
        """Which tiles know anything (flat), and of these the least they know, and yy, yx, xx."""
        sure = self.most > VAGUE
        # half of an outermost tile is its border repeated, which looks like texture
        sure[[0, -1]] = sure[:, [0, -1]] = False
        yy, yx, xx, least = (
            each[sure].astype(np.float64) for each in (self.yy, self.yx, self.xx, self.least)
        )
        return sure.ravel(), least, (yy, yx, xx)


def hand(offsets: F32, known: Known) -> tuple[F32, float]:
    """The affine motion the tiles agree on, (down, across, 2), and how far they stray from it,
    cells.

    Least squares weighted by what each tile knows of its offset (a straight edge tells of one
    direction only), with Cauchy's weights, repeated.
    """
    rows, columns = offsets.shape[:2]
    y, x = np.mgrid[-1 : 1 : rows * 1j, -1 : 1 : columns * 1j]
    terms = np.stack([np.ones_like(y), y, x], -1).reshape(-1, 3)
    points = offsets.reshape(-1, 2).astype(np.float64)
    sure, least, (yy, yx, xx) = known.flat()
    if sure.sum() < FEWEST:
        return np.zeros_like(offsets), 0.0  # nothing to see
    used, t = points[sure], terms[sure]
    start = np.median(used[least >= np.quantile(least, 0.75)], 0)
    sums = _products(used, t, (yy, yx, xx))
    model = slice(0, 3) if sure.sum() > FEW else slice(0, 1)
    fit = np.zeros((3, 2))
    fit[0] = start
    for _ in range(8):
        far = used - np.einsum("ni,ij->nj", t, fit)
        strange = yy * far[:, 0] ** 2 + xx * far[:, 1] ** 2 + 2 * yx * far[:, 0] * far[:, 1]
        scale = max(float(np.median(strange)) / 1.386, 1.0)  # the median of two squared normals
        # einsum sums in one order; BLAS would by its number of threads
        total = np.einsum("n,nk->k", 1 / (1 + strange / (4 * scale)), sums)
        fit[model] = _solved(total, model)
    solid = (least > CLEAR) & (strange < OWN_WAY * scale)
    excess = 0.0
    if solid.sum() > FEW:
        own = SMOOTHED / least[solid]
        excess = np.median(far[solid] ** 2 - own[:, None]) / 0.455
    prior = np.einsum("ni,ij->nj", terms, fit).reshape(offsets.shape).astype(np.float32)
    return prior, float(np.sqrt(max(excess, 0.0)))


def _products(points: F64, terms: F64, weight: tuple[F64, F64, F64]) -> F64:
    """(tiles, 24): what the normal equations sum, 6 of each of yy, yx, xx, then the right side."""
    yy, yx, xx = weight
    pairs = np.stack([terms[:, i] * terms[:, j] for i in range(3) for j in range(i, 3)], -1)
    right = np.stack([yy * points[:, 0] + yx * points[:, 1], yx * points[:, 0] + xx * points[:, 1]])
    return np.concatenate(
        [pairs * each[:, None] for each in weight] + [terms * each[:, None] for each in right], 1
    )


def _solved(total: F64, model: slice) -> F64:
    """(terms, 2) from the sums of `_products`."""
    count = model.stop
    square, right = np.zeros((2, 3, 2, 3)), total[18:].reshape(2, 3)
    order = [(i, j) for i in range(3) for j in range(i, 3)]
    for a, b, start in ((0, 0, 0), (0, 1, 6), (1, 1, 12)):
        for k, (i, j) in enumerate(order):
            for u, v in ((i, j), (j, i)):
                square[a, u, b, v] = square[b, u, a, v] = total[start + k]
    cut = square[:, :count, :, :count].reshape(2 * count, 2 * count)
    fit = np.linalg.lstsq(cut, right[:, :count].ravel())[0].reshape(2, count)
    return np.asarray(fit.T)
