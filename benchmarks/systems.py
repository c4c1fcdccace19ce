"""What the compression-aware ISP and DPED give at small budgets: docs/papers/*.md.

python benchmarks/systems.py simulators SHARDS --out DIR    PSNR of each to real JPEGs
python benchmarks/systems.py aware SHARDS --out DIR         aware and agnostic at equal bits, seeds
python benchmarks/systems.py losses SHARDS --out DIR        DPED's combinations of losses
python benchmarks/systems.py confidence SHARDS --out DIR    do weights of pairs and shifts help?

SHARDS of the first two: isptools build benchmarks/compressed.toml --source PHOTOGRAPHS; of the
others: of dped, dped-originals or pairs. A run that is done in DIR is not trained again. Times are
of the processor.
"""

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from isptools import measure, shards
from isptools.train import checkpoint, compression, evaluate, rates
from isptools.train.codecs import QUALITIES, Codec, eight_bits
from isptools.train.infer import How
from isptools.train.objectives import Compressed
from isptools.train.place import Place
from isptools.train.run import Job, train
from isptools.train.settings import Settings

WIDTHS = (8, 16, 32)
LEARNERS = {"CAS": {"kind": "cas", "widths": WIDTHS}, "ACN": {"kind": "acn", "width": 96,
            "blocks": 2}}  # fmt: skip
STEPS = 1000  # of a simulator
ISP = {"name": "compression-aware", "widths": [12, 24, 48], "reduction": 4, "start": "glorot"}
GENERATOR = {"name": "dped", "width": 16, "blocks": 2}


def trained(folder: Path, data: Path, words: dict[str, Any]) -> float:
    """Train into a folder unless that is done; seconds of processor time, of this call."""
    begun = time.process_time()
    if not (folder / "model.safetensors").exists():
        settings = Settings.of({"title": folder.name, "log_every": 100, "save_every": 500, **words})
        train(settings, Job(data, folder, Place("cpu")))
    return time.process_time() - begun


def stage(kind: str, steps: int, rate: float, decay: str = "exponential") -> dict[str, Any]:
    return {"train": kind, "steps": steps, "rate": rate, "decay": decay}


def through_codec(simulator: dict[str, Any], quality: int) -> dict[str, Any]:
    return {"loss": "compressed", "quality": quality, "simulator": simulator}


def simulators(args: argparse.Namespace) -> None:
    """Against real JPEGs of the truths of the split test, which none of them saw."""
    truths = list(_truths(args.shards))
    print(f"{len(truths)} photographs | quality | PSNR | SSIM | CPU s")
    for quality in (80, 90):
        codec = Codec()
        real = [codec.through(one, quality)[0] for one in truths]
        _print("the picture itself", quality, _fidelity(truths, real))
        djs = compression.simulator(Compressed(simulator=_djs(), quality=quality))
        _print("DJS", quality, _fidelity([_through(djs, one) for one in truths], real))
        for name, options in LEARNERS.items():
            folder = args.out / f"{name}-{quality}"
            seconds = trained(folder, args.shards, {
                "network": ISP, "patch": 96, "batch": 4,
                "objective": through_codec(options, quality),
                "stages": [stage("simulator", args.steps or STEPS, 4e-3)],
            })  # fmt: skip
            module = compression.simulator(checkpoint.model(folder)[1].objective)
            module.load_state_dict(checkpoint.load(folder / "simulator.safetensors")["beside"])
            made = [_through(module, one) for one in truths]
            _print(name, quality, _fidelity(made, real), f"{seconds:.0f}")


def aware(args: argparse.Namespace) -> None:
    """Each seed: one agnostic start; from there the same steps with and without the codec."""
    steps = args.steps or 1500
    for seed in range(args.seeds):
        for name, weights in (("agnostic", (1.0, 0.0)), ("aware", (0.1, 1.0))):
            objective = through_codec({"kind": "djs"} if args.djs else LEARNERS["CAS"], 90)
            objective |= {"isp": weights[0], "compressed": weights[1]}
            before = [] if args.djs else [stage("simulator", STEPS, 4e-3)]
            trained(args.out / f"{name}-{seed}", args.shards, {
                "network": ISP, "patch": 96, "batch": 4, "seed": seed, "objective": objective,
                "stages": [*before, stage("whole", steps, 4e-3),
                           stage("compressed", steps // 5, 4e-4, "none")],
            })  # fmt: skip
        _compare(args, seed)


def _compare(args: argparse.Namespace, seed: int) -> None:
    names = ("start", "agnostic", "aware")
    files = [args.out / f"agnostic-{seed}/whole.safetensors",
             *(args.out / f"{name}-{seed}" for name in names[1:])]  # fmt: skip
    networks = {n: checkpoint.model(file)[0] for n, file in zip(names, files, strict=True)}
    with shards.open(args.shards, "test") as source:
        pictures = rates.pictures(networks, source, How(0))
        found = list(rates.points(pictures, Codec(), QUALITIES["jpeg"]))
    rates.write(args.out, f"rate-{seed}", found, {"seed": seed, **Codec().stated()})
    curves = rates.means(found)
    for name in names:
        at = {one.quality: one for one in curves[name]}
        print(f"seed {seed} | {name} | " + " | ".join(
            f"{at[q].psnr:.2f} / {at[q].bpp:.3f}" for q in (80, 90)
        ) + f" | {rates.gain(curves[name], curves['agnostic']):+.3f} dB", flush=True)  # fmt: skip


COMBINATIONS = {
    "color + texture": {"color": 0.5, "texture": 0.1, "variation": 400.0},
    "texture": {"color": 0.0, "texture": 0.1, "variation": 400.0},
    "mse + texture": {"color": 0.0, "mse": 0.5, "texture": 0.1, "variation": 400.0},
    "mse": {"color": 0.0, "mse": 0.5, "texture": 0.0, "variation": 0.0},
    "color": {"color": 0.5, "texture": 0.0, "variation": 0.0},
}


def losses(args: argparse.Namespace) -> None:
    """The appendix's combinations; content takes part where --vgg gives VGG-19's weights."""
    vgg = {"content": 10.0, "vgg": str(args.vgg), "layer": "relu5_4"} if args.vgg else {}
    chosen = dict(COMBINATIONS)
    if vgg:
        chosen["color + content + texture"] = chosen["color + texture"] | vgg
        chosen["content + texture"] = chosen["texture"] | vgg
    for name, weights in chosen.items():
        objective = {"loss": "dped", "form": "code", "content": 0.0, **weights}
        _paired(args, name, {"objective": objective})


def confidence(args: argparse.Namespace) -> None:
    """L1, with pairs that count differently and with truths that may move."""
    ways: dict[str, dict[str, Any]] = {
        "L1": {}, "truths' noise": {"confidence": {"noise": 35.0}},
        "shift": {"confidence": {"shift": 0.3}}, "aligned by 1": {"aligned": 1},
    }  # fmt: skip
    for name, words in ways.items():
        for seed in range(args.seeds):
            objective = {"loss": "l1-log"}
            _paired(args, f"{name}, {seed}", {"objective": objective, "seed": seed, **words})


def _paired(args: argparse.Namespace, name: str, words: dict[str, Any]) -> None:
    """A generator from pairs, scored on the split test."""
    folder = args.out / name.replace(" ", "-").replace(",", "")
    seconds = trained(folder, args.shards, {
        "network": GENERATOR, "patch": 64, "batch": 8,
        "stages": [stage("whole", args.steps or 600, 2e-3)], **words,
    })  # fmt: skip
    camera, _ = checkpoint.model(folder)
    with evaluate.opened(args.shards, "test", camera) as source:
        own = {"phone": lambda pixels, *_: pixels.transpose(1, 2, 0).astype(np.uint16) * 257}
        found = evaluate.means(list(evaluate.scores(camera, source, own, How(0))))
    for method, (psnr, ssim, *_) in found.items():
        print(f"{name} | {method} | {psnr:.2f} | {ssim:.4f} | {seconds:.0f}", flush=True)


def _djs() -> Any:
    return Settings.of({
        "title": "", "network": "compression-aware", "stages": [stage("whole", 1, 1e-4)],
        "objective": through_codec({"kind": "djs"}, 80),
    }).objective.simulator  # fmt: skip


def _truths(folder: Path) -> Any:
    with shards.open(folder, "test") as source:
        for i in range(len(source)):
            stored, scale = source.stored(i, "enhancement", (0, 0, *source.shape(i)))
            yield eight_bits((stored * scale).transpose(1, 2, 0))


def _through(module: Any, picture: Any) -> Any:
    x = torch.from_numpy(picture.transpose(2, 0, 1)[None].astype(np.float32) / 255)
    with torch.inference_mode():
        return module(x)[0].clamp(0, 1).numpy().transpose(1, 2, 0) * 255


def _fidelity(made: Any, real: Any) -> tuple[float, float]:
    pairs = list(zip(made, real, strict=True))
    return (float(np.mean([measure.psnr(a, b, 255) for a, b in pairs])),
            float(np.mean([measure.ssim(a, b, 255) for a, b in pairs])))  # fmt: skip


def _print(name: str, quality: int, numbers: tuple[float, float], more: str = "") -> None:
    print(f"{name} | {quality} | {numbers[0]:.2f} | {numbers[1]:.4f} | {more}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    ways = {"simulators": simulators, "aware": aware, "losses": losses, "confidence": confidence}
    parser.add_argument("what", choices=ways)
    parser.add_argument("shards", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=0)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--djs", action="store_true", help="aware: through DJS, not CAS-Net")
    parser.add_argument("--vgg", type=Path, help="losses: torchvision's vgg19 weights")
    args = parser.parse_args()
    torch.set_num_threads(1)
    ways[args.what](args)


if __name__ == "__main__":
    main()
