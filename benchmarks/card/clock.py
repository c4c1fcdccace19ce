"""Time and memory of a device."""

import gc
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch


def wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def free(device: torch.device) -> None:
    """Give back what earlier measurements held, and count the most memory from here on."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)


def most(device: torch.device) -> float:
    """GB held at most since `free`."""
    return torch.cuda.max_memory_allocated(device) / 1e9 if device.type == "cuda" else 0.0


def each(work: Callable[[], Any], device: torch.device, seconds: float, warm: int = 3) -> float:
    """Seconds of one call in a row of them that lasts about so long, behind some first ones."""
    for _ in range(warm):
        work()
    wait(device)
    start = time.perf_counter()
    work()
    wait(device)
    count = max(3, int(seconds / (time.perf_counter() - start)))
    start = time.perf_counter()
    for _ in range(count):
        work()
    wait(device)
    return (time.perf_counter() - start) / count


def median(work: Callable[[], Any], device: torch.device, times: int = 7) -> float:
    """The median of single calls, each waited for."""
    work()
    found = []
    for _ in range(times):
        wait(device)
        start = time.perf_counter()
        work()
        wait(device)
        found.append(time.perf_counter() - start)
    return statistics.median(found)


def replayed(work: Callable[[], Any]) -> Callable[[], None]:
    """The same as a CUDA graph."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            work()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, stream=stream):
        work.kept = work()  # type: ignore[attr-defined] # its memory belongs to the graph
    return graph.replay
