"""Half, LINEAR, PPG and AHD over tensors: what isptools.develop.demosaic says, a kernel a pass.

A pass reads neighbors from what the pass before wrote, which mostly still lies in the second-level
cache. `red` (N, 2) int32 is the row and column of red in the CFA.
"""

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from isptools.gpu.light import EXACT

ROWS, COLUMNS = 4, 128  # of a block
FRAME = 256  # pixels of the frame around the picture, a block
AHD_FRAME = tl.constexpr(5)


@triton.jit
def _place(height, width, ROWS: tl.constexpr, COLUMNS: tl.constexpr):
    """Rows and columns of a block, and which pixels are in the picture."""
    x = tl.program_id(0) * COLUMNS + tl.arange(0, COLUMNS)[None, :]
    y = tl.program_id(1) * ROWS + tl.arange(0, ROWS)[:, None]
    return y, x, (y < height) & (x < width)


@triton.jit
def _at(plane, y, x, height, width):
    """Values of a plane as int32; 0 outside of it."""
    inside = (y >= 0) & (y < height) & (x >= 0) & (x < width)
    return tl.load(plane + y * width + x, mask=inside, other=0).to(tl.int32)


@triton.jit
def _picture(images, n, planes, height, width):
    return images + n.to(tl.int64) * planes * height * width


@triton.jit
def _sites(red, n, y, x):
    """Whether a row has red, and whether a site is green."""
    red_row = ((y ^ tl.load(red + 2 * n)) & 1) == 0
    red_column = ((x ^ tl.load(red + 2 * n + 1)) & 1) == 0
    return red_row, red_row != red_column


@triton.jit
def _clamp(value):
    return tl.maximum(tl.minimum(value, 65535), 0)


@triton.jit
def _guess(c_2, g_1, here, d_1, e_2):
    """Green from five samples in a row (color, green, color, green, color)."""
    value = (2 * (g_1 + here + d_1) - c_2 - e_2) >> 2
    low, high = tl.minimum(g_1, d_1), tl.maximum(g_1, d_1)
    return tl.maximum(low, tl.minimum(value, high))


@triton.jit
def _store(rgb, n, y, x, width, height, r, g, b, inside):
    at = _picture(rgb, n, 3, height, width) + 3 * (y * width + x)
    tl.store(at, r.to(tl.uint16), mask=inside)
    tl.store(at + 1, g.to(tl.uint16), mask=inside)
    tl.store(at + 2, b.to(tl.uint16), mask=inside)


@triton.jit
def _delta(image, green, y, x, height, width):
    """Color minus green."""
    return _at(image, y, x, height, width) - _at(green, y, x, height, width)


@triton.jit
def _sides(image, green, y, x, height, width):
    """The row's own color and the other one at a green site."""
    here = _at(green, y, x, height, width)
    left = _delta(image, green, y, x - 1, height, width)
    right = _delta(image, green, y, x + 1, height, width)
    above = _delta(image, green, y - 1, x, height, width)
    below = _delta(image, green, y + 1, x, height, width)
    return _clamp(here + ((left + right) >> 1)), _clamp(here + ((above + below) >> 1))


@triton.jit
def _diagonals(image, green, y, x, height, width):
    """Color minus green on the falling and on the rising diagonal, two of each."""
    falling = _delta(image, green, y - 1, x - 1, height, width)
    falling += _delta(image, green, y + 1, x + 1, height, width)
    rising = _delta(image, green, y - 1, x + 1, height, width)
    rising += _delta(image, green, y + 1, x - 1, height, width)
    return falling, rising


@triton.jit
def _joined(here, green, sides, along, corners, red_row, green_site):
    """Red, green and blue from the row's own color and the other one."""
    own = tl.where(green_site, sides, here)
    other = tl.where(green_site, along, corners)
    return tl.where(red_row, own, other), green, tl.where(red_row, other, own)


@triton.jit
def _means(image, red, n, y, x, height, width):
    """Means of each color's samples in the 3x3 window; the own sample as it is."""
    own_row, own_green = _sites(red, n, y, x)
    r, g, b = y * 0 + x * 0, y * 0 + x * 0, y * 0 + x * 0
    n_r, n_g, n_b = r, g, b
    for k in tl.static_range(9):
        v, u = y + (k // 3 - 1), x + (k % 3 - 1)
        there = ((v >= 0) & (v < height) & (u >= 0) & (u < width)).to(tl.int32)
        value = _at(image, v, u, height, width)
        red_row, green_site = _sites(red, n, v, u)
        is_g = green_site.to(tl.int32) * there
        is_r = (red_row & (green_site == 0)).to(tl.int32) * there
        is_b = there - is_g - is_r
        r, n_r = r + is_r * value, n_r + is_r
        g, n_g = g + is_g * value, n_g + is_g
        b, n_b = b + is_b * value, n_b + is_b
    here = _at(image, y, x, height, width)
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
    image = _picture(mosaics, n, 1, height, width)
    r, g, b = _means(image, red, n, y, x, height, width)
    _store(rgb, n, y, x, width, height, r, g, b, inside)


@triton.jit
def _linear(mosaics, red, rgb, height, width, ROWS: tl.constexpr, COLUMNS: tl.constexpr):
    n = tl.program_id(2)
    y, x, _ = _place(height, width, ROWS, COLUMNS)
    image = _picture(mosaics, n, 1, height, width)
    red_row, green_site = _sites(red, n, y, x)
    here = _at(image, y, x, height, width)
    sides = _at(image, y, x - 1, height, width) + _at(image, y, x + 1, height, width)
    along = _at(image, y - 1, x, height, width) + _at(image, y + 1, x, height, width)
    corners = _at(image, y - 1, x - 1, height, width) + _at(image, y - 1, x + 1, height, width)
    corners += _at(image, y + 1, x - 1, height, width) + _at(image, y + 1, x + 1, height, width)
    green = tl.where(green_site, here, (sides + along) >> 2)
    r, g, b = _joined(here, green, sides >> 1, along >> 1, corners >> 2, red_row, green_site)
    inner = (y >= 1) & (y < height - 1) & (x >= 1) & (x < width - 1)
    _store(rgb, n, y, x, width, height, r, g, b, inner)


@triton.jit
def _ppg_greens(mosaics, red, greens, height, width, ROWS: tl.constexpr, COLUMNS: tl.constexpr):
    n = tl.program_id(2)
    y, x, inside = _place(height, width, ROWS, COLUMNS)
    image = _picture(mosaics, n, 1, height, width)
    here = _at(image, y, x, height, width)
    left, right = _at(image, y, x - 1, height, width), _at(image, y, x + 1, height, width)
    up, down = _at(image, y - 1, x, height, width), _at(image, y + 1, x, height, width)
    far_left, left_2 = _at(image, y, x - 3, height, width), _at(image, y, x - 2, height, width)
    far_right, right_2 = _at(image, y, x + 3, height, width), _at(image, y, x + 2, height, width)
    far_up, up_2 = _at(image, y - 3, x, height, width), _at(image, y - 2, x, height, width)
    far_down, down_2 = _at(image, y + 3, x, height, width), _at(image, y + 2, x, height, width)
    lying = _guess(left_2, left, here, right, right_2)
    standing = _guess(up_2, up, here, down, down_2)
    steep_h = _steep(far_left, left_2, left, here, right, right_2, far_right)
    steep_v = _steep(far_up, up_2, up, here, down, down_2, far_down)
    guessed = tl.where(steep_h > steep_v, standing, lying)
    window = (y >= 3) & (y < height - 3) & (x >= 3) & (x < width - 3)
    sides = ((x >= 1) & inside).to(tl.int32) + ((x < width - 1) & inside).to(tl.int32)
    sides += ((y >= 1) & inside).to(tl.int32) + ((y < height - 1) & inside).to(tl.int32)
    mean = (left + right + up + down) // tl.maximum(sides, 1)
    _, green_site = _sites(red, n, y, x)
    green = tl.where(green_site, here, tl.where(window, guessed, mean))
    out = _picture(greens, n, 1, height, width)
    tl.store(out + y * width + x, green.to(tl.uint16), mask=inside)


@triton.jit
def _steep(far, c_2, g_1, here, d_1, e_2, end):
    near = 3 * (tl.abs(c_2 - here) + tl.abs(e_2 - here) + tl.abs(g_1 - d_1))
    return near + 2 * (tl.abs(far - g_1) + tl.abs(end - d_1))


@triton.jit
def _ppg(mosaics, greens, red, rgb, height, width, ROWS: tl.constexpr, COLUMNS: tl.constexpr):
    n = tl.program_id(2)
    y, x, _ = _place(height, width, ROWS, COLUMNS)
    image, green = _picture(mosaics, n, 1, height, width), _picture(greens, n, 1, height, width)
    red_row, green_site = _sites(red, n, y, x)
    here, known = _at(image, y, x, height, width), _at(green, y, x, height, width)
    sides, along = _sides(image, green, y, x, height, width)
    falling, rising = _diagonals(image, green, y, x, height, width)
    lean = _lean(image, green, known, y, x, 1, height, width)
    lean -= _lean(image, green, known, y, x, -1, height, width)
    one = tl.where(lean < 0, falling, rising) >> 1
    corners = _clamp(known + tl.where(lean == 0, (falling + rising) >> 2, one))
    r, g, b = _joined(here, known, sides, along, corners, red_row, green_site)
    inner = (y >= 1) & (y < height - 1) & (x >= 1) & (x < width - 1)
    _store(rgb, n, y, x, width, height, r, g, b, inner)


@triton.jit
def _lean(image, green, known, y, x, by, height, width):
    """How steep the diagonal from (-1, -by) to (1, by) is."""
    ends = _at(image, y - 1, x - by, height, width) - _at(image, y + 1, x + by, height, width)
    above = _at(green, y - 1, x - by, height, width) - known
    below = _at(green, y + 1, x + by, height, width) - known
    return tl.abs(ends) + tl.abs(above) + tl.abs(below)


@triton.jit
def _ahd_greens(mosaics, red, greens, height, width, ROWS: tl.constexpr, COLUMNS: tl.constexpr):
    """Along the row and along the column: (N, 2, H, W)."""
    n = tl.program_id(2)
    y, x, inside = _place(height, width, ROWS, COLUMNS)
    image = _picture(mosaics, n, 1, height, width)
    here = _at(image, y, x, height, width)
    left, right = _at(image, y, x - 1, height, width), _at(image, y, x + 1, height, width)
    up, down = _at(image, y - 1, x, height, width), _at(image, y + 1, x, height, width)
    left_2, right_2 = _at(image, y, x - 2, height, width), _at(image, y, x + 2, height, width)
    up_2, down_2 = _at(image, y - 2, x, height, width), _at(image, y + 2, x, height, width)
    _, green_site = _sites(red, n, y, x)
    lying = tl.where(green_site, here, _guess(left_2, left, here, right, right_2))
    standing = tl.where(green_site, here, _guess(up_2, up, here, down, down_2))
    out = _picture(greens, n, 2, height, width) + y * width + x
    tl.store(out, lying.to(tl.uint16), mask=inside)
    tl.store(out + height * width, standing.to(tl.uint16), mask=inside)


@triton.jit
def _ahd_colors(image, green, y, x, height, width, red_row, green_site):
    """All three colors from the greens of one direction."""
    here, known = _at(image, y, x, height, width), _at(green, y, x, height, width)
    sides, along = _sides(image, green, y, x, height, width)
    falling, rising = _diagonals(image, green, y, x, height, width)
    corners = _clamp(known + ((falling + rising + 1) >> 2))
    return _joined(here, known, sides, along, corners, red_row, green_site)


@triton.jit
def _ahd_lab(
    mosaics,
    greens,
    red,
    matrices,
    roots,
    lab,
    height,
    width,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
):
    """CIELAB times 64 of both directions: (N, 2, 3, H, W) int16."""
    n = tl.program_id(2)
    y, x, inside = _place(height, width, ROWS, COLUMNS)
    image = _picture(mosaics, n, 1, height, width)
    red_row, green_site = _sites(red, n, y, x)
    m = matrices + 9 * n
    area = height * width
    for d in tl.static_range(2):
        green = _picture(greens, n, 2, height, width) + d * area
        r, g, b = _ahd_colors(image, green, y, x, height, width, red_row, green_site)
        f_x = _root(m, roots, r, g, b)
        f_y = _root(m + 3, roots, r, g, b)
        f_z = _root(m + 6, roots, r, g, b)
        out = _picture(lab, n, 6, height, width) + 3 * d * area + y * width + x
        light = 64.0 * (116.0 * f_y - 16.0)
        tl.store(out, light.to(tl.int32).to(tl.int16), mask=inside)
        tl.store(out + area, (32000.0 * (f_x - f_y)).to(tl.int32).to(tl.int16), mask=inside)
        tl.store(out + 2 * area, (12800.0 * (f_y - f_z)).to(tl.int32).to(tl.int16), mask=inside)


@triton.jit
def _root(m, roots, r, g, b):
    by_r, by_g, by_b = tl.load(m), tl.load(m + 1), tl.load(m + 2)
    value = ((0.5 + by_r * r.to(tl.float32)) + by_g * g.to(tl.float32)) + by_b * b.to(tl.float32)
    return tl.load(roots + tl.maximum(tl.minimum(value, 65535.0), 0.0).to(tl.int32))


@triton.jit
def _lab_at(lab, area, y, x, height, width):
    light, a = _at(lab, y, x, height, width), _at(lab + area, y, x, height, width)
    return light, a, _at(lab + 2 * area, y, x, height, width)


@triton.jit
def _off(light, a, b, lab, area, y, x, height, width):
    """How far a neighbor lies off in lightness and in chroma, whose squares need 32 bits."""
    light_2, a_2, b_2 = _lab_at(lab, area, y, x, height, width)
    off_a, off_b = tl.abs(a - a_2).to(tl.uint32), tl.abs(b - b_2).to(tl.uint32)
    return tl.abs(light - light_2), off_a * off_a + off_b * off_b


@triton.jit
def _alike(light, chroma, near, close):
    return ((light <= near) & (chroma <= close)).to(tl.int32)


@triton.jit
def _ahd_lead(labs, leads, height, width, ROWS: tl.constexpr, COLUMNS: tl.constexpr):
    """How many more of the four neighbors look alike along the column than along the row."""
    n = tl.program_id(2)
    y, x, inside = _place(height, width, ROWS, COLUMNS)
    area = height * width
    h = _picture(labs, n, 6, height, width)
    v = h + 3 * area
    light, a, b = _lab_at(h, area, y, x, height, width)
    h_l, h_lc = _off(light, a, b, h, area, y, x - 1, height, width)
    h_r, h_rc = _off(light, a, b, h, area, y, x + 1, height, width)
    h_u, h_uc = _off(light, a, b, h, area, y - 1, x, height, width)
    h_d, h_dc = _off(light, a, b, h, area, y + 1, x, height, width)
    light, a, b = _lab_at(v, area, y, x, height, width)
    v_l, v_lc = _off(light, a, b, v, area, y, x - 1, height, width)
    v_r, v_rc = _off(light, a, b, v, area, y, x + 1, height, width)
    v_u, v_uc = _off(light, a, b, v, area, y - 1, x, height, width)
    v_d, v_dc = _off(light, a, b, v, area, y + 1, x, height, width)
    near = tl.minimum(tl.maximum(h_l, h_r), tl.maximum(v_u, v_d))
    close = tl.minimum(tl.maximum(h_lc, h_rc), tl.maximum(v_uc, v_dc))
    lead = _alike(v_l, v_lc, near, close) + _alike(v_r, v_rc, near, close)
    lead += _alike(v_u, v_uc, near, close) + _alike(v_d, v_dc, near, close)
    lead -= _alike(h_l, h_lc, near, close) + _alike(h_r, h_rc, near, close)
    lead -= _alike(h_u, h_uc, near, close) + _alike(h_d, h_dc, near, close)
    out = _picture(leads, n, 1, height, width)
    tl.store(out + y * width + x, lead.to(tl.int8), mask=inside)


@triton.jit
def _ahd(
    mosaics, greens, leads, red, rgb, height, width, ROWS: tl.constexpr, COLUMNS: tl.constexpr
):
    """The direction with more votes in the 3x3 window, or the mean of both."""
    n = tl.program_id(2)
    y, x, _ = _place(height, width, ROWS, COLUMNS)
    image, votes = _picture(mosaics, n, 1, height, width), _picture(leads, n, 1, height, width)
    red_row, green_site = _sites(red, n, y, x)
    green = _picture(greens, n, 2, height, width)
    lead = _at(votes, y, x, height, width) * 0
    for k in tl.static_range(9):
        lead += _at(votes, y + (k // 3 - 1), x + (k % 3 - 1), height, width)
    r, g, b = _ahd_colors(image, green, y, x, height, width, red_row, green_site)
    r_v, g_v, b_v = _ahd_colors(
        image, green + height * width, y, x, height, width, red_row, green_site
    )
    r, g, b = _chosen(r, r_v, lead), _chosen(g, g_v, lead), _chosen(b, b_v, lead)
    inner = (y >= AHD_FRAME) & (y < height - AHD_FRAME)
    inner = inner & (x >= AHD_FRAME) & (x < width - AHD_FRAME)
    _store(rgb, n, y, x, width, height, r, g, b, inner)


@triton.jit
def _chosen(h, v, lead):
    return tl.where(lead == 0, (h + v) >> 1, tl.where(lead > 0, v, h))


@triton.jit
def _half(mosaics, red, rgb, height, width, ROWS: tl.constexpr, COLUMNS: tl.constexpr):
    """A 2x2 block becomes a pixel; what an odd side cuts off counts as 0."""
    n = tl.program_id(2)
    rows, columns = (height + 1) // 2, (width + 1) // 2
    y, x, inside = _place(rows, columns, ROWS, COLUMNS)
    image = _picture(mosaics, n, 1, height, width)
    v, u = tl.load(red + 2 * n), tl.load(red + 2 * n + 1)
    r = _at(image, 2 * y + v, 2 * x + u, height, width)
    g = _at(image, 2 * y + v, 2 * x + 1 - u, height, width)
    g_2 = _at(image, 2 * y + 1 - v, 2 * x + u, height, width)
    b = _at(image, 2 * y + 1 - v, 2 * x + 1 - u, height, width)
    _store(rgb, n, y, x, columns, rows, r, (g + g_2) >> 1, b, inside)


def half(mosaics: Tensor, red: Tensor) -> Tensor:
    """(N, H, W) balanced mosaics to (N, ceil(H/2), ceil(W/2), 3), all uint16."""
    n, height, width = mosaics.shape
    rgb = mosaics.new_empty((n, (height + 1) // 2, (width + 1) // 2, 3))
    _over(_half, rgb.shape[:3], mosaics, red, rgb, height, width)
    return rgb


def linear(mosaics: Tensor, red: Tensor) -> Tensor:
    """(N, H, W) balanced mosaics to (N, H, W, 3), all uint16."""
    rgb = _framed(mosaics, red, 1)
    _over(_linear, mosaics.shape, mosaics, red, rgb, *mosaics.shape[1:])
    return rgb


def ppg(mosaics: Tensor, red: Tensor) -> Tensor:
    """(N, H, W) balanced mosaics to (N, H, W, 3), all uint16."""
    rgb, greens = _framed(mosaics, red, 1), torch.empty_like(mosaics)
    sides = mosaics.shape[1:]
    _over(_ppg_greens, mosaics.shape, mosaics, red, greens, *sides)
    _over(_ppg, mosaics.shape, mosaics, greens, red, rgb, *sides)
    return rgb


def ahd(mosaics: Tensor, red: Tensor, matrices: Tensor, roots: Tensor) -> Tensor:
    """(N, H, W) balanced mosaics to (N, H, W, 3), all uint16.

    `matrices` (N, 9) float32 from camera RGB to XYZ over the white; `roots` the 65536 of
    isptools.develop.demosaic.lab.
    """
    n, *sides = mosaics.shape
    rgb = _framed(mosaics, red, 5)
    greens = mosaics.new_empty((n, 2, *sides))
    lab = torch.empty((n, 2, 3, *sides), dtype=torch.int16, device=mosaics.device)
    leads = torch.empty((n, *sides), dtype=torch.int8, device=mosaics.device)
    _over(_ahd_greens, mosaics.shape, mosaics, red, greens, *sides)
    _over(_ahd_lab, mosaics.shape, mosaics, greens, red, matrices, roots, lab, *sides)
    _over(_ahd_lead, mosaics.shape, lab, leads, *sides)
    _over(_ahd, mosaics.shape, mosaics, greens, leads, red, rgb, *sides)
    return rgb


def _framed(mosaics: Tensor, red: Tensor, reach: int) -> Tensor:
    """An empty picture with its outer pixels filled."""
    n, height, width = mosaics.shape
    rgb = mosaics.new_empty((n, height, width, 3))
    for lying, length in ((True, width), (False, height)):
        grid = (triton.cdiv(2 * reach * length, FRAME), n)
        words = {"REACH": reach, "LYING": lying, "BLOCK": FRAME}
        _frame[grid](mosaics, red, rgb, height, width, **words, **EXACT)
    return rgb


def _over(kernel: Any, shape: Any, *args: Any) -> None:
    n, height, width = shape
    grid = (triton.cdiv(width, COLUMNS), triton.cdiv(height, ROWS), n)
    kernel[grid](*args, ROWS=ROWS, COLUMNS=COLUMNS, **EXACT)
