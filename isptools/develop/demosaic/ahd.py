"""AHD: adaptive homogeneity-directed demosaicing (Hirakawa and Parks 2005), as LibRaw computes it.

In column tiles, row by row in float32 (see isptools.develop.planes): samples of row y + 5 come in,
then greens of y + 3, colors and Lab of y + 2, homogeneity of y + 1, and row y of the picture goes
out, so that everything in between stays in the cache.
"""

import numpy as np
from numpy.typing import NDArray

from isptools.develop.demosaic.border import fill_sides
from isptools.develop.demosaic.green import guess
from isptools.develop.demosaic.lab import cube_roots, xyz_from_camera
from isptools.develop.planes import clamped, difference, halved, join_floats, quartered, to_float
from isptools.develop.rows import kernel, over_mosaic
from isptools.frame import Matrix, empty

REACH = 5  # the outer five pixels are means of their window
TILE = 1024  # columns at a time
RING = 8  # rows in memory, a power of two above the five that are read together


def ahd(
    mosaic: NDArray[np.uint16],
    colors: NDArray[np.uint8],
    camera_to_srgb: Matrix | None,
    scratch: bool = False,
) -> NDArray[np.uint16]:
    """(H, W) balanced mosaic to (H, W, 3); `colors` holds 0, 1, 2 per 2x2 position.

    The matrix only serves to compare colors in CIELAB. LibRaw: ahd_interpolate.
    With `scratch` the mosaic is used up.
    """
    rgb = empty((*mosaic.shape, 3), np.uint16)
    matrix = xyz_from_camera(camera_to_srgb)
    over_mosaic(_ahd, scratch, mosaic, colors, matrix, cube_roots(), rgb)
    return rgb


@kernel
def _ahd(mosaic, colors, matrix, roots, rgb, top, bottom):
    height, width = mosaic.shape
    for y in range(top, bottom):
        fill_sides(mosaic, colors, y, REACH, rgb)
    top, bottom = max(top, REACH), min(bottom, height - REACH)
    if top >= bottom:
        return
    for left in range(0, width - 2 * REACH, TILE):  # of the samples a tile needs
        right = min(left + TILE + 2 * REACH, width)
        _tile(mosaic, colors, matrix, roots, rgb, (top, bottom), (left, right))


@kernel
def _tile(mosaic, colors, matrix, roots, rgb, rows, columns):
    (top, bottom), (left, right) = rows, columns
    width = right - left  # `left` is even, so that the tile has the CFA phase of the picture
    sample = np.zeros((RING, width), np.float32)
    green = np.zeros((2, RING, width), np.float32)
    delta = np.zeros((2, RING, width), np.float32)
    color = np.zeros((2, RING, 3, width), np.float32)
    lab = np.zeros((2, RING, 3, width), np.float32)
    light = np.zeros((2, 4, width), np.float32)
    chroma = np.zeros((2, 4, width), np.float64)
    votes = np.zeros((2, RING, width), np.float32)
    work = np.zeros((4, width), np.float32)
    for y in range(top - 5, top - 1):
        to_float(mosaic[y, left:right], sample[y % RING])
    for y in range(top - 3, bottom + 3):
        to_float(mosaic[y + 2, left:right], sample[(y + 2) % RING])
        for d in range(2):
            _green(sample, colors, y, d, green[d, y % RING])
            difference(sample[y % RING], green[d, y % RING], delta[d, y % RING])
        if y < top - 1:
            continue
        for d in range(2):
            _colors(sample, colors, y - 1, green[d], delta[d], color[d, (y - 1) % RING])
            _lab(color[d, (y - 1) % RING], matrix, roots, work, lab[d, (y - 1) % RING])
        if y < top + 1:
            continue
        for d in range(2):
            _distances(lab[d], y - 2, light[d], chroma[d])
        _votes(light, chroma, work, y - 2, votes)
        if y >= top + 3:
            row = rgb[y - 3].reshape(3 * rgb.shape[1])[3 * (left + REACH) : 3 * (right - REACH)]
            _choose(color, votes, y - 3, work, row)


@kernel
def _green(sample, colors, y, d, green):
    """Green along the row (d = 0) or the column (1)."""
    row = sample[y % RING]
    inner = green[2 : len(row) - 2]
    if d == 0:
        guess(row, row[1:], row[2:], row[3:], row[4:], inner)
    else:
        up_2, up = sample[(y - 2) % RING], sample[(y - 1) % RING]
        down, down_2 = sample[(y + 1) % RING], sample[(y + 2) % RING]
        guess(up_2, up, row, down, down_2, green)
    for x in range(0 if colors[y % 2, 0] == 1 else 1, len(row), 2):
        green[x] = row[x]


@kernel
def _colors(sample, colors, y, green, delta, out):
    """Red, green and blue of row y in one direction, by color difference."""
    above, below = delta[(y - 1) % RING], delta[(y + 1) % RING]
    first = 0 if colors[y % 2, 0] == 1 else 1  # column of the first green
    own_color = colors[y % 2, 1 - first]
    own, other, row = out[own_color], out[2 - own_color], sample[y % RING]
    here = green[y % RING]
    corners = out[1]
    _of_corners(here, above, below, corners)
    _of_sides(here, delta[y % RING], own)
    _of_rows(here, above, below, other)
    for x in range(1 - first, len(row), 2):
        own[x] = row[x]
        other[x] = corners[x]
    out[1, :] = here


@kernel
def _of_sides(green, delta, out):
    right, here, shown = delta[2:], green[1:], out[1:]
    for x in range(len(out) - 2):
        shown[x] = clamped(here[x] + halved(delta[x] + right[x]))


@kernel
def _of_rows(green, above, below, out):
    for x in range(len(out)):
        out[x] = clamped(green[x] + halved(above[x] + below[x]))


@kernel
def _of_corners(green, above, below, out):
    above_r, below_r, here, shown = above[2:], below[2:], green[1:], out[1:]
    for x in range(len(out) - 2):
        total = (above[x] + above_r[x]) + (below[x] + below_r[x])
        shown[x] = clamped(here[x] + quartered(total + np.float32(1)))


@kernel
def _lab(rgb, matrix, roots, work, lab):
    """CIELAB times 64 as integers, truncated as LibRaw truncates (cielab)."""
    f_x, f_y, f_z = work[0], work[1], work[2]
    for k in range(3):
        _root(rgb, matrix[k], roots, work[k])
    light, a, b = lab[0], lab[1], lab[2]
    for x in range(len(light)):
        light[x] = np.trunc(np.float32(64) * (np.float32(116) * f_y[x] - np.float32(16)))
    for x in range(len(light)):
        a[x] = np.trunc(np.float32(32000) * (f_x[x] - f_y[x]))
    for x in range(len(light)):
        b[x] = np.trunc(np.float32(12800) * (f_y[x] - f_z[x]))


@kernel
def _root(rgb, m, roots, out):
    r, g, b = rgb[0], rgb[1], rgb[2]
    m_r, m_g, m_b = m[0], m[1], m[2]
    for x in range(len(out)):
        value = ((np.float32(0.5) + m_r * r[x]) + m_g * g[x]) + m_b * b[x]
        out[x] = clamped(value)
    for x in range(len(out)):
        out[x] = roots[np.uint32(np.int32(out[x]))]


@kernel
def _distances(lab, y, light, chroma):
    """How far the left, right, upper and lower neighbor lie off in lightness and in chroma."""
    here, above, below = lab[y % RING], lab[(y - 1) % RING], lab[(y + 1) % RING]
    last = here.shape[1] - 1
    _off(here[0], here[0, 1:], light[1, :last])
    light[0, 1:] = light[1, :last]
    _off(here[0], above[0], light[2])
    _off(here[0], below[0], light[3])
    _off_2(here[1], here[2], here[1, 1:], here[2, 1:], chroma[1, :last])
    chroma[0, 1:] = chroma[1, :last]
    _off_2(here[1], here[2], above[1], above[2], chroma[2])
    _off_2(here[1], here[2], below[1], below[2], chroma[3])


@kernel
def _off(one, two, out):
    for x in range(len(out)):
        out[x] = abs(one[x] - two[x])


@kernel
def _off_2(a, b, a_2, b_2, out):
    for x in range(len(out)):
        off_a, off_b = np.float64(a[x] - a_2[x]), np.float64(b[x] - b_2[x])
        out[x] = off_a * off_a + off_b * off_b


@kernel
def _votes(light, chroma, work, y, votes):
    """How many of the four neighbors look alike, per direction."""
    near, close = work[0], chroma[0, 0].copy()
    _bound(light[0, 0], light[0, 1], light[1, 2], light[1, 3], near)
    _bound(chroma[0, 0], chroma[0, 1], chroma[1, 2], chroma[1, 3], close)
    for d in range(2):
        _count(light[d], chroma[d], near, close, votes[d, y % RING])


@kernel
def _bound(a, b, c, d, out):
    for x in range(len(out)):
        out[x] = min(max(a[x], b[x]), max(c[x], d[x]))


@kernel
def _count(light, chroma, near, close, votes):
    l_0, l_1, l_2, l_3 = light[0], light[1], light[2], light[3]
    c_0, c_1, c_2, c_3 = chroma[0], chroma[1], chroma[2], chroma[3]
    no, yes = np.float32(0), np.float32(1)
    for x in range(len(votes)):
        left = yes if (l_0[x] <= near[x]) & (c_0[x] <= close[x]) else no
        right = yes if (l_1[x] <= near[x]) & (c_1[x] <= close[x]) else no
        up = yes if (l_2[x] <= near[x]) & (c_2[x] <= close[x]) else no
        down = yes if (l_3[x] <= near[x]) & (c_3[x] <= close[x]) else no
        votes[x] = (left + right) + (up + down)


@kernel
def _choose(color, votes, y, work, out):
    """The direction with more votes in the 3x3 window, or the mean of both."""
    lead = work[3]
    _lead(votes[1], votes[0], y, work[0], lead)
    for c in range(3):
        _pick(color[0, y % RING, c], color[1, y % RING, c], lead, work[c])
    end = len(lead) - REACH
    join_floats(work[0, REACH:end], work[1, REACH:end], work[2, REACH:end], out)


@kernel
def _lead(votes_v, votes_h, y, column, lead):
    """Votes along the column minus votes along the row, summed over 3x3."""
    above, here, below = (y - 1) % RING, y % RING, (y + 1) % RING
    one, two, three = votes_v[above], votes_v[here], votes_v[below]
    for x in range(len(lead)):
        column[x] = one[x] + two[x] + three[x]
    one, two, three = votes_h[above], votes_h[here], votes_h[below]
    for x in range(len(lead)):
        column[x] -= one[x] + two[x] + three[x]
    middle, right, inner = column[1:], column[2:], lead[1:]
    for x in range(len(lead) - 2):
        inner[x] = column[x] + middle[x] + right[x]


@kernel
def _pick(h, v, lead, out):
    for x in range(len(out)):
        one = v[x] if lead[x] > 0 else h[x]
        out[x] = halved(h[x] + v[x]) if lead[x] == 0 else one
