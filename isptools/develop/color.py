"""From camera RGB to the color space that is asked for."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from isptools.develop.planes import join, split
from isptools.develop.rows import kernel, over_rows, writable
from isptools.frame import Capture, Matrix, UnsupportedError, empty
from isptools.raw.color import XYZ_FROM_SRGB

U16 = NDArray[np.uint16]
F32 = NDArray[np.float32]

# linear sRGB to each space, D65; as many digits as LibRaw carries (its out_rgb tables)
FROM_SRGB: dict[str, Sequence[Sequence[float]]] = {
    "srgb": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "adobe": ((0.715146, 0.284856, 0.0), (0.0, 1.0, 0.0), (0.0, 0.041166, 0.958839)),
    "prophoto": (
        (0.529317, 0.330092, 0.140588), (0.098368, 0.873465, 0.028169),
        (0.016879, 0.117663, 0.865457),
    ),
    "xyz": XYZ_FROM_SRGB.tolist(),
    "p3": (
        (0.822488, 0.177511, 0.000000), (0.033200, 0.966800, 0.000000),
        (0.017089, 0.072411, 0.910499),
    ),
    "rec2020": (
        (0.627452, 0.329249, 0.043299), (0.069109, 0.919531, 0.011360),
        (0.016398, 0.088030, 0.895572),
    ),
}  # fmt: skip


def out_matrix(space: str, camera_to_srgb: Matrix) -> F32:
    """3x3 from balanced camera RGB to a space, as LibRaw sums it. LibRaw: convert_to_rgb."""
    return float32_product(np.asarray(FROM_SRGB[space], np.float64), camera_to_srgb)


def float32_product(left: NDArray[np.float64], right: Matrix) -> F32:
    """left @ right: each product in double, rounded to float32, then summed in float32."""
    camera = np.asarray(right, np.float32).astype(np.float64)
    out = np.zeros((3, 3), np.float32)
    for k in range(3):
        out += (left[:, k, None] * camera[None, k, :]).astype(np.float32)
    return out


def convert(rgb: U16, matrix: F32, scratch: bool = False) -> U16:
    """(H, W, 3) times a 3x3, truncated and clipped to 16 bit; with `scratch` in place.

    LibRaw: convert_to_rgb_loop.
    """
    out = writable(rgb) if scratch else empty(rgb.shape, np.uint16)
    over_rows(_convert, len(rgb), rgb, matrix, out)
    return out


@kernel
def _convert(rgb, m, out, top, bottom):
    planes = np.empty((3, rgb.shape[1]), np.float32)
    shown = np.empty((3, rgb.shape[1]), np.uint16)
    for y in range(top, bottom):
        split(rgb[y].reshape(rgb[y].size), planes)
        for c in range(3):
            _row(planes, m[c, 0], m[c, 1], m[c, 2], shown[c])
        join(shown, out[y].reshape(out[y].size))


@kernel
def _row(planes, by_r, by_g, by_b, shown):
    r, g, b = planes[0], planes[1], planes[2]
    for x in range(len(shown)):
        value = (by_r * r[x] + by_g * g[x]) + by_b * b[x]
        shown[x] = np.uint16(np.int32(max(np.float32(0), min(value, np.float32(65535)))))


def project(rgb: U16, matrix: F32) -> F32:
    """(H, W, 3) of 65535 = 1 times a 3x3, in float32, nothing clipped."""
    out = empty(rgb.shape, np.float32)
    over_rows(_project, len(rgb), rgb, matrix / np.float32(65535), out)
    return out


@kernel
def _project(rgb, m, out, top, bottom):
    for y in range(top, bottom):
        for x in range(rgb.shape[1]):
            r, g, b = np.float32(rgb[y, x, 0]), np.float32(rgb[y, x, 1]), np.float32(rgb[y, x, 2])
            for c in range(3):
                out[y, x, c] = m[c, 0] * r + m[c, 1] * g + m[c, 2] * b


def xyz_matrix(capture: Capture, matrix: str, gains: Sequence[float]) -> F32:
    """3x3 from balanced camera RGB to XYZ: "libraw" (D65, balanced) or "mean" (as shot)."""
    if matrix == "mean":
        return _as_shot(mean_camera_to_xyz(capture), gains)
    if capture.camera_to_srgb is None:
        return np.eye(3, dtype=np.float32)
    return out_matrix("xyz", capture.camera_to_srgb)


def mean_camera_to_xyz(capture: Capture) -> NDArray[np.float64]:
    """3x3 from camera RGB, not white balanced, to XYZ: the inverse of the mean ColorMatrix.

    CameraNet (arXiv v1), section III-B: the mean of ColorMatrix1 and ColorMatrix2; of the one
    there is where only one is stated. UnsupportedError where the file states none.
    """
    stated = [m for m in (capture.color_matrix_1, capture.color_matrix_2) if m is not None]
    if not stated:
        raise UnsupportedError(
            "the file states no ColorMatrix1 or ColorMatrix2; use the libraw matrix"
        )
    inverse: NDArray[np.float64] = np.linalg.inv(np.mean(stated, axis=0))
    return inverse


def _as_shot(matrix: NDArray[np.float64], gains: Sequence[float]) -> F32:
    """On balanced RGB: takes the gains out, and scales Y of a saturated neutral to 1."""
    unbalanced = matrix / np.asarray(gains[:3], np.float64)[None, :]
    scaled: F32 = (unbalanced / unbalanced[1].sum()).astype(np.float32)
    return scaled
