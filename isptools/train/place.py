"""Where a training runs: devices, nodes, workers. Nothing here changes the result."""

import os
import warnings
from dataclasses import dataclass
from typing import Any, Literal

import torch
from lightning.fabric import Fabric

from isptools.children import safe_path
from isptools.train.checkpoint import TrainError
from isptools.train.device import unusable

PRECISIONS = {
    "fp32": "32-true", "tf32": "32-true", "bf16": "bf16-mixed", "fp16": "16-mixed",
}  # fmt: skip
Feeding = Literal["auto", "read", "resident"]


@dataclass(frozen=True, slots=True)
class Place:
    """`device` is "auto", "cpu", "cuda" or one GPU as "cuda:1"."""

    device: str = "auto"
    devices: int = 1  # a node
    nodes: int = 1
    workers: int | Literal["auto"] = 0  # processes that read shards; auto: measured
    threads: int | Literal["auto"] = 0  # of a processor; 0: as torch has them, auto: what is free
    data: Feeding = "auto"  # resident: shards lie in the device's memory; auto: if they fit a GPU

    @property
    def cuda(self) -> bool:
        """Whether this means a GPU of CUDA's here."""
        kind = self.device.partition(":")[0]
        return kind == "cuda" or (kind == "auto" and torch.cuda.is_available())


def launched(place: Place, precision: str, turns: bool = False) -> Any:
    """Fabric, launched; under torchrun its environment says how many processes there are.

    With `turns`, parts of the weights take no part in some of the forward passes. TrainError where
    the device or its precision can't be had here.
    """
    world = int(os.environ.get("WORLD_SIZE", "0"))
    local = int(os.environ.get("LOCAL_WORLD_SIZE", "0")) or place.devices
    nodes = max(world // local, 1) if world else place.nodes
    kind, _, index = place.device.partition(":")
    if precision in {"fp16", "tf32"} and (kind == "cpu" or not torch.cuda.is_available()):
        raise TrainError(f"{precision} needs a GPU; on a processor take bf16 or fp32")
    many = local * nodes > 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Lightning's advice on other hardware
        try:
            fabric = Fabric(
                accelerator=kind,
                devices=[int(index)] if index else local,
                num_nodes=nodes,
                precision=PRECISIONS[precision],  # type: ignore[arg-type] # one of Fabric's names
                strategy=("ddp_find_unused_parameters_true" if turns else "ddp")
                if many
                else "auto",
            )
        except Exception as error:  # Lightning has types of its own for a device that is not there
            raise TrainError(unusable(place.device, error)) from None
        with safe_path():
            fabric.launch()
    return fabric
