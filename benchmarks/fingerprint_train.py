"""Proof that a refactoring trains, infers and counts as before: sha256 of weights and pictures.

A few tiny trainings from the miniatures of SID, SID Fuji and MSR, 20 steps a stage on one thread.
A line a thing: its name, its sha256. Numbers differ between kinds of processors and versions of
torch, so make a baseline on the code before, then compare on the same machine; the committed one
says in its first line where it was made.

python benchmarks/fingerprint_train.py [--write]
"""

import argparse
import hashlib
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from click.testing import CliRunner

from isptools import shards, shipped
from isptools.cli import main as command_line
from isptools.train import checkpoint, earlier
from isptools.train.infer import Mosaic, develop
from isptools.train.place import Place
from isptools.train.run import Job, train
from isptools.train.settings import Settings

BASELINE = Path(__file__).with_suffix(".tsv")
STEPS = 20
# the head of `isptools models` and its rows when the baseline was made; others may be added
LISTED = {
    "name", "cameranet", "cameranet-noise", "cameranet-v1", "cameranet-xtrans",
    "cameranet-one-stage", "cameranet-three-stage", "srgan-can", "srgan-can-one-stage", "deepisp",
    "deepisp-low",
}  # fmt: skip
TWO = ("restore", "enhance", "joint")
# name: (recipe of its shards, preset it begins from or "", stages, what is set, in flat words)
CASES: dict[str, tuple[str, str, tuple[str, ...], dict[str, Any]]] = {
    "cameranet-tiny": ("sid", "cameranet-tiny", TWO, {}),
    "deepisp-tiny": ("sid", "deepisp-tiny", ("whole",), {}),
    "cameranet-v1": ("sid", "cameranet-v1-sid", TWO, {"widths": (6, 8, 10), "patch": 64}),
    "cameranet-xtrans": (
        "sid-fuji", "", TWO, {"network": "cameranet-xtrans", "widths": (6, 8, 10), "patch": 96},
    ),
    "cameranet-code": (
        "sid", "cameranet-sid", TWO,
        {"widths": (6, 8), "patch": 48, "joint": "code", "logs": "code", "display": "code",
         "color": 0.1, "variation": 0.1, "pooled": "scale", "noise": False, "ema": 0.9,
         "accumulate": 2, "channels_last": True},
    ),
    "cameranet-one-stage": (
        "sid", "", ("whole",),
        {"network": "cameranet-one-stage", "widths": (4, 6), "patch": 48, "pooled": "none"},
    ),
    "cameranet-three-stage": (
        "sid", "", TWO, {"network": "cameranet-three-stage", "widths": (4, 6), "patch": 48},
    ),
    "srgan-can": ("sid", "", TWO, {"network": "srgan-can", "patch": 32, "loss": "l2"}),
    "srgan-can-one-stage": ("sid", "", ("whole",), {"network": "srgan-can-one-stage", "patch": 32}),
    "deepisp-low": ("msr", "deepisp-msr", ("whole",), {"layers": 3, "patch": 48}),
}  # fmt: skip


def chosen(preset: str, stages: tuple[str, ...], changes: dict[str, Any]) -> Settings:
    """The settings of a case: the only place that knows their notation."""
    words = {"title": "fingerprint", "patch": 64} | changes
    words["stages"] = [{"train": stage, "steps": STEPS, "rate": 1e-3} for stage in stages]
    tables: dict[str, Any] = {}
    for name in words.keys() & earlier.MOVED.keys():
        table, _, word = earlier.MOVED[name].partition(".")
        tables.setdefault(table, {})[word] = words.pop(name)
    if not preset:
        tables["network"] = {"name": words.pop("network"), **tables.get("network", {})}
        if "objective" in tables:
            tables["objective"].setdefault("loss", "l1-log")
        return Settings.of(words | tables)
    words = {name: words[name] for name in words if name in {"stages", *changes}}
    file = shipped.folder("recipes") / "train" / f"{preset}.toml"
    return Settings.load(file, {"recipes": []} | words | tables)  # any miniature will do


def of_weights(state: dict[str, torch.Tensor]) -> str:
    """Names, types, shapes and bytes, in the order of the names."""
    digest = hashlib.sha256()
    for name in sorted(state):
        value = state[name].contiguous()
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}\n".encode())
        digest.update(value.numpy().tobytes())
    return digest.hexdigest()


def of_pictures(run: Path, source: Path) -> str:
    """Whole and tiled, of the first test frame."""
    digest = hashlib.sha256()
    camera = checkpoint.model(run)[0]
    with shards.open(source, "test") as opened:
        mosaic = Mosaic.of_row(opened.raw(0), opened.facts(0))
    for tile in (0, 96):
        for name, picture in sorted(develop(camera, mosaic, tile).items()):
            digest.update(f"{tile} {name} {picture.shape}\n".encode())
            digest.update(np.ascontiguousarray(picture).tobytes())
    return digest.hexdigest()


def fingerprint(folder: Path) -> dict[str, str]:
    rows = [row for row in said("models").splitlines(keepends=True) if row.split()[0] in LISTED]
    out = {"isptools models": hashlib.sha256("".join(rows).encode()).hexdigest()}
    for recipe in dict.fromkeys(case[0] for case in CASES.values()):
        said("build", recipe, "--sample", "--out", folder / recipe)
    for name, (recipe, preset, stages, changes) in CASES.items():
        run = folder / name
        train(chosen(preset, stages, changes), Job(folder / recipe, run, Place("cpu")))
        out[f"{name} weights"] = of_weights(checkpoint.load(run / "model.safetensors")["model"])
        out[f"{name} pictures"] = of_pictures(run, folder / recipe)
        print(name, file=sys.stderr, flush=True)
    return out


def said(*words: object) -> str:
    done = CliRunner().invoke(command_line, [str(word) for word in words])
    assert done.exit_code == 0, done.output
    return done.output


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="Make the baseline anew.")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    place = f"# torch {torch.__version__}, {torch.backends.cpu.get_cpu_capability()}"
    with tempfile.TemporaryDirectory() as folder:
        found = fingerprint(Path(folder))
    lines = [place, *(f"{name}\t{value}" for name, value in found.items())]
    if chosen.write:
        BASELINE.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return
    before = BASELINE.read_text(encoding="utf-8").splitlines()
    for line in sorted(set(before) ^ set(lines)):
        print("before:" if line in before else "now:   ", line)
    if before != lines:
        raise SystemExit("not the same")
    print(f"{len(found)} hashes, all the same")


if __name__ == "__main__":
    main()
