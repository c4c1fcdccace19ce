"""Kernels: small windows of one picture looked for in another, by normalized correlation."""

import numpy as np

from isptools.develop.rows import kernel
from isptools.vectors import WIDTH, vectors

AT_ONCE = 4  # rows whose sums are made side by side
FIELDS = 4  # of a found window: shift x, shift y, correlation, sharpness


@kernel
def cubic(picture, x, y):
    """Keys' cubic (1981, a = -1/2) at one place, which lies at least 1 pixel inside."""
    left, top = int(np.floor(x)), int(np.floor(y))
    u, v = np.float32(x - left), np.float32(y - top)
    half, one, two = np.float32(0.5), np.float32(1), np.float32(2)
    three, four, five = np.float32(3), np.float32(4), np.float32(5)
    a0 = half * u * (u * (two - u) - one)
    a1 = half * (u * u * (three * u - five) + two)
    a2 = half * u * (u * (four - three * u) + one)
    a3 = half * u * u * (u - one)
    b0 = half * v * (v * (two - v) - one)
    b1 = half * (v * v * (three * v - five) + two)
    b2 = half * v * (v * (four - three * v) + one)
    b3 = half * v * v * (v - one)
    total = np.float32(0)
    for i in range(4):
        row = picture[top - 1 + i]
        line = a0 * row[left - 1] + a1 * row[left] + a2 * row[left + 1] + a3 * row[left + 2]
        total += line * (b0 if i == 0 else b1 if i == 1 else b2 if i == 2 else b3)
    return total


@kernel
def sampled(picture, h, x, y, out):
    """Fill `out` with the picture at h * (x + column, y + row); False if a place is outside."""
    height, width = picture.shape
    rows, columns = out.shape
    for corner in range(4):
        cx, cy = x + (corner & 1) * (columns - 1), y + (corner >> 1) * (rows - 1)
        depth = h[2, 0] * cx + h[2, 1] * cy + h[2, 2]
        if depth <= 0:
            return False
        px = (h[0, 0] * cx + h[0, 1] * cy + h[0, 2]) / depth
        py = (h[1, 0] * cx + h[1, 1] * cy + h[1, 2]) / depth
        if not (px >= 1 and py >= 1 and px < width - 2 and py < height - 2):
            return False
    for row in range(rows):
        for column in range(0, columns, WIDTH):
            first = min(column, columns - WIDTH)  # the last ones once more
            at, y_row = x + first, y + row
            _cubics(picture, width, h, at, y_row, out, row * columns + first)
    return True


@vectors()
def _cubics(picture, width, h, x, y, out, at):
    """`cubic` at 16 places that lie side by side in the other picture."""
    x = x + x.counted(WIDTH)
    a, b, c, d, e, f, g, i, j = ((h + k).load(1) for k in range(9))
    depth = 1.0 / ((g * x + i * y) + j)
    px, py = ((a * x + b * y) + c) * depth, ((d * x + e * y) + f) * depth
    left, top = px.floor(), py.floor()
    across, down = _keys((px - left).single()), _keys((py - top).single())
    corner = (top - 1.0).whole().times(width).plus((left - 1.0).whole())
    total = None
    for k in range(4):
        words = picture.words(corner)
        corner = corner.plus(width)
        a, b, c, d = (words.byte(n) * across[n] for n in range(4))
        line = (((a + b) + c) + d) * down[k]
        total = line if total is None else total + line
    (out + at).store(total)


def _keys(u):
    return (
        0.5 * u * (u * (2.0 - u) - 1.0),
        0.5 * (u * u * (3.0 * u - 5.0) + 2.0),
        0.5 * u * (u * (4.0 - 3.0 * u) + 1.0),
        0.5 * u * u * (u - 1.0),
    )


@kernel
def _integrate(wide, mean, sums):
    """Take `mean` off the wide window; sums of its values and of their squares, above and left."""
    sums[:, 0, :] = 0
    sums[:, :, 0] = 0
    rows, columns = wide.shape
    for row in range(0, rows, AT_ONCE):  # sums that do not wait for each other
        most = min(row + AT_ONCE, rows)
        for column in range(columns):
            for each in range(row, most):
                wide[each, column] -= mean
                value = np.float64(wide[each, column])
                for k in range(2):
                    left = sums[k, each + 1, column]
                    sums[k, each + 1, column + 1] = left + (value if k == 0 else value * value)
    for k in range(2):
        for row in range(1, rows):
            above, own = sums[k, row], sums[k, row + 1]
            for column in range(columns + 1):
                own[column] += above[column]


@kernel
def _box(sums, top, left, rows, columns):
    bottom, right = top + rows, left + columns
    return sums[bottom, right] - sums[top, right] - sums[bottom, left] + sums[top, left]


@kernel
def correlations(window, wide, sums, out):
    """Normalized correlation of a window with every place of a wider one: out[shift y, shift x].

    `window` loses its mean. `sums` is scratch, (2, rows + 1, columns + 1) of the wide one. Sums run
    down the columns first: their order is fixed, whatever the machine.
    """
    rows, columns = window.shape
    count = np.float64(rows * columns)
    mean = np.float32(window.mean())
    square = np.float64(0)
    for row in range(rows):
        for column in range(columns):
            window[row, column] -= mean
            square += window[row, column] * window[row, column]
    _integrate(wide, mean, sums)
    shifts = out.shape[1]
    lines, cross = np.empty((shifts, columns), np.float32), np.empty(shifts, np.float64)
    for dy in range(out.shape[0]):
        for dx in range(shifts):
            _products(window, wide, dy, dx, lines[dx])
        cross[:] = 0
        for column in range(columns):
            for dx in range(shifts):
                cross[dx] += lines[dx, column]
        for dx in range(shifts):
            total = _box(sums[0], dy, dx, rows, columns)
            squares = _box(sums[1], dy, dx, rows, columns)
            energy = (squares - total * total / count) * square
            out[dy, dx] = cross[dx] / np.sqrt(energy) if energy > 1e-6 * count * count else 0.0


@kernel
def _products(window, wide, dy, dx, line):
    """Sums of products down the columns."""
    rows, columns = window.shape
    width, whole, last = wide.shape[1], columns // WIDTH * WIDTH, rows // 4 * 4
    line[:] = 0
    for row in range(0, last, 4):
        at, to = row * columns, (row + dy) * width + dx
        for column in range(0, whole, WIDTH):
            _four(window, at + column, columns, wide, to + column, width, line, column)
    for row in range(rows):
        here, there = window[row], wide[row + dy, dx : dx + columns]
        for column in range(whole if row < last else 0, columns):
            line[column] += here[column] * there[column]


@vectors()
def _four(window, at, columns, wide, to, width, line, column):
    """Of four rows."""
    here, there, sums = window + at, wide + to, (line + column).load()
    for _ in range(4):
        sums = sums + here.load() * there.load()
        here, there = here + columns, there + width
    (line + column).store(sums)


@kernel
def peak(surface, found):
    """Highest place of a correlation surface, to a fraction of a pixel by a parabola through its
    nine neighbors. found: shift x, shift y (from the center), correlation, sharpness (the smaller
    curvature). NaN shifts where the highest place is on the edge."""
    rows, columns = surface.shape
    best, top, left = np.float64(-2), 0, 0
    for row in range(rows):
        for column in range(columns):
            if surface[row, column] > best:
                best, top, left = surface[row, column], row, column
    found[2], found[3] = best, 0
    if top in (0, rows - 1) or left in (0, columns - 1):
        found[0] = found[1] = np.nan
        return
    s = surface[top - 1 : top + 2, left - 1 : left + 2]
    gx = (s[:, 2].sum() - s[:, 0].sum()) / 6
    gy = (s[2].sum() - s[0].sum()) / 6
    xx = (s[:, 0].sum() - 2 * s[:, 1].sum() + s[:, 2].sum()) / 3
    yy = (s[0].sum() - 2 * s[1].sum() + s[2].sum()) / 3
    xy = (s[0, 0] - s[0, 2] - s[2, 0] + s[2, 2]) / 4
    det = xx * yy - xy * xy
    if not (xx < 0 and det > 0):
        found[0] = found[1] = np.nan
        return
    dx, dy = (xy * gy - yy * gx) / det, (xy * gx - xx * gy) / det
    found[0] = left - columns // 2 + min(max(dx, -1.0), 1.0)
    found[1] = top - rows // 2 + min(max(dy, -1.0), 1.0)
    found[3] = -(xx + yy) / 2 - np.sqrt(((xx - yy) / 2) ** 2 + xy * xy)


@kernel
def search(still, moving, h, centers, half, reach, found, first, last):
    """Look for windows of `still` (2 * half wide, around `centers`, whole x and y) in `moving` at
    h[i] * place, up to `reach` pixels of `still` away. Writes found[i] as `peak` does; correlation
    -1 where a window leaves a picture."""
    side = 2 * half
    window = np.empty((side, side), np.float32)
    wide = np.empty((side + 2 * reach, side + 2 * reach), np.float32)
    sums = np.empty((2, side + 2 * reach + 1, side + 2 * reach + 1), np.float64)
    surface = np.empty((2 * reach + 1, 2 * reach + 1), np.float64)
    height, width = still.shape
    for i in range(first, last):
        found[i, :2] = np.nan
        found[i, 2], found[i, 3] = -1, 0
        left, top = int(centers[i, 0]) - half, int(centers[i, 1]) - half
        if left < 0 or top < 0 or left + side > width or top + side > height:
            continue
        if not sampled(moving, h[i], float(left - reach), float(top - reach), wide):
            continue
        for row in range(side):
            for column in range(side):
                window[row, column] = still[top + row, left + column]
        correlations(window, wide, sums, surface)
        peak(surface, found[i])
