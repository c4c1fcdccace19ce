"""What the compression-aware ISP and DPED give at small budgets: docs/papers/*.md.

python benchmarks/systems.py aware SHARDS --out DIR         aware and agnostic at equal bits, seeds
python benchmarks/systems.py losses SHARDS --out DIR        DPED's combinations of losses
python benchmarks/systems.py confidence SHARDS --out DIR    do weights of pairs and shifts help?

With --full networks are the papers' and cuts and batches nearly, for a GPU (--device cuda).

SHARDS of the first: isptools build benchmarks/compressed.toml --source PHOTOGRAPHS; of the others:
of dped, dped-originals or pairs. A run that is done in DIR is not trained again. Times are of the
processor.
"""

import argparse
import csv
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from scipy.ndimage import gaussian_filter

from isptools import measure, shards
from isptools.train import checkpoint, evaluate, rates
from isptools.train.codecs import QUALITIES, Codec
from isptools.train.infer import How, Mosaic, develop, device_of
from isptools.train.objectives import Acn, Cas, Compressed, Djs
from isptools.train.place import Place
from isptools.train.run import Job, train
from isptools.train.settings import Settings

KINDS = {"CAS-Net": Cas, "ACN": Acn, "DJS": Djs}
CUTS = 200  # batches from which L3's filters are solved for
FROM = {"picture": 5e-4, "glorot": 2e-3}  # how the generator begins, and its rate
LEAST, MOST = 0.55, 0.95  # accuracies between which a discriminator neither guesses nor knows


@dataclass(frozen=True, slots=True)
class Size:
    """What is trained where: the small ones for a processor, the papers' own for a GPU."""

    isp: dict[str, Any]
    rates: tuple[float, float]  # of ISP-Net's start, and behind it
    cuts: dict[str, Any]  # of the compression-aware ISP
    generator: dict[str, Any]
    pairs: dict[str, Any]  # cuts of DPED's


SMALL = Size(
    {"widths": [16, 32, 64], "reduction": 4, "start": "rendered"}, (1e-4, 2e-5),
    {"patch": 64, "batch": 4}, {"width": 16, "blocks": 2}, {"patch": 64, "log_every": 25},
)  # fmt: skip
# compiling takes longer than these runs win by it
FULL = Size(
    {"start": "glorot"}, (5e-4, 5e-5), {"patch": 128, "batch": 16, "compile": False}, {},
    {"patch": 100, "log_every": 25, "compile": False},
)  # fmt: skip


def trained(
    args: argparse.Namespace, folder: Path, words: dict[str, Any], start: Path | None = None
) -> float:
    """Train into a folder unless that is done; seconds of processor time, of this call."""
    begun = time.process_time()
    if not (folder / "model.safetensors").exists():
        settings = Settings.of({"title": folder.name, "log_every": 100, "save_every": 500, **words})
        train(settings, Job(args.shards, folder, Place(args.device), start=start))
    return time.process_time() - begun


AGNOSTIC = {"loss": "compressed", "simulator": {"kind": "djs"}, "isp": 1.0,
            "compressed": 0.0}  # fmt: skip


def stage(kind: str, steps: int, rate: float, decay: str = "exponential") -> dict[str, Any]:
    return {"train": kind, "steps": steps, "rate": rate, "decay": decay}


def through_codec(simulator: dict[str, Any], quality: int) -> dict[str, Any]:
    return {"loss": "compressed", "quality": quality, "simulator": simulator}


def beginning(name: str, size: Size, steps: int) -> tuple[dict[str, Any], dict[str, Any], float]:
    """The network, what it begins with, and the rate behind that."""
    if name == "l3":
        return {"name": "l3"}, stage("fit", CUTS, 1e-4), 1e-4
    first, then = size.rates
    return {"name": "compression-aware", **size.isp}, stage("whole", steps, first), then


def taught(folder: Path, name: str, quality: int) -> Path:
    """The run of a comparison (compression-aware-table-1) that taught this simulator."""
    for run in sorted(folder.glob("runs/*")):
        settings = Settings.of_json((run / "settings.json").read_text(encoding="utf-8"))
        chosen = settings.objective
        if isinstance(chosen, Compressed) and settings.stages[0].train == "simulator":
            same = isinstance(chosen.simulator, KINDS[name]) and chosen.quality == quality
            if same and (run / "model.safetensors").exists():
                return run
    raise SystemExit(f"{folder}: no {name} of quality {quality} was taught there; "
                     "isptools compare compression-aware-table-1 SHARDS")  # fmt: skip


def aware(args: argparse.Namespace) -> None:
    """Each seed: one agnostic start; from there the same steps with and without the codec."""
    steps, size = args.steps or 800, FULL if args.full else SMALL
    network, first, rate = beginning(args.network, size, args.first or steps)
    found: list[rates.Point] = []
    print("gain at equal bits over the agnostic run, dB; PSNR in dB / bits a pixel at the quality")
    for seed in args.seeds:
        same = {"network": network, "seed": seed, **size.cuts}
        runs = {"start": args.out / f"start-{seed}"}
        trained(args, runs["start"], same | {"objective": AGNOSTIC, "stages": [first]})
        for name in ("agnostic", *args.through):
            runs[name] = args.out / f"{name}-{seed}"
            objective, before = AGNOSTIC, []
            if name != "agnostic":
                objective, before = _through_simulator(args, name, runs[name])
            last = stage("compressed", steps, rate)
            words = same | {"objective": objective, "stages": [*before, last]}
            trained(args, runs[name], words, runs["start"])
        found += _compared(args, seed, runs)
    rates.write(args.out, "rate", found, {"seeds": args.seeds, **Codec().stated()})


def _through_simulator(
    args: argparse.Namespace, name: str, run: Path
) -> tuple[dict[str, Any], list[Any]]:
    """The objective, and the stage that taught its simulator, as done in the new run."""
    if name == "DJS":
        return through_codec({"kind": "djs"}, args.quality), []
    settings = checkpoint.model(done := taught(args.taught, name, args.quality))[1]
    run.mkdir(parents=True, exist_ok=True)
    shutil.copy(done / "simulator.safetensors", run)
    simulator = msgspec.to_builtins(settings.objective)["simulator"]
    return through_codec(simulator, args.quality), [msgspec.to_builtins(settings.stages[0])]


def _compared(args: argparse.Namespace, seed: int, runs: dict[str, Path]) -> list[rates.Point]:
    networks = {name: checkpoint.model(folder)[0] for name, folder in runs.items()}
    with shards.open(args.shards, "test") as source:
        pictures = rates.pictures(networks, source, How(0, device_of(args.device)))
        found = list(rates.points(pictures, Codec(), qualities(args.quality)))
    curves = rates.means(found)
    for name in runs:
        at = {one.quality: one for one in curves[name]}[args.quality]
        print(f"seed {seed} | {name} | {rates.gain(curves[name], curves['agnostic']):+.3f} | "
              f"{at.psnr:.2f} / {at.bpp:.3f}", flush=True)  # fmt: skip
    return found


def qualities(middle: int) -> tuple[int, ...]:
    """The paper's where they hold this one, else as many around it."""
    if middle in QUALITIES["jpeg"]:
        return QUALITIES["jpeg"]
    return tuple(q for q in range(middle - 16, middle + 17, 4) if 1 <= q <= 100)


COMBINATIONS = {
    "color + texture": ("color", "texture", "variation"),
    "texture": ("texture", "variation"),
    "mse + texture": ("mse", "texture", "variation"),
    "mse": ("mse",),
    "color": ("color",),
}
# texture of the paper's form weighs more than its 1, beside which color is a thousand times larger;
# judge: the discriminator's rate, as its 7 million numbers see few cuts a step
WEIGHTS = {
    "code": {"color": 0.5, "mse": 0.5, "texture": 0.1, "variation": 400.0, "content": 10.0,
             "judge": 1.0},
    "paper": {"color": 1.0, "mse": 1.0, "texture": 200.0, "variation": 100.0, "content": 100.0,
              "judge": 0.1},
}  # fmt: skip
TERMS = ("color", "mse", "texture", "variation", "content")


def losses(args: argparse.Namespace) -> None:
    """The appendix's combinations; content takes part where --vgg gives VGG-19's weights."""
    chosen = dict(COMBINATIONS)
    if args.vgg:
        chosen["color + content + texture"] = (*chosen["color + texture"], "content")
        chosen["content + texture"] = (*chosen["texture"], "content")
    for name in args.only or chosen:
        weights = WEIGHTS[args.form]
        objective = {"loss": "dped", "form": args.form, "judge": args.judge or weights["judge"],
                     **{term: weights[term] * (term in chosen[name]) for term in TERMS},
                     "vgg": str(args.vgg or "")}  # fmt: skip
        _paired(args, name, {"objective": objective})


# what may count less, or be moved: settings beside the L1 of a picture
WAYS: dict[str, dict[str, Any]] = {
    "L1": {}, "truths' noise": {"confidence": {"noise": 35.0}},
    "shift": {"confidence": {"shift": 0.3}}, "aligned by 1": {"aligned": 1},
    "aligned by 2": {"aligned": 2},
}  # fmt: skip


def confidence(args: argparse.Namespace) -> None:
    """L1, with pairs that count differently and with truths that may move."""
    for name in args.only or WAYS:
        for seed in args.seeds:
            words = {"objective": {"loss": "l1-log"}, "seed": seed, "log_every": 200}
            _paired(args, f"{name}, {seed}", words | WAYS[name])


def _paired(args: argparse.Namespace, name: str, words: dict[str, Any]) -> None:
    """A generator from pairs, scored on the split test; beside it the discriminator's accuracy.

    Detail: what a Gaussian of 2 pixels takes away, as a share of the truth's (its mean size), and
    how it correlates with the truth's.
    """
    folder, size = args.out / name.replace(" ", "-").replace(",", ""), FULL if args.full else SMALL
    seconds = trained(args, folder, {
        "network": {"name": "dped", "start": args.start, **size.generator}, "batch": args.batch,
        "stages": [stage("whole", args.steps or 1200, args.rate or FROM[args.start])],
        **size.pairs, **words,
    })  # fmt: skip
    camera, _ = checkpoint.model(folder)
    with evaluate.opened(args.shards, "test", camera) as source:
        pairs = [(_phone(source, i), _made(camera, source, i), truth(source, i))
                 for i in range(len(source))]  # fmt: skip
    for method, at in (("phone", 0), ("network", 1)):
        both = [(one[at], one[2]) for one in pairs]
        numbers = np.mean([(measure.psnr(a, b), measure.ssim(a, b), *detail(a, b))
                           for a, b in both], 0)  # fmt: skip
        print(f"{name} | {method} | " + " | ".join(f"{x:.4f}" for x in numbers)
              + f" | {accuracies(folder / 'log.csv')} | {seconds:.0f}", flush=True)  # fmt: skip


def _phone(source: shards.Shards, i: int) -> Any:
    return source.raw(i).transpose(1, 2, 0) / np.float32(255)


def _made(camera: Any, source: shards.Shards, i: int) -> Any:
    mosaic = Mosaic.of_row(source.raw(i), source.facts(i), None, None)
    return np.clip(develop(camera, mosaic, 0)["enhancement"].transpose(1, 2, 0), 0, 1)


def truth(source: shards.Shards, i: int) -> Any:
    stored, scale = source.stored(i, "enhancement", (0, 0, *source.shape(i)))
    return (stored * np.float32(scale)).transpose(1, 2, 0)


def detail(picture: Any, truth: Any) -> tuple[float, float]:
    """How much of it there is beside the truth's, and how alike the two are (1: the same)."""
    ours, theirs = (x - gaussian_filter(x, (2, 2, 0)) for x in (picture, truth))
    size = float(np.abs(ours).mean() / max(np.abs(theirs).mean(), 1e-6))
    alike = (ours * theirs).sum() / max(np.sqrt((ours**2).sum() * (theirs**2).sum()), 1e-6)
    return size, float(alike)


def accuracies(log: Path) -> str:
    """Least, median and greatest of the discriminator's, and in how many lines it is of use."""
    with log.open(newline="", encoding="utf-8") as file:
        found = [float(row["accuracy"]) for row in csv.DictReader(file) if row.get("accuracy")]
    if not found:
        return "-"
    useful = sum(LEAST < x < MOST for x in found)
    return f"{min(found):.2f} {np.median(found):.2f} {max(found):.2f}, {useful} of {len(found)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    ways = {"aware": aware, "losses": losses, "confidence": confidence}
    parser.add_argument("what", choices=ways)
    parser.add_argument("shards", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=0)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--full", action="store_true", help="the papers' networks")
    parser.add_argument("--first", type=int, default=0, help="aware: the start's, if not --steps")
    parser.add_argument("--rate", type=float, default=0.0, help="losses: if not the start's own")
    parser.add_argument("--judge", type=float, default=0.0,
                        help="losses: the discriminator's rate, times the generator's")  # fmt: skip
    parser.add_argument(
        "--network", choices=("isp-net", "l3"), default="isp-net", help="aware: that learns"
    )
    parser.add_argument("--quality", type=int, default=90, help="aware: of the JPEG")
    parser.add_argument("--through", nargs="*", choices=KINDS, default=["DJS"],
                        help="aware: through which simulators")  # fmt: skip
    parser.add_argument("--taught", type=Path, default=Path("compare-compression-aware-table-1"),
                        help="aware: the folder in which they were taught")  # fmt: skip
    parser.add_argument("--only", nargs="*", choices=[*COMBINATIONS, *WAYS],
                        help="losses, confidence: these alone")  # fmt: skip
    parser.add_argument("--form", choices=WEIGHTS, default="paper", help="losses: whose")
    parser.add_argument("--batch", type=int, default=8, help="losses: cuts a step")
    parser.add_argument("--start", choices=FROM, default="picture", help="losses: the generator's")
    parser.add_argument("--vgg", type=Path, help="losses: torchvision's vgg19 weights")
    args = parser.parse_args()
    torch.set_num_threads(1)
    ways[args.what](args)


if __name__ == "__main__":
    main()
