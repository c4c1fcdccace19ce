"""Bursts from a photograph or from code, with everything about them known."""

import numpy as np
from scipy import ndimage

from isptools.frame import Capture, Frame, Space

BLACK, WHITE = 64.0, 1023
SPAN = WHITE - BLACK


def capture(cfa="RGGB", shot=0.0, read=8.0, **facts):
    profile = ((shot / SPAN, (read**2 + 1 / 12) / SPAN**2),)
    return Capture(
        "bayer", cfa, (BLACK,) * 4, (int(BLACK),) * 4, WHITE, (2.0, 1.0, 1.5, 0.0), (0.0,) * 4,
        noise_profile=profile, color_matrix_1=((0.6, -0.1, -0.05), (-0.3, 1.1, 0.2),
        (-0.05, 0.2, 0.6)), illuminant_1=21, **facts,
    )  # fmt: skip


def texture(seed, height, width):
    """(H, W, 3) DN, smooth enough for a lens, textured everywhere."""
    rng = np.random.default_rng(seed)
    size = (height + 64, width + 64)
    fine, tint = rng.standard_normal(size), rng.standard_normal((*size, 3))
    gray = 320 + ndimage.gaussian_filter(fine, 1.6) * 200
    color = 1 + ndimage.gaussian_filter(tint, (8, 8, 0)) * 5
    return np.clip(gray[..., None] * color, 5, 850).astype(np.float32)


def mosaic(scene, shift=(0.0, 0.0), cfa="RGGB"):
    """What the sensor sees without noise; its content lies `shift` further down and right."""
    out = np.empty([side - 64 for side in scene.shape[:2]], np.float32)
    for k, letter in enumerate("RGB"):
        plane = ndimage.shift(scene[..., k], shift, order=5, mode="nearest")[32:-32, 32:-32]
        for i in range(4):
            if cfa[i] == letter:
                out[i // 2 :: 2, i % 2 :: 2] = plane[i // 2 :: 2, i % 2 :: 2]
    return out


def exposed(light, facts, seed, read=8.0):
    """The frame of a noiseless mosaic; `facts` its capture."""
    noise = np.random.default_rng(seed).standard_normal(light.shape) * read
    pixels = np.clip(np.rint(light + BLACK + noise), 0, WHITE).astype(np.uint16)
    return Frame(pixels, Space.SENSOR, facts)


def burst(shifts, cfa="RGGB", size=(256, 320), read=8.0, seed=0):
    """Frames, and the clean mosaic of the first."""
    scene = texture(seed, *size)
    clean = [mosaic(scene, shift, cfa) for shift in shifts]
    facts = capture(cfa, read=read)
    return [exposed(light, facts, 100 + k, read) for k, light in enumerate(clean)], clean[0]


def light(fused):
    """DN above black of the input's scale."""
    return fused.frame.pixels / fused.scale - BLACK


def rmse(values):
    return float(np.sqrt(np.mean(np.square(values, dtype=np.float64))))
