"""Slow NumPy twins of the compiled kernels, written from the descriptions and sharing no code."""

import numpy as np


def ahd(mosaic, colors, matrix, roots):
    """AHD over the inner picture (5 pixels in); the border stays 0."""
    m = mosaic.astype(np.int64)
    height, width = m.shape
    site = np.tile(colors, (height // 2 + 1, width // 2 + 1))[:height, :width]
    is_green = site == 1
    pictures, labs = [], []
    for axis in (1, 0):
        green = _green(m, is_green, axis)
        rgb = _color_differences(m, site, green)
        pictures.append(rgb)
        labs.append(_lab(rgb, matrix, roots))
    votes = _votes(labs)
    votes = [
        sum(np.roll(v, (dy, dx), (0, 1)) for dy in (-1, 0, 1) for dx in (-1, 0, 1)) for v in votes
    ]
    h, v = pictures
    pick = np.where((votes[1] > votes[0])[..., None], v, h)
    out = np.where((votes[0] == votes[1])[..., None], (h + v) >> 1, pick)
    return out[5:-5, 5:-5].astype(np.uint16)


def _at(a, dy, dx):
    return np.roll(a, (-dy, -dx), (0, 1))


def _green(m, is_green, axis):
    step = (0, 1) if axis else (1, 0)
    back, ahead = _at(m, -step[0], -step[1]), _at(m, *step)
    far = _at(m, -2 * step[0], -2 * step[1]) + _at(m, 2 * step[0], 2 * step[1])
    guess = (2 * (back + m + ahead) - far) >> 2
    return np.where(is_green, m, np.clip(guess, np.minimum(back, ahead), np.maximum(back, ahead)))


def _color_differences(m, site, green):
    difference = m - green
    left_right = _at(m, 0, -1) + _at(m, 0, 1) - _at(green, 0, -1) - _at(green, 0, 1)
    up_down = _at(m, -1, 0) + _at(m, 1, 0) - _at(green, -1, 0) - _at(green, 1, 0)
    corners = sum(_at(difference, dy, dx) for dy in (-1, 1) for dx in (-1, 1))
    rgb = np.empty((*m.shape, 3), np.int64)
    rgb[..., 1] = green
    for color in (0, 2):
        beside = _at(site, 0, 1) == color  # the color's samples stand left and right
        at_green = np.where(beside, green + (left_right >> 1), green + (up_down >> 1))
        at_other = green + ((corners + 1) >> 2)
        value = np.where(site == 1, at_green, np.where(site == color, m, at_other))
        rgb[..., color] = np.clip(value, 0, 65535)
    return rgb


def _lab(rgb, matrix, roots):
    f = np.float32
    r, g, b = (rgb[..., i].astype(f) for i in range(3))
    x, y, z = (
        roots[np.clip((f(0.5) + row[0] * r + row[1] * g + row[2] * b).astype(np.int32), 0, 65535)]
        for row in matrix
    )
    return np.stack([f(64) * (f(116) * y - f(16)), f(32000) * (x - y), f(12800) * (y - z)]).astype(
        np.int64
    )


def _votes(labs):
    near = ((0, -1), (0, 1), (-1, 0), (1, 0))
    light = [[abs(lab[0] - _at(lab[0], *n)) for n in near] for lab in labs]
    chroma = [
        [(lab[1] - _at(lab[1], *n)) ** 2 + (lab[2] - _at(lab[2], *n)) ** 2 for n in near]
        for lab in labs
    ]
    l_eps, c_eps = (
        np.minimum(np.maximum(d[0][0], d[0][1]), np.maximum(d[1][2], d[1][3]))
        for d in (light, chroma)
    )
    return [
        sum(((light[d][i] <= l_eps) & (chroma[d][i] <= c_eps)).astype(int) for i in range(4))
        for d in range(2)
    ]
