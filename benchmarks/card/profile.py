"""Where the time of a step goes, by kernel and by kind of kernel."""

from typing import Any

from card import clock, made
from card.made import Size
from card.rates import MODES, Stepping
from torch.profiler import ProfilerActivity, profile

from isptools.train import speed

KINDS = (  # the first that a kernel's name holds
    ("triton_red", "compiled sums"), ("triton_per", "compiled sums"),
    ("triton", "compiled point by point"), ("wgrad", "convolutions, weights' gradient"),
    ("dgrad", "convolutions, input's gradient"), ("fprop", "convolutions"),
    ("conv", "convolutions"), ("nchwToNhwc", "layout"), ("nhwcToNchw", "layout"),
    ("AddPadding", "layout"), ("device_workspace", "setting up"), ("adam", "Adam"),
    ("multi_tensor", "Adam"), ("gemm", "matrix products"), ("cutlass", "convolutions"),
    ("sm90", "convolutions"), ("reduce", "sums"), ("Memcpy", "copies"), ("copy", "copies"),
    ("elementwise", "point by point"),
)  # fmt: skip
STEPS = 5


def kind(name: str) -> str:
    return next((said for word, said in KINDS if word.lower() in name.lower()), "other")


def of_step(size: Size, name: str, stage: str, mode: str) -> dict[str, Any]:
    """Milliseconds a step of each kernel and kind, over some steps of the trainer's."""
    clock.free(size.device)
    words, _ = MODES[mode]
    with speed.switched(made.settings(size, name, stage, **words), size.device.type == "cuda"):
        stepping = Stepping(size, name, stage, mode)
        for _ in range(6):
            stepping()
        found = kernels(lambda: [stepping() for _ in range(STEPS)], size, STEPS)
        stepping.folder.cleanup()
    return {"network": name, "stage": stage, "mode": mode, **found}


def kernels(work: Any, size: Size, times: int) -> dict[str, Any]:
    """Of what `work` launches, which does the same so many times."""
    clock.wait(size.device)
    cuda = size.device.type == "cuda"
    activities = [ProfilerActivity.CUDA if cuda else ProfilerActivity.CPU]
    with profile(activities=activities) as seen:
        work()
        clock.wait(size.device)
    rows: dict[str, tuple[float, int]] = {}
    for event in seen.key_averages():
        spent = event.self_device_time_total if cuda else event.self_cpu_time_total
        if spent and not event.key.startswith("cuda"):
            rows[event.key] = (spent / 1e3 / times, event.count // times)
    kinds: dict[str, float] = {}
    for key, (ms, _) in rows.items():
        kinds[kind(key)] = kinds.get(kind(key), 0.0) + ms
    ranked = sorted(rows.items(), key=lambda row: -row[1][0])
    return {
        "busy_ms": sum(ms for ms, _ in rows.values()),
        "launches": sum(count for _, count in rows.values()),
        "kinds": dict(sorted(kinds.items(), key=lambda row: -row[1])),
        "kernels": [
            {"name": key[:160], "ms": ms, "calls": count} for key, (ms, count) in ranked[:25]
        ],
    }
