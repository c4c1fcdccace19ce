"""What kernels that look at neighbors have in common: places, samples, greens, the frame around.

A Triton program a block of one picture. `red` (N, 2) int32 is the row and column of red in the CFA.
"""

from typing import Any

import triton
import triton.language as tl
from torch import Tensor

from isptools.gpu.light import EXACT

ROWS, COLUMNS = 4, 128  # of a block
FRAME = 256  # pixels of the frame around the picture, a block


@triton.jit
def place(height, width, ROWS: tl.constexpr, COLUMNS: tl.constexpr):
    """Rows and columns of a block, and which pixels are in the picture."""
    x = tl.program_id(0) * COLUMNS + tl.arange(0, COLUMNS)[None, :]
    y = tl.program_id(1) * ROWS + tl.arange(0, ROWS)[:, None]
    return y, x, (y < height) & (x < width)


@triton.jit
def value_at(plane, y, x, height, width):
    """Values of a plane as int32; 0 outside of it."""
    inside = (y >= 0) & (y < height) & (x >= 0) & (x < width)
    return tl.load(plane + y * width + x, mask=inside, other=0).to(tl.int32)


@triton.jit
def picture(images, n, planes, height, width):
    """Kernel: where picture `n` of `planes` planes of height x width begins."""
    return images + n.to(tl.int64) * planes * height * width


@triton.jit
def sites(red, n, y, x):
    """Whether a row has red, and whether a site is green."""
    red_row = ((y ^ tl.load(red + 2 * n)) & 1) == 0
    red_column = ((x ^ tl.load(red + 2 * n + 1)) & 1) == 0
    return red_row, red_row != red_column


@triton.jit
def clamp(value):
    """Kernel: integers cut to 0 to 65535."""
    return tl.maximum(tl.minimum(value, 65535), 0)


@triton.jit
def guess(c_2, g_1, here, d_1, e_2):
    """Green from five samples in a row (color, green, color, green, color)."""
    value = (2 * (g_1 + here + d_1) - c_2 - e_2) >> 2
    low, high = tl.minimum(g_1, d_1), tl.maximum(g_1, d_1)
    return tl.maximum(low, tl.minimum(value, high))


@triton.jit
def store(rgb, n, y, x, width, height, r, g, b, inside):
    """Kernel: three integers as uint16 at pixel y, x of an (N, H, W, 3) picture."""
    at = picture(rgb, n, 3, height, width) + 3 * (y * width + x)
    tl.store(at, r.to(tl.uint16), mask=inside)
    tl.store(at + 1, g.to(tl.uint16), mask=inside)
    tl.store(at + 2, b.to(tl.uint16), mask=inside)


@triton.jit
def delta(image, green, y, x, height, width):
    """Color minus green."""
    return value_at(image, y, x, height, width) - value_at(green, y, x, height, width)


@triton.jit
def sides_of(image, green, y, x, height, width):
    """The row's own color and the other one at a green site."""
    here = value_at(green, y, x, height, width)
    left = delta(image, green, y, x - 1, height, width)
    right = delta(image, green, y, x + 1, height, width)
    above = delta(image, green, y - 1, x, height, width)
    below = delta(image, green, y + 1, x, height, width)
    return clamp(here + ((left + right) >> 1)), clamp(here + ((above + below) >> 1))


@triton.jit
def diagonals(image, green, y, x, height, width):
    """Color minus green on the falling and on the rising diagonal, two of each."""
    falling = delta(image, green, y - 1, x - 1, height, width)
    falling += delta(image, green, y + 1, x + 1, height, width)
    rising = delta(image, green, y - 1, x + 1, height, width)
    rising += delta(image, green, y + 1, x - 1, height, width)
    return falling, rising


@triton.jit
def joined(here, green, sides, along, corners, red_row, green_site):
    """Red, green and blue from the row's own color and the other one."""
    own = tl.where(green_site, sides, here)
    other = tl.where(green_site, along, corners)
    return tl.where(red_row, own, other), green, tl.where(red_row, other, own)


@triton.jit
def _means(image, red, n, y, x, height, width):
    """Means of each color's samples in the 3x3 window; the own sample as it is."""
    own_row, own_green = sites(red, n, y, x)
    r, g, b = y * 0 + x * 0, y * 0 + x * 0, y * 0 + x * 0
    n_r, n_g, n_b = r, g, b
    for k in tl.static_range(9):
        v, u = y + (k // 3 - 1), x + (k % 3 - 1)
        there = ((v >= 0) & (v < height) & (u >= 0) & (u < width)).to(tl.int32)
        value = value_at(image, v, u, height, width)
        red_row, green_site = sites(red, n, v, u)
        is_g = green_site.to(tl.int32) * there
        is_r = (red_row & (green_site == 0)).to(tl.int32) * there
        is_b = there - is_g - is_r
        r, n_r = r + is_r * value, n_r + is_r
        g, n_g = g + is_g * value, n_g + is_g
        b, n_b = b + is_b * value, n_b + is_b
    here = value_at(image, y, x, height, width)
    r = tl.where(own_row & (own_green == 0), here, r // tl.maximum(n_r, 1))
    g = tl.where(own_green, here, g // tl.maximum(n_g, 1))
    b = tl.where((own_row == 0) & (own_green == 0), here, b // tl.maximum(n_b, 1))
    return r, g, b


@triton.jit
def _frame(
    mosaics, red, rgb, height, width, REACH: tl.constexpr, LYING: tl.constexpr, BLOCK: tl.constexpr
):
    """The frame of width REACH: above and below (LYING), or left and right."""
    n = tl.program_id(1)
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    if LYING:
        j, x = i // width, i % width
        y = tl.where(j < REACH, j, height - 2 * REACH + j)
        inside = (i < 2 * REACH * width) & (y >= 0) & (y < height)
    else:
        j, y = i % (2 * REACH), i // (2 * REACH)
        x = tl.where(j < REACH, j, width - 2 * REACH + j)
        inside = (y < height) & (x >= 0) & (x < width)
    image = picture(mosaics, n, 1, height, width)
    r, g, b = _means(image, red, n, y, x, height, width)
    store(rgb, n, y, x, width, height, r, g, b, inside)


def framed(mosaics: Tensor, red: Tensor, reach: int) -> Tensor:
    """An empty picture with its outer pixels filled."""
    n, height, width = mosaics.shape
    rgb = mosaics.new_empty((n, height, width, 3))
    for lying, length in ((True, width), (False, height)):
        grid = (triton.cdiv(2 * reach * length, FRAME), n)
        words = {"REACH": reach, "LYING": lying, "BLOCK": FRAME}
        _frame[grid](mosaics, red, rgb, height, width, **words, **EXACT)
    return rgb


def over(kernel: Any, shape: Any, *args: Any) -> None:
    """Start a kernel over `shape` = (n, height, width), ROWS x COLUMNS pixels a program."""
    n, height, width = shape
    grid = (triton.cdiv(width, COLUMNS), triton.cdiv(height, ROWS), n)
    kernel[grid](*args, ROWS=ROWS, COLUMNS=COLUMNS, **EXACT)
