"""What a network that simulates JPEG has to learn: PSNR to the real file of simpler stand-ins.

python benchmarks/jpeg_parts.py PHOTOGRAPH... [--quality 80]

On a cut of 256 pixels of each, at 4:2:0: handed through; chroma averaged alone; every frequency of
luma times its best factor (what is linear, learned on the same cuts); the mean over places where
the grid of 16 pixels may begin, 1, 2, 4 or 8 apart (the most that who knows its place by this
remainder alone can know; a network of k poolings of two knows it by 2^k, as a picture moved by so
many pixels gives the same, moved); frequencies below half a step left out; all rounded. Chroma is
interpolated as libjpeg does.
"""

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from scipy.fft import dctn, idctn

from isptools import measure
from isptools.train.codecs import Codec
from isptools.train.simulators import CHROMINANCE, LUMINANCE, RGB, SIDE, YCC, scaled

CUT = 256  # pixels
KNOWN = 1, 2, 4, 8  # pixels by whose remainder the place of the grid is known
Change = Callable[[Any], Any]  # of coefficients in steps of the table


def steps(table: tuple[int, ...], quality: int) -> Any:
    return np.reshape(scaled(table, quality), (SIDE, SIDE))


def coded(plane: Any, table: Any, change: Change) -> Any:
    """(H, W) with the frequencies of its blocks, in steps, changed."""
    rows, columns = plane.shape[0] // SIDE, plane.shape[1] // SIDE
    blocks = plane.reshape(rows, SIDE, columns, SIDE).transpose(0, 2, 1, 3)
    changed = change(dctn(blocks, axes=(2, 3), norm="ortho") / table) * table
    back = idctn(changed, axes=(2, 3), norm="ortho")
    return back.transpose(0, 2, 1, 3).reshape(plane.shape)


def simulated(picture: Any, quality: int, luma: Change, chroma: Change) -> Any:
    """(H, W, 3) from 0 to 255."""
    planes = np.moveaxis(picture @ np.transpose(YCC), 2, 0)
    light = coded(planes[0] - 128, steps(LUMINANCE, quality), luma) + 128
    halves = [cv2.resize(plane, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
              for plane in planes[1:]]  # fmt: skip
    small = [coded(half, steps(CHROMINANCE, quality), chroma) for half in halves]
    wide = [cv2.resize(half, None, fx=2, fy=2, interpolation=cv2.INTER_LINEAR) for half in small]
    return np.clip(np.stack([light, *wide], 2) @ np.transpose(RGB), 0, 255)


def over_places(pictures: list[Any], codec: Codec, quality: int, known: int, i: int) -> Any:
    """The middle of one behind JPEGs whose grid begins `known` pixels apart, in the mean."""
    picture, places = pictures[i], range(0, 2 * SIDE, known)
    made = [codec.through(picture[2 * SIDE - y :, 2 * SIDE - x :], quality)[0][y:, x:][:CUT, :CUT]
            for y in places for x in places]  # fmt: skip
    return np.mean(made, 0)


def factors(pictures: list[Any], quality: int) -> Any:
    """Of each frequency of luma: the least squares from what goes in to what comes out."""
    table = steps(LUMINANCE, quality)
    sums = np.zeros((2, SIDE, SIDE))
    for picture in pictures:
        plane = (picture @ np.transpose(YCC))[..., 0] - 128
        blocks = plane.reshape(-1, SIDE, CUT // SIDE, SIDE).transpose(0, 2, 1, 3)
        parts = dctn(blocks, axes=(2, 3), norm="ortho") / table
        sums += [(parts * np.round(parts)).sum((0, 1)), (parts**2).sum((0, 1))]
    return sums[0] / sums[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photographs", nargs="+", type=Path)
    parser.add_argument("--quality", type=int, default=80)
    args = parser.parse_args()
    codec, begin = Codec(), 2 * SIDE
    wide = [cv2.imread(str(path))[64:, 64:, ::-1][: begin + CUT, : begin + CUT].copy()
            for path in args.photographs]  # fmt: skip
    cuts = [one[begin:, begin:].astype(np.float64) for one in wide]
    real = [codec.through(one.astype(np.uint8), args.quality)[0] for one in cuts]
    best = factors(cuts, args.quality)
    ways: dict[str, Callable[[int], Any]] = {
        "handed through": lambda i: cuts[i],
        "chroma averaged": lambda i: simulated(cuts[i], args.quality, lambda x: x, lambda x: x),
        "linear": lambda i: simulated(cuts[i], args.quality, lambda x: x * best, lambda x: x),
        **{
            f"mean over grids, {k} apart": partial(over_places, wide, codec, args.quality, k)
            for k in KNOWN
        },
        "small ones left out": lambda i: simulated(cuts[i], args.quality, *[_without_small] * 2),
        "rounded": lambda i: simulated(cuts[i], args.quality, np.round, np.round),
    }
    for name, way in ways.items():
        found = [measure.psnr(way(i), one, 255) for i, one in enumerate(real)]
        print(f"{name} | {np.mean(found):.2f}")


def _without_small(x: Any) -> Any:
    return np.where(np.abs(x) < 0.5, 0, x)


if __name__ == "__main__":
    main()
