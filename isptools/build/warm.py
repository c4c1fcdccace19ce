"""Compile the kernels once, before a build is timed and before workers start."""

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

import numpy as np

from isptools.build.task import Unit
from isptools.children import Child, DiedError
from isptools.develop import rough
from isptools.develop.chain import develop
from isptools.frame import Capture, Frame, Space, UnsupportedError
from isptools.raw import ljpeg
from isptools.recipe import Develop, Recipe
from isptools.shards import passes

SIDE = 96  # pixels; enough for every border and every thread
PATIENCE = 1.0  # seconds; what is on disk is loaded sooner
D65 = ((0.95, -0.35, -0.08), (-0.5, 1.3, 0.2), (-0.1, 0.25, 0.6))  # of no camera in particular


def compile_kernels(recipe: Recipe, units: Iterable[Unit]) -> None:
    """Send a small made-up frame down the recipe's chain, for Bayer units.

    Numba keeps the machine code on disk, so this is slow only the first time; X-Trans frames are
    demosaicked by LibRaw, which has nothing to compile.
    """
    truth = recipe.truth
    if isinstance(truth, Develop) and any(unit.kind == "bayer" for unit in units):
        with _others_beside():
            _compile_chain(truth)
        compile_others()


def compile_others() -> None:
    """What decodes and measures, and what `check` asks of every pixel."""
    ljpeg.compile_loops()
    rough.blocks(_frame().pixels, (256.0,) * 4, 4095)
    passes.compile_loops()


def _compile_chain(truth: Develop) -> None:
    try:
        develop(_frame(), (*truth.repairs, *truth.steps))
        if truth.fuse:
            from isptools.burst import Options, fuse  # noqa: PLC0415 - for who fuses

            fuse([_frame(1), _frame(2)], Options(method=truth.fuse))
    except UnsupportedError:
        return  # the chain asks for facts this frame has not: it compiles with the first file


@contextmanager
def _others_beside() -> Iterator[None]:
    """Numba compiles one loop at a time: where that takes long, another process does the rest."""
    done, started = threading.Event(), []

    def work() -> None:
        if done.wait(PATIENCE):
            return
        with suppress(OSError, DiedError):  # they are compiled here then
            started.append(Child(alone=True))
            if not done.is_set():
                started[0].call(compile_others)

    beside = threading.Thread(target=work)
    beside.start()
    try:
        yield
    except BaseException:
        for child in started:
            child.close()
        raise
    finally:
        done.set()
        beside.join()
        for child in started:
            child.close()


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
