"""Batches from a processor's memory to a GPU while that computes."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from isptools.train.data import Turn
from isptools.train.intake import Batch

Read = tuple[Batch, list[Turn]]


def carried(batches: Iterator[Read], device: torch.device) -> Iterator[Read]:
    """Each batch on the device, sent on a stream of its own.

    A batch's memory is free again when the next one is asked for: by then it has been sent.
    """
    stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call] # torch's
    for batch, turns in batches:
        with torch.cuda.stream(stream):
            moved = {name: x.to(device, non_blocking=True) for name, x in batch.items()}
        sent = stream.record_event()
        now = torch.cuda.current_stream(device)
        now.wait_event(sent)
        for x in moved.values():
            x.record_stream(now)
        yield moved, turns
        sent.synchronize()


def pinned(pixels: Tensor) -> bool:
    """Fix memory in place, so that a GPU reads it by itself; False where the system refuses.

    It stays so until the process ends or the memory goes.
    """
    runtime: Any = torch.cuda.cudart()  # type: ignore[no-untyped-call] # torch's
    size = pixels.numel() * pixels.element_size()
    return int(runtime.cudaHostRegister(pixels.data_ptr(), size, 0)) == 0


def released(pixels: Tensor) -> None:
    """Undo `pinned`, before the memory goes."""
    runtime: Any = torch.cuda.cudart()  # type: ignore[no-untyped-call] # torch's
    runtime.cudaHostUnregister(pixels.data_ptr())
