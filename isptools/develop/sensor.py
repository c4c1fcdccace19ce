"""Sensor values to a mosaic without black level."""

import numpy as np
from numpy.typing import NDArray

from isptools.develop.rows import along_rows, kernel, over_rows
from isptools.frame import empty

U16 = NDArray[np.uint16]


def subtract_black(sensor: U16, black: tuple[int, ...]) -> U16:
    """(H, W) DN to DN above black, clipped at 0.

    `black` has one integer per CFA position (4, or 36 for X-Trans). LibRaw: subtract_black.
    """
    mosaic = empty(sensor.shape, np.uint16)
    over_rows(_subtract, len(sensor), sensor, _levels(sensor, black), mosaic)
    return mosaic


def peak(sensor: U16, black: tuple[int, ...]) -> int:
    """The largest value above black, of (H, W) DN; 0 where there is none."""
    return int(max(over_rows(_peak, len(sensor), sensor, _levels(sensor, black))))


def _levels(sensor: U16, black: tuple[int, ...]) -> U16:
    side = 6 if len(black) == 36 else 2
    return along_rows(np.asarray(black, np.uint16).reshape(side, side), sensor.shape[1])


@kernel
def _subtract(sensor, level, mosaic, top, bottom):
    for y in range(top, bottom):
        row, black, out = sensor[y], level[y % level.shape[0]], mosaic[y]
        for x in range(len(row)):
            out[x] = np.uint16(row[x] - black[x]) if row[x] > black[x] else np.uint16(0)


@kernel
def _peak(sensor, level, top, bottom):
    found = np.uint16(0)
    for y in range(top, bottom):
        row, black = sensor[y], level[y % level.shape[0]]
        for x in range(len(row)):
            value = np.uint16(row[x] - black[x]) if row[x] > black[x] else np.uint16(0)
            found = max(found, value)
    return found


def scaled_white(white: int, black: tuple[int, ...], peak: int, threshold: float) -> int:
    """White level above black; with `threshold` > 0 lowered to the picture's own peak.

    LibRaw: adjust_maximum. The peak counts when it lies between threshold * white and white.
    Raises ValueError where white does not lie above black.
    """
    maximum = white - min(black)
    if maximum <= 0:
        raise ValueError(f"white level {white} is not above the black level {min(black)}")
    limit = np.float32(maximum) * np.float32(threshold)
    if threshold >= 1e-5 and 0 < peak < maximum and peak > limit:
        return peak
    return maximum
