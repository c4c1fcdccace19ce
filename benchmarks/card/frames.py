"""Whole frames through networks: time of the network alone, and of `develop`, whole and tiled."""

from typing import Any

import numpy as np
import torch
from card import clock, made
from card.made import Size
from card.profile import kernels

from isptools.train import infer, networks
from isptools.train.camera import Camera
from isptools.train.flops import operations

TILES = (1024, 2048)


def network_row(size: Size, name: str, precision: str, compiled: bool) -> dict[str, Any]:
    """The network alone on a prepared frame that lies on the device."""
    device = size.device
    clock.free(device)
    camera = prepared(size, name)
    height, width = size.frame
    side = camera.intake.side
    x = torch.rand(1, camera.intake.inputs, height // side, width // side, device=device)
    x = x.to(memory_format=torch.channels_last)
    if compiled:
        torch.compiler.reset()
        camera.compile()
    found: dict[str, Any] = {}
    torch.backends.cudnn.benchmark = precision != "fp32"
    with infer.computing(device, precision):
        forward = lambda: camera(x)  # noqa: E731 - one word for what is measured
        forward()
        work = clock.replayed(forward) if device.type == "cuda" else forward
        seconds = clock.median(work, device)
        if device.type == "cuda" and (compiled or precision == "bf16"):
            found = {"profile": kernels(work, size, 1)}
    torch.backends.cudnn.benchmark = False
    flops = counted(size, name)
    return {
        "network": name, "precision": precision, "compiled": compiled, "ms": seconds * 1e3,
        "tflops": flops / seconds / 1e12, "gflop": flops / 1e9,
        "memory_gb": clock.most(device), **found,
    }  # fmt: skip


def prepared(size: Size, name: str) -> Camera:
    camera: Camera = made.camera(size, name).to(size.device).eval()
    return camera.to(memory_format=torch.channels_last)


def counted(size: Size, name: str) -> int:
    with torch.device("meta"):
        camera, _ = networks.built(size.table(name))
    return operations(camera, *size.frame)[0]


def develop_rows(size: Size, name: str, precision: str) -> list[dict[str, Any]]:
    """From the integers on the host to pictures there; tiled ones against the whole one."""
    camera, mosaic = made.camera(size, name), made.frame(size)
    rows, whole = [], {}
    for tile in (0, *((48,) if size.tiny else TILES)):
        clock.free(size.device)
        pictures: dict[str, Any] = {}

        def work(tile: int = tile, pictures: dict[str, Any] = pictures) -> None:
            pictures |= infer.develop(camera, mosaic, tile, str(size.device), precision)

        seconds = clock.median(work, size.device, 1)
        whole = whole or pictures
        scale = max(float(np.abs(one).max()) for one in whole.values())
        apart = max(float(np.abs(pictures[name] - whole[name]).max()) for name in whole)
        rows.append({
            "network": name, "precision": precision, "tile": tile, "ms": seconds * 1e3,
            "memory_gb": clock.most(size.device), "apart": apart, "largest": scale,
        })  # fmt: skip
    return rows
