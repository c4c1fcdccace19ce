"""CameraNet's Table I on photographs made raw, at a small budget: the table of docs/train.md.

Photographs are made 480 pixels wide, as JPEGs of quality 95, and raw by the recipe `unprocess`; a
third of them, by the hash of their names, is never trained and makes the scores. What was trained
stays in OUT, so that a run that was stopped goes on. `--tried` trains the variants that tell what
makes the order, instead.

python benchmarks/table.py PHOTOGRAPHS --out OUT [--seeds 3] [--only two-stage deepisp] [--tried]
"""

import argparse
import json
import shutil
import statistics
import time
from pathlib import Path

import cv2
import torch
from click.testing import CliRunner

from isptools.cli import main as isptools
from isptools.cli.eval import _baselines
from isptools.shipped import folder as shipped
from isptools.train import checkpoint, evaluate
from isptools.train.camera import Camera, parameters
from isptools.train.place import Place
from isptools.train.run import Job, train
from isptools.train.settings import Settings

LONG = 480  # pixels of a photograph's longer side
RATE, LATE = 2e-3, 2e-4
STEPS = {"restore": 320, "enhance": 320, "joint": 160}
ALL = sum(STEPS.values())
BOTH = [("restore", STEPS["restore"], RATE), ("enhance", STEPS["enhance"], RATE)]
TWO = [*BOTH, ("joint", STEPS["joint"], LATE)]
NARROW = {"widths": [12, 24, 48]}
LAB = {"objective": {"loss": "lab", "divisor": 100.0}, "adam": {"betas": [0.9, 0.999]}}
# network, stages, side of a cut, cuts a step, further words: as many steps for each
METHODS = {
    "two-stage": ({"name": "cameranet", **NARROW}, TWO, 96, 2, {}),
    "one-stage": ({"name": "cameranet-one-stage", **NARROW}, [("whole", ALL, RATE)], 96, 2, {}),
    "three-stage": ({"name": "cameranet-three-stage", **NARROW}, TWO, 96, 2, {}),
    "without step 1": ({"name": "cameranet", **NARROW}, [("joint", ALL, RATE)], 96, 2, {}),
    "deepisp": ({"name": "deepisp", "layers": 4}, [("whole", ALL, 5e-4)], 64, 1, LAB),
    "srgan-10 + can24": ({"name": "srgan-can"}, TWO, 48, 1, {}),
}
# what differs in one thing from one of these (networks of variants.py, beside this file)
HERE = Path(__file__).parent
CAMERANET, DEEPISP = METHODS["two-stage"][0], METHODS["deepisp"]
ONE_STAGE = METHODS["one-stage"][1:]
TRIED = {
    "regression alone": (DEEPISP[0], [("whole", 1, 1e-9)], *DEEPISP[2:]),
    "deepisp, no regression": ({"name": "variants:unaided", "layers": 4}, *DEEPISP[1:]),
    "deepisp, CameraNet's loss": (*DEEPISP[:4], {"adam": LAB["adam"]}),
    "one-stage, demosaicked": ({"name": "variants:demosaicked", **NARROW}, *ONE_STAGE),
    "one-stage, demosaicked and regressed": ({"name": "variants:regressed", **NARROW}, *ONE_STAGE),
    "without step 1, 480 steps": (CAMERANET, [("joint", 480, RATE)], 96, 2, {}),
    "two-stage, joint at 2e-3": (CAMERANET, [*BOTH, ("joint", STEPS["joint"], RATE)], 96, 2, {}),
}  # fmt: skip
STEP_2 = "without step 2"  # the two-stage network before its joint stage


def made(photographs: Path, out: Path) -> Path:
    """Shards of the photographs, a third of which tests."""
    small, folder, recipe = out / "photographs", out / "shards", out / "photographs.toml"
    if not small.is_dir():
        small.mkdir(parents=True)
        for path in sorted(photographs.iterdir()):
            picture = cv2.imread(str(path))
            if picture is not None:
                scale = LONG / max(picture.shape[:2])
                picture = cv2.resize(
                    picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA
                )
                cv2.imwrite(
                    str(small / f"{path.stem}.jpg"), picture, [cv2.IMWRITE_JPEG_QUALITY, 95]
                )
    if not (folder / "index.json").is_file():
        shutil.rmtree(folder, ignore_errors=True)
        words = (shipped("recipes") / "unprocess.toml").read_text()
        recipe.write_text(words.replace("shares = [8, 1, 1]", "shares = [2, 0, 1]"))
        built = ["build", str(recipe), "--source", str(small), "--out", str(folder)]
        done = CliRunner().invoke(isptools, built)
        assert done.exit_code == 0, done.output
    return folder


def chosen(name: str, seed: int) -> Settings:
    network, stages, patch, batch, more = (METHODS | TRIED)[name]
    objective = {"loss": "l1-log", "share": 0.9, "eps": 1e-3}
    return Settings.of({
        "title": name, "network": network, "patch": patch, "batch": batch, "seed": seed,
        "validation": 0.0, "save_every": 10_000, "log_every": 100, "objective": objective,
        "stages": [{"train": kind, "steps": n, "rate": rate} for kind, n, rate in stages],
        **more,
    })  # fmt: skip


def trained(name: str, seed: int, folder: Path, out: Path) -> tuple[Path, float]:
    """A run's folder, and the CPU time its training took."""
    run = out / f"{name.replace(' ', '-')}-{seed}"
    told = run / "seconds.json"
    if not told.is_file():
        shutil.rmtree(run, ignore_errors=True)
        start = time.process_time()
        train(chosen(name, seed), Job(folder, run, Place("cpu"), code=HERE))
        told.write_text(json.dumps(time.process_time() - start))
    return run, json.loads(told.read_text())


def before_joint(run: Path) -> Camera:
    """A two-stage network with the weights of its first two stages."""
    camera, _ = checkpoint.model(run)
    weights = camera.state_dict()
    for at, stage in enumerate(("restore", "enhance")):
        model = checkpoint.load(run / f"{stage}.safetensors")["model"]
        weights |= {key: x for key, x in model.items() if key.startswith(f"nets.{at}.")}
    camera.load_state_dict(weights)
    return camera.eval()


def scored(camera: Camera, folder: Path, others: bool) -> dict[str, tuple[float, ...]]:
    with evaluate.opened(folder, "test", camera) as source:
        baselines = _baselines() if others else {}
        return evaluate.means(list(evaluate.scores(camera, source, baselines)))


def rows(folder: Path, chosen: argparse.Namespace) -> list[dict[str, object]]:
    """A row a method and seed, kept in scores.jsonl as they come."""
    path = chosen.out / "scores.jsonl"
    found = [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []

    def keep(method: str, seed: int, values: tuple[float, ...], **facts: object) -> None:
        found.append({"method": method, "seed": seed, "values": values, **facts})
        with path.open("a") as file:
            file.write(json.dumps(found[-1]) + "\n")
        print(method, seed, *(f"{value:.3f}" for value in values), flush=True)

    for seed in range(chosen.seeds):
        for name in chosen.only or (TRIED if chosen.tried else METHODS):
            if any((row["method"], row["seed"]) == (name, seed) for row in found):
                continue
            run, seconds = trained(name, seed, folder, chosen.out)
            camera, _ = checkpoint.model(run, HERE)
            facts = {"seconds": seconds, "parameters": parameters(camera)}
            means = scored(camera, folder, not found)
            keep(name, seed, means.pop("network"), **facts)
            for other, values in means.items():
                keep(other, 0, values)
            if name == "two-stage":
                earlier = before_joint(run)
                keep(STEP_2, seed, scored(earlier, folder, False)["network"], **facts)
    return found


def printed(found: list[dict[str, object]]) -> None:
    """The table in Markdown: mean and standard deviation over seeds."""
    print(f"\n| method | parameters | CPU time, s | {' | '.join(evaluate.COLUMNS)} |")
    print("|---|---|---" + "|---" * len(evaluate.COLUMNS) + "|")
    for name in dict.fromkeys(row["method"] for row in found):
        own = [row for row in found if row["method"] == name]
        columns = list(zip(*(row["values"] for row in own), strict=True))
        cells = [
            f"{statistics.mean(column):.2f}"
            + (f" ± {statistics.stdev(column):.2f}" if len(column) > 1 else "")
            for column in columns
        ]
        seconds = [row["seconds"] for row in own if "seconds" in row]
        took = f"{statistics.mean(seconds):.0f}" if seconds else ""
        print(f"| {name} | {own[0].get('parameters', '')} | {took} | {' | '.join(cells)} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photographs", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", nargs="+", choices=[*METHODS, *TRIED])
    parser.add_argument("--tried", action="store_true", help="The variants, not the table.")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    chosen.out.mkdir(parents=True, exist_ok=True)
    printed(rows(made(chosen.photographs, chosen.out), chosen))


if __name__ == "__main__":
    main()
