"""What a network costs: parameters, operations, and seconds for a frame."""

import math
import time
from pathlib import Path

import numpy as np

from isptools.compare.score import Scores
from isptools.compare.table import Budget, Row
from isptools.train import data, networks
from isptools.train.camera import Camera, least, parameters
from isptools.train.flops import operations
from isptools.train.infer import Mosaic, develop, device_of, frame_unit

FRAME = 3024, 4032  # rows and columns of the papers' frame
COLUMNS = ("gflops", "seconds", "parameters_m")


def of(row: Row, budget: Budget, device: str, code: Path | None) -> Scores:
    """GFLOP as the papers count and seconds for FRAME, and millions of parameters.

    With a budget's `limit`, a square frame of that side is timed and its time scaled up to FRAME's.
    """
    network = row.network if isinstance(row.network, dict) else {"name": row.network}
    counted, _ = networks.outlined(network, code)
    count, flops = parameters(counted), operations(counted, *FRAME)[1]
    camera, _ = networks.built(network | budget.network.get(network["name"], {}), code)
    seconds = _seconds(camera, budget.limit, device_of(device))
    gflops = flops / 1e9 or math.nan  # tables and products of one's own are none to the counter
    return Scores(COLUMNS, (row.name,), ((gflops, seconds, count / 1e6),))


def _seconds(camera: Camera, side: int, device: str) -> float:
    """The best of two behind a first one."""
    unit = frame_unit(camera)
    small = -(-max(side, least(camera)) // unit) * unit
    shape = (small, small) if side else FRAME
    cfa = data.TARGET[camera.intake.positions]
    every = len(cfa)
    pixels = np.full((3, *shape) if every == 3 else shape, 600, np.uint16)
    frame = Mosaic(
        pixels, cfa, (512.0,) * every, 16383.0, (1e-4,) * every,
        (1e-6,) * every,
    )  # fmt: skip
    found = []
    for _ in range(3):
        start = time.perf_counter()
        develop(camera, frame, 0 if side else None, device)
        found.append(time.perf_counter() - start)
    return min(found[1:]) * (FRAME[0] * FRAME[1]) / (shape[0] * shape[1])
