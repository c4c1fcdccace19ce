"""What happens where one color is saturated and another is not."""

import numpy as np
from numpy.typing import NDArray

from isptools.develop.rows import kernel, over_rows
from isptools.frame import empty

U16 = NDArray[np.uint16]

TO_CHROMA = np.array([[1, 1, 1], [1.7320508, -1.7320508, 0], [-1, -1, 2]], np.float32)
FROM_CHROMA = np.array([[1, 0.8660254, -0.5], [1, -0.8660254, -0.5], [1, 0, 1]], np.float32)


def blend(rgb: U16, gains: tuple[float, ...]) -> U16:
    """(H, W, 3) with the chroma of pixels above the clip level drawn to that of their clipped copy.

    `gains` are those applied, normalized by their largest. LibRaw: blend_highlights (highlight 2).
    """
    clip = clip_level(gains)
    out = empty(rgb.shape, np.uint16)
    over_rows(_blend, len(rgb), rgb, np.int32(clip), TO_CHROMA, FROM_CHROMA, out)
    return out


def clip_level(gains: tuple[float, ...]) -> int:
    """The value at which the first color saturates."""
    return int(min(np.float32(65535) * np.float32(gain) for gain in gains[:3]))


@kernel
def _blend(rgb, clip, to, back, out, top, bottom):
    lab = np.zeros((2, 3), np.float32)
    cam = np.zeros((2, 3), np.float32)
    for y in range(top, bottom):
        for x in range(rgb.shape[1]):
            r, g, b = rgb[y, x, 0], rgb[y, x, 1], rgb[y, x, 2]
            out[y, x, 0], out[y, x, 1], out[y, x, 2] = r, g, b
            if max(r, g, b) <= clip:
                continue
            for c in range(3):
                cam[0, c] = np.float32(rgb[y, x, c])
                cam[1, c] = np.float32(min(np.int32(rgb[y, x, c]), clip))
            for i in range(2):
                for c in range(3):
                    lab[i, c] = np.float32(0)
                    for j in range(3):
                        lab[i, c] += np.float32(np.int32(to[c, j] * cam[i, j]))
            whole = lab[0, 1] * lab[0, 1] + lab[0, 2] * lab[0, 2]
            clipped = lab[1, 1] * lab[1, 1] + lab[1, 2] * lab[1, 2]
            if whole == 0:  # 0 / 0 in LibRaw, which its conversion to an integer makes 0
                out[y, x, 0], out[y, x, 1], out[y, x, 2] = 0, 0, 0
                continue
            ratio = np.sqrt(clipped / whole)
            lab[0, 1] *= ratio
            lab[0, 2] *= ratio
            for c in range(3):
                total = np.float32(0)
                for j in range(3):
                    total += back[c, j] * lab[0, j]
                out[y, x, c] = np.uint16(np.int32(total / np.float32(3)))
