"""Kernel: the shift and rotation of one window that fit best, and how well it fits."""

import numpy as np

from isptools.develop.rows import kernel
from isptools.pair.windows import correlations, cubic

DX, DY, TURN, CORRELATION, ASIS, CONTRAST, PLACED = range(7)
FIELDS = 7
ROUNDS = 4
EVERY = 2  # rows that the rounds look at; the last correlation looks at all
PRIOR = 2e-5  # curvature that holds a window where it was if nothing else does
STEEP = 1e-4  # correlation that a pixel off the plane costs in the coarse search


@kernel
def adjust(still, moving, tops, lefts, size, margin, reach, found, first, last):
    """For each window of `still`, the shift (pixels) and turn (radians, around the window's center)
    at which `moving` fits best. `moving` has `margin` more pixels on each side.

    Fields: DX, DY, TURN; the correlation there and with no adjustment; the lower of the two
    standard deviations (gray levels); PLACED, the correlation that a pixel's shift costs in the
    direction in which it costs least. The coarse search reaches `reach` pixels at half size.
    """
    half = size // 2
    span = (reach + 1) // 2 + 1
    small = np.empty((half, half), np.float32)
    wide = np.empty((half + 2 * span, half + 2 * span), np.float32)
    sums = np.empty((2, half + 2 * span + 1, half + 2 * span + 1), np.float64)
    surface = np.empty((2 * span + 1, 2 * span + 1), np.float64)
    template = np.empty((size, size), np.float32)
    slopes = np.empty((3, size, size), np.float32)
    for i in range(first, last):
        top, left = tops[i], lefts[i]
        mean = np.float64(0)
        for row in range(size):
            for column in range(size):
                template[row, column] = still[top + row, left + column]
                mean += template[row, column]
        template -= np.float32(mean / (size * size))
        _half(still, top, left, small)
        _half(moving, top + margin - 2 * span, left + margin - 2 * span, wide)
        correlations(small, wide, sums, surface)
        dx, dy = _coarse(surface)
        placed = _slopes(template, slopes)
        result = _settle(template, slopes, moving, top + margin, left + margin, dx, dy)
        found[i, DX], found[i, DY], found[i, TURN] = result
        best, contrast = _correlation(template, moving, top + margin, left + margin, result)
        found[i, CORRELATION], found[i, CONTRAST] = best, contrast
        found[i, ASIS], _ = _plain(template, moving, top + margin, left + margin)
        found[i, PLACED] = placed


@kernel
def _half(picture, top, left, out):
    for row in range(out.shape[0]):
        above, below = picture[top + 2 * row], picture[top + 2 * row + 1]
        for column in range(out.shape[1]):
            at = left + 2 * column
            out[row, column] = np.float32(0.25) * (
                np.float32(above[at]) + np.float32(above[at + 1])
                + np.float32(below[at]) + np.float32(below[at + 1])
            )


@kernel
def _coarse(surface):
    """The best place of the half-size search, in full-size pixels."""
    rows, columns = surface.shape
    best, x, y = -9.0, 0.0, 0.0
    for row in range(rows):
        for column in range(columns):
            dx, dy = 2.0 * (column - columns // 2), 2.0 * (row - rows // 2)
            value = surface[row, column] - STEEP * np.sqrt(dx * dx + dy * dy)
            if value > best:
                best, x, y = value, dx, dy
    return x, y


@kernel
def _slopes(template, slopes):
    """How the unit template changes with x, y and turn, less what gain and offset can do.

    Returns the smaller curvature of the correlation in x and y, halved: the cost of a pixel.
    """
    size = template.shape[0]
    middle = np.float32((size - 1) / 2)
    slopes[:] = 0
    square = np.float64(0)
    for row in range(size):
        for column in range(size):
            square += template[row, column] * template[row, column]
    scale = np.float32(1 / np.sqrt(square + 1e-9))
    for row in range(1, size - 1):
        for column in range(1, size - 1):
            gx = (template[row, column + 1] - template[row, column - 1]) * np.float32(0.5) * scale
            gy = (template[row + 1, column] - template[row - 1, column]) * np.float32(0.5) * scale
            slopes[0, row, column] = gx
            slopes[1, row, column] = gy
            slopes[2, row, column] = gy * (column - middle) - gx * (row - middle)
    a = b = c = np.float64(0)
    for row in range(1, size - 1):
        for column in range(1, size - 1):
            a += slopes[0, row, column] * slopes[0, row, column]
            b += slopes[0, row, column] * slopes[1, row, column]
            c += slopes[1, row, column] * slopes[1, row, column]
    return ((a + c) / 2 - np.sqrt(((a - c) / 2) ** 2 + b * b)) / 2


@kernel
def _settle(template, slopes, moving, top, left, dx, dy):
    """Gauss-Newton, inverse compositional (Baker and Matthews, IJCV 2004), with gain and offset
    left free; on every EVERY-th row, linear interpolation."""
    size = template.shape[0]
    middle = (size - 1) / 2
    turn = 0.0
    normal = np.empty((3, 3), np.float64)
    cut = np.empty((size, size), np.float32)
    rows = 0
    for _ in range(ROUNDS):
        sine, cosine = np.sin(turn), np.cos(turn)
        line_m = line_t = mm = mt = tt = 0.0
        rows = 0
        for row in range(1, size - 1, EVERY):
            rows += 1
            v = row - middle
            x0 = left + middle + dx - cosine * middle - sine * v
            y0 = top + middle + dy - sine * middle + cosine * v
            for column in range(size):
                x, y = x0 + cosine * column, y0 + sine * column
                at, up = int(x), int(y)
                fx, fy = np.float32(x - at), np.float32(y - up)
                above, below = moving[up], moving[up + 1]
                high = above[at] + fx * (np.float32(above[at + 1]) - np.float32(above[at]))
                low = below[at] + fx * (np.float32(below[at + 1]) - np.float32(below[at]))
                value = high + fy * (low - high)
                cut[row, column] = value
                line_m += value
                line_t += template[row, column]
                mm += value * value
                mt += value * template[row, column]
                tt += template[row, column] * template[row, column]
        count = rows * size
        mean_m, mean_t = line_m / count, line_t / count
        mm -= count * mean_m * mean_m
        mt -= count * mean_m * mean_t
        tt -= count * mean_t * mean_t
        if mm < 1e-6 * count or tt < 1e-6 * count:
            return dx, dy, turn
        change = _step(template, slopes, cut, normal, (mean_m, mean_t, mt / tt, tt), (dx, dy))
        cx, cy, ct = change
        dx -= cosine * cx - sine * cy
        dy -= sine * cx + cosine * cy
        turn -= ct
        limit = 12.0
        dx, dy = min(max(dx, -limit), limit), min(max(dy, -limit), limit)
        turn = min(max(turn, -0.06), 0.06)
        if abs(cx) + abs(cy) + abs(ct) * middle < 0.01:
            break
    return dx, dy, turn


@kernel
def _step(template, slopes, cut, normal, level, place):
    """One change of x, y and turn: least squares of the difference on the slopes."""
    mean_m, mean_t, gain, tt = level
    size = template.shape[0]
    unit = 1 / np.sqrt(tt * EVERY)
    right = np.zeros(3)
    mean_s, along = np.zeros(3), np.zeros(3)
    normal[:] = 0
    count = 0
    usual = gain if abs(gain) > 1e-3 else 1e-3
    for row in range(1, size - 1, EVERY):
        count += size
        for column in range(size):
            t = (template[row, column] - mean_t) * unit
            e = ((cut[row, column] - mean_m) / usual) * unit - t
            a, b, c = slopes[0, row, column], slopes[1, row, column], slopes[2, row, column]
            normal[0, 0] += a * a
            normal[0, 1] += a * b
            normal[0, 2] += a * c
            normal[1, 1] += b * b
            normal[1, 2] += b * c
            normal[2, 2] += c * c
            right[0] += a * e
            right[1] += b * e
            right[2] += c * e
            mean_s[0] += a
            mean_s[1] += b
            mean_s[2] += c
            along[0] += a * t
            along[1] += b * t
            along[2] += c * t
    share = 1.0 / EVERY
    for i in range(3):
        for j in range(i, 3):
            normal[i, j] -= mean_s[i] * mean_s[j] / count + along[i] * along[j] / share
            normal[j, i] = normal[i, j]
    normal[0, 0] += PRIOR
    normal[1, 1] += PRIOR
    normal[2, 2] += PRIOR * size * size / 8
    right[0] += PRIOR * place[0]
    right[1] += PRIOR * place[1]
    found = np.linalg.solve(normal, right)
    far = np.abs(found[:2]).max()
    if far > 2.0:
        found *= 2.0 / far
    return found[0], found[1], found[2]


@kernel
def _correlation(template, moving, top, left, place):
    """Normalized correlation at a shift and turn (cubic), and the lower standard deviation."""
    dx, dy, turn = place
    size = template.shape[0]
    middle = (size - 1) / 2
    sine, cosine = np.sin(turn), np.cos(turn)
    total = squares = cross = own = 0.0
    for row in range(size):
        v = row - middle
        x0 = left + middle + dx - cosine * middle - sine * v
        y0 = top + middle + dy - sine * middle + cosine * v
        for column in range(size):
            value = cubic(moving, x0 + cosine * column, y0 + sine * column)
            total += value
            squares += value * value
            cross += value * template[row, column]
            own += template[row, column] * template[row, column]
    count = size * size
    energy = squares - total * total / count
    contrast = np.sqrt(max(min(energy, own), 0.0) / count)
    return (cross / np.sqrt(energy * own) if energy * own > 1e-6 else 0.0), contrast


@kernel
def _plain(template, moving, top, left):
    size = template.shape[0]
    total = squares = cross = own = 0.0
    for row in range(size):
        for column in range(size):
            value = np.float64(moving[top + row, left + column])
            total += value
            squares += value * value
            cross += value * template[row, column]
            own += template[row, column] * template[row, column]
    count = size * size
    energy = squares - total * total / count
    contrast = np.sqrt(max(min(energy, own), 0.0) / count)
    return (cross / np.sqrt(energy * own) if energy * own > 1e-6 else 0.0), contrast
