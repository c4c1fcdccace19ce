"""The page of one aligned pair: do the two lie on each other, and where do they not?"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from isptools.report.facts import Top, uri
from isptools.report.plots import nice
from isptools.report.template import rendered

Bytes = NDArray[np.uint8]
WIDTH = 960
BAR = 0.2  # of the width, at most: the arrow that shows the scale


@dataclass(frozen=True, slots=True)
class Row:
    """One number of the verdict, for people."""

    name: str
    value: str
    limit: str
    meaning: str
    wrong: bool


@dataclass(frozen=True, slots=True)
class PairPage:
    """All that the page shows."""

    top: Top
    reasons: tuple[str, ...]
    rows: tuple[Row, ...]
    photographs: tuple[tuple[str, Bytes], ...]  # caption, as they came
    layers: tuple[tuple[str, Bytes], ...]  # on one grid, where there is one
    places: NDArray[np.float64]  # (N, 2) x and y on the layers, pixels
    shifts: NDArray[np.float64]  # (N, 2) left there, pixels of the coarser picture
    windows: tuple[tuple[str, int], ...]  # what became of the patches


def html(made: PairPage) -> bytes:
    """The page as one HTML file, UTF-8, with its pictures inside."""
    layers = {name: uri(jpeg(picture), "jpeg") for name, picture in made.layers}
    numbers: list[object] = []
    viewer = {"0": {"key": made.top.title, "layers": layers, "numbers": numbers,
                    "problems": list(made.reasons)}} if layers else {}  # fmt: skip
    pictures = [(caption, uri(jpeg(each), "jpeg")) for caption, each in made.photographs]
    words = {"made": made, "layers": layers, "photographs": pictures, "flow": flow(made)}
    return rendered("pair.html.j2", made.top, viewer, words)


def jpeg(picture: Bytes) -> bytes:
    """(H, W, 3) uint8 sRGB as a JPEG of quality 88. ValueError if it could not be made."""
    done, data = cv2.imencode(".jpg", picture[..., ::-1], (cv2.IMWRITE_JPEG_QUALITY, 88))
    if not done:
        raise ValueError("a picture of the report could not be made")
    return data.tobytes()


@dataclass(frozen=True, slots=True)
class Flow:
    """Arrows on a picture, and one whose length is stated."""

    width: int
    height: int
    lines: tuple[tuple[float, float, float, float], ...]
    bar: float  # pixels of the picture
    bar_px: float  # what it stands for
    times: float


def flow(made: PairPage) -> Flow | None:
    """None where there is nothing to draw on, or nothing was held out."""
    if not made.layers or not len(made.shifts):
        return None
    height, width = made.layers[0][1].shape[:2]
    length = np.hypot(made.shifts[:, 0], made.shifts[:, 1])
    usual = max(float(np.percentile(length, 95)), 1e-3)
    times = 0.06 * width / usual
    bar_px = nice(BAR * width / times)
    lines = _ends(made.places, made.shifts * times)
    return Flow(width, height, lines, round(bar_px * times, 1), bar_px, round(times, 1))


def _ends(
    places: NDArray[np.float64], shifts: NDArray[np.float64]
) -> tuple[tuple[float, float, float, float], ...]:
    found: Sequence[list[float]] = np.hstack([places, places + shifts]).round(1).tolist()
    return tuple((a, b, c, d) for a, b, c, d in found)
