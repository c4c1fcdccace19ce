"""Compile the kernels once, before a build is timed and before workers start."""

from collections.abc import Iterable

import numpy as np

from isptools.build.task import Unit
from isptools.develop.chain import develop
from isptools.frame import Capture, Frame, Space, UnsupportedError
from isptools.raw import ljpeg
from isptools.recipe import Develop, Recipe

SIDE = 96  # pixels; enough for every border and every thread
D65 = ((0.95, -0.35, -0.08), (-0.5, 1.3, 0.2), (-0.1, 0.25, 0.6))  # of no camera in particular


def compile_kernels(recipe: Recipe, units: Iterable[Unit]) -> None:
    """Send a small made-up frame down the recipe's chain, for Bayer units.

    Numba keeps the machine code on disk, so this is slow only the first time; X-Trans frames are
    demosaicked by LibRaw, which has nothing to compile.
    """
    truth = recipe.truth
    if isinstance(truth, Develop) and any(unit.kind == "bayer" for unit in units):
        ljpeg.compile_loops()
        try:
            develop(_frame(), (*truth.repairs, *truth.steps))
            if truth.fuse:
                from isptools.burst import Options, fuse  # noqa: PLC0415 - for who fuses

                fuse([_frame(1), _frame(2)], Options(method=truth.fuse))
        except UnsupportedError:
            return  # the chain asks for facts this frame has not: it compiles with the first file


def _frame(noise: int = 0) -> Frame:
    """One scene of blocks of light, each time with other noise."""
    blocks = np.random.default_rng(0).integers(600, 3600, (SIDE // 4, SIDE // 4))
    light = np.kron(blocks, np.ones((4, 4)))
    light += np.random.default_rng(noise).normal(0, 12, light.shape)
    pixels = np.rint(light).astype(np.uint16)
    gains = (2.0, 1.0, 1.5, 1.0)
    capture = Capture("bayer", "RGGB", (256.0,) * 4, (256,) * 4, 4095, gains, gains,
                      camera_to_srgb=D65, xyz_to_camera=D65)  # fmt: skip
    return Frame(pixels, Space.SENSOR, capture)
