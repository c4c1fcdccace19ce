"""Kernels that interpolate with the least mean squared error, for light as photographs have it.

The model: detail falls with frequency f (cycles a pixel) as (F0^2 + f^2)^(-GAMMA / 2), seen through
a lens that blurs by a Gaussian; the three colors share it but for a small part of their own; every
sample is a little noisy. Given the covariances, the best weights are a linear system; what is even
in each color comes out as it went in (kriging with unknown means). Trussell and Hartwig 2002
derive demosaicking that way.
"""

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]
REACH = 4  # pixels on every side that a missing color is made from
GRID = 128  # frequencies along a side; covariances repeat after so many pixels
F0, GAMMA = 0.01, 2.5
OWN = 0.03  # variance of what a color has for itself, over that of what all share
LENS, NOISE = 0.6, 3e-3  # blur in pixels; variance of the noise over that of the light
COLORS = "RGB"


@cache
def missing(cfa: str) -> F64:
    """(4, 3, 2 REACH + 1, 2 REACH + 1): weights of the pixels around for each color.

    By position in the CFA, read row by row, and color; its own color is the pixel itself.
    """
    side = np.arange(-REACH, REACH + 1)
    y, x = (each.ravel() for each in np.meshgrid(side, side, indexing="ij"))
    shared = covariance()
    apart = shared[y[:, None] - y, x[:, None] - x]
    letters = np.array([COLORS.index(letter) for letter in cfa])
    out = np.zeros((4, 3, len(side), len(side)))
    for position in range(4):
        color = letters[(position // 2 + y) % 2 * 2 + (position % 2 + x) % 2]
        same = color[:, None] == color
        known = apart * (1 + OWN * same) + NOISE * np.eye(len(color))
        for wanted in range(3):
            if wanted == letters[position]:
                out[position, wanted, REACH, REACH] = 1
                continue
            sought = shared[y, x] * (1 + OWN * (color == wanted))
            means = np.array([color == each for each in range(3)], np.float64)
            weights = _solved(known, sought, means, np.arange(3) == wanted)
            out[position, wanted] = weights.reshape(len(side), -1)
    return out


def covariance() -> F64:
    """(GRID, GRID): of two pixels so far apart down and right, 1 for one pixel; wraps around."""
    f = np.fft.fftfreq(GRID)
    square = f[:, None] ** 2 + f**2
    power = (F0**2 + square) ** (-GAMMA / 2) * np.exp(-((2 * np.pi * LENS) ** 2) * square)
    found = np.fft.ifft2(power).real
    return np.asarray(found / found[0, 0])


@cache
def between(taps: int, fractions: int) -> F64:
    """(fractions, taps): weights of samples in a row for the value k / fractions behind one.

    That one is sample taps / 2 - 1. The same model on a line and without noise.
    """
    place = np.arange(taps) - (taps // 2 - 1)
    known = _line(place[:, None] - place)
    ones = np.ones((1, taps))
    rows = [
        _solved(known, _line(place - k / fractions), ones, np.ones(1)) for k in range(fractions)
    ]
    return np.array(rows)


def _line(distance: NDArray[Any]) -> F64:
    """Covariance of two places on a line, where detail falls by one power less."""
    f = np.linspace(0, 4, 4001)
    power = (F0**2 + f**2) ** ((1 - GAMMA) / 2) * np.exp(-((2 * np.pi * LENS * f) ** 2))
    return np.asarray(np.cos(2 * np.pi * f * distance[..., None]) @ power / power.sum())


def _solved(known: F64, sought: F64, means: F64, wanted: NDArray[np.generic]) -> F64:
    """Weights of least error among those whose sums over each row of `means` are `wanted`."""
    count = len(known)
    system = np.block([[known, means.T], [means, np.zeros((len(means), len(means)))]])
    return np.asarray(np.linalg.solve(system, np.concatenate([sought, wanted]))[:count])
