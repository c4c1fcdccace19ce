"""The networks in a table: parameters and operations counted."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from isptools.train import networks
from isptools.train.camera import parameters
from isptools.train.flops import operations

# in its published form: without the noise plane it has the 26,527,640 parameters that are printed
QUIET = {"noise": False}
NOISY = ("cameranet-noise", {"name": "cameranet"})  # the form that recipes train


def listing(names: Sequence[str] = (), code: Path | None = None) -> list[dict[str, Any]]:
    """Name, parameters and GFLOP at 4032 x 3024 of networks, of all that ship if none is named.

    GFLOP are the cost a pixel, taken where all levels divide evenly; the paper's way counts the
    frame itself, odd levels and all. None where a network does nothing that can be counted.
    """
    chosen = [(name, _published(name, code)) for name in names or networks.NAMES]
    if not names:
        chosen.insert(1, NOISY)
    return [_row(name, table, code) for name, table in chosen]


def _published(name: str, code: Path | None) -> dict[str, Any]:
    """Its [network] table without the noise plane, where there is a choice."""
    options = networks.opened(name, code).options.__struct_fields__
    return {"name": name} | (QUIET if "noise" in options else {})


def _row(name: str, table: dict[str, Any], code: Path | None) -> dict[str, Any]:
    camera, _ = networks.outlined(table, code)
    plain = operations(camera, 4608, 6144)[0] * (3024 * 4032) / (4608 * 6144)
    paper = operations(camera, 3024, 4032)[1]
    return {
        "name": name,
        "parameters": parameters(camera),
        # tables and products of one's own, as of `l3`, are none to torch's counter
        "gflops": round(plain / 1e9, 2) or None,
        "gflops_paper_way": round(paper / 1e9, 2) or None,
    }
