"""Cuts of docs/papers: what runs of benchmarks/systems.py make of photographs that may be shown.

python benchmarks/systems_shown.py simulators SHARDS RUNS KEY... --out FILE.png
python benchmarks/systems_shown.py aware SHARDS RUNS KEY... --out FILE.png
python benchmarks/systems_shown.py losses PICTURES RUNS NAME... --out FILE.png

KEY is a scene of the split test, NAME a file of the folder PICTURES; a row of cuts for each. The
cuts lie where the methods err most; below each is its error against the last one, magnified.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import imageio.v3 as imageio
import numpy as np
import systems
import torch

from isptools import shards
from isptools.compare import crops, simulated
from isptools.compare.score import behind
from isptools.compare.table import Jpeg
from isptools.train import checkpoint, rates
from isptools.train.infer import How, Mosaic, develop

Row = tuple[list[tuple[str, Any]], Any]  # named pictures from 0 to 1, and what they should be
CUT = (200, 340)  # pixels of a loss's cut, from the middle; they are shown whole
JPEG = Jpeg(80)  # that simulators are shown at
GAINS = {"simulators": 20.0, "aware": 10.0}  # of the errors


def simulators(args: argparse.Namespace) -> Iterator[Row]:
    """Against the real JPEG at quality 80."""
    with shards.open(args.data, "test") as source:
        for i in _places(source, args.keys):
            picture = np.clip(systems.truth(source, i), 0, 1).astype(np.float32)
            made = [(name, _through(_simulator(args.runs, name), picture))
                    for name in ("DJS", "ACN", "CAS-Net")]  # fmt: skip
            yield [("not compressed", picture), *made], behind(picture, JPEG)[0]


def _simulator(runs: Path, name: str) -> simulated.Simulate:
    if name == "DJS":
        return simulated.without_training("djs", JPEG)
    run = systems.taught(runs, name, JPEG.quality)
    return simulated.trained(run, checkpoint.model(run)[1])


def _through(simulate: simulated.Simulate, picture: Any) -> Any:
    given = torch.from_numpy(picture.transpose(2, 0, 1)[None].copy())
    return simulate(given)[0].clamp(0, 1).numpy().transpose(1, 2, 0)


def aware(args: argparse.Namespace) -> Iterator[Row]:
    """Behind real JPEGs at the quality that they were trained for, against the truth's JPEG."""
    runs = {name: args.runs / f"{name}-0" for name in ("agnostic", *systems.KINDS)}
    networks = {name: checkpoint.model(run)[0] for name, run in runs.items() if run.exists()}
    with shards.open(args.data, "test") as source:
        for key, made in rates.pictures(networks, source, How(0)):
            if key not in args.keys:
                continue
            jpeg = Jpeg(systems.QUALITY)
            shown = {name: behind(np.clip(one, 0, 1), jpeg)[0] for name, one in made.items()}
            yield [(n, x) for n, x in shown.items() if n != rates.TRUTH], shown[rates.TRUTH]


def losses(args: argparse.Namespace) -> Iterator[list[tuple[str, Any]]]:
    """The picture itself, and what each combination of losses makes of it."""
    flat = (0.0,) * 3
    for name in args.keys:
        picture = imageio.imread(args.data / name)[..., :3]
        mosaic = Mosaic(picture.transpose(2, 0, 1).copy(), "RGB", flat, 255.0, flat, flat)
        made = [("given", picture / np.float32(255))]
        for loss in systems.COMBINATIONS:
            run = args.runs / loss.replace(" ", "-")
            if run.exists():
                camera = checkpoint.model(run)[0]
                made.append((loss, develop(camera, mosaic, 0)["enhancement"].transpose(1, 2, 0)))
        yield made


def _places(source: shards.Shards, keys: list[str]) -> list[int]:
    return [i for i in range(len(source)) if source.facts(i).key in keys]


def _middle(made: list[tuple[str, Any]], across: int = 3) -> Any:
    """Cuts from the middle, `across` a line, each under its name."""
    cells = []
    for name, picture in made:
        top, left = ((n - side) // 2 for n, side in zip(picture.shape, CUT, strict=False))
        cut = np.clip(picture[top : top + CUT[0], left : left + CUT[1]], 0, 1)
        label = np.full((16, CUT[1], 3), 255, np.uint8)
        cv2.putText(label, name, (2, 11), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (0, 0, 0), 1, cv2.LINE_AA)
        cells.append(np.concatenate([label, np.rint(cut * 255).astype(np.uint8)]))
    cells += [np.full_like(cells[0], 255)] * (-len(cells) % across)
    lines = [np.concatenate(cells[at : at + across], 1) for at in range(0, len(cells), across)]
    return np.concatenate(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("simulators", "aware", "losses"))
    parser.add_argument("data", type=Path)
    parser.add_argument("runs", type=Path)
    parser.add_argument("keys", nargs="+")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    torch.set_num_threads(1)
    with torch.inference_mode():
        if args.what == "losses":
            rows = [_middle(made) for made in losses(args)]
        else:
            make = {"simulators": simulators, "aware": aware}[args.what]
            rows = [crops.side_by_side(made, aim, GAINS[args.what]) for made, aim in make(args)]
    cv2.imwrite(str(args.out), np.concatenate(rows)[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 9])


if __name__ == "__main__":
    main()
