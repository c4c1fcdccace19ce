"""A trained network as ONNX, checked against itself."""

import logging
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from isptools import whole
from isptools.train.camera import Camera
from isptools.train.checkpoint import TrainError

CLOSE = 1e-3  # the largest difference of any pixel that passes for the same picture


class Pictures(nn.Module):
    """The network's pictures as a tuple, in the order restoration, enhancement."""

    def __init__(self, camera: Camera) -> None:
        super().__init__()
        self.camera = camera

    def forward(self, prepared: Tensor) -> tuple[Tensor, ...]:
        """What the network makes of a prepared input, as a tuple of (N, 3, H, W)."""
        return tuple(self.camera(prepared).values())


def export(camera: Camera, path: Path, height: int, width: int) -> float:
    """Write the network for prepared frames of this size in mosaic pixels.

    The input is what the network's intake prepares, (1, C, h, w) float32. Gives the largest
    difference between torch and ONNX Runtime on a random frame. TrainError where the size does not
    fit, the libraries are missing, or the pictures differ; nothing is written then.
    """
    onnxruntime = _runtime()
    side = camera.intake.side
    if height % (side * 16) or width % (side * 16):
        raise TrainError(f"sides of an exported frame are multiples of {side * 16} pixels")
    shape = (1, camera.intake.inputs, height // side, width // side)
    frame = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    wrapped = Pictures(camera).eval()
    with whole.replaced(path) as part:
        names = [name for at in range(len(camera.nets)) for name in camera.pictures(at)]
        program = _program(wrapped, frame, names)
        if program is None:
            raise TrainError(f"{path}: torch exported nothing")
        program.save(part)
        session = onnxruntime.InferenceSession(str(part), providers=["CPUExecutionProvider"])
        theirs = session.run(None, {"prepared": frame.numpy()})
        with torch.inference_mode():
            ours = wrapped(frame)
        worst = max(float(np.abs(a.numpy() - b).max()) for a, b in zip(ours, theirs, strict=True))
        if not worst <= CLOSE:
            raise TrainError(f"{path}: ONNX Runtime's picture differs by {worst:g}; not written")
    return worst


def _runtime() -> Any:
    try:
        import onnxruntime  # noqa: PLC0415 - an extra of its own
        import onnxscript  # noqa: F401, PLC0415 - torch's exporter needs it
    except ImportError as error:
        how = "in isptools' own folder, pip install '.[onnx]'"
        raise TrainError(f"this needs {error.name}: {how}") from None
    return onnxruntime


def _program(wrapped: nn.Module, frame: Tensor, names: list[str]) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's exporter warns of its own insides
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # by both ways
        return torch.onnx.export(
            wrapped, (frame,), input_names=["prepared"], output_names=names, dynamo=True,
            verbose=False,
        )  # fmt: skip
