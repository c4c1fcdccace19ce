"""Does a codec in the loss help the smallest ISP there is? docs/papers/compression-aware.md.

python benchmarks/aware_small.py SHARDS [--quality 80 40] [--seeds 3]

SHARDS: isptools build benchmarks/compressed.toml --source PHOTOGRAPHS. A mosaic is taken of each
photograph as it is, so that nothing but demosaicking is left to do, by one linear filter of 7 x 7
for each place in the cell. Least squares on the training split gives the start. From there a seed
trains twice, the same steps on the same cuts: by L1 (agnostic), and by 0.1 L1 + L1 behind DJS of
both pictures (aware). Scored on a cut of every photograph of the test split, behind real files of
the quality: PSNR above the agnostic curve where that has the same bits.
"""

import argparse
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import systems
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the usual name

from isptools import shards
from isptools.train import rates
from isptools.train.codecs import Codec
from isptools.train.simulators import DJS

SIDE, CUT, TEST = 7, 64, 192  # of a filter, a training cut and a cut that is scored; pixels
EACH = 12  # cuts of a training photograph
STEPS, BATCH, RATE, WARM = 200, 16, 2e-4, 30  # the rate rises in WARM steps and falls by a cosine
ISP = 0.1  # lambda_isp
AROUND = 3  # between the qualities of a curve
PLACES = [(row, column) for row in (0, 1) for column in (0, 1)]
COLORS = dict(zip(PLACES, (0, 1, 1, 2), strict=True))  # RGGB
Cut = tuple[Tensor, Tensor]  # what filters see, (4, n, SIDE^2 + 1); the picture, (3, H, W)


def cuts(data: Path, split: str, side: int, each: int) -> Iterable[Any]:
    """Of the photographs, (side, side, 3) from 0 to 1, by chance; in the middle if one of each."""
    chance = np.random.default_rng(0)
    with shards.open(data, split) as source:
        for i in range(len(source)):
            picture = systems.truth(source, i)
            for _ in range(each):
                room = [n - side for n in picture.shape[:2]]
                top, left = [n // 2 if each == 1 else chance.integers(n + 1) for n in room]
                yield np.ascontiguousarray(picture[top : top + side, left : left + side])


def seen(picture: Any) -> Cut:
    """A cut of even sides as the filters see its mosaic, and itself."""
    mosaic = np.empty(picture.shape[:2], np.float32)
    for (row, column), color in COLORS.items():
        mosaic[row::2, column::2] = picture[row::2, column::2, color]
    padded = np.pad(mosaic, SIDE // 2, "reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (SIDE, SIDE))
    taps = np.stack([windows[r::2, c::2].reshape(-1, SIDE**2) for r, c in PLACES])
    one = np.ones((*taps.shape[:2], 1), np.float32)
    truth = torch.from_numpy(picture.transpose(2, 0, 1).astype(np.float32))
    return torch.from_numpy(np.concatenate([taps, one], 2)), truth


def whole(values: Tensor, shape: torch.Size) -> Tensor:
    """(4, n, 3) of the four places as a picture (3, H, W)."""
    out = values.new_empty(shape)
    for place, (row, column) in enumerate(PLACES):
        out[:, row::2, column::2] = values[place].T.reshape(out[:, row::2, column::2].shape)
    return out


def solved(known: list[Cut]) -> tuple[Tensor, Tensor]:
    """Least squares: filters (4, taps, 3) of whitened taps, and what whitens them.

    Whitened, so that every step of Adam moves what taps have in common no more than the rest.
    """
    squares, products = torch.zeros(()), torch.zeros(())
    for taps, truth in known:
        x = taps.double()
        wanted = torch.stack([truth[:, r::2, c::2].reshape(3, -1).T for r, c in PLACES]).double()
        squares = squares + x.mT @ x / x.shape[1] / len(known)
        products = products + x.mT @ wanted / x.shape[1] / len(known)
    values, vectors = torch.linalg.eigh(squares + 1e-6 * torch.eye(squares.shape[1]).double())
    whitening = vectors / values.sqrt()[:, None]
    return (whitening.mT @ products).float(), whitening.float()


def taught(start: Tensor, known: list[Cut], codec: DJS | None, seed: int) -> Tensor:
    """Further steps from `start`; the same cuts with a codec and without."""
    chance = torch.Generator().manual_seed(seed)
    filters = start.clone().requires_grad_()
    adam = torch.optim.Adam([filters], RATE, (0.9, 0.99))
    for step in range(STEPS):
        fall = 0.5 + 0.5 * math.cos(math.pi * step / STEPS)
        adam.param_groups[0]["lr"] = RATE * min(1, (step + 1) / WARM) * fall
        some = [known[i] for i in torch.randint(len(known), (BATCH,), generator=chance).tolist()]
        truth = torch.stack([truth for _, truth in some])
        ours = torch.stack([whole(taps @ filters, one.shape) for taps, one in some])
        loss = F.l1_loss(ours, truth)
        if codec:
            loss = ISP * loss + F.l1_loss(codec(ours), codec(truth))
        adam.zero_grad()
        loss.backward()
        adam.step()
    return filters.detach()


def curves(ways: dict[str, Tensor], tests: list[Cut], quality: int) -> dict[str, list[rates.Point]]:
    """The mean curve of each way behind real files."""
    pictures = []
    for i, (taps, truth) in enumerate(tests):
        made = {name: whole(taps @ filters, truth.shape) for name, filters in ways.items()}
        both = made | {rates.TRUTH: truth}
        pictures.append((str(i), {name: _shown(one) for name, one in both.items()}))
    around = range(quality - AROUND, quality + AROUND + 1, AROUND)
    return rates.means(list(rates.points(pictures, Codec(), around)))


def gain(at: rates.Point, curve: list[rates.Point]) -> float:
    """PSNR of a point above a curve at its bits, dB."""
    return at.psnr - float(np.interp(at.bpp, [x.bpp for x in curve], [x.psnr for x in curve]))


def _shown(picture: Tensor) -> Any:
    return picture.clamp(0, 1).permute(1, 2, 0).numpy()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shards", type=Path)
    parser.add_argument("--quality", type=int, nargs="+", default=[40, 80])
    parser.add_argument("--seeds", type=int, default=3)
    args = parser.parse_args()
    torch.set_num_threads(1)
    known = [seen(one) for one in cuts(args.shards, "train", CUT, EACH)]
    start, whitening = solved(known)
    known = [(taps @ whitening, truth) for taps, truth in known]
    tests = [(taps @ whitening, truth) for taps, truth in
             (seen(one) for one in cuts(args.shards, "test", TEST, 1))]  # fmt: skip
    print("quality | seed | way | PSNR / bits a pixel | plain PSNR | gain at equal bits")
    for quality in args.quality:
        for seed in range(args.seeds):
            ways = {"solved": start, "agnostic": taught(start, known, None, seed),
                    "aware": taught(start, known, DJS(quality), seed)}  # fmt: skip
            found = curves(ways, tests, quality)
            for way, filters in ways.items():
                at = next(one for one in found[way] if one.quality == quality)
                print(f"{quality} | {seed} | {way} | {at.psnr:.3f} / {at.bpp:.4f} | "
                      f"{_plain(filters, tests):.2f} | "
                      f"{gain(at, found['agnostic']):+.3f}", flush=True)  # fmt: skip


def _plain(filters: Tensor, tests: list[Cut]) -> float:
    found = [(whole(taps @ filters, truth.shape).clamp(0, 1) - truth).square().mean()
             for taps, truth in tests]  # fmt: skip
    return float(np.mean([-10 * math.log10(one) for one in found]))


if __name__ == "__main__":
    main()
