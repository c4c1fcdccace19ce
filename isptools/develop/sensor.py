"""Sensor values to a mosaic without black level."""

import numpy as np
from numpy.typing import NDArray

from isptools.develop.rows import along_rows, kernel, over_rows
from isptools.frame import empty

U16 = NDArray[np.uint16]


def subtract_black(sensor: U16, black: tuple[int, ...]) -> tuple[U16, int]:
    """(H, W) DN to DN above black, clipped at 0, and the largest value found.

    `black` has one integer per CFA position (4, or 36 for X-Trans). LibRaw: subtract_black.
    """
    side = 6 if len(black) == 36 else 2
    level = along_rows(np.asarray(black, np.uint16).reshape(side, side), sensor.shape[1])
    mosaic = empty(sensor.shape, np.uint16)
    found = over_rows(_subtract, len(sensor), sensor, level, mosaic)
    return mosaic, int(max(found))


@kernel
def _subtract(sensor, level, mosaic, top, bottom):
    peak = np.uint16(0)
    for y in range(top, bottom):
        row, black, out = sensor[y], level[y % level.shape[0]], mosaic[y]
        for x in range(len(row)):
            value = np.uint16(row[x] - black[x]) if row[x] > black[x] else np.uint16(0)
            out[x] = value
            peak = max(peak, value)
    return peak


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
