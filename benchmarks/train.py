"""Tables of docs/train.md: quality at a small budget, overfitting, and speed.

python benchmarks/train.py table SHARDS [--seeds 3] [--split test] [--share 0.9]
python benchmarks/train.py overfit SHARDS   (of overfit.toml beside; `--stages low`: of msr-clean)
python benchmarks/train.py demosaic PHOTOGRAPHS --out RUN   (see demosaic.py)
python benchmarks/train.py speed [--device cuda]
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import msgspec
import numpy as np
import torch

from isptools import measure
from isptools.cli.eval import _baselines
from isptools.train import checkpoint, data, evaluate, networks
from isptools.train.camera import Camera, parameters
from isptools.train.flops import operations
from isptools.train.infer import Mosaic, develop
from isptools.train.place import Place
from isptools.train.run import Job, train
from isptools.train.settings import Settings
from isptools.train.task import Task

STEPS = (250, 250, 100)  # restore, enhance, joint; the others get as many in all
RATE, LATE = 2e-3, 2e-4
VARIANTS = {
    "two-stage": ("cameranet", [("restore", STEPS[0], RATE), ("enhance", STEPS[1], RATE),
                                ("joint", STEPS[2], LATE)]),
    "without step 1": ("cameranet", [("joint", sum(STEPS), RATE)]),
    "without step 2": ("cameranet", [("restore", STEPS[0], RATE), ("enhance", STEPS[1], RATE)]),
    "one-stage": ("cameranet-one-stage", [("whole", sum(STEPS), RATE)]),
}  # fmt: skip


def settings(
    network: dict[str, object], stages: list[tuple[str, int, float]], **changes: object
) -> Settings:
    words: dict[str, object] = {
        "title": network["name"], "network": network, "patch": 96, "batch": 2,
        "save_every": 10_000, "log_every": 1000,
        "stages": [{"train": name, "steps": n, "rate": rate} for name, n, rate in stages],
    }  # fmt: skip
    return Settings.of(words | changes)


def table(folder: Path, seeds: int, split: str, share: float) -> None:
    rows: dict[str, list[tuple[float, ...]]] = {}
    sizes = {}
    for name, (network, stages) in VARIANTS.items():
        for seed in range(seeds):
            with tempfile.TemporaryDirectory() as out:
                sized = {"name": network, "widths": [12, 24, 48]}
                objective = {"loss": "l1-log", "share": share}
                chosen = settings(sized, stages, seed=seed, objective=objective)
                train(chosen, Job(folder, Path(out), Place("cpu")))
                camera, _ = checkpoint.model(Path(out))
            sizes[name] = parameters(camera)
            with evaluate.opened(folder, split, camera) as source:
                first = not rows
                found = evaluate.means(
                    list(evaluate.scores(camera, source, _baselines() if first else {}))
                )
            rows.setdefault(name, []).append(found.pop("network"))
            rows |= {method: [row] for method, row in found.items()}
            print(name, seed, *(f"{value:.3f}" for value in rows[name][-1]), flush=True)
    print(f"\n| method | parameters | {' | '.join(evaluate.COLUMNS)} |")
    print("|---|---" + "|---" * len(evaluate.COLUMNS) + "|")
    for name, found in rows.items():
        cells = [
            f"{statistics.mean(column):.3f}"
            + (f" +- {statistics.stdev(column):.3f}" if len(column) > 1 else "")
            for column in zip(*found, strict=True)
        ]
        print(f"| {name} | {sizes.get(name, '')} | {' | '.join(cells)} |")


THREE = {"name": "cameranet", "widths": [32, 32, 32]}
HEART = {  # one scene learned by heart: network, what is trained, steps, rate, patch
    "restore": (THREE, "restore", 14000, 2e-3, 96),
    "enhance": (THREE, "enhance", 12000, 2e-3, 96),
    "low": ({"name": "deepisp-low", "layers": 8}, "whole", 7000, 1e-3, 64),
    "whole": ({"name": "deepisp", "layers": 15}, "whole", 15000, 1e-3, 64),
}


def overfit(folder: Path, stages: list[str]) -> None:
    """PSNR on the one training scene of a folder, a stage at a time, and the CPU time it took."""
    torch.set_num_threads(1)
    print("| stage | parameters | steps | CPU time, s | PSNR, dB |\n|---|---|---|---|---|")
    for name in stages:
        network, stage, steps, rate, patch = HEART[name]
        chosen = settings(
            network, [(stage, steps, rate)], batch=1, patch=patch, objective={"loss": "l2"}
        )
        falling = msgspec.structs.replace(chosen.stages[0], decay="exponential")
        chosen = msgspec.structs.replace(chosen, stages=(falling,))
        with tempfile.TemporaryDirectory() as out:
            start = time.process_time()
            train(chosen, Job(folder, Path(out), Place("cpu"), only=stage))
            seconds = time.process_time() - start
            state = checkpoint.load(Path(out) / f"{stage}.safetensors")
        camera, _ = networks.built(chosen.network)
        camera.load_state_dict(state["model"])
        scores = known(camera.eval(), folder, "restore" if name == "low" else stage)
        row = (
            f"{network['name']}, {stage}",
            parameters(camera),
            steps,
            f"{seconds:.0f}",
            f"{scores:.1f}",
        )
        print("|", " | ".join(map(str, row)), "|", flush=True)


def known(camera: Camera, folder: Path, stage: str) -> float:
    """The mean PSNR over the inputs of the training split, pictures clipped to [0, 1]."""
    name = "restoration" if stage == "restore" else "enhancement"
    needed = ("restoration", "enhancement") if stage == "enhance" else (name,)
    found = []
    with data.open_shards(folder, "train", camera.intake, needed) as source:
        for i in range(len(source)):
            sample = source[i]
            if stage == "enhance":
                with torch.inference_mode():
                    x = torch.from_numpy(sample.restoration)[None]
                    picture = camera.run(x, 1, 1)[0].numpy()
            else:
                picture = develop(camera, Mosaic.of_row(source.raw(i), sample.facts))[name]
            pair = (np.clip(one, 0, 1) for one in (picture, getattr(sample, name)))
            found.append(measure.psnr(*pair))
    return statistics.mean(found)


def speed(device: str, small: bool) -> None:
    """Seconds of a frame and of a training step, best of three behind a first one."""
    height, width, patch = (384, 512, 288) if small else (3024, 4032, 1024)
    for name in ("cameranet", "deepisp"):
        camera, _ = networks.built({"name": name})
        pixels = np.full((height, width), 600, np.uint16)
        flat = (512.0,) * 4, 16383.0, (1e-4,) * 4, (1e-6,) * 4
        frame = Mosaic(pixels, "RGGB", *flat)
        seconds = best(lambda c=camera, f=frame: develop(c, f, 0, device), device)
        flops = counted(name, height, width)
        print(f"{name}: {width} x {height}: {seconds:.3f} s, {flops / seconds / 1e12:.3f} TFLOP/s")
        kind = "joint" if camera.restored >= 0 else "whole"
        chosen = settings({"name": name}, [(kind, 1, 1e-4)])
        task = Task(camera, chosen, chosen.stages[0])
        batch = {key: value.to(device) for key, value in made(patch).items()}
        task.to(device)
        seconds = best(lambda t=task, b=batch: t(b).backward(), device)
        print(f"{name}: step of {patch}: {seconds:.3f} s")


def counted(name: str, height: int, width: int) -> int:
    with torch.device("meta"):
        camera, _ = networks.built({"name": name})
    return operations(camera, height, width)[0]


def made(patch: int) -> dict[str, torch.Tensor]:
    pictures = {name: torch.rand(1, 3, patch, patch) for name in ("restoration", "enhancement")}
    scales = {f"{name}_scale": torch.ones(1) for name in pictures}
    return pictures | scales | {
        "raw": torch.randint(500, 9000, (1, patch, patch)).to(torch.uint16),
        "black": torch.full((1, 4), 512.0), "white": torch.tensor([16383.0]),
        "gain": torch.ones(1), "shot": torch.full((1, 4), 1e-4), "read": torch.full((1, 4), 1e-6),
        "xyz_from_camera": torch.eye(3)[None],
    }  # fmt: skip


def best(work, device: str) -> float:
    times = []
    for _ in range(4):
        start = time.perf_counter()
        work()
        if device != "cpu":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return min(times[1:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["table", "overfit", "demosaic", "speed"])
    parser.add_argument("shards", type=Path, nargs="?")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--split", default="test")
    parser.add_argument("--share", type=float, default=0.9, help="Lambda: 0.9 SID, 0.5 HDR+.")
    parser.add_argument("--stages", nargs="+", default=["restore", "enhance", "whole"],
                        choices=list(HEART))  # fmt: skip
    parser.add_argument("--out", type=Path, help="Of demosaic: the folder of its run.")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--small", action="store_true", help="A small frame, for a CPU.")
    chosen = parser.parse_args()
    if chosen.what == "speed":
        speed(chosen.device, chosen.small)
    elif chosen.what == "table":
        table(chosen.shards, chosen.seeds, chosen.split, chosen.share)
    elif chosen.what == "demosaic":
        from demosaic import compare  # beside this file

        compare(chosen.shards, chosen.out)
    else:
        overfit(chosen.shards, chosen.stages)


if __name__ == "__main__":
    main()
