"""Kernels that treat every sample or pixel by itself: levels, gains, highlights, colors, curves.

One Triton program a block of one picture. Arithmetic is that of isptools.develop, operation by
operation: integers in int32, the rest in float32. Launched without fusing products into sums
(`EXACT`), which would round once where LibRaw rounds twice.
"""

from typing import Any

import triton
import triton.language as tl

EXACT = {"enable_fp_fusion": False}
BLOCK = 1024


@triton.jit
def _site(height, width, BLOCK: tl.constexpr):
    """Flat index, row and column of a block's samples, and which are in the picture."""
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    return i, i // width, i % width, i < height * width


@triton.jit
def levels(sensor, black, out, height, width, BLOCK: tl.constexpr):
    """DN above black, clipped at 0; `black` (N, 4) int32, a CFA position each."""
    n = tl.program_id(1).to(tl.int64)
    i, y, x, inside = _site(height, width, BLOCK)
    below = tl.load(black + n * 4 + (y % 2) * 2 + x % 2)
    value = tl.load(sensor + n * height * width + i, mask=inside, other=0).to(tl.int32)
    tl.store(out + n * height * width + i, tl.maximum(value - below, 0).to(tl.uint16), mask=inside)


@triton.jit
def scale(mosaic, factor, out, height, width, BLOCK: tl.constexpr):
    """Each sample times the factor of its CFA position, (N, 4) float32; truncated and clipped."""
    n = tl.program_id(1).to(tl.int64)
    i, y, x, inside = _site(height, width, BLOCK)
    by = tl.load(factor + n * 4 + (y % 2) * 2 + x % 2)
    value = tl.load(mosaic + n * height * width + i, mask=inside, other=0).to(tl.int32)
    scaled = tl.minimum(value.to(tl.float32) * by, 65535.0)
    tl.store(out + n * height * width + i, scaled.to(tl.int32).to(tl.uint16), mask=inside)


@triton.jit
def _pixel(rgb, count, BLOCK: tl.constexpr):
    """Where red, green and blue of a block's pixels lie, and the three as int32."""
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    at, inside = tl.program_id(1).to(tl.int64) * count * 3 + 3 * i, i < count
    r = tl.load(rgb + at, mask=inside, other=0).to(tl.int32)
    g = tl.load(rgb + at + 1, mask=inside, other=0).to(tl.int32)
    b = tl.load(rgb + at + 2, mask=inside, other=0).to(tl.int32)
    return at, inside, r, g, b


@triton.jit
def blend(rgb, clips, out, count, BLOCK: tl.constexpr):
    """Chroma above the clip level drawn to that of the clipped copy; `clips` (N,) int32."""
    at, inside, r, g, b = _pixel(rgb, count, BLOCK)
    clip = tl.load(clips + tl.program_id(1))
    light, one, two = _chroma(r, g, b)
    _, one_c, two_c = _chroma(tl.minimum(r, clip), tl.minimum(g, clip), tl.minimum(b, clip))
    whole = one * one + two * two
    clipped = one_c * one_c + two_c * two_c
    gray = whole == 0.0
    ratio = tl.sqrt_rn(tl.div_rn(clipped, tl.where(gray, 1.0, whole)))
    one, two = one * ratio, two * ratio
    over = tl.maximum(tl.maximum(r, g), b) > clip
    r_2 = (light + 0.8660254 * one) + -0.5 * two
    g_2 = (light + -0.8660254 * one) + -0.5 * two
    b_2 = light + two
    tl.store(out + at, _blended(r, r_2, over, gray), mask=inside)
    tl.store(out + at + 1, _blended(g, g_2, over, gray), mask=inside)
    tl.store(out + at + 2, _blended(b, b_2, over, gray), mask=inside)


@triton.jit
def _chroma(r, g, b):
    """Sum and two differences, truncated term by term as LibRaw does."""
    root = 1.7320508
    r_f, g_f = r.to(tl.float32), g.to(tl.float32)
    one = (root * r_f).to(tl.int32) + (-root * g_f).to(tl.int32)
    two = -r - g + 2 * b
    return (r + g + b).to(tl.float32), one.to(tl.float32), two.to(tl.float32)


@triton.jit
def _blended(known, total, over, gray):
    drawn = tl.div_rn(total, tl.full(total.shape, 3.0, tl.float32)).to(tl.int32)
    return tl.where(over, tl.where(gray, 0, drawn), known).to(tl.uint16)


@triton.jit
def convert(rgb, matrices, out, count, BLOCK: tl.constexpr):
    """Times a 3x3 a picture, (N, 9) float32, truncated and clipped to 16 bit."""
    at, inside, r, g, b = _pixel(rgb, count, BLOCK)
    m = matrices + tl.program_id(1) * 9
    for c in tl.static_range(3):
        value = _row(m + 3 * c, r, g, b)
        shown = tl.maximum(tl.minimum(value, 65535.0), 0.0)
        tl.store(out + at + c, shown.to(tl.int32).to(tl.uint16), mask=inside)


@triton.jit
def project(rgb, matrices, out, count, BLOCK: tl.constexpr):
    """Times a 3x3 a picture, (N, 9) float32, as it comes, float32."""
    at, inside, r, g, b = _pixel(rgb, count, BLOCK)
    m = matrices + tl.program_id(1) * 9
    for c in tl.static_range(3):
        tl.store(out + at + c, _row(m + 3 * c, r, g, b), mask=inside)


@triton.jit
def _row(m, r, g, b):
    by_r, by_g, by_b = tl.load(m), tl.load(m + 1), tl.load(m + 2)
    return (by_r * r.to(tl.float32) + by_g * g.to(tl.float32)) + by_b * b.to(tl.float32)


@triton.jit
def encode(linear, tables, out, count, BLOCK: tl.constexpr):
    """Looked up in a table of 65536 a picture; `count` values a picture."""
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    n, inside = tl.program_id(1).to(tl.int64), i < count
    value = tl.load(linear + n * count + i, mask=inside, other=0).to(tl.int32)
    tl.store(out + n * count + i, tl.load(tables + n * 65536 + value), mask=inside)


def over(kernel: Any, pictures: int, count: int, *args: Any) -> None:
    """Launch a kernel of this module over so many samples or pixels of each picture."""
    kernel[(triton.cdiv(count, BLOCK), pictures)](*args, BLOCK=BLOCK, **EXACT)
