"""Zurich RAW to RGB: released patches of a phone's raw numbers and a DSLR's pictures.

Which folders hold the two sides stands in the data set's rules; here is its miniature.
"""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator

from isptools.datasets.card import Card
from isptools.datasets.folders import Select, find, small
from isptools.frame import Array
from isptools.synth import scenes, views
from isptools.synth.files import written
from isptools.synth.views import Light, generator, jpeg

__all__ = ["Select", "find", "miniature", "small"]

CODE = 13  # part of every seed


def miniature(_card: Card, out: Path, seed: int = 0) -> list[Path]:
    """Raw patches of 10-bit numbers; where all fit into 8 bits they are written as such."""
    return [*written(_patches(seed), out), views.known(out, {})]


def _patches(seed: int) -> Iterator[tuple[str, bytes]]:
    for code, (split, count) in enumerate((("train", 6), ("test", 2))):
        for number in range(count):
            rng = generator(seed, CODE, code, number)
            picture = scenes.paint(generator(seed, CODE, code, 1000 + number), 480, 480)
            picture = np.ascontiguousarray(picture[16:464, 16:464]) * np.float32(1.2)
            dark = np.float32(0.15 if number == 3 else 0.8)
            moved = views.shifted(picture, rng.uniform(-0.8, 0.8, 2))
            raw = _mosaic(np.minimum(moved, np.float32(1.2)) * dark, rng)
            yield f"{split}/huawei_raw/{number}.png", _png(raw)
            yield f"{split}/canon/{number}.jpg", jpeg(views.toned(picture), 95)


def _mosaic(light: Light, rng: Generator) -> Array:
    """RGGB, black 63, white 1020, before white balance."""
    gains = np.array([0.5, 1.0, 0.6], np.float32)
    planes = np.clip(light * gains, 0, 1)
    flat = planes[..., 1].copy()
    flat[0::2, 0::2], flat[1::2, 1::2] = planes[0::2, 0::2, 0], planes[1::2, 1::2, 2]
    noisy = flat + rng.normal(0, 0.006, flat.shape) * np.sqrt(np.maximum(flat, 0.01))
    return np.asarray(np.clip(np.rint(63 + 957 * noisy), 0, 1023), np.uint16)


def _png(raw: Array) -> bytes:
    small_enough: Array = raw.astype(np.uint8) if raw.max() <= 255 else raw
    return np.asarray(cv2.imencode(".png", small_enough)[1]).tobytes()
