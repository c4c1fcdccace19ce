"""The networks by name: a file each, imported when it is asked for.

A network is a function from its own strict options to a `Camera`. One that ships is `network` in
the file of its name here; somebody else's is `module:callable`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from isptools.train import foreign

if TYPE_CHECKING:
    from isptools.train.camera import Camera

NAMES = (
    "cameranet",
    "cameranet-v1",
    "cameranet-xtrans",
    "cameranet-one-stage",
    "cameranet-three-stage",
    "srgan-can",
    "srgan-can-one-stage",
    "deepisp",
    "deepisp-low",
    "srcnn",
    "compression-aware",
    "dped",
    "johnson",
    "deepcamera",
    "l3",
    "nafnet",
    "sid-unet",
)  # in the order in which they are listed


class NoOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of a network that has nothing to choose."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A network that was found: what may be chosen, and what makes it."""

    options: type[msgspec.Struct]
    make: Callable[[Any], Camera]


def opened(name: str, code: Path | None = None) -> Opened:
    """A network by name. ValueError in one line if it is unknown or is none.

    The module of a foreign one lies in the folder `code`, or is installed.
    """
    if ":" in name:
        return _taken(name, foreign.imported(name, code))
    if name not in NAMES:
        raise ValueError(
            f"no network {name!r}; there are {', '.join(NAMES)}, and your own as module:callable"
        )
    module = import_module(f"isptools.train.networks.{name.replace('-', '_')}")
    return _taken(name, module.network)


def built(table: dict[str, Any], code: Path | None = None) -> tuple[Camera, dict[str, Any]]:
    """The fresh network of a [network] table, and that table with every option written out.

    Weights come from torch's generator. ValueError in one line with the path of a wrong word.
    """
    words = dict(table)
    name = words.pop("name")
    found = opened(name, code)
    options = _decoded(found.options, words)
    return found.make(options), {"name": name, **msgspec.to_builtins(options)}


def outlined(table: dict[str, Any], code: Path | None = None) -> tuple[Camera, dict[str, Any]]:
    """The same on torch's meta device: its layers without numbers, to count and to ask.

    A network that asks for a number while it is made, of which there is none there, is made for
    real first.
    """
    import torch  # noqa: PLC0415 - names alone need no torch

    try:
        with torch.device("meta"):
            camera, options = built(table, code)
    except Exception:  # torch's and NumPy's for it differ; what else is wrong comes again
        with torch.random.fork_rng(devices=()):
            camera, options = built(table, code)
    return camera.to("meta"), options


def written_out(table: dict[str, Any]) -> dict[str, Any]:
    """A [network] table with the options that came since it was written; a stranger's as it is."""
    words = dict(table)
    name = words.pop("name")
    if name not in NAMES:
        return table
    return {"name": name, **msgspec.to_builtins(_decoded(opened(name).options, words))}


def _decoded(options: type[msgspec.Struct], words: dict[str, Any]) -> msgspec.Struct:
    """The options below `network`, so that an error has its whole path."""
    outer = msgspec.defstruct("Outer", [("network", options)])
    try:
        decoded: msgspec.Struct = msgspec.convert({"network": words}, outer).network  # type: ignore[attr-defined] # made here
    except msgspec.ValidationError as error:
        there = ", ".join(options.__struct_fields__) or "none"
        raise ValueError(f"{error}; its options: {there}") from None
    return decoded


def _taken(name: str, make: Callable[..., Camera]) -> Opened:
    """A function that says of itself that it makes a network. ValueError for any other."""
    from isptools.train.camera import Camera  # noqa: PLC0415 - names alone need no torch

    wanted = f"{name}: expected `def network(options: Options) -> Camera`, Options a msgspec.Struct"
    try:
        signature = inspect.signature(make, eval_str=True)
    except (TypeError, ValueError, NameError):
        raise ValueError(wanted) from None
    takes = [parameter.annotation for parameter in signature.parameters.values()]
    # what does not say so is not called: a run's file may name any function there is
    if signature.return_annotation is not Camera or len(takes) > 1:
        raise ValueError(wanted)
    if not takes:
        return Opened(NoOptions, lambda _: make())
    if not inspect.isclass(takes[0]) or not issubclass(takes[0], msgspec.Struct):
        raise ValueError(wanted)
    return Opened(takes[0], make)
