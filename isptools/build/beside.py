"""What stands beside the frames of a burst: lens shading of the reference, and a color matrix.

HDR+ keeps both outside of its frames. A map becomes GainMaps of the reference's facts, which the
step `shading` applies as it does those of the published merged.dng; the matrix serves a raw that
states none.
"""

from dataclasses import replace
from pathlib import Path

import imageio.v3 as imageio
import numpy as np
from numpy.typing import NDArray

from isptools.develop.shading import Window, active_window
from isptools.frame import Capture, Frame, GainMap, Matrix

MAPPED = "RgGB"  # what the planes of a map are for: g is the green of red's rows, G of blue's
ADDS_UP = 0.05  # by how much a row of rgb2rgb.txt may miss 1: white stays white


class BesideError(ValueError):
    """A file beside a burst that can't be used: one line, and a number where one was measured."""

    def __init__(self, text: str, number: float | None = None) -> None:
        super().__init__(text)
        self.number = number


def with_shading(frame: Frame, path: Path) -> Frame:
    """The frame with the map of `path`, float (h, w, 4) gains of R, Gr, Gb, B over its active area.

    The outermost points lie on the area's edges. Maps in its OpcodeList2 are replaced. BesideError
    for any other shape (damaged maps of the data set have 3 planes) and for gains that are no
    positive numbers.
    """
    gains, facts = _gains(path), frame.capture
    active = active_window(facts.visible_origin, facts.active_area, frame.pixels.shape)
    maps = tuple(
        _map(gains[..., MAPPED.index(color)], divmod(i, 2), active, frame.pixels.shape)
        for i, color in enumerate(_colors(facts.cfa))
    )
    others = tuple(one for one in facts.gain_maps if one.opcode_list != 2)
    origins = (*facts.origins, ("gain_maps", path.name))
    return replace(frame, capture=replace(facts, gain_maps=(*others, *maps), origins=origins))


def _gains(path: Path) -> NDArray[np.float64]:
    try:
        read = imageio.imread(path, plugin="tifffile", extension=".tiff")
    except Exception as error:  # the plugin has its own errors
        first = str(error).strip().splitlines()[:1] or [type(error).__name__]
        raise BesideError(f"{path.name} can't be read: {first[0]}") from None
    if read.dtype.kind != "f" or read.ndim != 3 or read.shape[2] != len(MAPPED):
        shape = " x ".join(map(str, read.shape))
        planes = float(read.shape[2]) if read.ndim == 3 else None
        text = f"{path.name} is {shape} {read.dtype}, no map of 4 planes of float gains"
        raise BesideError(f"{text} (damaged ones were published until December 2020)", planes)
    if not (np.isfinite(read).all() and read.min() > 0):
        raise BesideError(f"{path.name} holds gains that are no positive numbers")
    return np.asarray(read, np.float64)


def _colors(cfa: str) -> str:
    """The letters of a Bayer pattern with the green beside red as g."""
    red = cfa.index("R") // 2
    return "".join("g" if c == "G" and i // 2 == red else c for i, c in enumerate(cfa))


def _map(
    gains: NDArray[np.float64], at: tuple[int, int], active: Window, shape: tuple[int, ...]
) -> GainMap:
    """The gains of one CFA position, whose first pixel is `at`."""
    points = gains.shape
    area = (at[0] - active[0], at[1] - active[1], shape[0] - active[0], shape[1] - active[1])
    spacing = [1 / (count - 1) if count > 1 else 1.0 for count in points]
    return GainMap(2, area, 0, 1, 2, 2, points[0], points[1], spacing[0], spacing[1], 0.0, 0.0, 1,
                   tuple(gains.ravel().tolist()))  # fmt: skip


def with_matrix(frame: Frame, path: Path) -> Frame:
    """The frame with the matrix of `path` (rgb2rgb.txt), if it states none of its own.

    3 x 3, row by row: balanced camera RGB to linear sRGB. BesideError for anything else.
    """
    facts = frame.capture
    if facts.camera_to_srgb is not None:
        return frame
    origins = (*facts.origins, ("camera_to_srgb", path.name))
    return replace(frame, capture=replace(facts, camera_to_srgb=_matrix(path), origins=origins))


def _matrix(path: Path) -> Matrix:
    try:
        values = np.array([float(word) for word in path.read_text("ascii").split()])
    except (OSError, ValueError):
        raise BesideError(f"{path.name} can't be read as numbers") from None
    if values.size != 9 or np.abs(values.reshape(-1, 3).sum(1) - 1).max() > ADDS_UP:
        raise BesideError(f"{path.name} is no 3 x 3 matrix whose rows add up to 1")
    rows = values.reshape(3, 3).tolist()
    return tuple(rows[0]), tuple(rows[1]), tuple(rows[2])


def stated_by(capture: Capture) -> str:
    """The file beside the burst that the matrix came from; empty if it is the raw's own."""
    return dict(capture.origins).get("camera_to_srgb", "")
