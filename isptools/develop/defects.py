"""Defects of a sensor that one of its pictures shows."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from isptools.develop.badpixels import Sites, candidates, outliers
from isptools.develop.balance import three_colors
from isptools.frame import Frame


def rawpy_candidates(frame: Frame) -> Sites:
    """Sites (y, x) that differ from their neighbours, as rawpy finds them in one file."""
    pixels: Any = frame.pixels
    return candidates(pixels)


def outliers_of(frame: Frame) -> Sites:
    """Sites (y, x) of a Bayer frame at SENSOR that no light can have made, by its own noise."""
    from isptools.develop.noise import noise_of  # noqa: PLC0415 - SciPy, for who asks for it

    facts, noise = frame.capture, noise_of(frame)
    black = np.reshape(np.asarray(facts.black, np.float32), (2, 2))
    light = np.array(frame.pixels, np.float32)
    for y in (0, 1):
        for x in (0, 1):
            level = black[y, x]
            light[y::2, x::2] = (light[y::2, x::2] - level) / (np.float32(facts.white) - level)
    variances = np.array([noise.shot, noise.read], np.float32).reshape(2, 2, 2)
    return outliers(light, variances, three_colors(facts.cfa))


FINDERS: Mapping[str, Callable[[Frame], Sites]] = {
    "rawpy": rawpy_candidates,
    "outliers": outliers_of,
}
