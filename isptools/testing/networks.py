"""What every network promises. AssertionError says which promise is not kept."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from torch import Tensor

from isptools.train import checkpoint, data, networks
from isptools.train.camera import Camera, least
from isptools.train.infer import Mosaic, develop, frame_unit
from isptools.train.job import Job
from isptools.train.place import Place
from isptools.train.run import train
from isptools.train.settings import Settings

CFA = {"rgb": data.TARGET[3], "bayer": data.TARGET[4], "xtrans": data.TARGET[36]}
STEPS = 3  # a stage; the run that is interrupted stops behind two of them
TILE = 64


def network(
    name: str, shards: Path, options: dict[str, Any] | None = None, code: Path | None = None
) -> None:
    """Check what a network promises, in seconds where `options` make it small.

    `name` is one that ships or `module:callable`, whose module is installed or lies in the folder
    `code`. `shards` is a folder with a training split that it can learn from; nothing is written
    there. Raises AssertionError where a promise is not kept, ValueError where there is no network.
    """
    table = {"name": name, **(options or {})}

    def fresh() -> tuple[Camera, dict[str, Any]]:
        torch.manual_seed(5)
        return networks.built(table, code)

    _expect_strict_options(table, code)
    _expect_the_same_twice(fresh)
    _expect_frames_of_any_size(fresh()[0])
    _expect_tiles_to_show_the_whole(fresh()[0])
    _expect_every_weight_to_count(fresh()[0])
    _expect_to_learn_and_resume(table, shards, code)


def _expect_strict_options(table: dict[str, Any], code: Path | None) -> None:
    networks.built(table, code)  # these are right
    try:
        networks.built(table | {"no_such_option": 1}, code)
    except ValueError:
        return
    raise AssertionError("Options take unknown words: add forbid_unknown_fields=True")


def _expect_the_same_twice(fresh: Callable[[], tuple[Camera, dict[str, Any]]]) -> None:
    """Options survive being written down, weights come from torch's generator alone."""
    (one, written), (two, again) = fresh(), fresh()
    assert written == again, "options differ when they are decoded twice"
    assert _same(one, two), "fresh weights differ with the same seed: draw them with torch"


def _expect_frames_of_any_size(camera: Camera) -> None:
    """Every picture has the frame's size: even, odd, as small as padding can make it fit."""
    small = max(least(camera), frame_unit(camera))
    for shape in ((small, small), (2 * small + 15, 2 * small + 8), (3 * small + 1, 4 * small + 43)):
        pictures = develop(camera, _mosaic(camera, shape))
        assert pictures, "no picture: Camera(restored=...) or (enhanced=...) says which is one"
        for name, picture in pictures.items():
            said = f"{name} of a frame of {shape} has the shape {picture.shape}"
            assert picture.shape == (3, *shape), said
            assert np.isfinite(picture).all(), f"{name} of a frame of {shape} holds NaN"


def _expect_tiles_to_show_the_whole(camera: Camera) -> None:
    """Reach, stride and bottom are what they are said to be."""
    _shake(camera)
    reach = max(part.reach * part.factor for part in camera.parts)
    frame = _mosaic(camera, (2 * reach + 3 * TILE + 7, max(least(camera), TILE) + 13))
    whole, tiled = develop(camera, frame), develop(camera, frame, TILE)
    for name, picture in whole.items():
        spread = float(picture.std())
        assert spread > 1e-4, f"{name} hardly depends on the frame"
        worst = float(np.abs(tiled[name] - picture).max())
        assert worst <= 1e-3 * max(1, spread), (
            f"{name} in tiles differs by {worst:.2g} from the whole: reach or stride is too small, "
            "or something is pooled over the frame without `bottom`"
        )


def _expect_every_weight_to_count(camera: Camera) -> None:
    _shake(camera)
    side = -(-max(least(camera), 36) // frame_unit(camera)) * frame_unit(camera)
    small = side // camera.intake.side
    pictures = camera.train()(torch.rand(2, camera.intake.inputs, small, small))
    total = torch.stack([picture.square().mean() for picture in pictures.values()]).sum()
    torch.autograd.backward(total)
    for name, parameter in camera.named_parameters():
        counts = parameter.grad is not None and bool(parameter.grad.isfinite().all())
        assert counts, f"{name} has no finite gradient"


def _expect_to_learn_and_resume(table: dict[str, Any], shards: Path, code: Path | None) -> None:
    settings = _settings(table, code)
    torch.manual_seed(settings.seed)
    fresh, _ = networks.built(table, code)
    with TemporaryDirectory() as folder:
        whole, parts = Path(folder, "whole"), Path(folder, "parts")
        train(settings, Job(shards, whole, Place("cpu"), code=code))
        trained, _ = checkpoint.model(whole, code)
        assert not _same(fresh, trained), "no weight moved"
        done = False
        while not done:
            done = _trained_on(settings, Job(shards, parts, Place("cpu"), stop_after=2, code=code))
            torch.rand(3)  # what happens between two calls must not matter
        resumed, _ = checkpoint.model(parts, code)
    assert _same(trained, resumed), (
        "a run that was stopped ends with other weights: what forward() remembers belongs into "
        "buffers, and chance comes from torch"
    )


def _trained_on(settings: Settings, job: Job) -> bool:
    """Two steps further; whether that was the end."""
    try:
        train(settings, job)
    except checkpoint.TrainError as error:
        if "go on" not in str(error):
            raise
        return False
    return True


def _settings(table: dict[str, Any], code: Path | None) -> Settings:
    """A short training of everything there is to train, on the smallest cuts."""
    camera, _ = networks.built(table, code)
    two = 0 <= camera.restored < camera.enhanced
    every = camera.intake.period
    patch = -(-max(least(camera), 36) // every) * every
    stages = ("restore", "enhance", "joint") if two else ("whole",)
    return Settings.of({
        "title": table["name"], "network": table, "patch": patch, "save_every": 100,
        "stages": [{"train": stage, "steps": STEPS, "rate": 1e-3} for stage in stages],
    })  # fmt: skip


def _shake(camera: Camera) -> None:
    """Other weights, so that what begins at 0 matters too."""
    with torch.no_grad():
        for parameter in camera.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.03)


def _mosaic(camera: Camera, shape: tuple[int, int]) -> Mosaic:
    cfa = CFA[camera.intake.kind]
    channels = (3,) if len(cfa) == 3 else ()
    pixels = np.random.default_rng(3).integers(500, 16000, (*channels, *shape)).astype(np.uint16)
    flat = (512.0,) * len(cfa), 16383.0, (1e-4,) * len(cfa), (1e-6,) * len(cfa)
    return Mosaic(pixels, cfa, *flat)


def _same(one: Camera, two: Camera) -> bool:
    ours: dict[str, Tensor] = one.state_dict()
    theirs: dict[str, Tensor] = two.state_dict()
    return ours.keys() == theirs.keys() and all(torch.equal(ours[k], theirs[k]) for k in ours)
