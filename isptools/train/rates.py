"""Rate and quality of pictures behind a codec (Uhm et al. 2021, Table 2 and Fig. 5)."""

import csv
import json
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isptools import measure, shards
from isptools.train import data
from isptools.train.camera import Camera
from isptools.train.codecs import Codec, eight_bits
from isptools.train.infer import How, Mosaic, develop

F32 = NDArray[np.float32]
TRUTH = "truth"
COLUMNS = ("method", "picture", "quality", "psnr", "psnr_plain", "bpp")


@dataclass(frozen=True, slots=True)
class Point:
    """One picture of one method at one quality; PSNR in dB, of 8 bits."""

    method: str
    key: str
    quality: int
    psnr: float  # of the file to the truth's file of that quality; the truth's own to the truth
    psnr_plain: float  # of the file to the truth itself
    bpp: float  # bits a pixel of the file


def points(
    pictures: Iterable[tuple[str, dict[str, F32]]], codec: Codec, qualities: Sequence[int]
) -> Iterator[Point]:
    """Of every picture of every method: (H, W, 3) from 0 to 1, the truth's among them."""
    for key, methods in pictures:
        ours = {name: eight_bits(picture) for name, picture in methods.items()}
        plain = ours[TRUTH]
        for quality in qualities:
            made = {name: codec.through(picture, quality) for name, picture in ours.items()}
            for name, (picture, size) in made.items():
                against = plain if name == TRUTH else made[TRUTH][0]
                psnr, to_truth = (measure.psnr(picture, one, 255) for one in (against, plain))
                bits = measure.bits_per_pixel(size, plain.shape)
                yield Point(name, key, quality, psnr, to_truth, bits)


def pictures(
    networks: dict[str, Camera], source: shards.Shards, how: How, undone: bool = True
) -> Iterator[tuple[str, dict[str, F32]]]:
    """What each network makes of every input, and the truth. ValueError if one makes no sRGB."""
    for name, camera in networks.items():
        if camera.enhanced < 0:
            raise ValueError(f"{name}: makes no sRGB picture that could be compressed")
    for i in range(len(source)):
        facts = source.facts(i)
        shading = source.shading(i) if undone else None
        mosaic = Mosaic.of_row(source.raw(i), facts, shading, data.mean_matrix(source.capture(i)))
        stored, scale = source.stored(i, "enhancement", (0, 0, *source.shape(i)))
        made = {
            name: develop(camera, mosaic, how.tile, how.device, how.precision)["enhancement"]
            for name, camera in networks.items()
        }
        made[TRUTH] = stored * np.float32(scale)
        yield facts.key, {name: one.transpose(1, 2, 0) for name, one in made.items()}


def means(found: Sequence[Point]) -> dict[str, list[Point]]:
    """A method's curve: the means over pictures at each quality."""
    out: dict[str, list[Point]] = {}
    for method in dict.fromkeys(one.method for one in found):
        own = [one for one in found if one.method == method]
        for quality in dict.fromkeys(one.quality for one in own):
            some = [one for one in own if one.quality == quality]
            psnr, plain, bits = (
                float(np.mean([getattr(one, name) for one in some])) for name in COLUMNS[3:]
            )
            out.setdefault(method, []).append(Point(method, "mean", quality, psnr, plain, bits))
    return out


def gain(ours: Sequence[Point], theirs: Sequence[Point]) -> float:
    """PSNR of one curve above another at equal bits, dB: the mean over the bits that both reach.

    Both are interpolated between their points. NaN where they share no bits.
    """
    ours, theirs = (sorted(curve, key=lambda one: one.bpp) for curve in (ours, theirs))
    low = max(curve[0].bpp for curve in (ours, theirs))
    high = min(curve[-1].bpp for curve in (ours, theirs))
    if not low < high:
        return math.nan
    at = np.linspace(low, high, 101)
    first, second = (
        np.interp(at, [one.bpp for one in curve], [one.psnr for one in curve])
        for curve in (ours, theirs)
    )
    return float((first - second).mean())


def write(folder: Path, stem: str, found: Sequence[Point], stamp: dict[str, Any]) -> list[Path]:
    """The points and their means as CSV, the curves as PNG; whole or not at all."""
    targets = [folder / f"{stem}.csv", folder / f"{stem}.png"]
    makers: list[Callable[[Path], None]] = [
        lambda path: _table(path, found, stamp), lambda path: _plot(path, means(found), stamp),
    ]  # fmt: skip
    for target, make in zip(targets, makers, strict=True):
        part = target.with_name(f".{target.name}.part")
        try:
            make(part)
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
    return targets


def _table(path: Path, found: Sequence[Point], stamp: dict[str, Any]) -> None:
    lines = [*found, *(point for curve in means(found).values() for point in curve)]
    with path.open("w", newline="", encoding="utf-8") as file:
        for name, value in stamp.items():
            file.write(f"# {name}: {json.dumps(value)}\n")
        rows = csv.writer(file)
        rows.writerow(COLUMNS)
        for one in lines:
            rows.writerow((one.method, one.key, one.quality, one.psnr, one.psnr_plain, one.bpp))


def _plot(path: Path, curves: dict[str, list[Point]], stamp: dict[str, Any]) -> None:
    from matplotlib.figure import Figure  # noqa: PLC0415 - half a second that only plots need

    figure = Figure(figsize=(7, 5), layout="constrained")
    axes = figure.subplots()
    for method, curve in curves.items():
        label = "truth, to itself uncompressed" if method == TRUTH else method
        style = "--" if method == TRUTH else "-"
        axes.plot([one.bpp for one in curve], [one.psnr for one in curve], style, marker="o",
                  markersize=3, label=label)  # fmt: skip
    axes.set_xlabel("bits per pixel")
    axes.set_ylabel(f"PSNR behind {stamp['codec']} to the truth behind it, dB")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, format="png", dpi=120)
