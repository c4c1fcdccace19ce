"""A picture of what a fusion did: every frame's offsets as colors, and where frames counted."""

import cv2
import numpy as np
from numpy.typing import NDArray

from isptools.burst import Fused
from isptools.report.pictures import of_raw
from isptools.report.sheet import Captioned, brightened, said, sheet

Bytes = NDArray[np.uint8]
WIDTH = 480
COLUMNS = 3


def picture(fused: Fused) -> Bytes:
    """(h, w, 3) uint8: the fused picture, the weights, then each taken frame's offsets.

    Offsets are drawn around their median: hue is direction, strength is distance; the largest
    distance shown is 2 pixels. Weights run from black (0) to white (1).
    """
    shown, stops = brightened(of_raw(fused.frame))
    height = round(WIDTH * fused.weight.shape[0] / fused.weight.shape[1])
    gray = cv2.resize(fused.weight, (WIDTH, height), interpolation=cv2.INTER_AREA)
    weight = np.repeat(np.asarray(np.clip(gray, 0, 1) * 255, np.uint8)[..., None], 3, 2)
    taken = sum(share > 0 for share in fused.shares)
    cells = [
        Captioned(shown, ("the fused picture", f"{taken} frames", *said(stops))),
        Captioned(weight, ("weight of each pixel", "black 0, white 1")),
    ]
    for frame, flow in sorted(fused.flows.items()):
        place = fused.offsets_px[frame]
        median = "" if place is None else f"median {place[0]:+.1f}, {place[1]:+.1f} px"
        colors = cv2.resize(
            _offsets(flow.offsets), (WIDTH, height), interpolation=cv2.INTER_NEAREST
        )
        lines = (f"frame {frame}: offsets around {median}", "hue: direction; full color: 2 px")
        cells.append(Captioned(np.asarray(colors, np.uint8), lines))
    return sheet(cells, COLUMNS, WIDTH)


def _offsets(offsets: NDArray[np.float32]) -> Bytes:
    around = 2 * (offsets - np.median(offsets, (0, 1)))
    angle = np.arctan2(around[..., 0], around[..., 1])
    hue = (angle + np.pi) / (2 * np.pi) * 179
    strength = np.clip(np.hypot(around[..., 0], around[..., 1]) / 2, 0, 1) * 255
    hsv = np.stack([hue, strength, np.full_like(hue, 255)], -1).astype(np.uint8)
    return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB), np.uint8)
