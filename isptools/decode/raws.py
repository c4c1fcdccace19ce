"""What commands ask of one raw file: in a decoder's process, which loads no more than that.

All raise Refusal where the file is at fault, and FaultError where the machine is.
"""

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

from isptools import raw
from isptools.decode.refusal import judged
from isptools.frame import Frame
from isptools.raw.reading import Trust

Facts = Iterator[tuple[str, Any]]


def raw_file(path: Path, name: str, trust: Trust, larger: bool) -> Frame:
    """As `raw.read`."""
    with judged(path, name):
        return raw.read(path, trust, larger)


def raw_facts(path: Path, name: str) -> list[tuple[str, Any]]:
    """`facts` of a file."""
    with judged(path, name):
        return list(facts(raw.read(path, larger=True)))


def facts(frame: Frame) -> Facts:
    """What is known of a frame at SENSOR, by names for people; values of Python's own types."""
    stated, pixels = frame.capture, frame.pixels
    yield "pixels", f"{pixels.shape[1]} x {pixels.shape[0]} (width x height)"
    yield "values", f"{pixels.min()} to {pixels.max()}, mean {pixels.mean():.1f}"
    yield "at white or above", f"{(pixels >= stated.white).mean():.3%}"
    for column in fields(stated):
        value = getattr(stated, column.name)
        if isinstance(value, bytes):
            value = f"{len(value)} bytes" if value else None
        if column.name == "gain_maps":
            value = f"{len(value)}" if value else None
        if column.name == "origins":
            value = "\n".join(f"{name}: {origin}" for name, origin in value)
        if column.name == "departures":
            value = "\n".join(value) or "none"
        yield column.name.replace("_", " "), value
    if stated.cfa:
        from isptools.develop.noise import noise_of  # noqa: PLC0415 - not for `raw_file`

        noise = noise_of(frame)
        yield "noise", f"variance = shot * x + read, x from black 0 to white 1 ({noise.origin})"
        yield "  shot", noise.shot
        yield "  read", noise.read
