"""AHD: adaptive homogeneity-directed demosaicing (Hirakawa and Parks 2005), as LibRaw computes it.

Rows stream through short ring buffers: greens of row y + 3, colors and Lab of y + 2, homogeneity
of y + 1, then row y of the picture; so that a thread's working set stays in its cache.
"""

import numpy as np
from numpy.typing import NDArray

from isptools.develop.demosaic.border import fill_sides
from isptools.develop.demosaic.lab import cube_roots, xyz_from_camera
from isptools.develop.rows import kernel, over_rows
from isptools.frame import Matrix

REACH = 5  # the outer five pixels are means of their window
RING = 4  # rows kept of greens, colors, Lab and homogeneity: 3 are read while one is written


def ahd(
    mosaic: NDArray[np.uint16], colors: NDArray[np.uint8], camera_to_srgb: Matrix | None
) -> NDArray[np.uint16]:
    """(H, W) balanced mosaic to (H, W, 3); `colors` holds 0, 1, 2 per 2x2 position.

    The matrix only serves to compare colors in CIELAB. LibRaw: ahd_interpolate.
    """
    rgb = np.empty((*mosaic.shape, 3), np.uint16)
    matrix = xyz_from_camera(camera_to_srgb)
    over_rows(_ahd, len(mosaic), mosaic, colors, matrix, cube_roots(), rgb)
    return rgb


@kernel
def _ahd(mosaic, colors, matrix, roots, rgb, top, bottom):
    height, width = mosaic.shape
    green = np.zeros((RING, 2, width), np.int32)
    color = np.zeros((RING, 2, 3, width), np.uint16)
    lab = np.zeros((RING, 2, 3, width), np.int32)
    same = np.zeros((RING, 2, width), np.int32)
    inner_top, inner_bottom = max(top, REACH), min(bottom, height - REACH)
    for y in range(top, bottom):
        fill_sides(mosaic, colors, y, REACH, rgb)
    if width <= 2 * REACH or inner_top >= inner_bottom:
        return
    for y in range(inner_top - 3, inner_bottom + 3):
        _greens(mosaic, colors, y, green[y % RING])
        if y < inner_top - 1:
            continue
        ring = green[(y - 2) % RING], green[(y - 1) % RING], green[y % RING]
        for d in range(2):
            picture = color[(y - 1) % RING, d]
            _colors(mosaic, colors, y - 1, d, ring, picture)
            _lab(picture, matrix, roots, lab[(y - 1) % RING, d])
        if y < inner_top + 1:
            continue
        _homogeneity(
            lab[(y - 3) % RING], lab[(y - 2) % RING], lab[(y - 1) % RING], same[(y - 2) % RING]
        )
        if y < inner_top + 3:
            continue
        votes = same[(y - 4) % RING], same[(y - 3) % RING], same[(y - 2) % RING]
        _choose(color[(y - 3) % RING], votes, rgb[y - 3])


@kernel
def _greens(mosaic, colors, y, green):
    """Green along the row (0) and along the column (1), for columns [2, width - 2)."""
    width = mosaic.shape[1]
    row, up, down = mosaic[y], mosaic[y - 1], mosaic[y + 1]
    up_2, down_2 = mosaic[y - 2], mosaic[y + 2]
    first = 3 if colors[y % 2, 1] == 1 else 2
    for x in range(first, width - 2, 2):
        green[0, x] = row[x]
        green[1, x] = row[x]
    for x in range(5 - first, width - 2, 2):
        twice = 2 * np.int32(row[x])
        a, b = np.int32(row[x - 1]), np.int32(row[x + 1])
        guess = (2 * (a + b) + twice - np.int32(row[x - 2]) - np.int32(row[x + 2])) >> 2
        green[0, x] = max(min(a, b), min(guess, max(a, b)))
        a, b = np.int32(up[x]), np.int32(down[x])
        guess = (2 * (a + b) + twice - np.int32(up_2[x]) - np.int32(down_2[x])) >> 2
        green[1, x] = max(min(a, b), min(guess, max(a, b)))


@kernel
def _colors(mosaic, colors, y, d, ring, out):
    """Red, green and blue of direction d for columns [3, width - 3), by color difference."""
    width = mosaic.shape[1]
    row, up, down = mosaic[y], mosaic[y - 1], mosaic[y + 1]
    above, here, below = ring[0][d], ring[1][d], ring[2][d]
    first = 3 if colors[y % 2, 1] == 1 else 4
    own = colors[y % 2, 1 - first % 2]
    side, other = out[own], out[2 - own]
    for x in range(3, width - 3):
        out[1, x] = here[x]
    for x in range(first, width - 3, 2):
        across = np.int32(row[x - 1]) + np.int32(row[x + 1]) - here[x - 1] - here[x + 1]
        along = np.int32(up[x]) + np.int32(down[x]) - above[x] - below[x]
        side[x] = max(0, min(here[x] + (across >> 1), 65535))
        other[x] = max(0, min(here[x] + (along >> 1), 65535))
    for x in range(7 - first, width - 3, 2):
        corners = (
            np.int32(up[x - 1]) + np.int32(up[x + 1]) + np.int32(down[x - 1])
            + np.int32(down[x + 1]) - above[x - 1] - above[x + 1] - below[x - 1] - below[x + 1]
        )  # fmt: skip
        side[x] = row[x]
        other[x] = max(0, min(here[x] + ((corners + 1) >> 2), 65535))


@kernel
def _lab(rgb, matrix, roots, lab):
    """CIELAB times 64 as integers, truncated as LibRaw truncates (cielab)."""
    for x in range(3, rgb.shape[1] - 3):
        r, g, b = np.float32(rgb[0, x]), np.float32(rgb[1, x]), np.float32(rgb[2, x])
        f_x = roots[_index(matrix[0, 0], matrix[0, 1], matrix[0, 2], r, g, b)]
        f_y = roots[_index(matrix[1, 0], matrix[1, 1], matrix[1, 2], r, g, b)]
        f_z = roots[_index(matrix[2, 0], matrix[2, 1], matrix[2, 2], r, g, b)]
        lab[0, x] = np.int32(np.float32(64) * (np.float32(116) * f_y - np.float32(16)))
        lab[1, x] = np.int32(np.float32(32000) * (f_x - f_y))
        lab[2, x] = np.int32(np.float32(12800) * (f_y - f_z))


@kernel
def _index(a, b, c, r, g, b_):
    value = np.int32(((np.float32(0.5) + a * r) + b * g) + c * b_)
    return max(np.int32(0), min(value, np.int32(65535)))


@kernel
def _homogeneity(above, here, below, same):
    """How many of the four neighbors look alike in each direction's picture, columns [4, w - 4)."""
    light_h, light_v = here[0, 0], here[1, 0]
    for x in range(4, here.shape[2] - 4):
        left_h, right_h = abs(light_h[x] - light_h[x - 1]), abs(light_h[x] - light_h[x + 1])
        up_v, down_v = abs(light_v[x] - above[1, 0, x]), abs(light_v[x] - below[1, 0, x])
        up_h, down_h = abs(light_h[x] - above[0, 0, x]), abs(light_h[x] - below[0, 0, x])
        left_v, right_v = abs(light_v[x] - light_v[x - 1]), abs(light_v[x] - light_v[x + 1])
        c_left_h = _chroma(here[0], here[0], x, x - 1)
        c_right_h = _chroma(here[0], here[0], x, x + 1)
        c_up_h = _chroma(here[0], above[0], x, x)
        c_down_h = _chroma(here[0], below[0], x, x)
        c_left_v = _chroma(here[1], here[1], x, x - 1)
        c_right_v = _chroma(here[1], here[1], x, x + 1)
        c_up_v = _chroma(here[1], above[1], x, x)
        c_down_v = _chroma(here[1], below[1], x, x)
        light = min(max(left_h, right_h), max(up_v, down_v))
        chroma = min(max(c_left_h, c_right_h), max(c_up_v, c_down_v))
        same[0, x] = (
            ((left_h <= light) & (c_left_h <= chroma)) + ((right_h <= light) & (c_right_h <= chroma))
            + ((up_h <= light) & (c_up_h <= chroma)) + ((down_h <= light) & (c_down_h <= chroma))
        )  # fmt: skip
        same[1, x] = (
            ((left_v <= light) & (c_left_v <= chroma)) + ((right_v <= light) & (c_right_v <= chroma))
            + ((up_v <= light) & (c_up_v <= chroma)) + ((down_v <= light) & (c_down_v <= chroma))
        )  # fmt: skip


@kernel
def _chroma(one, two, x, u):
    a = one[1, x] - two[1, u]
    b = one[2, x] - two[2, u]
    return a * a + b * b


@kernel
def _choose(color, votes, out):
    """The direction with more votes in the 3x3 window, or the mean of both."""
    above, here, below = votes
    for x in range(REACH, color.shape[2] - REACH):
        h, v = np.int32(0), np.int32(0)
        for u in range(x - 1, x + 2):
            h += above[0, u] + here[0, u] + below[0, u]
            v += above[1, u] + here[1, u] + below[1, u]
        if h == v:
            for c in range(3):
                out[x, c] = (np.uint32(color[0, c, x]) + color[1, c, x]) >> np.uint32(1)
        else:
            d = 1 if v > h else 0
            for c in range(3):
                out[x, c] = color[d, c, x]
