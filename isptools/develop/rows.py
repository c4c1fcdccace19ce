"""Compiled kernels over strips of rows, on as many threads as the environment allows."""

import itertools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isptools.compiled import kernel, part
from isptools.frame import forget

__all__ = [
    "along_rows", "kernel", "over_mosaic", "over_rows", "part", "readonly", "threads", "writable",
]  # fmt: skip

BANDS = 6  # a mosaic's memory goes back in so many pieces
REACH = 16  # more rows than any method looks up


def threads() -> int:
    """Threads for one picture: OMP_NUM_THREADS where it is set, as for LibRaw, else all cores."""
    asked = os.environ.get("OMP_NUM_THREADS", "").split(",")[0]
    if asked.isdigit() and int(asked) > 0:
        return int(asked)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def over_rows(strip: Callable[..., Any], height: int, *args: Any) -> list[Any]:
    """Call `strip(*args, top, bottom)` for strips that cover `height` rows; results in order.

    `strip` reads what it likes and writes only rows [top, bottom) of its output. Arrays are handed
    over read-only unless they are the last argument, so that a kernel is compiled once.
    """
    return _strips(strip, 0, height, args)


def over_mosaic(strip: Callable[..., Any], scratch: bool, mosaic: NDArray[Any], *args: Any) -> None:
    """As `over_rows` with a mosaic (H, W) as first argument.

    With `scratch`, only for a mosaic that nobody else holds, its memory goes back while it is read.
    """
    bands = BANDS if scratch else 1
    edges = [len(mosaic) * i // bands for i in range(bands + 1)]
    for top, bottom in itertools.pairwise(edges):
        _strips(strip, top, bottom, (mosaic, *args))
        if scratch:
            forget(mosaic, bottom - REACH)


def _strips(strip: Callable[..., Any], top: int, bottom: int, args: tuple[Any, ...]) -> list[Any]:
    *inputs, output = args
    args = (*(readonly(value) for value in inputs), output)
    count = max(1, min(threads(), (bottom - top) // 16))
    edges = [top + (bottom - top) * i // count for i in range(count + 1)]
    if count == 1:
        return [strip(*args, top, bottom)]
    with ThreadPoolExecutor(count) as pool:
        jobs = [pool.submit(strip, *args, *edges[i : i + 2]) for i in range(count)]
        return [job.result() for job in jobs]


def along_rows(pattern: NDArray[Any], width: int) -> NDArray[Any]:
    """A CFA-sized table, (S, S), repeated along whole rows: (S, width)."""
    return np.ascontiguousarray(np.tile(pattern, (1, -(-width // len(pattern))))[:, :width])


def readonly(value: Any) -> Any:
    """A read-only view of an array; anything else as it is."""
    if not hasattr(value, "setflags"):
        return value
    view: NDArray[Any] = value.view()
    view.setflags(write=False)
    return view


def writable(value: NDArray[Any]) -> NDArray[Any]:
    """The array itself, unlocked: only for pixels that nobody else holds."""
    value.setflags(write=True)
    return value
