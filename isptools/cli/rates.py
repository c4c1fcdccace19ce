"""What `isptools eval` adds for a codec: rate and quality of the pictures' files."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from isptools.train.camera import Camera
    from isptools.train.infer import How
    from isptools.train.rates import Point
    from isptools.train.settings import Settings

AGNOSTIC, AWARE = "compression-agnostic", "compression-aware"
OWN = (AGNOSTIC, AWARE, "network", "truth")


@dataclass(frozen=True, slots=True)
class Words:
    """What the command was told."""

    codec: str | None
    qualities: str | None
    beside: tuple[str, ...]
    code: Path | None


@dataclass(frozen=True, slots=True)
class Asked:
    """A codec that is to be scored, with which networks and at which qualities."""

    codec: str
    subsampling: str
    qualities: tuple[int, ...]
    networks: "dict[str, Camera]"
    undone: bool


@dataclass(frozen=True, slots=True)
class Curves:
    """Every point, and what must be said of the codec."""

    points: "list[Point]"
    stated: dict[str, Any]


def asked(run: Path | None, settings: "Settings | None", words: Words) -> Asked | None:
    """What is given, or jpeg for a run that was trained through one; None where neither is.

    ValueError in one line where what belongs to it is wrong, before anything is computed.
    """
    from isptools.train.codecs import QUALITIES, codec
    from isptools.train.objectives import Compressed

    chosen = _qualities(words.qualities) if words.qualities else None
    beside = _named(words.beside)
    through = settings is not None and isinstance(settings.objective, Compressed)
    if not words.codec and not through:
        if chosen or beside:
            raise ValueError("--qualities and --beside belong to --codec")
        return None
    if run is None or settings is None:
        raise ValueError("--codec is for the network of a RUN, not for --predictions")
    name = codec(words.codec or "jpeg").name
    networks = _networks(run, settings, words.code)
    networks |= {one: _network(path, words.code) for one, path in beside.items()}
    subsampling = getattr(settings.objective, "subsampling", "4:2:0")
    undone = settings.shading == "undone"
    return Asked(name, subsampling, tuple(chosen or QUALITIES[name]), networks, undone)


def score(asked: Asked, folder: Path, split: str, how: "How") -> Curves:
    """Every point of the networks' curves and of the truth's."""
    from isptools.train import evaluate, rates
    from isptools.train.codecs import codec

    chosen = codec(asked.codec, asked.subsampling)
    first = next(iter(asked.networks.values()))
    with evaluate.opened(folder, split, first) as source:
        made = rates.pictures(asked.networks, source, how, asked.undone)
        return Curves(list(rates.points(made, chosen, asked.qualities)), chosen.stated())


def written(path: Path, curves: Curves, stamp: dict[str, Any]) -> dict[str, Any]:
    """As CSV and PNG beside the scores' own file; gives what JSON takes."""
    from dataclasses import asdict

    from isptools.train import rates

    files = rates.write(
        path.parent, f"{path.stem}-{curves.stated['codec']}", curves.points,
        {**stamp, **curves.stated},
    )  # fmt: skip
    lines = {name: [asdict(one) for one in curve]
             for name, curve in rates.means(curves.points).items()}  # fmt: skip
    return {"files": [str(file) for file in files], **curves.stated, "means": lines}


def tell(found: "list[Point]") -> None:
    """The mean curves, and what they gain on the first at equal bits."""
    from isptools.train.rates import TRUTH, gain, means

    curves = means(found)
    first = next(iter(curves))
    for method, curve in curves.items():
        said = "  ".join(f"{one.quality}: {one.psnr:.2f} dB {one.bpp:.3f} bpp" for one in curve)
        more = ""
        if method not in {first, TRUTH}:
            more = f"  ({gain(curve, curves[first]):+.2f} dB on {first} at equal bits)"
        click.echo(f"{method:<22}{said}{more}")


def _networks(run: Path, settings: "Settings", code: Path | None) -> "dict[str, Camera]":
    """The run's; of one that was trained through a codec also as it was before that stage."""
    from isptools.train import checkpoint

    trained = _network(run, code)
    folder = run if run.is_dir() else run.parent
    stages = {stage.train for stage in settings.stages}
    before = checkpoint.standing(folder / "whole.safetensors")
    if {"whole", "compressed"} <= stages and before.exists():
        return {AGNOSTIC: _network(before, code), AWARE: trained}
    return {"network": trained}


def _network(path: Path, code: Path | None) -> "Camera":
    from isptools.train import checkpoint

    return checkpoint.model(path, code)[0]


def _named(beside: tuple[str, ...]) -> dict[str, Path]:
    """Other runs by the names that curves are to have."""
    out: dict[str, Path] = {}
    for word in beside:
        name, equals, path = word.partition("=")
        if not equals or not name or name in {*out, *OWN}:
            raise ValueError(f"--beside {word}: expected NAME=RUN, each name once, none of our own")
        out[name] = Path(path)
    return out


def _qualities(text: str) -> list[int]:
    """Of 80,90 or 80:96:2, in order."""
    try:
        numbers = [int(one) for one in text.replace(":", ",").split(",")]
        if ":" in text:
            first, last, step = numbers
            numbers = list(range(first, last + 1, step))
    except ValueError:
        raise ValueError(f"--qualities {text}: expected 80,90 or FIRST:LAST:STEP") from None
    if not numbers or min(numbers) < 1 or max(numbers) > 100:
        raise ValueError(f"--qualities {text}: from 1 to 100")
    return numbers
