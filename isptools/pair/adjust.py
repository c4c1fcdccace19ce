"""Kernel: the shift and rotation of one window that fit best, and how well it fits."""

import numpy as np

from isptools.develop.rows import kernel
from isptools.pair.windows import correlations, cubic

DX, DY, TURN, CORRELATION, ASIS, CONTRAST, PLACED, RIM, BEST = range(9)
FIELDS = 9
ROUNDS = 6
FAR = 16.0  # pixels that no window moves beyond
PRIOR = 2e-5  # curvature that holds a window where it was if nothing else does
CLEARLY = 5.0  # times what noise takes off the best place, by which it must beat the farthest ones
STEEP = 1e-4  # correlation that a pixel off the plane costs in the coarse search


@kernel
def _half(picture, top, left, out):
    for row in range(out.shape[0]):
        above, below = picture[top + 2 * row], picture[top + 2 * row + 1]
        for column in range(out.shape[1]):
            at = left + 2 * column
            out[row, column] = np.float32(0.25) * (
                np.float32(above[at])
                + np.float32(above[at + 1])
                + np.float32(below[at])
                + np.float32(below[at + 1])
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
def _rim(surface):
    """The best correlation among the farthest places that were looked at."""
    rows, columns = surface.shape
    best = -1.0
    for row in range(rows):
        best = max(best, surface[row, 0], surface[row, columns - 1])
    for column in range(columns):
        best = max(best, surface[0, column], surface[rows - 1, column])
    return best


@kernel
def undecided(row, least_placed, most_rim):
    """Where correlation says nothing: every place along some direction is as good."""
    alike = row[BEST] - row[RIM] < CLEARLY * (1.0 - row[BEST])
    return row[PLACED] < least_placed or (row[RIM] > most_rim and alike)


@kernel
def _slopes(template, slopes, normal):
    """How the template changes with x, y and turn, each pixel weighted by a window that falls off
    to the edges, and the normal matrix of these slopes, the template and a constant.

    Returns the correlation that a pixel's shift costs in the direction in which it costs least.
    """
    size = template.shape[0]
    middle = np.float32((size - 1) / 2)
    half = np.float32(0.5)
    slopes[:] = 0
    normal[:] = 0
    lines = np.zeros((15, size), np.float64)
    weights = np.sin((np.arange(size) + 0.5) * (np.pi / size))
    one, first = np.zeros((5, size)), np.zeros(size)
    for row in range(1, size - 1):
        above, here, below = template[row - 1], template[row], template[row + 1]
        for column in range(1, size - 1):
            gx, gy = (
                (here[column + 1] - here[column - 1]) * half,
                (below[column] - above[column]) * half,
            )
            one[0, column], one[1, column] = gx, gy
            one[2, column] = gy * (column - middle) - gx * (row - middle)
            one[3, column], one[4, column] = here[column], 1.0
        k = 0
        for i in range(5):
            plain = one[i]
            for column in range(1, size - 1):
                first[column] = plain[column] * weights[row] * weights[column]
                slopes[row, column, i] = first[column]
            for j in range(i, 5):
                second, line = one[j], lines[k]
                for column in range(1, size - 1):
                    line[column] += first[column] * second[column]
                k += 1
    k = 0
    for i in range(5):
        for j in range(i, 5):
            normal[i, j] = lines[k].sum()
            k += 1
    for i in range(5):
        for j in range(i):
            normal[i, j] = normal[j, i]
    energy = normal[3, 3] + 1e-6
    a, b, c = normal[0, 0] / energy, normal[0, 1] / energy, normal[1, 1] / energy
    normal[0, 0] += PRIOR * energy
    normal[1, 1] += PRIOR * energy
    normal[2, 2] += PRIOR * energy * size * size / 8
    normal[4, 4] += 1e-6
    normal[3, 3] = energy
    return ((a + c) / 2 - np.sqrt(((a - c) / 2) ** 2 + b * b)) / 2


@kernel
def _settle(slopes, normal, moving, top, left, dx, dy):
    """Gauss-Newton, inverse compositional (Baker and Matthews, IJCV 2004), with gain and offset
    left free; linear interpolation."""
    size = slopes.shape[0]
    middle = (size - 1) / 2
    turn = 0.0
    inverse = np.linalg.inv(normal)
    for _ in range(ROUNDS):
        sine, cosine = np.sin(turn), np.cos(turn)
        s0 = s1 = s2 = s3 = s4 = np.float32(0)
        right = np.zeros(5)
        for row in range(1, size - 1):
            v = row - middle
            x0 = left + middle + dx - cosine * middle - sine * v
            y0 = top + middle + dy - sine * middle + cosine * v
            s0 = s1 = s2 = s3 = s4 = np.float32(0)
            for column in range(1, size - 1):
                x, y = x0 + cosine * column, y0 + sine * column
                at, up = int(x), int(y)
                fx, fy = np.float32(x - at), np.float32(y - up)
                above, below = moving[up], moving[up + 1]
                high = above[at] + fx * (np.float32(above[at + 1]) - np.float32(above[at]))
                low = below[at] + fx * (np.float32(below[at + 1]) - np.float32(below[at]))
                value = np.float32(high) + fy * np.float32(low - high)
                slope = slopes[row, column]
                s0 += slope[0] * value
                s1 += slope[1] * value
                s2 += slope[2] * value
                s3 += slope[3] * value
                s4 += slope[4] * value
            right[0] += s0
            right[1] += s1
            right[2] += s2
            right[3] += s3
            right[4] += s4
        found = inverse @ right
        gain = found[3]
        if gain < 1e-3:
            return dx, dy, turn
        right[0] += PRIOR * normal[3, 3] * gain * dx
        right[1] += PRIOR * normal[3, 3] * gain * dy
        found = inverse @ right
        change = found[:3] / gain
        far = max(abs(change[0]), abs(change[1]))
        if far > 2.0:
            change *= 2.0 / far
        dx -= cosine * change[0] - sine * change[1]
        dy -= sine * change[0] + cosine * change[1]
        turn -= change[2]
        dx, dy = min(max(dx, -FAR), FAR), min(max(dy, -FAR), FAR)
        turn = min(max(turn, -0.06), 0.06)
        if abs(change[0]) + abs(change[1]) + abs(change[2]) * middle < 0.01:
            break
    return dx, dy, turn


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
    return _score(total, squares, cross, own, size * size)


@kernel
def _score(total, squares, cross, own, count):
    """Correlation and contrast from the sums over a window."""
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
    return _score(total, squares, cross, own, size * size)


@kernel
def adjust(
    still, moving, tops, lefts, size, margin, reach, least_contrast, least_placed, most_rim,
    still_too, found,
    first, last,
):  # fmt: skip
    """For each window of `still`, the shift (pixels) and turn (radians, around the window's center)
    at which `moving` fits best. `moving` has `margin` more pixels on each side.

    Fields: DX, DY, TURN; the correlation there and with no adjustment; the lower of the two
    standard deviations (gray levels); PLACED, the correlation that a pixel's shift costs in the
    direction in which it costs least; RIM and BEST, the best correlations at the rim of the coarse
    search and anywhere in it. That search reaches `reach` pixels, at half size. Windows that are
    `undecided` are not adjusted; they, those below `least_contrast`, and with `still_too` all have
    ASIS.
    """
    half = size // 2
    span = (reach + 1) // 2 + 1
    small = np.empty((half, half), np.float32)
    wide = np.empty((half + 2 * span, half + 2 * span), np.float32)
    sums = np.empty((2, half + 2 * span + 1, half + 2 * span + 1), np.float64)
    surface = np.empty((2 * span + 1, 2 * span + 1), np.float64)
    template = np.empty((size, size), np.float32)
    slopes = np.empty((size, size, 5), np.float32)
    normal = np.empty((5, 5), np.float64)
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
        found[i, PLACED] = _slopes(template, slopes, normal)
        found[i, RIM], found[i, BEST] = _rim(surface), surface.max()
        found[i, DX] = found[i, DY] = found[i, TURN] = found[i, CORRELATION] = found[i, ASIS] = 0
        flat = undecided(found[i], least_placed, most_rim)
        if flat or still_too:
            asis, contrast = _plain(template, moving, top + margin, left + margin)
            found[i, ASIS], found[i, CONTRAST] = asis, contrast
        if flat:
            continue
        result = _settle(slopes, normal, moving, top + margin, left + margin, dx, dy)
        found[i, DX], found[i, DY], found[i, TURN] = result
        best, contrast = _correlation(template, moving, top + margin, left + margin, result)
        found[i, CORRELATION], found[i, CONTRAST] = best, contrast
        if contrast < least_contrast and not still_too:
            found[i, ASIS], _ = _plain(template, moving, top + margin, left + margin)
