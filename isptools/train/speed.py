"""How a run is computed where it runs: words left to the device, and switches of torch's own."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

import msgspec
import torch
from torch import Tensor

from isptools.train.settings import Settings

# dense bf16 of the maker's data sheets, in 1e12 operations a second
CARDS = {
    "H200": 989.0, "H100 NVL": 835.0, "H100 PCIe": 756.0, "H100": 989.0, "A100": 312.0,
    "L40S": 362.0, "RTX 4090": 165.2, "RTX 3090": 71.0,
}  # fmt: skip
WORKSPACE = "CUBLAS_WORKSPACE_CONFIG"


def settled(settings: Settings, cuda: bool) -> Settings:
    """The same with every "auto" decided: what is fast on a GPU, plain fp32 on a processor."""
    half = cuda and torch.cuda.is_bf16_supported(including_emulation=False)
    auto = {
        "precision": "bf16" if half else "fp32", "channels_last": cuda,
        "compile": cuda and find_spec("triton") is not None,
    }  # fmt: skip
    words = {k: v for k, v in auto.items() if getattr(settings, k) == "auto"}
    return msgspec.structs.replace(settings, **words)


@contextmanager
def switched(settings: Settings, cuda: bool) -> Iterator[None]:
    """torch's switches as these settings want them on a GPU, and as they were behind it.

    A deterministic run takes only what gives the same bits every time; another one lets cuDNN try
    its kernels at the first step of a shape and keep the fastest.
    """
    if not cuda:
        yield
        return
    exact, tf32 = settings.deterministic, settings.precision != "fp32"
    halves = settings.precision in {
        "bf16",
        "fp16",
    }  # of singles there are slow and large ways to try
    before = (
        torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark,
        torch.backends.cudnn.allow_tf32, torch.get_float32_matmul_precision(),
        torch.are_deterministic_algorithms_enabled(),
    )  # fmt: skip
    if exact:
        os.environ.setdefault(WORKSPACE, ":4096:8")  # cuBLAS gives the same bits only with it
    _set(exact, halves and not exact, tf32, "high" if tf32 else "highest", exact)
    try:
        with _compiler(exact, bool(settings.compile and settings.channels_last)):
            yield
    finally:
        _set(*before)


def _set(exact: bool, tried: bool, tf32: bool, products: str, algorithms: bool) -> None:
    torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = exact, tried
    torch.backends.cudnn.allow_tf32 = tf32
    torch.set_float32_matmul_precision(products)
    torch.use_deterministic_algorithms(algorithms)
    # filling memory that is written next would cost, and all that is made here is written
    torch.utils.deterministic.fill_uninitialized_memory = not algorithms  # type: ignore[attr-defined] # there all the same


def _compiler(exact: bool, nearest: bool) -> Any:
    """The compiler's own switches: no choice between sums by the clock, and channels last.

    Told so, it lays weights out while it casts them; left to itself it goes by their layout.
    """
    from torch._inductor import config  # noqa: PLC0415 - a second to import, and only for GPUs

    words = {"deterministic": exact, "force_layout_optimization": nearest}
    return config.patch({name: word for name, word in words.items() if hasattr(config, name)})


def peak(device: torch.device) -> float:
    """Operations a second of this card in bf16 by its data sheet; 0 where none is known."""
    if device.type != "cuda":
        return 0.0
    name = torch.cuda.get_device_name(device)
    return next((1e12 * rate for card, rate in CARDS.items() if card in name), 0.0)


def replayable(fabric: Any, settings: Settings) -> bool:
    """Whether a step can be recorded: one GPU, and no look at numbers half way (fp16 has one)."""
    return bool(
        fabric.device.type == "cuda" and fabric.world_size == 1 and settings.precision != "fp16"
    )


def adam(device: torch.device, replayed: bool) -> dict[str, Any]:
    """How Adam computes: on a GPU in one kernel, its step there where it is recorded."""
    return {"fused": True, "capturable": replayed} if device.type == "cuda" else {}


def set_rate(optimizer: Any, rate: float) -> None:
    """The learning rate of the next step; one that lies on a device is filled there."""
    for group in optimizer.param_groups:
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate


def laid_as_weights(optimizer: Any) -> None:
    """An optimizer's means in the memory layout of their weights, as one kernel for all wants."""
    for weight, held in optimizer.state.items():
        for name, x in held.items():
            if x.shape == weight.shape:
                held[name] = torch.empty_like(weight, dtype=x.dtype).copy_(x)


def restored(state: dict[str, Any], optimizer: Any) -> dict[str, Any]:
    """An optimizer's saved state with the flags of this one, which may run on another device."""
    kept = ("lr", "fused", "foreach", "capturable")
    groups = [
        saved | {name: own[name] for name in kept}
        for saved, own in zip(state["param_groups"], optimizer.param_groups, strict=True)
    ]
    return state | {"param_groups": groups}
