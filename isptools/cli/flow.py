"""A picture of what a fusion did: every frame's offsets as colors, and where frames counted."""

import cv2
import numpy as np
from numpy.typing import NDArray

from isptools.burst import Fused

Bytes = NDArray[np.uint8]
WIDTH = 480
COLUMNS = 3
GAP = 6


def picture(fused: Fused) -> Bytes:
    """(h, w, 3) uint8: offsets of each taken frame around its median, then the weights.

    Hue is direction, strength is distance; the largest distance shown is 2 pixels. Weights run
    from black (0) to white (1).
    """
    shown = [_offsets(flow.offsets) for _, flow in sorted(fused.flows.items())]
    height = round(WIDTH * fused.weight.shape[0] / fused.weight.shape[1])
    parts = [cv2.resize(each, (WIDTH, height), interpolation=cv2.INTER_NEAREST) for each in shown]
    gray = cv2.resize(fused.weight, (WIDTH, height), interpolation=cv2.INTER_AREA)
    parts.append(np.repeat(np.asarray(np.clip(gray, 0, 1) * 255, np.uint8)[..., None], 3, 2))
    parts += [np.zeros_like(parts[0])] * (-len(parts) % COLUMNS)
    framed = [np.pad(part, ((0, GAP), (0, GAP), (0, 0))) for part in parts]
    rows = [np.hstack(framed[i : i + COLUMNS]) for i in range(0, len(framed), COLUMNS)]
    return np.asarray(np.vstack(rows), np.uint8)


def _offsets(offsets: NDArray[np.float32]) -> Bytes:
    around = 2 * (offsets - np.median(offsets, (0, 1)))
    angle = np.arctan2(around[..., 0], around[..., 1])
    hue = (angle + np.pi) / (2 * np.pi) * 179
    strength = np.clip(np.hypot(around[..., 0], around[..., 1]) / 2, 0, 1) * 255
    hsv = np.stack([hue, strength, np.full_like(hue, 255)], -1).astype(np.uint8)
    return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB), np.uint8)
