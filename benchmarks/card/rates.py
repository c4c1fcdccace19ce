"""What the card can do, and how fast training steps are on it, with the trainer's own steps."""

import platform
import tempfile
from pathlib import Path
from typing import Any

import torch
from card import clock, made
from card.made import Size

from isptools.train import data, run, speed
from isptools.train.camera import parameters
from isptools.train.log import Log
from isptools.train.place import Place, launched
from isptools.train.task import Task

EAGER = {"compile": False, "channels_last": True}
COMPILED = {"compile": True, "channels_last": True}
# what it is called: settings, and whether steps are recorded
MODES: dict[str, tuple[dict[str, Any], bool]] = {
    "fp32, eager": ({"precision": "fp32", "compile": False, "channels_last": False}, False),
    "tf32, eager": ({"precision": "tf32", **EAGER}, False),
    "fp16, eager": ({"precision": "fp16", **EAGER}, False),
    "bf16, eager": ({"precision": "bf16", **EAGER}, False),
    "bf16, eager, graph": ({"precision": "bf16", **EAGER}, True),
    "bf16, eager, graph, deterministic": (
        {"precision": "bf16", **EAGER, "deterministic": True}, True,
    ),
    "bf16, compiled": ({"precision": "bf16", **COMPILED}, False),
    "bf16, compiled, graph": ({"precision": "bf16", **COMPILED}, True),
    "bf16, compiled, graph, deterministic": (
        {"precision": "bf16", **COMPILED, "deterministic": True}, True,
    ),
}  # fmt: skip


def card(size: Size) -> dict[str, Any]:
    """Its name, versions, and two ceilings on random data: matrix products and copies."""
    device = size.device
    facts: dict[str, Any] = {
        "torch": torch.__version__, "python": platform.python_version(),
        "name": platform.processor() or platform.machine(), "datasheet_tflops": None,
    }  # fmt: skip
    if device.type == "cuda":
        own = torch.cuda.get_device_properties(device)
        facts |= {
            "name": own.name, "memory_gb": round(own.total_memory / 1e9, 1),
            "multiprocessors": own.multi_processor_count, "cuda": torch.version.cuda,
            "cudnn": torch.backends.cudnn.version(),
            "datasheet_tflops": speed.peak(device) / 1e12 or None,
        }  # fmt: skip
    facts["matmul_tflops"] = {name: products(size, name) for name in ("bf16", "tf32", "fp32")}
    facts["copy_gb_s"] = copies(size)
    return facts


def products(size: Size, precision: str) -> float:
    side = 128 if size.tiny else 8192
    kind = torch.bfloat16 if precision == "bf16" else torch.float32
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high" if precision == "tf32" else "highest")
    a, b = (torch.randn(side, side, device=size.device, dtype=kind) for _ in range(2))
    seconds = clock.each(lambda: a @ b, size.device, min(size.seconds, 0.4))
    torch.set_float32_matmul_precision(before)
    return 2 * side**3 / seconds / 1e12


def copies(size: Size) -> float:
    source = torch.randn((1 << 20) if size.tiny else (1 << 29), device=size.device)
    target = torch.empty_like(source)
    seconds = clock.each(lambda: target.copy_(source), size.device, min(size.seconds, 0.3))
    return 2 * source.numel() * 4 / seconds / 1e9


class Stepping:
    """The trainer's steps of one stage on a fixed batch that lies on the device."""

    def __init__(self, size: Size, name: str, stage: str, mode: str, count: int = 1) -> None:
        words, recorded = MODES[mode]
        chosen = made.settings(size, name, stage, batch=count, **words)
        self.size, self.folder = size, tempfile.TemporaryDirectory()
        camera = made.camera(size, name)
        place = Place(str(size.device))
        out = Path(self.folder.name)
        fabric = launched(place, chosen.precision)
        self.run = run.Run(camera, chosen, run.Job(out, out, place), fabric, chosen.to_json())
        self.task = Task(camera, chosen, chosen.stages[0])
        self.work = run._work(self.run, self.task)
        self.moving = run._set_up(self.run, self.task, chosen.stages[0], {})
        if not recorded:
            self.moving.replay = None
        self.log = Log(out / "log.csv", stage, False, self.work)
        self.batch = made.batch(chosen, camera.intake.period**2, size.device)
        self.losses: list[torch.Tensor] = []
        if camera.begin:
            x, truth = camera.intake.prepared(self.batch), data.truth(self.batch, "enhancement")
            camera.begin([(x[0].cpu().numpy(), truth[0].cpu().numpy())])

    def __call__(self) -> None:
        self.losses.append(
            run._step(self.run, self.moving, iter([(self.batch, [])]), 1e-4, self.log)
        )


def step_row(size: Size, name: str, stage: str, mode: str, count: int = 1) -> dict[str, Any]:
    """Milliseconds and rates of a step, its memory, and the loss before and after."""
    clock.free(size.device)
    words, _ = MODES[mode]
    with speed.switched(made.settings(size, name, stage, **words), size.device.type == "cuda"):
        stepping = Stepping(size, name, stage, mode, count)
        seconds = clock.each(stepping, size.device, size.seconds, warm=6)
        rate, share = stepping.work.rates(1, seconds)
        losses = torch.stack(stepping.losses)
        row = {
            "network": name, "stage": stage, "mode": mode, "patch": stepping.run.settings.patch,
            "batch": count, "ms": seconds * 1e3, "mp_s": rate, "mfu": share,
            "tflops": stepping.work.operations / seconds / 1e12,
            "memory_gb": clock.most(size.device), "steps": len(losses),
            "parameters": parameters(stepping.task.camera),
            "loss_first": losses[0].item(), "loss_last": losses[-1].item(),
            "falls": bool(losses[-1] < losses[0]) and bool(losses.isfinite().all()),
        }  # fmt: skip
        stepping.folder.cleanup()
    return row
