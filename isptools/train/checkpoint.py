"""Weights on disk: whole or not at all, proved by a hash, never more than tensors and values."""

import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from isptools import whole
from isptools.train import networks
from isptools.train.camera import Camera
from isptools.train.sealed import seal, unseal
from isptools.train.settings import Settings

FORMAT = 3
PICKLED = (1, 2)  # torch's own files; in 1, settings in their earlier notation and one optimizer
SUFFIX, EARLIER = ".safetensors", ".pt"
ZIP = b"PK"  # what those of torch begin with
# of which kind the parts of a file are
KINDS: dict[str, type] = {
    "format": int, "torch": str, "network": str, "settings": str, "step": int, "done": bool,
    "model": dict, "mean": list, "optimizers": list, "random": Tensor, "random_cuda": Tensor,
    "scaler": dict, "beside": dict, "validation": float,
}  # fmt: skip


class TrainError(ValueError):
    """What stopped a training, in one line."""


def save(path: Path, state: dict[str, Any]) -> None:
    """Write beside the target, then rename: a full disk leaves the last good file as it was.
    TrainError where the disk takes no more."""
    data = seal({"format": FORMAT, "torch": str(torch.__version__), **state})
    try:
        whole.save(path, data)
    except OSError as error:
        raise TrainError(
            f"{path}: could not be saved ({error.strerror}); the last good one is intact, make "
            "room and run the same command to go on"
        ) from None


def standing(path: Path) -> Path:
    """A checkpoint's file, or the one of that name with the other suffix where only that is."""
    other = path.with_suffix(EARLIER if path.suffix == SUFFIX else SUFFIX)
    return path if path.exists() or not other.exists() else other


def load(path: Path) -> dict[str, Any]:
    """A checkpoint of this format, or of an earlier one. TrainError in one line for anything else.

    Every byte is checked against the hash that stands in the file, or those of an earlier one.
    """
    path = standing(path)
    try:
        with path.open("rb") as file:
            earlier = file.read(len(ZIP)) == ZIP
        state = _pickled(path) if earlier else unseal(path.read_bytes())
        _expect_kinds(state)
    except FileNotFoundError:
        raise TrainError(f"{path}: there is no such checkpoint; train one first") from None
    except Exception as error:  # torch and safetensors raise nearly any type for a foreign file
        said = " ".join(str(error).split())[:80]
        raise TrainError(f"{path}: no checkpoint of isptools ({said})") from None
    known = PICKLED if earlier else (FORMAT,)
    if state["format"] not in known:
        raise TrainError(f"{path}: format {state['format']}, this version reads {FORMAT}")
    return state


def _pickled(path: Path) -> dict[str, Any]:
    """A file of torch's, after a look at the sums in it, which torch does not take."""
    with zipfile.ZipFile(path) as parts:
        if damaged := parts.testzip():
            raise ValueError(f"its part {damaged} is damaged")
    state = torch.load(path, map_location="cpu", weights_only=True)
    if not isinstance(state, dict):
        raise ValueError("it holds no state")
    if "optimizer" in state:
        state["optimizers"] = [state.pop("optimizer")]
    return state


def _expect_kinds(state: dict[str, Any]) -> None:
    """ValueError where a part is missing or of a kind that it can't be."""
    if "format" not in state:
        raise ValueError("it states no format")
    for name, value in state.items():
        if not isinstance(value, KINDS.get(name, object)):
            raise ValueError(f"{name} is a {type(value).__name__}")
    if not all(isinstance(value, Tensor) for value in state.get("model", {}).values()):
        raise ValueError("its model holds more than tensors")


def model(path: Path, code: Path | None = None) -> tuple[Camera, Settings]:
    """The trained network of a run's folder (or of its file of weights), in evaluation mode.

    A foreign one's module is installed, or lies in the folder `code`. TrainError in one line for a
    file of another network or version.
    """
    file = standing(path / f"model{SUFFIX}" if path.is_dir() else path)
    state = load(file)
    try:
        settings = Settings.of_json(state["settings"])
        camera, _ = networks.built(settings.network, code)
    except ValueError as error:
        raise TrainError(f"{file}: {error}") from None
    except KeyError as error:
        raise TrainError(f"{file}: made by another version: holds no {error}") from None
    try:
        camera.load_state_dict(state["model"])
    except (KeyError, RuntimeError) as error:
        said = " ".join(str(error).split())[:120]
        raise TrainError(
            f"{file}: made by another version or for another network: {said}"
        ) from None
    return camera.eval(), settings
