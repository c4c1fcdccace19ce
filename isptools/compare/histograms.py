"""How much an operator changes a picture's histogram (CameraNet, Fig. 2).

The L1 norm of the difference of the histograms (256 bins a channel, as shares of the pixels) of a
picture before and behind it. Restoring operators are asked backwards, as the paper does: the
picture is spoiled, restored, and compared with the spoiled one.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from isptools.compare.score import Scores, truth
from isptools.frame import Array
from isptools.shards import Shards

Bytes = NDArray[np.uint8]
COLUMNS = ("histogram",)


def score(method: str, source: Shards, limit: int = 0) -> Scores:
    """Of the enhancement truths of `source`, each scene once. ValueError for no operator."""
    if method not in OPERATORS:
        raise ValueError(f"no operator {method!r}; there are {', '.join(OPERATORS)}")
    keys: list[str] = []
    values = []
    for i in range(len(source)):
        scene = source.facts(i).scene
        if scene in keys or (limit and len(keys) == limit):
            continue
        picture = np.rint(np.clip(truth(source, i), 0, 1) * 255).astype(np.uint8)
        keys.append(scene)
        values.append((change(*OPERATORS[method](picture)),))
    return Scores(COLUMNS, tuple(keys), tuple(values))


def change(before: Bytes, behind: Bytes) -> float:
    """The mean over channels of the L1 norm of the difference of two histograms, 0 to 2."""
    found = [
        np.abs(_shares(before[..., c]) - _shares(behind[..., c])).sum()
        for c in range(before.shape[2])
    ]
    return float(np.mean(found))


def _shares(channel: Array) -> NDArray[np.float64]:
    counts = np.bincount(np.ravel(channel), minlength=256)
    return np.asarray(counts / counts.sum(), np.float64)


Pair = tuple[Bytes, Bytes]


def _noise(picture: Bytes, sigma: float) -> Pair:
    noise = np.random.default_rng(0).normal(0, sigma, picture.shape)
    return np.clip(np.rint(picture + noise), 0, 255).astype(np.uint8), picture


def _demosaicked(picture: Bytes) -> Pair:
    """Before: each color where a Bayer cell (RGGB) has it, spread over its cell."""
    sparse = np.empty_like(picture[: picture.shape[0] // 2 * 2, : picture.shape[1] // 2 * 2])
    places = ((0, 0), (0, 1), (1, 1))
    for channel, (row, column) in enumerate(places):
        own = picture[row::2, column::2, channel][: sparse.shape[0] // 2, : sparse.shape[1] // 2]
        sparse[..., channel] = own.repeat(2, 0).repeat(2, 1)
    return sparse, picture


def _enlarged(picture: Bytes) -> Pair:
    height, width = (side // 4 * 4 for side in picture.shape[:2])
    whole = picture[:height, :width]
    small = cv2.resize(whole, (width // 4, height // 4), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8), whole


def _local_contrast(picture: Bytes) -> Pair:
    """Adaptive histogram equalization with a limit (Zuiderveld 1994) of the luma."""
    lab = cv2.cvtColor(picture, cv2.COLOR_RGB2LAB)
    lab[..., 0] = cv2.createCLAHE(3.0, (8, 8)).apply(lab[..., 0])
    return picture, np.asarray(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB), np.uint8)


def _toned(picture: Bytes) -> Pair:
    """Reinhard et al. 2002, global, key 0.18, behind an inverse gamma of 2.4 as the paper's."""
    light = (picture / 255.0) ** 2.4
    luma = light @ np.array([0.2126, 0.7152, 0.0722])
    scaled = 0.18 / np.exp(np.log(luma + 1e-6).mean()) * luma
    gain = scaled / (1 + scaled) / np.maximum(luma, 1e-6)
    shown = np.clip(light * gain[..., None], 0, 1) ** (1 / 2.4)
    return picture, np.rint(shown * 255).astype(np.uint8)


OPERATORS = {
    "demosaicking": _demosaicked,
    "denoising-15": lambda picture: _noise(picture, 15),
    "denoising-25": lambda picture: _noise(picture, 25),
    "super-resolution-4": _enlarged,
    "local-contrast": _local_contrast,
    "tone-mapping": _toned,
}
