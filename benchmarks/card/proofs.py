"""What must hold on a card, by whole trainings from shards: a row each, with whether it held."""

import csv
import hashlib
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from card import clock, made
from card.made import Size

from isptools import shards
from isptools.train import checkpoint, infer
from isptools.train.checkpoint import TrainError
from isptools.train.export import export
from isptools.train.infer import Mosaic
from isptools.train.place import Place
from isptools.train.run import Job, train
from isptools.train.settings import Settings


def built(folder: Path) -> list[subprocess.Popen[bytes]]:
    """Builds under way, beside what the card measures: the miniature, and photographs made raw."""
    from isptools.shipped import folder as shipped

    code = "from isptools.cli import main; main()"
    words = [["build", "sid", "--sample", "--out", str(folder / "sid")]]
    photographs = _photographs(folder / "photographs")
    if photographs and (shipped("recipes") / "unprocess.toml").is_file():
        source = str(folder / "photographs")
        words.append(["build", "unprocess", "--source", source, "--out", str(folder / "unprocess")])
    return [
        subprocess.Popen([sys.executable, "-c", code, *one], stdout=subprocess.DEVNULL)
        for one in words
    ]


def _photographs(folder: Path) -> int:
    """Those that lie in scikit-image's own package, as files; how many."""
    try:
        import imageio.v3 as imageio
        from skimage import data
    except ImportError:
        return 0
    folder.mkdir(parents=True)
    for name in ("astronaut", "cat", "coffee"):
        try:
            picture = getattr(data, name)()
        except Exception:  # some are fetched, and there may be no network
            continue
        imageio.imwrite(folder / f"{name}.png", picture)
    return len(list(folder.iterdir()))


def tiny(**changes: Any) -> Settings:
    words: dict[str, Any] = {
        "title": "proof", "patch": 96, "batch": 2, "log_every": 10, "save_every": 1000,
        "network": {"name": "cameranet", "widths": [12, 24, 48]},
        "stages": [{"train": "joint", "steps": 20, "rate": 1e-3}],
    }  # fmt: skip
    return Settings.of(words | changes)


def weights(run: Path) -> str:
    digest = hashlib.sha256()
    for name, value in sorted(checkpoint.load(run / "model.safetensors")["model"].items()):
        digest.update(name.encode() + value.contiguous().numpy().tobytes())
    return digest.hexdigest()


def row(what: str, work: Callable[[], tuple[bool, str]]) -> dict[str, Any]:
    start = time.perf_counter()
    held, said = work()
    return {"what": what, "held": held, "said": said, "seconds": time.perf_counter() - start}


def twice(size: Size, source: Path, out: Path, **changes: Any) -> tuple[bool, str]:
    """The same training two times, and once killed half way and gone on."""
    patch = 48 if size.tiny else 96
    chosen, place = tiny(deterministic=True, patch=patch, **changes), Place(str(size.device))
    for name in ("one", "two"):
        train(chosen, Job(source, out / name, place))
    try:
        train(chosen, Job(source, out / "killed", place, stop_after=9))
    except TrainError:
        train(chosen, Job(source, out / "killed", place))
    found = [weights(out / name) for name in ("one", "two", "killed")]
    what = ("first", "again", "killed and gone on")
    return len(set(found)) == 1, ", ".join(
        f"{name} {digest[:12]}" for name, digest in zip(what, found, strict=True)
    )


def falls(size: Size, source: Path, out: Path) -> tuple[bool, str]:
    """The shown preset's kind of training on the miniature, in what the device takes by itself."""
    steps, patch = (24, 48) if size.tiny else (120, 96)
    chosen = tiny(
        stages=[{"train": "joint", "steps": steps, "rate": 2e-3}], log_every=steps // 6, patch=patch
    )
    train(chosen, Job(source, out, Place(str(size.device))))
    rows = list(csv.DictReader((out / "log.csv").read_text(encoding="utf-8").splitlines()))
    losses = [float(line["training"]) for line in rows]
    kept = checkpoint.model(out)[1]
    return losses[-1] < 0.9 * losses[0], (
        f"{losses[0]:.4f} to {losses[-1]:.4f} in {steps} steps, {kept.precision}, "
        f"compiled {kept.compile}, channels last {kept.channels_last}"
    )


def feeding(
    size: Size, source: Path, out: Path, data: Any, workers: int, steps: int = 0
) -> dict[str, Any]:
    """A training as papers have it from large frames, as its own log tells it."""
    words: dict[str, Any] = {} if size.tiny else {"precision": "bf16", "compile": True}
    steps = steps or (20 if size.tiny else 400)
    chosen = made.settings(
        size, "cameranet", "joint", log_every=steps // 4, save_every=10_000,
        stages=[{"train": "joint", "steps": steps, "rate": 1e-4}], **words,
    )  # fmt: skip
    start = time.perf_counter()
    train(chosen, Job(source, out, Place(str(size.device), workers=workers, data=data)))
    rows = list(csv.DictReader((out / "log.csv").read_text(encoding="utf-8").splitlines()))
    last = rows[-2]  # behind the compiler's work, before the last checkpoint
    return {
        "data": data, "workers": workers, "patch": chosen.patch,
        "seconds_in_all": time.perf_counter() - start,
        **{name: float(last[name]) for name in ("mp_s", "mfu", "waiting")},
    }  # fmt: skip


def out_of_memory(size: Size, source: Path, out: Path) -> tuple[bool, str]:
    """The card's memory filled but for 1.2 GB, then a batch that wants more."""
    if size.device.type != "cuda":
        return True, "left out: there is no GPU"
    clock.free(size.device)
    room = torch.cuda.mem_get_info(size.device)[0] - (1200 << 20)
    ballast = torch.empty(room, dtype=torch.uint8, device=size.device)
    chosen = tiny(patch=352, batch=32, network={"name": "cameranet"}, compile=False)
    try:
        train(chosen, Job(source, out, Place(str(size.device))))
    except ValueError as error:
        said = str(error)
        return "into this GPU's memory" in said and "\n" not in said, said
    finally:
        del ballast
        clock.free(size.device)
    return False, "it fitted"


def frame_out_of_memory(size: Size) -> tuple[bool, str]:
    """A 12 MP frame in 3 GB: whole it does not fit, by itself it goes on in tiles that do."""
    if size.device.type != "cuda":
        return True, "left out: there is no GPU"
    clock.free(size.device)
    room = torch.cuda.mem_get_info(size.device)[0] - (3 << 30)
    ballast = torch.empty(room, dtype=torch.uint8, device=size.device)
    camera, mosaic = made.camera(size, "deepisp"), made.frame(size)
    try:
        infer.develop(camera, mosaic, 0, str(size.device), "bf16")
        return False, "it fitted"
    except ValueError as error:
        said = str(error)
    finally:
        clock.free(size.device)
    try:
        picture = infer.develop(camera, mosaic, None, str(size.device), "bf16")["enhancement"]
    finally:
        del ballast
        clock.free(size.device)
    return "\n" not in said and picture.shape[1:] == size.frame, f"{said}; chosen by itself: done"


def beside_onnx(size: Size, run: Path, source: Path, out: Path) -> tuple[bool, str]:
    """A trained network as ONNX on the processor beside torch, and the device beside both."""
    camera, _ = checkpoint.model(run)
    worst = export(camera, out, 128, 128)
    with shards.open(source, "test") as opened:
        mosaic = Mosaic.of_row(opened.raw(0), opened.facts(0))
    here = infer.develop(camera, mosaic, 0, "cpu")["enhancement"]
    there = infer.develop(camera, mosaic, 0, str(size.device), "fp32")["enhancement"]
    apart = float(abs(here - there).max())
    return worst < 1e-3 and apart < 1e-3, (
        f"ONNX Runtime differs from torch by {worst:.2g}, the device from the processor by "
        f"{apart:.2g} (fp32)"
    )
