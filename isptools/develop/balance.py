"""White balance: which gains, and multiplying by them."""

import numpy as np
from numpy.typing import NDArray

from isptools.develop.rows import along_rows, kernel, over_rows
from isptools.frame import Capture, Frame, UnsupportedError, empty, usable

U16 = NDArray[np.uint16]
Gains = tuple[float, ...]  # R, G, B, G2


def color_indices(cfa: str) -> NDArray[np.uint8]:
    """LibRaw's color index per CFA position: R 0, G 1, B 2, and 3 for a green in a blue row.

    (2, 2), or (6, 6) of X-Trans, whose greens are all 1.
    """
    side = 6 if len(cfa) == 36 else 2
    rows = [cfa[i : i + side] for i in range(0, len(cfa), side)]
    second = 3 if side == 2 else 1
    letters = [[second if c == "G" and "B" in row else "RGB".index(c) for c in row] for row in rows]
    return np.array(letters, np.uint8)


def three_colors(cfa: str) -> NDArray[np.uint8]:
    """Color index per CFA position with both greens as 1, (2, 2) or (6, 6)."""
    indices = color_indices(cfa)
    joined: NDArray[np.uint8] = np.where(indices == 3, 1, indices).astype(np.uint8)
    return joined


def chosen(frame: Frame, by: str, gains: Gains | None, otherwise: str) -> tuple[Gains, str]:
    """The gains a choice stands for, R, G, B, G2, not normalized, and where they come from.

    `frame` stands at MOSAIC. Where the file states no white balance for "camera" (`usable`),
    `otherwise` says what happens: "daylight", "gray-world" (LibRaw: scale_colors), or "refuse",
    which is an UnsupportedError.
    """
    facts = frame.capture
    if by == "user" and gains is not None:
        return gains, "recipe"
    if by == "camera" and usable(facts.as_shot):
        stated = dict(facts.origins).get("as_shot", "")
        return facts.as_shot, "as_shot_xy" if stated.endswith("AsShotWhiteXY") else "as_shot"
    if by == "daylight":
        return facts.daylight, "daylight"
    if by == "camera" and otherwise == "daylight":
        return _daylight(facts), "daylight"
    if by == "camera" and otherwise == "refuse":
        raise UnsupportedError(f"{_unstated(facts)}; the recipe's `else` refuses it")
    mosaic = np.asarray(frame.pixels, np.uint16)
    return gray_world(mosaic, facts.cfa, frame.white), "gray_world"


def looks_at_pixels(facts: Capture, by: str, otherwise: str) -> bool:
    """Whether `chosen` takes its gains from the picture."""
    stated = by in {"user", "daylight"} or (by == "camera" and usable(facts.as_shot))
    return not stated and not (by == "camera" and otherwise in {"daylight", "refuse"})


def _daylight(facts: Capture) -> Gains:
    if facts.camera_to_srgb is None or not usable(facts.daylight):
        what = "and without a color matrix there are no daylight gains to take instead"
        raise UnsupportedError(f"{_unstated(facts)}, {what}")
    return facts.daylight


def _unstated(facts: Capture) -> str:
    gains = " ".join(f"{gain:g}" for gain in facts.as_shot)
    return f"the file states no white balance (its gains read {gains})"


def gray_world(mosaic: U16, cfa: str, white: float) -> Gains:
    """Gains that make the mean of all unsaturated 8x8 blocks gray.

    A block with a value above white - 25 is left out. LibRaw: scale_colors, use_auto_wb. The
    gain of a color that has no sample is 0, which `normalized` replaces.
    """
    colors = color_indices(cfa)
    found = np.zeros((2, 4), np.float64)
    _block_sums(mosaic, colors, np.int64(white) - 25, found)
    return gray(*found)


def gray(total: NDArray[np.float64], count: NDArray[np.float64]) -> Gains:
    """Gains that make sums of so many samples of R, G, B, G2, (4,) each, gray."""
    gains = np.divide(count, total, out=np.zeros(4), where=total > 0).astype(np.float32)
    r, g, b, g2 = gains.tolist()
    return r, g, b, g2


@kernel
def _block_sums(mosaic, colors, limit, found):
    height, width = mosaic.shape
    side = colors.shape[0]
    for top in range(0, height, 8):
        for left in range(0, width, 8):
            sums = np.zeros((2, 4), np.int64)
            used = True
            for y in range(top, min(top + 8, height)):
                for x in range(left, min(left + 8, width)):
                    color = colors[y % side, x % side]
                    used = used and mosaic[y, x] <= limit
                    sums[0, color] += mosaic[y, x]
                    sums[1, color] += 1
            if used:
                for color in range(4):
                    found[0, color] += sums[0, color]
                    found[1, color] += sums[1, color]


def normalized(gains: Gains, keep_highlights: bool) -> Gains:
    """Gains divided by their least (a saturated sensor gives white) or by their largest.

    Missing greens are filled in: G with 1, G2 with G. LibRaw: scale_colors; float32 arithmetic.
    """
    r, g, b, g2 = gains
    g = g or 1.0
    filled = np.array([r, g, b, g2 or g], np.float32)
    by = filled.max() if keep_highlights else filled.min()
    r, g, b, g2 = (filled / by).tolist()
    return r, g, b, g2


def scale(mosaic: U16, cfa: str, gains: Gains, white: float) -> U16:
    """Multiply each site by its gain and bring `white` to 65535; truncated and clipped.

    LibRaw: scale_colors_loop.
    """
    table = along_rows(factors(cfa, gains, white), mosaic.shape[1])
    balanced = empty(mosaic.shape, np.uint16)
    over_rows(_scale, len(mosaic), mosaic, table, balanced)
    return balanced


def factors(cfa: str, gains: Gains, white: float) -> NDArray[np.float32]:
    """What a sample is multiplied by, per CFA position: (2, 2), or (6, 6) of X-Trans."""
    factor = np.asarray(gains, np.float32) * np.float32(65535) / np.float32(white)
    return factor[color_indices(cfa)]


@kernel
def _scale(mosaic, table, balanced, top, bottom):
    for y in range(top, bottom):
        row, factor, out = mosaic[y], table[y % table.shape[0]], balanced[y]
        for x in range(len(row)):
            out[x] = np.uint16(min(np.float32(row[x]) * factor[x], np.float32(65535)))
