"""Contact sheets: pictures with captions, dark ones brightened and said so."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from isptools.report.pictures import WIDTH, Bytes, fit, layers
from isptools.shards.read import Sample, Shards

LINE = 18  # pixels that a line of a caption takes
GAP = 8
PAPER, INK = 245, (30, 32, 36)
DARK = 0.25  # of full scale: what ends below is shown brighter
TOP = 99.5  # percent of the values that a brightened picture shows unclipped


@dataclass(frozen=True, slots=True)
class Captioned:
    """A picture and the lines below it."""

    picture: Bytes
    lines: tuple[str, ...]


def brightened(picture: Bytes) -> tuple[Bytes, float]:
    """A dark picture as it looks with more exposure, and by how many stops; others as they are.

    The gain is on linear light: numbers are decoded by a power of 2.2, multiplied, encoded again.
    """
    top = float(np.percentile(picture, TOP)) / 255
    if top >= DARK:
        return picture, 0.0
    gain = (0.9 / max(top, 1 / 255)) ** 2.2
    light = np.minimum((picture / np.float32(255)) ** 2.2 * np.float32(gain), 1)
    return np.rint(light ** (1 / 2.2) * 255).astype(np.uint8), float(np.log2(gain))


def said(stops: float) -> tuple[str, ...]:
    """The remark below pictures that are shown brighter; none for 0 stops."""
    return (f"shown {stops:.1f} stops brighter",) if stops else ()


def sheet(cells: Sequence[Captioned], columns: int, width: int = WIDTH) -> Bytes:
    """(h, w, 3) uint8: rows of `columns` pictures of one width, each above its caption."""
    rows = [cells[i : i + columns] for i in range(0, len(cells), columns)]
    columns = min(columns, len(cells))
    return np.concatenate([_row(row, columns, width) for row in rows])


def _row(cells: Sequence[Captioned], columns: int, width: int) -> Bytes:
    pictures = [fit(cell.picture, width) for cell in cells]
    high = max(len(picture) for picture in pictures)
    lines = max(len(cell.lines) for cell in cells)
    canvas = np.full((high + lines * LINE + 2 * GAP, columns * (width + GAP) + GAP, 3), PAPER,
                     np.uint8)  # fmt: skip
    for place, (cell, picture) in enumerate(zip(cells, pictures, strict=True)):
        left = GAP + place * (width + GAP)
        canvas[GAP : GAP + len(picture), left : left + width] = picture
        for number, text in enumerate(cell.lines):
            _write(canvas, text, left, GAP + high + (number + 1) * LINE - 4, width)
    return canvas


def _write(canvas: NDArray[np.uint8], text: str, left: int, base: int, width: int) -> None:
    """In the plain letters that OpenCV has; what is too long ends in dots."""
    plain = text.encode("ascii", "replace").decode()
    most = width // 8
    plain = plain if len(plain) <= most else f"{plain[: most - 3]}..."
    cv2.putText(canvas, plain, (left, base), cv2.FONT_HERSHEY_SIMPLEX, 0.42, INK, 1, cv2.LINE_AA)


def of_shard(shards: Shards, rows: int) -> Bytes:
    """Input, restoration, enhancement and weight of each of the first rows, with captions.

    All lie as the sensor does. A weight is white where all of the burst went into the truth, red
    where it is not to be trusted.
    """
    pictures = shards.tables[0].pictures
    space = pictures["restoration"].space if "restoration" in pictures else ""
    found = [list(_cells(shards[i], space)) for i in range(min(rows, len(shards)))]
    return sheet([cell for row in found for cell in row], max(map(len, found)))


def _cells(sample: Sample, space: str) -> Iterator[Captioned]:
    for name, picture in layers(sample, space).items():
        shown, stops = (picture, 0.0) if name == "weight" else brightened(picture)
        ratio = sample.facts.ratio or 1
        own = name == "input"
        times = f", times {ratio:.4g} as its truth is exposed" if own and ratio != 1 else ""
        yield Captioned(shown, (name + times, *([sample.key] if own else []), *said(stops)))
