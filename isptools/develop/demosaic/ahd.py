"""AHD: adaptive homogeneity-directed demosaicing (Hirakawa and Parks 2005), as LibRaw computes it.

In column tiles, row by row in float32 (see isptools.develop.planes), red or blue sites and green
ones apart (see isptools.develop.demosaic.ends): samples of row y + 5 come in, then greens of y + 3,
colors and Lab of y + 2, homogeneity of y + 1, and row y of the picture goes out, so that everything
in between stays in the cache.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from isptools.develop.demosaic.border import fill_sides
from isptools.develop.demosaic.ends import NO_ENDS, PAD, Ends, first_color, show, take
from isptools.develop.demosaic.green import guess
from isptools.develop.demosaic.lab import cube_roots, lab_row, xyz_from_camera
from isptools.develop.demosaic.votes import apart, lead, next_to, vote
from isptools.develop.planes import clamped, difference, halved, quartered
from isptools.develop.rows import kernel, over_mosaic, part
from isptools.frame import Matrix, empty

REACH = 5  # the outer five pixels are means of their window
MARGIN = 6  # columns beside a tile, even
TILE = 1024  # columns at a time
RING = 8  # rows of samples in memory, a power of two above the five that are read together
FEW = 4  # rows of what is computed


def ahd(
    mosaic: NDArray[np.uint16], colors: NDArray[np.uint8], camera_to_srgb: Matrix | None,
    scratch: bool = False, ends: Ends = NO_ENDS,
) -> NDArray[np.uint16]:  # fmt: skip
    """(H, W) balanced mosaic to (H, W, 3); `colors` holds 0, 1, 2 per 2x2 position.

    The matrix only serves to compare colors in CIELAB. LibRaw: ahd_interpolate.
    With `scratch` the mosaic is used up.
    """
    rgb = empty((*mosaic.shape, 3), np.uint16)
    eye = xyz_from_camera(camera_to_srgb), cube_roots()
    over_mosaic(_strip, scratch, mosaic, colors, eye, ends, rgb)
    return rgb


def _strip(source: Any, colors: Any, eye: Any, ends: Ends, rgb: Any, top: int, bottom: int) -> None:
    height, width = source.shape
    rows = max(top, REACH), min(bottom, height - REACH)
    for start in range(0, width if rows[0] < rows[1] else 0, TILE):
        columns = max(start - MARGIN, 0), min(start + TILE + MARGIN, width)
        pairs = max(start, REACH - 1) // 2, min(start + TILE, width - REACH + 1) // 2
        if pairs[0] < pairs[1]:
            _tile(source, colors, eye, ends, rgb, rows, columns + pairs)
    fill_sides(source, colors, ends, REACH, rgb, top, bottom)


@kernel
def _tile(source, colors, eye, ends, rgb, rows, columns):
    """`columns`: those that are read, the first even, and the pairs of columns that are shown."""
    (top, bottom), (left, right, first, last) = rows, columns
    half = (right - left + 1) // 2
    size = half + 2 * PAD
    samples = np.zeros((RING, 2, size), np.float32)
    green = np.zeros((2, FEW, size), np.float32)  # along rows and columns, at red or blue sites
    delta = np.zeros((2, FEW, size), np.float32)
    color = np.zeros((2, FEW, 3, size), np.float32)  # see _colors
    light = np.zeros((2, 2, 2, size), np.float32)  # direction, row, kind of site
    chroma = np.zeros((2, 2, 2, 2, size), np.int32)  # and a or b
    below = np.zeros((2, 2, 2, size), np.float32), np.zeros((2, 2, 2, size), np.uint32)
    beside = np.zeros((2, 2, size), np.float32), np.zeros((2, 2, size), np.uint32)
    votes = np.zeros((FEW, 2, size), np.float32)
    work = np.zeros((4, size), np.float32)
    pair, shown = np.zeros((2, 3, half), np.float32), np.zeros((2, 3, half), np.uint16)
    for y in range(top - 5, top - 1):
        take(source, ends, y, left, samples[y % RING])
    for y in range(top - 3, bottom + 3):
        take(source, ends, y + 2, left, samples[(y + 2) % RING])
        for d in range(2):
            _green(samples, colors, y, d, green[d, y % FEW], delta[d, y % FEW])
        if y < top - 1:
            continue
        for d in range(2):
            _colors(samples, colors, y - 1, green[d], delta[d], color[d, (y - 1) % FEW])
            found = light[d, (y - 1) % 2], chroma[d, (y - 1) % 2]
            _lab(samples, colors, y - 1, green[d], color[d], eye, work, found)
            if y >= top:
                apart(light[d], chroma[d], y - 2, below[0][d], below[1][d])
        if y < top + 1:
            continue
        o = first_color(colors, y - 2)
        for d in range(2):
            next_to(light[d, y % 2], chroma[d, y % 2], o, beside[0][d], beside[1][d])
        vote(beside, below, y - 2, o, work, votes[(y - 2) % FEW])
        if y >= top + 3:
            lead(votes, y - 3, 1 - o, work)
            _choose(samples, colors, y - 3, (green, color), work, pair)
            show(pair, shown, ends, y - 3, (first - left // 2, last - left // 2, first), rgb)


@part
def _green(samples, colors, y, d, green, delta):
    """Greens of the red or blue sites of row y, along the row (d = 0) or the column (1)."""
    o = first_color(colors, y)
    here, out = samples[y % RING, o], green[PAD:-PAD]
    if d == 0:
        row = samples[y % RING, 1 - o]
        guess(here[PAD - 1 :], row[PAD - 1 + o :], here[PAD:], row[PAD + o :], here[PAD + 1 :], out)
    else:
        up, down = samples[(y - 1) % RING, o, PAD:], samples[(y + 1) % RING, o, PAD:]
        up_2, down_2 = samples[(y - 2) % RING, o, PAD:], samples[(y + 2) % RING, o, PAD:]
        guess(up_2, up, here[PAD:], down, down_2, out)
    difference(here, green, delta)


@part
def _colors(samples, colors, y, green, delta, out):
    """What row y has no samples of, in one direction, by color difference.

    out[0] is its own color (red in a row with red samples) at green sites, out[1] the other one
    there, and out[2] the other one at its red or blue sites.
    """
    o = first_color(colors, y)
    known = samples[y % RING, 1 - o, PAD:]
    above, here, below = delta[(y - 1) % FEW], delta[y % FEW], delta[(y + 1) % FEW]
    _of_two(known, here[PAD - o :], here[PAD + 1 - o :], out[0, PAD:-PAD])
    _of_two(known, above[PAD:], below[PAD:], out[1, PAD:-PAD])
    start = PAD - 1 + o
    _of_four(green[y % FEW, PAD:], above[start:], below[start:], out[2, PAD:-PAD])


@part
def _of_two(green, one, other, out):
    for x in range(len(out)):
        out[x] = clamped(green[x] + halved(one[x] + other[x]))


@part
def _of_four(green, above, below, out):
    above_r, below_r = above[1:], below[1:]
    for x in range(len(out)):
        total = (above[x] + above_r[x]) + (below[x] + below_r[x])
        out[x] = clamped(green[x] + quartered(total + np.float32(1)))


@part
def _lab(samples, colors, y, green, color, eye, work, found):
    """Of row y in one direction: at red or blue sites, and at green ones."""
    o, light, chroma = first_color(colors, y), found[0], found[1]
    known, known_green = samples[y % RING, o], samples[y % RING, 1 - o]
    green, made = green[y % FEW], color[y % FEW]
    if colors[y % 2, o] == 0:
        lab_row((known, green, made[2]), eye, work, light[0], chroma[0])
        lab_row((made[0], known_green, made[1]), eye, work, light[1], chroma[1])
    else:
        lab_row((made[2], green, known), eye, work, light[0], chroma[0])
        lab_row((made[1], known_green, made[0]), eye, work, light[1], chroma[1])


@part
def _choose(samples, colors, y, made, leads, pair):
    """All colors of row y: of the direction with more votes, or the mean of both."""
    o, green, color = first_color(colors, y), made[0], made[1]
    own, i, end = colors[y % 2, o], y % FEW, green.shape[2] - PAD
    pair[o, own] = samples[y % RING, o, PAD:end]
    pair[1 - o, 1] = samples[y % RING, 1 - o, PAD:end]
    at_color, at_green = leads[0, PAD:end], leads[1, PAD:end]
    _pick(green[0, i, PAD:], green[1, i, PAD:], at_color, pair[o, 1])
    _pick(color[0, i, 2, PAD:], color[1, i, 2, PAD:], at_color, pair[o, 2 - own])
    _pick(color[0, i, 0, PAD:], color[1, i, 0, PAD:], at_green, pair[1 - o, own])
    _pick(color[0, i, 1, PAD:], color[1, i, 1, PAD:], at_green, pair[1 - o, 2 - own])


@part
def _pick(h, v, lead, out):
    for x in range(len(out)):
        one = v[x] if lead[x] > 0 else h[x]
        out[x] = halved(h[x] + v[x]) if lead[x] == 0 else one
