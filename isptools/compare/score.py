"""Pictures of a method against the truths of a split: a line of numbers each."""

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isptools import measure
from isptools.compare.methods import Method
from isptools.compare.table import Jpeg
from isptools.shards import Shards
from isptools.train import data, evaluate
from isptools.train.camera import Camera
from isptools.train.codecs import Codec, eight_bits
from isptools.train.infer import How, Mosaic, develop

F32 = NDArray[np.float32]
Render = Callable[[Shards, int], "F32 | None"]  # of input i, (H, W, 3) from 0 to 1


@dataclass(frozen=True, slots=True)
class Scores:
    """A method's numbers, a line for each picture that it gave."""

    columns: tuple[str, ...]
    keys: tuple[str, ...]
    values: tuple[tuple[float, ...], ...]

    def means(self) -> dict[str, float]:
        """Of each column over the pictures; NaN (a picture too small to say) left out."""
        out = {}
        for name, column in zip(self.columns, zip(*self.values, strict=True), strict=True):
            known = [value for value in column if not math.isnan(value)]
            out[name] = math.fsum(known) / len(known) if known else math.nan
        return out


def of_network(camera: Camera, how: How, undone: bool) -> Render:
    """A trained network's last picture."""
    name = "enhancement" if camera.enhanced >= 0 else "restoration"

    def render(source: Shards, i: int) -> F32:
        shading = source.shading(i) if undone else None
        mean = data.mean_matrix(source.capture(i))
        mosaic = Mosaic.of_row(source.raw(i), source.facts(i), shading, mean)
        return develop(camera, mosaic, how.tile, how.device, how.precision)[name].transpose(1, 2, 0)

    return render


def of_method(method: Method) -> Render:
    """What needs no training."""

    def render(source: Shards, i: int) -> F32 | None:
        shown = method(source.raw(i), source.capture(i), source.facts(i))
        return None if shown is None else np.asarray(shown, np.float32) / np.float32(65535)

    return render


def truth(source: Shards, i: int) -> F32:
    """(H, W, 3) of the last truth there is, in its own units."""
    name = evaluate.compared(source)
    stored, scale = source.stored(i, name, (0, 0, *source.shape(i)))
    out: F32 = (np.asarray(stored) * np.float32(scale)).transpose(1, 2, 0)
    return out


def score(
    render: Render, source: Shards, wanted: Collection[str], jpeg: Jpeg | None = None,
    limit: int = 0,
) -> Scores:  # fmt: skip
    """Every input of `source`, or the first `limit`, by those columns of its protocol that are
    wanted and by its first one, which ranks scenes.

    Behind a JPEG come the bits a pixel too. ValueError where the method gave no picture.
    """
    protocol = evaluate.of(source)
    wanted = {*wanted, protocol.columns[0]}
    columns = tuple(name for name in protocol.columns if name in wanted)
    columns += ("bpp",) if jpeg else ()
    keys, values = [], []
    for i in range(min(len(source), limit) if limit else len(source)):
        picture = render(source, i)
        if picture is None:
            continue
        measured = _measured(protocol, wanted, picture, truth(source, i), jpeg)
        keys.append(source.facts(i).key)
        values.append(measured)
    if not keys:
        raise ValueError("there is a picture of none of the inputs")
    return Scores(columns, tuple(keys), tuple(values))


def _measured(
    protocol: evaluate.Protocol, wanted: Collection[str], picture: F32, aim: F32, jpeg: Jpeg | None
) -> tuple[float, ...]:
    if jpeg is None:
        return protocol.values(picture, aim, wanted)
    shown, size = behind(picture, jpeg)
    against = behind(aim, jpeg)[0] if jpeg.truth else aim
    return *protocol.values(shown, against, wanted), measure.bits_per_pixel(size, aim.shape)


def behind(picture: F32, jpeg: Jpeg) -> tuple[F32, int]:
    """(H, W, 3) float32 behind a JPEG, and the bytes of its file."""
    pixels, size = Codec("jpeg", jpeg.subsampling).through(eight_bits(picture), jpeg.quality)
    return np.asarray(pixels, np.float32) / np.float32(255), size
