"""Score a network on a split, picture by picture, beside what needs no training."""

import csv
import io
import json
import math
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isptools import measure, shards, whole
from isptools.datasets import protocol_of
from isptools.frame import Capture
from isptools.measure.klatzer import BORDER
from isptools.shards.made import made_by
from isptools.shards.schema import InputRow
from isptools.train import data
from isptools.train.camera import Camera
from isptools.train.infer import How, Mosaic, develop

F32 = NDArray[np.float32]
# mosaic, what its file states, its row -> (H, W, 3) uint16 sRGB, or None where there is no picture
Baseline = Callable[[NDArray[np.uint16], Capture, InputRow], NDArray[Any] | None]
Measure = Callable[[NDArray[Any], NDArray[Any]], float]  # of a picture and its truth, (H, W, 3)


@dataclass(frozen=True, slots=True)
class Score:
    """One picture of one method against the enhancement truth."""

    method: str
    key: str
    values: tuple[float, ...]  # in the order of the protocol's columns; NaN where a measure needs
    # a larger picture


@dataclass(frozen=True, slots=True)
class Protocol:
    """Which numbers are taken of a pair of (H, W, 3), and what must be known of them."""

    measures: dict[str, Measure]  # by their columns
    clipped: bool  # both sides to [0, 1] before
    stated: dict[str, Any]

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of all the numbers, in their order."""
        return tuple(self.measures)

    def values(
        self, picture: NDArray[Any], truth: NDArray[Any], wanted: Collection[str] | None = None
    ) -> tuple[float, ...]:
        """The numbers for one pair of (H, W, 3), in the order of the columns; those `wanted`."""
        pair = (np.clip(picture, 0, 1), np.clip(truth, 0, 1)) if self.clipped else (picture, truth)
        return tuple(
            measured(*pair)
            for name, measured in self.measures.items()
            if wanted is None or name in wanted
        )


def scores(
    camera: Camera,
    source: shards.Shards,
    baselines: dict[str, Baseline],
    how: How | None = None,
    undone: bool = True,
) -> Iterator[Score]:
    """The network's own pictures and each baseline's, for every input of `source`.

    Pictures are compared as `of(source)` says, as they stand on the sensor. A network that gives no
    sRGB is compared with the restoration truth. With `undone` it sees inputs as their truths are.
    """
    measured, how = of(source).values, how or How()
    for i in range(len(source)):
        name, picture = developed(camera, source, i, how, undone)
        truth = _truth(source, i, name)
        yield Score("network", source.facts(i).key, measured(picture, truth))
        if name == "enhancement" or station(source) == "camera":
            yield from _beside(source, i, truth, baselines)


def developed(
    camera: Camera, source: shards.Shards, i: int, how: How, undone: bool
) -> tuple[str, F32]:
    """Which truth the network's picture of input `i` is compared with, and that (H, W, 3)."""
    shading = source.shading(i) if undone else None
    mean = data.mean_matrix(source.capture(i))
    mosaic = Mosaic.of_row(source.raw(i), source.facts(i), shading, mean)
    name = "enhancement" if camera.enhanced >= 0 else "restoration"
    picture = develop(camera, mosaic, how.tile, how.device, how.precision)[name]
    return name, picture.transpose(1, 2, 0)


def given(
    source: shards.Shards, picture: Callable[[int], F32 | None], baselines: dict[str, Baseline]
) -> Iterator[Score]:
    """The same of pictures that were made elsewhere; an input that has none (None) is left out.

    `picture` gives (H, W, 3) of input i. They are compared with the enhancement truth, or with the
    restoration truth where there is no other.
    """
    name, measured = compared(source), of(source).values
    for i in range(len(source)):
        ours = picture(i)
        if ours is None:
            continue
        truth = _truth(source, i, name)
        yield Score("predictions", source.facts(i).key, measured(ours, truth))
        if name == "enhancement" or station(source) == "camera":
            yield from _beside(source, i, truth, baselines)


def compared(source: shards.Shards) -> str:
    """The truth that pictures from elsewhere are compared with. ValueError where there is none."""
    for name in ("enhancement", "restoration"):
        if all(name in table.pictures for table in source.examples):
            return name
    raise ValueError(f"{source.tables[0].path}: its shards have no truth in common")


def _truth(source: shards.Shards, i: int, name: str) -> F32:
    """(H, W, 3) in physical values."""
    stored, scale = source.stored(i, name, (0, 0, *source.shape(i)))
    picture: F32 = (stored * np.float32(scale)).transpose(1, 2, 0)
    return picture


def _beside(
    source: shards.Shards, i: int, truth: F32, baselines: dict[str, Baseline]
) -> Iterator[Score]:
    """What needs no training, of one input."""
    facts, measured = source.facts(i), of(source).values
    for method, render in baselines.items():
        shown = render(source.raw(i), source.capture(i), facts)
        if shown is not None:
            yield Score(method, facts.key, measured(shown / np.float32(65535), truth))


def _ms_ssim(picture: NDArray[Any], truth: NDArray[Any]) -> float:
    """NaN for a picture that five scales do not fit into."""
    return measure.ms_ssim(picture, truth) if min(truth.shape[:2]) >= 176 else math.nan


PAPERS = Protocol(
    {
        "psnr": measure.psnr,
        "ssim": measure.ssim,
        "ms_ssim": _ms_ssim,
        "s_cielab": measure.s_cielab,
        "color_angle": measure.color_angle,
    },
    True,
    {
        "crop": "none",
        "clipping": "[0, 1]",
        "s_cielab_pixels_per_degree": 23,
        "color_angle_luminance": [0.05, 0.95],
    },
)
COLUMNS = PAPERS.columns
LINEAR = Protocol(  # of Klatzer et al. 2016, in linear camera RGB
    {"psnr_linear": measure.linear_psnr, "psnr_srgb": measure.srgb_psnr},
    False,
    {
        "crop": f"{BORDER} pixels on every side",
        "clipping": "[0, 255]",
        "psnr_linear": "the picture rounded to 8 bits, the truth of 16 bits",
        "psnr_srgb": "behind the conversion of Klatzer et al. 2016, both sides clipped",
    },
)


def station(source: shards.Shards) -> str:
    """Where the restoration truths stand, "" for none."""
    pictures = source.tables[0].pictures
    return pictures["restoration"].space if "restoration" in pictures else ""


def of(source: shards.Shards) -> Protocol:
    """The data set's own protocol where it has one, else that of the papers on whole ISPs."""
    named = protocol_of(str(source.tables[0].attrs["data_set"]))
    return LINEAR if named == "klatzer2016" and station(source) == "camera" else PAPERS


def means(found: list[Score]) -> dict[str, tuple[float, ...]]:
    """The mean over pictures of each column, a method a row; NaN are left out."""
    out = {}
    for method in dict.fromkeys(one.method for one in found):
        table = np.array([one.values for one in found if one.method == method], np.float64)
        known = ~np.isnan(table)
        sums = np.where(known, table, 0).sum(0)
        out[method] = tuple((sums / np.where(known.sum(0), known.sum(0), np.nan)).tolist())
    return out


def protocol(source: shards.Shards, split: str) -> dict[str, Any]:
    """What the numbers hold for, stamped into the table."""
    attrs = source.tables[0].attrs
    return {
        "data_set": str(attrs["data_set"]),
        "recipe_sha256": str(attrs["recipe_sha256"]),
        "split": split,
        "pairs": len(source),
        "exclusions": made_by(attrs).exclude,
        "orientation": "as on the sensor",
        **of(source).stated,
    }


def write(
    path: Path, found: list[Score], stamp: dict[str, Any], columns: tuple[str, ...] = COLUMNS
) -> None:
    """A CSV: the protocol as comments, a line a picture and method, then the means."""
    file = io.StringIO(newline="")
    for name, value in stamp.items():
        file.write(f"# {name}: {json.dumps(value)}\n")
    rows = csv.writer(file)
    rows.writerow(("method", "picture", *columns))
    rows.writerows((one.method, one.key, *one.values) for one in found)
    rows.writerows((method, "mean", *row) for method, row in means(found).items())
    whole.save(path, file.getvalue().encode())


def opened(folder: Path, split: str, camera: Camera) -> shards.Shards:
    """The shards a network can be scored on. ValueError in one line."""
    need = "enhancement" if camera.enhanced >= 0 else "restoration"
    return data.open_shards(folder, split, camera.intake, (need,))
