"""Weights on disk: whole or not at all, and never more than tensors and plain values."""

import io
import os
from pathlib import Path
from typing import Any

import torch

from isptools.train import networks
from isptools.train.camera import Camera
from isptools.train.settings import Settings

FORMAT = 2
EARLIER = 1  # settings in their earlier notation, one optimizer


class TrainError(ValueError):
    """What stopped a training, in one line."""


def save(path: Path, state: dict[str, Any]) -> None:
    """Write beside the target, then rename: a full disk leaves the last good file as it was."""
    data = io.BytesIO()
    torch.save({"format": FORMAT, "torch": str(torch.__version__), **state}, data)
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("wb") as file:
            file.write(data.getbuffer())
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        raise TrainError(
            f"{path}: could not be saved ({error.strerror}); the last good one is intact, make "
            "room and run the same command to go on"
        ) from None
    finally:
        part.unlink(missing_ok=True)


def load(path: Path) -> dict[str, Any]:
    """A checkpoint of this format. TrainError in one line for anything else."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise TrainError(f"{path}: there is no such checkpoint; train one first") from None
    except Exception as error:  # torch raises nearly any type for a foreign file
        said = " ".join(str(error).split())[:80]
        raise TrainError(f"{path}: no checkpoint of isptools ({said})") from None
    if not isinstance(state, dict) or "format" not in state:
        raise TrainError(f"{path}: no checkpoint of isptools")
    if state["format"] not in (FORMAT, EARLIER):
        raise TrainError(f"{path}: format {state['format']}, this version reads {FORMAT}")
    if "optimizer" in state:
        state["optimizers"] = [state.pop("optimizer")]
    return state


def model(path: Path, code: Path | None = None) -> tuple[Camera, Settings]:
    """The trained network of a run's folder (or of its `model.pt`), in evaluation mode.

    A foreign one's module is installed, or lies in the folder `code`.
    """
    file = path / "model.pt" if path.is_dir() else path
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
