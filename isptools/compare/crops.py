"""Side by side: the same cut of every row's picture, and below each how far it is from the truth.

Of the scenes on which the rows are worst and best in the mean, the cut where they err most.
"""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from isptools import whole
from isptools.compare.plan import Asked
from isptools.compare.run import Outcome, opened, renderer
from isptools.compare.score import F32, behind, truth
from isptools.compare.table import Jpeg
from isptools.shards import Shards
from isptools.train import evaluate

SIDE = 128  # pixels of a cut
LABEL, GAP = 16, 4
GAIN = 5.0  # of the error maps
Bytes = NDArray[np.uint8]


def write(asked: Asked, outcomes: Sequence[Outcome], data: str) -> dict[str, Path]:
    """`crops/DATA-worst.png` and `-best.png`, by what they show; none where nothing was scored."""
    first = _first_seeds(outcomes, data)
    ranked = ranking(first)
    chosen = dict(zip(("worst", "best"), (ranked[:1], ranked[:0:-1][:1]), strict=True))
    out = {}
    for what, keys in chosen.items():
        for key in keys:
            path = asked.out / "crops" / f"{data.replace(' ', '-')}-{what}.png"
            path.parent.mkdir(exist_ok=True)
            picture = side_by_side(*_pictures(asked, first, key))
            whole.save(path, cv2.imencode(".png", picture[..., ::-1])[1].tobytes())
            out[f"{what} scene, {key}"] = path
    return out


def ranking(outcomes: Sequence[Outcome]) -> list[str]:
    """Keys of pictures that every row has, the worst first, by the mean of the first column."""
    tables = [dict(zip(one.scores.keys, one.scores.values, strict=True)) for one in outcomes
              if one.scores]  # fmt: skip
    shared = [key for key in (tables[0] if tables else ()) if all(key in one for one in tables)]
    return sorted(shared, key=lambda key: (sum(one[key][0] for one in tables), key))


def _first_seeds(outcomes: Sequence[Outcome], data: str) -> list[Outcome]:
    found: dict[str, Outcome] = {}
    for one in outcomes:
        if one.scores and one.unit.data.name == data:
            found.setdefault(one.unit.row.name, one)
    return list(found.values())


def _pictures(
    asked: Asked, outcomes: Sequence[Outcome], key: str
) -> tuple[list[tuple[str, F32]], F32]:
    """Each row's picture of the input, as on a screen, and the truth."""
    pictures = []
    aim = None
    for one in outcomes:
        render, camera = renderer(one.unit, asked)
        with opened(one.unit, camera) as source, torch.inference_mode():
            i = _place(source, key)
            picture = render(source, i)
            if picture is None:
                continue
            aim = _shown(source, truth(source, i), None)
            pictures.append((one.unit.row.name, _shown(source, picture, one.unit.row.jpeg)))
    if aim is None:
        raise ValueError(f"{key}: nothing to show")
    return pictures, aim


def _place(source: Shards, key: str) -> int:
    return next(i for i in range(len(source)) if source.facts(i).key == key)


def _shown(source: Shards, picture: F32, jpeg: Jpeg | None) -> F32:
    clipped = np.clip(picture, 0, 1).astype(np.float32)
    if jpeg:
        return behind(clipped, jpeg)[0]
    return clipped if evaluate.compared(source) == "enhancement" else clipped ** np.float32(1 / 2.2)


def side_by_side(pictures: Sequence[tuple[str, F32]], aim: F32, gain: float = GAIN) -> Bytes:
    """(H, W, 3) uint8: names, cuts with the truth last, and `gain` times the error of each."""
    top, left = where([picture for _, picture in pictures], aim)
    window = (slice(top, top + SIDE), slice(left, left + SIDE))
    shown = [*pictures, ("truth", aim)]
    columns = [_column(name, picture[window], aim[window], gain) for name, picture in shown]
    gap = np.full((columns[0].shape[0], GAP, 3), 255, np.uint8)
    return np.concatenate([part for column in columns for part in (column, gap)][:-1], 1)


def where(pictures: Sequence[F32], aim: F32) -> tuple[int, int]:
    """Top and left of the window of SIDE pixels in which pictures (H, W, 3) err most.

    Windows begin at multiples of half of it.
    """
    error = np.mean([np.abs(picture - aim).mean(2) for picture in pictures], 0)
    tops, lefts = (range(0, max(side - SIDE, 0) + 1, SIDE // 2) for side in aim.shape[:2])
    places = [(top, left) for top in tops for left in lefts]
    return max(places, key=lambda at: error[at[0] : at[0] + SIDE, at[1] : at[1] + SIDE].sum())


def _column(name: str, picture: F32, aim: F32, gain: float) -> Bytes:
    shown = np.rint(picture * 255).astype(np.uint8)
    error = np.clip(np.abs(picture - aim).mean(2) * gain, 0, 1)
    mapped = cv2.applyColorMap(np.rint(error * 255).astype(np.uint8), cv2.COLORMAP_INFERNO)
    label = np.full((LABEL, picture.shape[1], 3), 255, np.uint8)
    fit = name if len(name) <= 20 else f"{name[:18]}.."
    cv2.putText(label, fit, (2, 11), cv2.FONT_HERSHEY_SIMPLEX, 0.36, (0, 0, 0), 1, cv2.LINE_AA)
    return np.concatenate([label, shown, np.asarray(mapped)[..., ::-1]], 0)
