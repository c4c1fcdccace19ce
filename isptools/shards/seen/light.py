"""What a truth says that its input must have seen: the signal of camera R, G, B at every pixel.

The walk of the truth backwards: the curve of its station taken off, its color space to balanced
camera RGB by the inverse of the input's own matrix, the truth's gains divided out. The result is on
the scale of a mosaic, 0 at black and 1 at white, times the exposure ratio. Only for truths whose
curve is known: one that a person or a camera made can't be taken back.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isptools.shards.schema import InputRow, Picture, TruthRow
from isptools.shards.table import Table

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
Curve = Callable[[F32], F32]  # display value in [0, 1] to linear light
# IEC 61966-2-1, linear sRGB (D65) to XYZ
XYZ_FROM_SRGB = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750],
     [0.0193339, 0.1191920, 0.9503041]]
)  # fmt: skip
CURVES = {"srgb": (2.4, 12.92), "libraw": (2.222, 4.5)}  # power, slope of the toe


@dataclass(frozen=True, slots=True)
class Backwards:
    """How the pixels of one truth become balanced camera RGB and then the sensor's signal."""

    curve: Curve | None  # None: the station is linear
    matrix: F64  # (3, 3) to balanced camera RGB, 1 at white
    signal: F64  # (3,) balanced camera RGB to the mosaic's scale
    full: float  # physical value of the largest number that can be stored

    def balanced(self, picture: F32) -> F32:
        """(3, H, W) physical values to balanced camera RGB: 1 where the truth has its white."""
        light = picture if self.curve is None else self.curve(picture)
        return np.asarray(np.tensordot(self.matrix.astype(np.float32), light, 1), np.float32)

    def clipped(self, picture: F32) -> NDArray[np.bool_]:
        """(H, W): where a channel lies at either end of what is stored, and has lost its value."""
        return np.asarray(self.lost(picture).any(0))

    def lost(self, values: F32) -> NDArray[np.bool_]:
        """Of each physical value by itself."""
        return np.asarray((values <= 0) | (values >= self.full * 0.998))


def backwards(
    table: Table, name: str, row: InputRow, truth: TruthRow, history: str
) -> Backwards | None:
    """From a truth of `table` to the signal of input `row`; None where its curve isn't known.

    `history` is the truth's entry of `truth_history`.
    """
    meaning = table.pictures[name]
    if meaning.source not in {"develop", "published"} or len(row.cfa) == 3:
        return None
    steps = json.loads(table.attrs["steps"]).get("develop", [])
    curve, known = _curve(meaning, steps, history)
    matrix = _to_camera(meaning.space, row)
    if not known or matrix is None:
        return None
    gains = np.array(truth.gains[:3]) if truth.gains else np.ones(3)
    full = meaning.full_scale if meaning.largest else np.inf
    return Backwards(curve, matrix, _white(steps, row, truth) / gains, full)


def _curve(
    meaning: Picture, steps: list[Mapping[str, Any]], history: str
) -> tuple[Curve | None, bool]:
    """The inverse of the truth's transfer curve, and whether it is known."""
    if meaning.space in {"xyz", "camera"} or meaning.space.endswith("_linear"):
        return None, True
    if meaning.source != "develop" or meaning.space != "srgb" or not steps:
        return None, False
    nothing: Mapping[str, Any] = {}
    last = next((step for step in reversed(steps) if step["step"] != "orient"), nothing)
    if last.get("step") == "encode-srgb":
        return _gamma(*CURVES["srgb"]), True
    if last.get("step") == "encode" and not last.get("auto_bright") and last.get("bright", 1) == 1:
        named = last.get("curve", "libraw")
        return (_gamma(*CURVES[named]) if named in CURVES else None), True
    found = _found(history, "black_white_exponent")
    if last.get("step") == "auto-tone" and found:
        black, white, exponent = found
        shown = _gamma(*CURVES["srgb"])
        return (lambda value: (shown(value) ** np.float32(1 / exponent)
                               * np.float32(white - black) + np.float32(black))), True  # fmt: skip
    return None, False


def _found(history: str, name: str) -> list[float]:
    """What a step measured on the truth while it was developed."""
    for taken in json.loads(history or "[]"):
        for key, values in taken.get("found", []):
            if key == name:
                return list(values)
    return []


def _gamma(power: float, toe: float) -> Curve:
    """Display value to linear light: a straight toe, then a power function that meets it."""
    knee, lift = (0.0031308, 0.055) if power == 2.4 else (0.018, 0.099)  # IEC 61966-2-1; BT.709

    def inverse(shown: F32) -> F32:
        steep = ((np.maximum(shown, 0) + np.float32(lift)) / np.float32(1 + lift)) ** power
        return np.where(shown <= toe * knee, shown / np.float32(toe), steep).astype(np.float32)

    return inverse


def _to_camera(space: str, row: InputRow) -> F64 | None:
    if space in {"camera", "camera_linear"}:
        return np.eye(3)
    known = {"xyz": np.linalg.inv(XYZ_FROM_SRGB), "srgb": np.eye(3)}
    to_srgb = known.get(space.partition("_")[0])
    if to_srgb is None:
        return None
    if row.camera_to_srgb is None:  # such a camera keeps its own RGB, as LibRaw has it
        return to_srgb
    try:
        return np.asarray(np.linalg.inv(np.array(row.camera_to_srgb)) @ to_srgb)
    except np.linalg.LinAlgError:
        return None


def _white(steps: list[Mapping[str, Any]], row: InputRow, truth: TruthRow) -> float:
    """What the truth's full scale is on the mosaic's: below 1 where the picture's peak was taken
    for white (LibRaw's adjust_maximum)."""
    moved = any(step.get("adjust_maximum") for step in steps if step["step"] == "levels")
    span = row.white - min(row.black)
    same = (truth.make, truth.model) == (row.make, row.model)
    return truth.white / span if moved and same and truth.white < span else 1.0
