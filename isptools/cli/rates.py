"""What `isptools eval` adds for a codec: rate and quality of the pictures' files."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from isptools.shards import Shards
    from isptools.train.camera import Camera
    from isptools.train.infer import How
    from isptools.train.rates import Point
    from isptools.train.settings import Settings


AGNOSTIC, AWARE = "compression-agnostic", "compression-aware"
OWN = (AGNOSTIC, AWARE, "network", "truth")


def asked(
    settings: "Settings", codec: str | None, qualities: str | None, beside: tuple[str, ...]
) -> str | None:
    """The codec to be scored, if any: what is given, or that of a run that trained through one.

    ValueError in one line where what belongs to it is wrong, before anything is computed.
    """
    from isptools.train.objectives import Compressed

    _qualities(qualities or "80")
    _named(beside)
    if codec or isinstance(settings.objective, Compressed):
        return codec or "jpeg"
    if qualities or beside:
        raise ValueError("--qualities and --beside belong to --codec")
    return None


def score(
    run: Path, name: str, source: "Shards", how: "How", settings: "Settings",
    qualities: str | None = None, beside: tuple[str, ...] = (), code: Path | None = None,
) -> "tuple[list[Point], dict[str, Any]]":  # fmt: skip
    """Every point of the run's own curves, of runs beside it, and the truth's."""
    from isptools.train import rates
    from isptools.train.codecs import QUALITIES, codec

    chosen = codec(name, getattr(settings.objective, "subsampling", "4:2:0"))
    every = _qualities(qualities) if qualities else QUALITIES[name]
    networks = _networks(run, settings, beside, code)
    made = rates.pictures(networks, source, how, settings.shading == "undone")
    return list(rates.points(made, chosen, every)), chosen.stated()


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


def _networks(
    run: Path, settings: "Settings", beside: tuple[str, ...], code: Path | None
) -> "dict[str, Camera]":
    """The run's; of one that was trained through a codec also as it was before that stage."""
    from isptools.train import checkpoint

    trained = checkpoint.model(run, code)[0]
    folder = run if run.is_dir() else run.parent
    stages = [stage.train for stage in settings.stages]
    before = checkpoint.standing(folder / "whole.safetensors")
    out = {"network": trained}
    if {"whole", "compressed"} <= {*stages} and before.exists():
        agnostic = checkpoint.model(before, code)[0]
        out = {AGNOSTIC: agnostic, AWARE: trained}
    return out | {name: checkpoint.model(path, code)[0] for name, path in _named(beside).items()}


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
