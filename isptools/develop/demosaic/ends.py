"""What stands in front of a method and behind it, a row at a time, while the row is in the cache.

In front: black level and white balance. Behind: color matrix, curve, and the turn. A method works
on half rows: the even columns of a row and the odd ones, so that in a Bayer row one of them is all
green and the other all red or all blue, and every loop is over neighbors in memory.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from isptools.develop.planes import clamped
from isptools.develop.rows import part, readonly

PAD = 2  # zeros on both sides of a half row
F32 = NDArray[np.float32]


class Ends(NamedTuple):
    """Numbers of the steps around a method. Left as they are they change nothing."""

    black: F32 = readonly(np.zeros((2, 2), np.float32))  # off a sample, which ends at 0
    factor: F32 = readonly(np.ones((2, 2), np.float32))  # times it, which ends at 65535
    matrix: F32 = readonly(np.zeros((0, 0), np.float32))  # (3, 3): of colors, clipped to 16 bit
    table: NDArray[np.uint16] = readonly(np.zeros(0, np.uint16))  # (65536,): the curve
    flip: int = 0  # LibRaw's: bit 1 flips rows, bit 0 columns; not bit 2


NO_ENDS = Ends()


@part
def first_color(colors, y):
    """The first column of row y that is no green: 0 or 1; its green ones begin with the other."""
    return 1 if colors[y % 2, 0] == 1 else 0


@part
def prepared(value, black, factor):
    """A sample without black, balanced: an integer in float32."""
    above = max(np.float32(value) - black, np.float32(0))
    return np.float32(np.uint16(np.int32(min(above * factor, np.float32(65535)))))


@part
def take(source, ends, y, left, halves):
    """Row y from column `left`, an even one, on, into `halves`, (2, PAD + n + PAD)."""
    for phase in range(2):
        black, factor = ends.black[y % 2, phase], ends.factor[y % 2, phase]
        _every_second(source[y, left + phase :], black, factor, halves[phase, PAD:-PAD])


@part
def _every_second(row, black, factor, out):
    for i in range(min((len(row) + 1) // 2, len(out))):
        out[i] = prepared(row[2 * i], black, factor)


@part
def show(pair, shown, ends, y, span, rgb):
    """Columns of row y into the picture.

    `pair`, (2, 3, n), holds colors of even and of odd columns, `shown` room for them as uint16;
    `span` is the first of its pairs that is wanted, the one behind the last, and where the first
    stands in the picture.
    """
    first, last, at = span
    for phase in range(2):
        r, g, b = pair[phase, 0], pair[phase, 1], pair[phase, 2]
        for c in range(3):
            if len(ends.matrix):
                _product(r, g, b, ends.matrix[c], shown[phase, c])
            else:
                _integers(pair[phase, c], shown[phase, c])
    height, width = rgb.shape[:2]
    row = rgb[height - 1 - y if ends.flip & 2 else y].reshape(3 * width)
    begin, end = 6 * at, 6 * (at + last - first)
    if ends.flip & 1:
        _join_mirrored(shown, first, ends.table, row[3 * width - end : 3 * width - begin])
    else:
        _join(shown, first, ends.table, row[begin:end])


@part
def _product(r, g, b, by, out):
    by_r, by_g, by_b = by[0], by[1], by[2]
    for x in range(len(out)):
        out[x] = np.uint16(np.int32(clamped((by_r * r[x] + by_g * g[x]) + by_b * b[x])))


@part
def _integers(values, out):
    for x in range(len(out)):
        out[x] = np.uint16(np.int32(values[x]))


@part
def _join(shown, first, table, out):
    r, g, b = shown[0, 0, first:], shown[0, 1, first:], shown[0, 2, first:]
    r_2, g_2, b_2 = shown[1, 0, first:], shown[1, 1, first:], shown[1, 2, first:]
    if len(table):
        for x in range(len(out) // 6):
            out[6 * x], out[6 * x + 1], out[6 * x + 2] = table[r[x]], table[g[x]], table[b[x]]
            out[6 * x + 3], out[6 * x + 4] = table[r_2[x]], table[g_2[x]]
            out[6 * x + 5] = table[b_2[x]]
    else:
        for x in range(len(out) // 6):
            out[6 * x], out[6 * x + 1], out[6 * x + 2] = r[x], g[x], b[x]
            out[6 * x + 3], out[6 * x + 4], out[6 * x + 5] = r_2[x], g_2[x], b_2[x]


@part
def _join_mirrored(shown, first, table, out):
    count = len(out) // 6
    for phase in range(2):
        for c in range(3):
            values = shown[phase, c, first:]
            for x in range(count):
                value = values[count - 1 - x]
                out[6 * x + 3 - 3 * phase + c] = table[value] if len(table) else value


@part
def put(r, g, b, ends, place, rgb):
    """One pixel, (y, x), into the picture."""
    y, x = place
    y = len(rgb) - 1 - y if ends.flip & 2 else y
    x = rgb.shape[1] - 1 - x if ends.flip & 1 else x
    m = ends.matrix
    for c in range(3):
        value = r if c == 0 else g if c == 1 else b
        if len(m):
            value = clamped((m[c, 0] * r + m[c, 1] * g) + m[c, 2] * b)
        number = np.uint16(np.int32(value))
        rgb[y, x, c] = ends.table[number] if len(ends.table) else number
