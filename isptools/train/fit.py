"""The stage of a network whose weights are solved for in one step: nothing is descended."""

from collections.abc import Iterator

from torch import Tensor

from isptools import shards
from isptools.train import data, feed
from isptools.train.camera import Camera
from isptools.train.settings import Settings
from isptools.train.task import needs


def fit(camera: Camera, settings: Settings, source: shards.Shards, batches: int) -> None:
    """Set the weights from so many batches of cuts, those that steps of a training would see."""
    solve = camera.parts[0].fit
    if solve is not None:
        solve(_examples(camera, settings, source, batches))


def _examples(
    camera: Camera, settings: Settings, source: shards.Shards, batches: int
) -> Iterator[tuple[Tensor, Tensor, Tensor | None]]:
    (name,) = needs(camera, "fit")
    undone = settings.shading == "undone"
    cuts = data.Cuts(source, settings.patch, settings.seed, (name,), settings.augment, undone)
    for batch in feed.loader(cuts, range(batches), feed.Feed(settings.batch)):
        trusted = data.trusted(batch) if settings.masks else None
        yield camera.intake.prepared(batch), data.truth(batch, name), trusted
