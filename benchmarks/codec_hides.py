"""What a codec hides of a network's errors: docs/papers/compression-aware.md.

python benchmarks/codec_hides.py SHARDS RUN [--qualities 40 60 80 90]

For each quality, of luma's 8 x 8 frequencies on the split test: PSNR of the network's luma, and of
it behind JPEG to the truth's behind JPEG; which share of its squared error lies in frequencies that
both files round to 0, so that a network that knows the codec need not learn them; and how much the
second PSNR gains where every coefficient of the network is changed to what the truth's file holds
in the mean for such a coefficient (learned on the split train, a curve a frequency): all that can
be gained without seeing more of the scene.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jpeg_parts import steps
from scipy.fft import dctn

from isptools import shards
from isptools.train import checkpoint, rates
from isptools.train.infer import How
from isptools.train.simulators import LUMINANCE, SIDE, YCC

FINE, MOST = 8, 64  # cells of a curve a step of the table; steps beyond which nothing is changed
NAME = "network"


def blocks(picture: Any) -> Any:
    """(H, W, 3) from 0 to 1 to luma's coefficients, (n, 8, 8), on the scale of 255."""
    luma = (np.clip(picture, 0, 1) * 255) @ np.asarray(YCC[0]) - 128
    rows, columns = (side // SIDE for side in luma.shape)
    luma = luma[: rows * SIDE, : columns * SIDE]
    cut = luma.reshape(rows, SIDE, columns, SIDE).transpose(0, 2, 1, 3).reshape(-1, SIDE, SIDE)
    return dctn(cut, axes=(1, 2), norm="ortho")


def coefficients(run: Path, data: Path, split: str) -> Iterator[tuple[Any, Any]]:
    """Of every scene the network's and the truth's."""
    camera = {NAME: checkpoint.model(run)[0]}
    with shards.open(data, split) as source, torch.inference_mode():
        for _, made in rates.pictures(camera, source, How(0)):
            yield blocks(made[NAME]), blocks(made[rates.TRUTH])


def cells(x: Any) -> Any:
    return np.clip(np.rint(x * FINE) + MOST * FINE, 0, 2 * MOST * FINE).astype(int)


def curves(pairs: list[tuple[Any, Any]], table: Any) -> Any:
    """(64, cells): what the truth's file holds in the mean; a cell that few fall into: itself."""
    shape = SIDE**2, 2 * MOST * FINE + 1
    sums, counts = np.zeros(shape), np.zeros(shape)
    where = np.arange(SIDE**2)[None]
    for ours, theirs in pairs:
        at = cells(ours / table).reshape(-1, SIDE**2)
        np.add.at(counts, (where, at), 1)
        np.add.at(sums, (where, at), np.rint(theirs / table).reshape(-1, SIDE**2))
    own = (np.arange(shape[1]) - MOST * FINE) / FINE
    return np.where(counts >= 20, sums / np.maximum(counts, 1), np.broadcast_to(own, shape))


def told(pairs: list[tuple[Any, Any]], known: Any, quality: int) -> str:
    table = steps(LUMINANCE, quality)
    where = np.arange(SIDE**2)[None]
    errors = []
    for ours, theirs in pairs:
        x, y = ((one / table).reshape(-1, SIDE**2) for one in (ours, theirs))
        scale, squared = table.reshape(1, -1), (ours - theirs).reshape(-1, SIDE**2) ** 2
        hidden = (np.rint(x) == 0) & (np.rint(y) == 0)
        edge = np.abs(x) > MOST - 1
        better = np.where(edge, np.rint(x), np.rint(known[where, cells(x)]))
        errors.append([
            squared.mean(), (squared * hidden).mean(),
            *[(((one - np.rint(y)) * scale) ** 2).mean() for one in (np.rint(x), better)],
        ])  # fmt: skip
    every = np.array(errors)
    plain, behind, changed = (np.mean(-10 * np.log10(every[:, at] / 255**2)) for at in (0, 2, 3))
    share = np.mean(every[:, 1] / every[:, 0])
    return f"{plain:.2f} | {behind:.2f} | {share:.2f} | {changed - behind:+.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shards", type=Path)
    parser.add_argument("run", type=Path)
    parser.add_argument("--qualities", nargs="*", type=int, default=[40, 60, 80, 90])
    args = parser.parse_args()
    torch.set_num_threads(1)
    seen, held = (list(coefficients(args.run, args.shards, one)) for one in ("train", "test"))
    print("quality | luma, dB | behind JPEG, dB | share of the error that both files hide | "
          "gain by knowing, dB")  # fmt: skip
    for quality in args.qualities:
        known = curves(seen, steps(LUMINANCE, quality))
        print(f"{quality} | {told(held, known, quality)}", flush=True)


if __name__ == "__main__":
    main()
