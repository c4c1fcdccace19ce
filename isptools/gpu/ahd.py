"""AHD over tensors: what isptools.develop.demosaic.ahd says, a kernel a pass.

A pass reads neighbors from what the pass before wrote, which mostly still lies in the second-level
cache.
"""

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

AHD_FRAME = tl.constexpr(5)


@triton.jit
def _ahd_greens(mosaics, red, greens, height, width, ROWS: tl.constexpr, COLUMNS: tl.constexpr):
    """Along the row and along the column: (N, 2, H, W)."""
    n = tl.program_id(2)
    y, x, inside = place(height, width, ROWS, COLUMNS)
    image = picture(mosaics, n, 1, height, width)
    here = value_at(image, y, x, height, width)
    left, right = value_at(image, y, x - 1, height, width), value_at(image, y, x + 1, height, width)
    up, down = value_at(image, y - 1, x, height, width), value_at(image, y + 1, x, height, width)
    left_2, right_2 = (
        value_at(image, y, x - 2, height, width),
        value_at(image, y, x + 2, height, width),
    )
    up_2, down_2 = (
        value_at(image, y - 2, x, height, width),
        value_at(image, y + 2, x, height, width),
    )
    _, green_site = sites(red, n, y, x)
    lying = tl.where(green_site, here, guess(left_2, left, here, right, right_2))
    standing = tl.where(green_site, here, guess(up_2, up, here, down, down_2))
    out = picture(greens, n, 2, height, width) + y * width + x
    tl.store(out, lying.to(tl.uint16), mask=inside)
    tl.store(out + height * width, standing.to(tl.uint16), mask=inside)


@triton.jit
def _ahd_colors(image, green, y, x, height, width, red_row, green_site):
    """All three colors from the greens of one direction."""
    here, known = value_at(image, y, x, height, width), value_at(green, y, x, height, width)
    sides, along = sides_of(image, green, y, x, height, width)
    falling, rising = diagonals(image, green, y, x, height, width)
    corners = clamp(known + ((falling + rising + 1) >> 2))
    return joined(here, known, sides, along, corners, red_row, green_site)


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
    y, x, inside = place(height, width, ROWS, COLUMNS)
    image = picture(mosaics, n, 1, height, width)
    red_row, green_site = sites(red, n, y, x)
    m = matrices + 9 * n
    area = height * width
    for d in tl.static_range(2):
        green = picture(greens, n, 2, height, width) + d * area
        r, g, b = _ahd_colors(image, green, y, x, height, width, red_row, green_site)
        f_x = _root(m, roots, r, g, b)
        f_y = _root(m + 3, roots, r, g, b)
        f_z = _root(m + 6, roots, r, g, b)
        out = picture(lab, n, 6, height, width) + 3 * d * area + y * width + x
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
    light, a = value_at(lab, y, x, height, width), value_at(lab + area, y, x, height, width)
    return light, a, value_at(lab + 2 * area, y, x, height, width)


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
    y, x, inside = place(height, width, ROWS, COLUMNS)
    area = height * width
    h = picture(labs, n, 6, height, width)
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
    out = picture(leads, n, 1, height, width)
    tl.store(out + y * width + x, lead.to(tl.int8), mask=inside)


@triton.jit
def _ahd(
    mosaics, greens, leads, red, rgb, height, width, ROWS: tl.constexpr, COLUMNS: tl.constexpr
):
    """The direction with more votes in the 3x3 window, or the mean of both."""
    n = tl.program_id(2)
    y, x, _ = place(height, width, ROWS, COLUMNS)
    image, votes = picture(mosaics, n, 1, height, width), picture(leads, n, 1, height, width)
    red_row, green_site = sites(red, n, y, x)
    green = picture(greens, n, 2, height, width)
    lead = value_at(votes, y, x, height, width) * 0
    for k in tl.static_range(9):
        lead += value_at(votes, y + (k // 3 - 1), x + (k % 3 - 1), height, width)
    r, g, b = _ahd_colors(image, green, y, x, height, width, red_row, green_site)
    r_v, g_v, b_v = _ahd_colors(
        image, green + height * width, y, x, height, width, red_row, green_site
    )
    r, g, b = _chosen(r, r_v, lead), _chosen(g, g_v, lead), _chosen(b, b_v, lead)
    inner = (y >= AHD_FRAME) & (y < height - AHD_FRAME)
    inner = inner & (x >= AHD_FRAME) & (x < width - AHD_FRAME)
    store(rgb, n, y, x, width, height, r, g, b, inner)


@triton.jit
def _chosen(h, v, lead):
    return tl.where(lead == 0, (h + v) >> 1, tl.where(lead > 0, v, h))


def ahd(mosaics: Tensor, red: Tensor, matrices: Tensor, roots: Tensor) -> Tensor:
    """(N, H, W) balanced mosaics to (N, H, W, 3), all uint16.

    `matrices` (N, 9) float32 from camera RGB to XYZ over the white; `roots` the 65536 of
    isptools.develop.demosaic.lab.
    """
    n, *sides = mosaics.shape
    rgb = framed(mosaics, red, 5)
    greens = mosaics.new_empty((n, 2, *sides))
    lab = torch.empty((n, 2, 3, *sides), dtype=torch.int16, device=mosaics.device)
    leads = torch.empty((n, *sides), dtype=torch.int8, device=mosaics.device)
    over(_ahd_greens, mosaics.shape, mosaics, red, greens, *sides)
    over(_ahd_lab, mosaics.shape, mosaics, greens, red, matrices, roots, lab, *sides)
    over(_ahd_lead, mosaics.shape, lab, leads, *sides)
    over(_ahd, mosaics.shape, mosaics, greens, leads, red, rgb, *sides)
    return rgb
