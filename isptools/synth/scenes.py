"""Procedural night scenes in linear light: what the miniature's cameras look at.

Arithmetic is +, -, *, / and comparisons alone, which IEEE 754 fixes to the last bit: no powers,
exponentials or trigonometry, whose last bits differ between machines.
"""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from isptools.synth import glyphs

Canvas = NDArray[np.float64]
Color = tuple[float, float, float]  # linear sRGB reflectance or light

OVER = 2  # supersampling: pixels are means of OVER x OVER points, so that edges are smooth
WORDS = ("ISPTOOLS", "OPEN 24H", "CAFE 1839", "HOTEL", "RAW BAR", "PHOTO 50", "EXIT 7")
TITLES = ("RAW", "NOISE", "COLOR", "LIGHT", "GAMMA", "LENS", "BAYER", "TONE", "PIXEL", "FILM")
# reflectances of a 6 x 4 color card, ours: skin and sky tones, saturated colors, grays
CARD: tuple[Color, ...] = (
    (0.17, 0.08, 0.06), (0.55, 0.31, 0.22), (0.11, 0.19, 0.34), (0.10, 0.15, 0.06),
    (0.22, 0.21, 0.44), (0.13, 0.51, 0.41), (0.70, 0.20, 0.03), (0.07, 0.10, 0.38),
    (0.54, 0.09, 0.12), (0.11, 0.05, 0.14), (0.34, 0.50, 0.05), (0.75, 0.37, 0.03),
    (0.03, 0.05, 0.28), (0.06, 0.30, 0.07), (0.43, 0.04, 0.05), (0.83, 0.58, 0.02),
    (0.50, 0.09, 0.30), (0.02, 0.24, 0.37), (0.88, 0.88, 0.88), (0.59, 0.59, 0.59),
    (0.36, 0.36, 0.36), (0.19, 0.19, 0.19), (0.09, 0.09, 0.09), (0.03, 0.03, 0.03),
)  # fmt: skip
LAMPS: tuple[Color, ...] = ((9.0, 5.0, 2.0), (8.0, 7.0, 5.5))
NEON: tuple[Color, ...] = (
    (0.06, 2.6, 3.2), (3.4, 0.10, 0.25), (0.15, 2.8, 0.20), (3.0, 0.9, 0.04), (0.5, 0.3, 3.5),
)  # fmt: skip


@dataclass(frozen=True)
class Box:
    """A rectangle of the canvas, in supersampled points; `lean` shifts its right side's top."""

    top: int
    left: int
    height: int
    width: int
    lean: float = 0.0  # columns per row; a slanted edge where it is not 0


def paint(rng: Generator, height: int, width: int) -> NDArray[np.float32]:
    """A lit room at night: linear sRGB (height, width, 3) float32, 1.0 the white of a card in full
    light, signs up to about 6 and lamps up to about 10.

    The order of draws from `rng` is part of the result.
    """
    rows, columns = height * OVER, width * OVER
    canvas = _room(rng, rows, columns)
    _books(rng, canvas)
    _card(rng, canvas)
    _ramp(canvas)
    _bars(canvas)
    _slanted_sheet(rng, canvas)
    light, glow = _lamps(rng, rows, columns)
    canvas *= light
    canvas += glow
    _sign(rng, canvas)
    _small_lights(rng, canvas)
    return _shrink(canvas)


def value_noise(rng: Generator, rows: int, columns: int, cell: int) -> Canvas:
    """Smoothly interpolated random values in [0, 1], one drawn every `cell` points."""
    grid = rng.random((rows // cell + 2, columns // cell + 2))
    (top, down), (left, right) = _steps(rows, cell), _steps(columns, cell)
    upper, lower = grid[top], grid[top + 1]
    edge = upper + (lower - upper) * down[:, None]
    return edge[:, left] + (edge[:, left + 1] - edge[:, left]) * right


def _steps(count: int, cell: int) -> tuple[NDArray[np.intp], Canvas]:
    """For each point the grid line before it, and how far it is to the next (smoothstep)."""
    place = np.arange(count) / cell
    before = place.astype(np.intp)
    part = place - before
    return before, part * part * (3.0 - 2.0 * part)


def texture(rng: Generator, rows: int, columns: int, cells: tuple[int, ...]) -> Canvas:
    """Value noise of several scales around 0, the coarse ones stronger; about -0.5 to 0.5."""
    total = np.zeros((rows, columns))
    for cell in cells:
        total += (value_noise(rng, rows, columns, cell) - 0.5) * (cell / (cell + 8.0))
    return total * (2.0 / len(cells))


def _room(rng: Generator, rows: int, columns: int) -> Canvas:
    """Plaster, a band of bricks, a wooden table."""
    canvas = np.empty((rows, columns, 3))
    plaster = 1.0 + 0.5 * texture(rng, rows, columns, (128, 32, 8, 2))
    canvas[:] = plaster[..., None] * _tint(rng, 0.30, 0.08)
    table = rows * 7 // 10
    _bricks(rng, canvas, rows * 45 // 100, table)
    grain = texture(rng, columns // 4 + 1, rows - table, (16, 4, 2)).T
    wood = 1.0 + 1.2 * np.repeat(grain, 4, axis=1)[:, :columns]
    canvas[table:] = wood[..., None] * np.array((0.26, 0.13, 0.06))
    canvas[table : table + 3] *= 0.35
    return canvas


def _bricks(rng: Generator, canvas: Canvas, top: int, bottom: int) -> None:
    high, long = 28, 72
    row, column = np.arange(bottom - top), np.arange(canvas.shape[1])
    course = row // high
    shifted = column[None, :] + (course % 2)[:, None] * (long // 2)
    mortar = (row % high < 3)[:, None] | (shifted % long < 3)
    shade = rng.random((course[-1] + 1, shifted.max() // long + 1))
    tone = 0.7 + 0.6 * shade[course[:, None], shifted // long]
    tone += 0.5 * texture(rng, mortar.shape[0], mortar.shape[1], (16, 4, 2))
    brick = tone[..., None] * np.array((0.30, 0.11, 0.07))
    stripe = np.where(mortar[..., None], np.array((0.24, 0.23, 0.21)), brick)
    canvas[top:bottom] = stripe


def _tint(rng: Generator, level: float, spread: float) -> Canvas:
    return level + spread * (rng.random(3) - 0.5)


def fill(canvas: Canvas, box: Box, color: Color | Canvas) -> None:
    """Paint a rectangle, or a parallelogram where the box leans; parts outside are cut off."""
    bottom, reach = box.top + box.height, int(abs(box.lean) * box.height) + 1
    left, right = max(box.left - reach, 0), box.left + box.width + reach
    part = canvas[max(box.top, 0) : bottom, left:right]
    down = np.arange(part.shape[0]) * box.lean
    across = np.arange(part.shape[1])[None, :] + (left - box.left) - down[:, None]
    part[(across >= 0) & (across < box.width)] = color


def write(canvas: Canvas, mask: NDArray[np.bool_], top: int, left: int, color: Color) -> None:
    """Set the canvas (H, W, 3) to a color where the mask (h, w) is lit, as far as that is on it."""
    part = canvas[top : top + mask.shape[0], left : left + mask.shape[1]]
    part[mask[: part.shape[0], : part.shape[1]]] = color


def _books(rng: Generator, canvas: Canvas) -> None:
    """A row of leaning books on the table, each with a title along its spine."""
    rows, columns = canvas.shape[:2]
    left, floor = columns // 24, rows * 7 // 10
    while left < columns * 45 // 100:
        width, height = int(rng.integers(26, 48)), int(rng.integers(rows // 6, rows // 4))
        lean = float(rng.integers(-6, 7)) / 100.0
        color = CARD[int(rng.integers(0, 18))]
        fill(canvas, Box(floor - height, left, height, width, lean), color)
        title = glyphs.line(TITLES[int(rng.integers(0, len(TITLES)))], 2)[:, ::-1].T
        ink = (0.85, 0.80, 0.66) if sum(color) < 0.8 else (0.05, 0.05, 0.06)
        write(canvas, title, floor - height + 12, left + width // 2 - 7, ink)
        left += width + int(rng.integers(2, 5))


def _card(rng: Generator, canvas: Canvas) -> None:
    """The color card, standing on the table at the right."""
    rows, columns = canvas.shape[:2]
    cell = columns // 30
    top = rows * 7 // 10 - cell * 4 - 10
    left = columns * 62 // 100 + int(rng.integers(0, columns // 12))
    fill(canvas, Box(top - 6, left - 6, cell * 4 + 12, cell * 6 + 12), (0.02, 0.02, 0.02))
    for number, color in enumerate(CARD):
        row, column = divmod(number, 6)
        place = Box(top + row * cell + 2, left + column * cell + 2, cell - 4, cell - 4)
        fill(canvas, place, color)


def _ramp(canvas: Canvas) -> None:
    """A gray ramp along the table's front: 24 steps in equal steps of the square root."""
    rows, columns = canvas.shape[:2]
    width = columns // 48
    for step in range(24):
        level = ((step + 0.5) / 24.0) * ((step + 0.5) / 24.0)
        box = Box(rows * 88 // 100, columns // 20 + step * width, rows // 16, width)
        fill(canvas, box, (level, level, level))


def _bars(canvas: Canvas) -> None:
    """Black and white bars of 1.5 to 6 pixels, upright and level, on the table's front."""
    rows, columns = canvas.shape[:2]
    left, top, side = columns * 62 // 100, rows * 85 // 100, columns // 16
    for width in (3, 4, 6, 8, 12):
        for start in range(0, side, width):
            color = (0.04, 0.04, 0.04) if start // width % 2 else (0.8, 0.8, 0.8)
            fill(canvas, Box(top, left + start, side, min(width, side - start)), color)
            fill(canvas, Box(top + side + 4 + start, left, min(width, side - start), side), color)
        left += side + 8


def _slanted_sheet(rng: Generator, canvas: Canvas) -> None:
    """A white sheet with slanted edges against a dark one, and small print on it."""
    rows, columns = canvas.shape[:2]
    top, left = rows // 10, columns * 58 // 100 + int(rng.integers(0, columns // 20))
    high, wide = rows // 4, columns // 4
    fill(canvas, Box(top, left - wide // 4, high, wide * 3 // 2, 0.0), (0.03, 0.03, 0.035))
    fill(canvas, Box(top + 8, left, high - 16, wide, 0.087), (0.82, 0.82, 0.82))
    for number in range(4):
        first, second = (TITLES[int(i)] for i in rng.integers(0, len(TITLES), 2))
        words, scale = ((first, 4), (second, 3), (f"{first} {second}", 2), (second, 2))[number]
        mask = glyphs.line(words, scale)[:, : wide - 40]
        write(canvas, mask, top + 18 + number * high // 5, left + 28, (0.04, 0.04, 0.05))


def _lamps(rng: Generator, rows: int, columns: int) -> tuple[Canvas, Canvas]:
    """Light over the room (a factor per point), and the glow of the lamps that cause it.

    Falls off with the square of the distance; the room's own weak light is neutral.
    """
    light, glow = np.full((rows, columns, 3), 0.14), np.zeros((rows, columns, 3))
    for place, warm in enumerate(((1.0, 1.0, 1.0), (1.0, 0.86, 0.72))):
        top = int(rng.integers(rows // 10, rows // 5))
        left = columns * (1 + place) // 4 + int(rng.integers(-columns // 16, columns // 24))
        power, radius = 0.7 + 0.4 * rng.random(), int(rng.integers(13, 22))
        square = _square_distance(rows, columns, top, left)
        reach = 0.5 * rows * rows
        light += power * (reach / (reach + 3.0 * square))[..., None] * np.array(warm)
        halo = (4 * radius * radius) / (4 * radius * radius + square)
        glow += 0.45 * (halo * halo)[..., None] * np.array(warm)
        glow[square < radius * radius] = LAMPS[1 - place]
    return light, glow


def _square_distance(rows: int, columns: int, top: int, left: int) -> Canvas:
    y, x = np.arange(rows, dtype=np.float64) - top, np.arange(columns, dtype=np.float64) - left
    return (y * y)[:, None] + x * x


def _sign(rng: Generator, canvas: Canvas) -> None:
    """A luminous sign in one saturated color, brighter than the sensor can hold."""
    rows, columns = canvas.shape[:2]
    word = glyphs.line(WORDS[int(rng.integers(0, len(WORDS)))], 5)
    top, left = rows * 28 // 100, columns // 16 + int(rng.integers(0, columns // 16))
    fill(canvas, Box(top - 14, left - 16, 63, word.shape[1] + 32), (0.012, 0.012, 0.016))
    write(canvas, word, top, left, NEON[int(rng.integers(0, len(NEON)))])


def _small_lights(rng: Generator, canvas: Canvas) -> None:
    """A hanging string of small lamps of all colors, from dim to far over white."""
    rows, columns = canvas.shape[:2]
    for number in range(18):
        along = (number + 0.5) / 18.0
        sag = 4.0 * along * (1.0 - along) * rows * 0.05
        top, left = int(rows * 0.02 + sag), int(columns * along)
        color = np.array(NEON[int(rng.integers(0, len(NEON)))]) * (0.1 + 1.9 * rng.random())
        fill(canvas, Box(top, left, 5, 5), color)


def _shrink(canvas: Canvas) -> NDArray[np.float32]:
    rows, columns = canvas.shape[0] // OVER, canvas.shape[1] // OVER
    blocks = canvas.reshape(rows, OVER, columns, OVER, 3)
    total = sum(blocks[:, i, :, j] for i in range(OVER) for j in range(OVER))
    return np.asarray(total / (OVER * OVER), np.float32)
