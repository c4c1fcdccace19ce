"""Homogeneity: how many of the four neighbors look like a pixel, in each of two directions.

Rows hold red or blue sites (kind 0) and green ones (kind 1) apart; `o` is the first column of the
red or blue ones. Lightness is float32, chroma a and b are int32, differences of it uint32.
"""

import numpy as np

from isptools.develop.demosaic.ends import PAD
from isptools.develop.rows import part


@part
def apart(light, chroma, y, light_off, chroma_off):
    """How far rows y and y + 1 are off each other, by the kind of the upper site."""
    for kind in range(2):
        under = 1 - kind
        _off(light[y % 2, kind], light[(y + 1) % 2, under], light_off[y % 2, kind])
        a, b = chroma[y % 2, kind, 0], chroma[y % 2, kind, 1]
        a_2, b_2 = chroma[(y + 1) % 2, under, 0], chroma[(y + 1) % 2, under, 1]
        _off_2(a, b, a_2, b_2, chroma_off[y % 2, kind])


@part
def next_to(light, chroma, o, light_off, chroma_off):
    """How far the green sites left (0) and right (1) of each red or blue one are off it."""
    for side in range(2):
        start = PAD - 1 + o + side
        _off(light[0, PAD:-PAD], light[1, start:], light_off[side, PAD:-PAD])
        a, b, a_2, b_2 = (
            chroma[0, 0, PAD:],
            chroma[0, 1, PAD:],
            chroma[1, 0, start:],
            chroma[1, 1, start:],
        )
        _off_2(a, b, a_2, b_2, chroma_off[side, PAD:-PAD])


@part
def _off(one, two, out):
    for x in range(len(out)):
        out[x] = abs(one[x] - two[x])


@part
def _off_2(a, b, a_2, b_2, out):
    for x in range(len(out)):
        off_a, off_b = a[x] - a_2[x], b[x] - b_2[x]
        out[x] = np.uint32(off_a * off_a + off_b * off_b)


@part
def vote(beside, below, y, o, work, votes):
    """Neighbors of row y that look alike along columns, less those along rows: votes[kind]."""
    for kind in range(2):
        lights = (_four(beside[0][0], below[0][0], y, o, kind),
                  _four(beside[0][1], below[0][1], y, o, kind))  # fmt: skip
        chromas = (_four(beside[1][0], below[1][0], y, o, kind),
                   _four(beside[1][1], below[1][1], y, o, kind))  # fmt: skip
        near, close, out = (
            work[0, PAD:-PAD],
            work[1, PAD:-PAD].view(np.uint32),
            votes[kind, PAD:-PAD],
        )
        _bound(lights[0], lights[1], near)
        _bound(chromas[0], chromas[1], close)
        out[:] = 0
        for d in range(2):
            sign = np.float32(2 * d - 1)
            for k in range(0, 4, 2):
                _agree(lights[d][k], chromas[d][k], near, close, sign, out)
                _agree(lights[d][k + 1], chromas[d][k + 1], near, close, sign, out)


@part
def _four(beside, below, y, o, kind):
    """Differences from the neighbors left, right, above and below, from the first pixel on."""
    left, right = (0, 1) if kind == 0 else (1, 0)
    first, second = (PAD, PAD) if kind == 0 else (PAD - o, PAD + 1 - o)
    above, under = below[(y - 1) % 2, 1 - kind, PAD:], below[y % 2, kind, PAD:]
    return beside[left, first:], beside[right, second:], above, under


@part
def _bound(row, column, out):
    left, right, above, under = row[0], row[1], column[2], column[3]
    for x in range(len(out)):
        out[x] = min(max(left[x], right[x]), max(above[x], under[x]))


@part
def _agree(light, chroma, near, close, by, out):
    no = np.float32(0)
    for x in range(len(out)):
        out[x] += by if (light[x] <= near[x]) & (chroma[x] <= close[x]) else no


@part
def lead(votes, y, o, out):
    """Votes summed over 3x3: out[0] at red or blue sites, out[1] at green ones."""
    above, here, below = (
        votes[(y - 1) % len(votes)],
        votes[y % len(votes)],
        votes[(y + 1) % len(votes)],
    )
    at_color, at_green = out[2], out[3]
    _sum_3(above[1], here[0], below[1], at_color)
    _sum_3(above[0], here[1], below[0], at_green)
    _sum_3(at_green[PAD - 1 + o :], at_color[PAD:], at_green[PAD + o :], out[0, PAD:-PAD])
    _sum_3(at_color[PAD - o :], at_green[PAD:], at_color[PAD + 1 - o :], out[1, PAD:-PAD])


@part
def _sum_3(a, b, c, out):
    for x in range(len(out)):
        out[x] = a[x] + b[x] + c[x]
