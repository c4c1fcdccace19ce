"""Color differences: CIELAB, S-CIELAB, and the angle between RGB vectors.

Pictures are (H, W, 3) sRGB as encoded for the screen (IEC 61966-2-1), floats in [0, 1].
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
F64 = NDArray[np.float64]
XYZ_FROM_SRGB = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750],
     [0.0193339, 0.1191920, 0.9503041]]
)  # fmt: skip
WHITE = XYZ_FROM_SRGB.sum(1)  # D65, as the matrix has it
LUMA = np.array([0.2126, 0.7152, 0.0722])
# Zhang and Wandell 1997, "A spatial extension of CIELAB": XYZ to opponent colors, and the sums of
# Gaussians exp(-(r/s)^2) each is seen through: (weight, spread s in degrees)
OPPONENT = np.array([[0.279, 0.720, -0.107], [-0.449, 0.290, -0.077], [0.086, -0.590, 0.501]])
SEEN = (
    ((0.921, 0.0283), (0.105, 0.133), (-0.108, 4.336)),
    ((0.531, 0.0392), (0.330, 0.494)),
    ((0.488, 0.0536), (0.371, 0.386)),
)


def color_angle(picture: Array, truth: Array, low: float = 0.05, high: float = 0.95) -> float:
    """Mean angle in degrees between RGB vectors, where the truth's luminance is in (low, high).

    CameraNet v1, footnote 2. The luminance is Rec. 709 luma of the values as given. NaN where no
    pixel counts; a black pixel of `picture` counts as 90 degrees.
    """
    _expect(picture, truth)
    ours, theirs = picture.astype(np.float64), truth.astype(np.float64)
    light = theirs @ LUMA
    inside = (light > low) & (light < high)
    if not inside.any():
        return float("nan")
    ours, theirs = ours[inside], theirs[inside]
    lengths = np.linalg.norm(ours, axis=1) * np.linalg.norm(theirs, axis=1)
    cosine = (ours * theirs).sum(1) / np.maximum(lengths, 1e-12)
    return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))).mean())


def s_cielab(picture: Array, truth: Array, per_degree: float = 23.0) -> float:
    """Mean S-CIELAB difference (CIE 1976), Zhang and Wandell 1997.

    Both pictures are blurred in opponent colors as the eye blurs them, then compared in CIELAB.
    `per_degree` pixels fill one degree of the view: 23 is a screen of 72 dpi at 18 inches. Weights
    are normalized so that a flat color stays; edges are mirrored; filters are not cut short.
    """
    _expect(picture, truth)
    difference = _lab(_blurred(picture, per_degree)) - _lab(_blurred(truth, per_degree))
    return float(np.sqrt((difference**2).sum(2)).mean())


def lab_of_srgb(picture: Array) -> F64:
    """CIELAB (H, W, 3) of encoded sRGB, under D65."""
    return _lab(_xyz(picture))


def _expect(picture: Array, truth: Array) -> None:
    if picture.shape != truth.shape or picture.ndim != 3 or picture.shape[2] != 3:
        raise ValueError(f"expected two (H, W, 3): {picture.shape} and {truth.shape}")


def _xyz(picture: Array) -> F64:
    shown = np.clip(picture.astype(np.float64), 0, 1)
    linear = np.where(shown <= 0.04045, shown / 12.92, ((shown + 0.055) / 1.055) ** 2.4)
    xyz: F64 = linear @ XYZ_FROM_SRGB.T
    return xyz


def _blurred(picture: Array, per_degree: float) -> F64:
    from scipy.ndimage import gaussian_filter  # noqa: PLC0415 - for who asks for it

    planes = _xyz(picture) @ OPPONENT.T
    for i, terms in enumerate(SEEN):
        total = sum(weight for weight, _ in terms)
        planes[:, :, i] = sum(
            weight / total * gaussian_filter(planes[:, :, i], spread * per_degree / np.sqrt(2))
            for weight, spread in terms
        )
    xyz: F64 = planes @ np.linalg.inv(OPPONENT).T
    return xyz


def _lab(xyz: F64) -> F64:
    t = xyz / WHITE
    f = np.where(t > (6 / 29) ** 3, np.cbrt(t), t / (3 * (6 / 29) ** 2) + 4 / 29)
    x, y, z = f[..., 0], f[..., 1], f[..., 2]
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], -1)
