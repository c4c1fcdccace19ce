"""Half, LINEAR and PPG over tensors: what isptools.develop.demosaic says, a kernel a pass."""

import torch
import triton
import triton.language as tl
from torch import Tensor

from isptools.gpu.window import (
    clamp,
    diagonals,
    framed,
    guess,
    joined,
    over,
    picture,
    place,
    sides_of,
    sites,
    store,
    value_at,
)


@triton.jit
def _linear(mosaics, red, rgb, height, width, ROWS: tl.constexpr, COLUMNS: tl.constexpr):
    n = tl.program_id(2)
    y, x, _ = place(height, width, ROWS, COLUMNS)
    image = picture(mosaics, n, 1, height, width)
    red_row, green_site = sites(red, n, y, x)
    here = value_at(image, y, x, height, width)
    sides = value_at(image, y, x - 1, height, width) + value_at(image, y, x + 1, height, width)
    along = value_at(image, y - 1, x, height, width) + value_at(image, y + 1, x, height, width)
    corners = value_at(image, y - 1, x - 1, height, width) + value_at(
        image, y - 1, x + 1, height, width
    )
    corners += value_at(image, y + 1, x - 1, height, width) + value_at(
        image, y + 1, x + 1, height, width
    )
    green = tl.where(green_site, here, (sides + along) >> 2)
    r, g, b = joined(here, green, sides >> 1, along >> 1, corners >> 2, red_row, green_site)
    inner = (y >= 1) & (y < height - 1) & (x >= 1) & (x < width - 1)
    store(rgb, n, y, x, width, height, r, g, b, inner)


@triton.jit
def _ppg_greens(mosaics, red, greens, height, width, ROWS: tl.constexpr, COLUMNS: tl.constexpr):
    n = tl.program_id(2)
    y, x, inside = place(height, width, ROWS, COLUMNS)
    image = picture(mosaics, n, 1, height, width)
    here = value_at(image, y, x, height, width)
    left, right = value_at(image, y, x - 1, height, width), value_at(image, y, x + 1, height, width)
    up, down = value_at(image, y - 1, x, height, width), value_at(image, y + 1, x, height, width)
    far_left, left_2 = (
        value_at(image, y, x - 3, height, width),
        value_at(image, y, x - 2, height, width),
    )
    far_right, right_2 = (
        value_at(image, y, x + 3, height, width),
        value_at(image, y, x + 2, height, width),
    )
    far_up, up_2 = (
        value_at(image, y - 3, x, height, width),
        value_at(image, y - 2, x, height, width),
    )
    far_down, down_2 = (
        value_at(image, y + 3, x, height, width),
        value_at(image, y + 2, x, height, width),
    )
    lying = guess(left_2, left, here, right, right_2)
    standing = guess(up_2, up, here, down, down_2)
    steep_h = _steep(far_left, left_2, left, here, right, right_2, far_right)
    steep_v = _steep(far_up, up_2, up, here, down, down_2, far_down)
    guessed = tl.where(steep_h > steep_v, standing, lying)
    window = (y >= 3) & (y < height - 3) & (x >= 3) & (x < width - 3)
    sides = ((x >= 1) & inside).to(tl.int32) + ((x < width - 1) & inside).to(tl.int32)
    sides += ((y >= 1) & inside).to(tl.int32) + ((y < height - 1) & inside).to(tl.int32)
    mean = (left + right + up + down) // tl.maximum(sides, 1)
    _, green_site = sites(red, n, y, x)
    green = tl.where(green_site, here, tl.where(window, guessed, mean))
    out = picture(greens, n, 1, height, width)
    tl.store(out + y * width + x, green.to(tl.uint16), mask=inside)


@triton.jit
def _steep(far, c_2, g_1, here, d_1, e_2, end):
    near = 3 * (tl.abs(c_2 - here) + tl.abs(e_2 - here) + tl.abs(g_1 - d_1))
    return near + 2 * (tl.abs(far - g_1) + tl.abs(end - d_1))


@triton.jit
def _ppg(mosaics, greens, red, rgb, height, width, ROWS: tl.constexpr, COLUMNS: tl.constexpr):
    n = tl.program_id(2)
    y, x, _ = place(height, width, ROWS, COLUMNS)
    image, green = picture(mosaics, n, 1, height, width), picture(greens, n, 1, height, width)
    red_row, green_site = sites(red, n, y, x)
    here, known = value_at(image, y, x, height, width), value_at(green, y, x, height, width)
    sides, along = sides_of(image, green, y, x, height, width)
    falling, rising = diagonals(image, green, y, x, height, width)
    lean = _lean(image, green, known, y, x, 1, height, width)
    lean -= _lean(image, green, known, y, x, -1, height, width)
    one = tl.where(lean < 0, falling, rising) >> 1
    corners = clamp(known + tl.where(lean == 0, (falling + rising) >> 2, one))
    r, g, b = joined(here, known, sides, along, corners, red_row, green_site)
    inner = (y >= 1) & (y < height - 1) & (x >= 1) & (x < width - 1)
    store(rgb, n, y, x, width, height, r, g, b, inner)


@triton.jit
def _lean(image, green, known, y, x, by, height, width):
    """How steep the diagonal from (-1, -by) to (1, by) is."""
    ends = value_at(image, y - 1, x - by, height, width) - value_at(
        image, y + 1, x + by, height, width
    )
    above = value_at(green, y - 1, x - by, height, width) - known
    below = value_at(green, y + 1, x + by, height, width) - known
    return tl.abs(ends) + tl.abs(above) + tl.abs(below)


@triton.jit
def _half(mosaics, red, rgb, height, width, ROWS: tl.constexpr, COLUMNS: tl.constexpr):
    """A 2x2 block becomes a pixel; what an odd side cuts off counts as 0."""
    n = tl.program_id(2)
    rows, columns = (height + 1) // 2, (width + 1) // 2
    y, x, inside = place(rows, columns, ROWS, COLUMNS)
    image = picture(mosaics, n, 1, height, width)
    v, u = tl.load(red + 2 * n), tl.load(red + 2 * n + 1)
    r = value_at(image, 2 * y + v, 2 * x + u, height, width)
    g = value_at(image, 2 * y + v, 2 * x + 1 - u, height, width)
    g_2 = value_at(image, 2 * y + 1 - v, 2 * x + u, height, width)
    b = value_at(image, 2 * y + 1 - v, 2 * x + 1 - u, height, width)
    store(rgb, n, y, x, columns, rows, r, (g + g_2) >> 1, b, inside)


def half(mosaics: Tensor, red: Tensor) -> Tensor:
    """(N, H, W) balanced mosaics to (N, ceil(H/2), ceil(W/2), 3), all uint16."""
    n, height, width = mosaics.shape
    rgb = mosaics.new_empty((n, (height + 1) // 2, (width + 1) // 2, 3))
    over(_half, rgb.shape[:3], mosaics, red, rgb, height, width)
    return rgb


def linear(mosaics: Tensor, red: Tensor) -> Tensor:
    """(N, H, W) balanced mosaics to (N, H, W, 3), all uint16."""
    rgb = framed(mosaics, red, 1)
    over(_linear, mosaics.shape, mosaics, red, rgb, *mosaics.shape[1:])
    return rgb


def ppg(mosaics: Tensor, red: Tensor) -> Tensor:
    """(N, H, W) balanced mosaics to (N, H, W, 3), all uint16."""
    rgb, greens = framed(mosaics, red, 1), torch.empty_like(mosaics)
    sides = mosaics.shape[1:]
    over(_ppg_greens, mosaics.shape, mosaics, red, greens, *sides)
    over(_ppg, mosaics.shape, mosaics, greens, red, rgb, *sides)
    return rgb
