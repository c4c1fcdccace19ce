"""Make one shard of finished pictures that are made raw: each is its own truth."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.random import PCG64, Generator, SeedSequence

from isptools.apart import apart
from isptools.build import folder
from isptools.build.journal import Made
from isptools.build.rows import OF_INPUT, OF_TRUTH, UNSET, columns
from isptools.build.task import Task, Unit
from isptools.build.work import Work, noted, refused, spec_of
from isptools.datasets.listing import Line
from isptools.decode import files as decode
from isptools.decode.refusal import Refusal, foreseen, judged
from isptools.frame import Array, Capture, empty
from isptools.raw.color import XYZ_FROM_SRGB, camera_to_srgb_of
from isptools.recipe import Unprocess
from isptools.shards import write
from isptools.shards.schema import InputRow, TruthRow
from isptools.synth import unprocess
from isptools.synth.camera import product
from isptools.synth.unprocess import Taken

BAND = 256  # rows that are worked on at a time
D65 = 21


@dataclass(frozen=True, slots=True)
class Unmade:
    """A picture that was made raw, and how."""

    mosaic: Array  # (H, W) uint16
    xyz: Array  # (H, W, 3) float32
    taken: Taken


def make(unit: Unit, work: Work, truth: Unprocess) -> Made:
    """Write the shard of a unit and note it in the journal. Memory holds one picture at a time."""
    with write.shard(work.out, spec_of(unit, work)) as shard:
        lines = [line for task in unit.tasks for line in _scene(shard, task, unit, work, truth)]
        folder.holds(work.out, work.token)
    return noted(unit, work, shard, lines)


def _scene(
    shard: write.Writer, task: Task, unit: Unit, work: Work, truth: Unprocess
) -> Iterator[Line]:
    try:
        with foreseen(task.truth.source.path):
            pixels, digest = _read(task, unit, work)
            unmade = of_picture(pixels, truth, task.scene)
    except Refusal as refusal:
        yield refused(task.truth, task, unit, refusal)
        return
    facts = _facts(unmade.taken, truth)
    number = shard.truth(
        _truth_row(task, facts, digest, truth),
        {"restoration": unmade.xyz, "enhancement": pixels}, facts, (),
    )  # fmt: skip
    pointers: Any = dict.fromkeys(shard.spec.pictures, number)
    row = _input_row(task, facts, digest, unmade.taken, truth)
    shard.input(replace(row, **pointers), unmade.mosaic, facts, ())


def _read(task: Task, unit: Unit, work: Work) -> tuple[Array, str]:
    """The picture, upright sRGB, and the hash of its file."""
    name = task.truth.source.path
    path = work.root.absolute() / name
    with judged(path, name, task.truth.source.size):
        digest, pixels = apart(decode.shown, path, name, work.card.pictures, False)
    if pixels.shape[:2] != unit.shape:
        raise Refusal("changed", "the file changed while the build ran; run the build again")
    return pixels, digest


def of_picture(pixels: Array, truth: Unprocess, scene: str) -> Unmade:
    """(H, W, 3) uint8 or uint16 sRGB as a sensor saw it; scene and the recipe's seed fix chance."""
    rng = _generator(scene, truth.seed)
    taken = unprocess.drawn(truth.law, rng)
    levels = unprocess.levels(int(np.iinfo(pixels.dtype).max), truth.tone, truth.curve)
    height, width = pixels.shape[:2]
    mosaic, xyz = empty((height, width), np.uint16), empty((height, width, 3), np.float32)
    for top in range(0, height, BAND):
        rows = slice(top, top + BAND)
        linear = levels[pixels[rows]]
        xyz[rows] = product(linear, XYZ_FROM_SRGB)
        seen = unprocess.sifted(unprocess.light(linear, taken), truth.cfa) / taken.ratio
        signal = unprocess.noisy(seen, taken, rng) * (truth.white - truth.black) + truth.black
        mosaic[rows] = np.clip(np.rint(signal), 0, truth.white)
    return Unmade(mosaic, xyz, taken)


def _generator(scene: str, seed: int) -> Generator:
    """Chance of a scene, whichever worker makes it."""
    digest = hashlib.sha256(scene.encode()).digest()
    return Generator(PCG64(SeedSequence((seed, int.from_bytes(digest, "big")))))


def _facts(taken: Taken, truth: Unprocess) -> Capture:
    """What a raw file of this camera would state."""
    neutral = product(np.array(taken.xyz_to_camera), XYZ_FROM_SRGB.T).sum(1)
    day = [float(1 / value) for value in neutral]
    return Capture(
        "bayer", truth.cfa, (float(truth.black),) * 4, (truth.black,) * 4, truth.white,
        (taken.red, 1.0, taken.blue, 0.0), (day[0], day[1], day[2], day[1]),
        make="isptools", model="Unprocess", xyz_to_camera=taken.xyz_to_camera,
        camera_to_srgb=camera_to_srgb_of(taken.xyz_to_camera),
        color_matrix_1=taken.xyz_to_camera, illuminant_1=D65, noise_profile=(_noise(taken, truth),),
    )  # fmt: skip


def _noise(taken: Taken, truth: Unprocess) -> tuple[float, float]:
    """Shot and read noise, with what rounding to integers adds: 1/12 of their square."""
    return taken.shot, taken.read + 1 / (12 * (truth.white - truth.black) ** 2)


def _input_row(task: Task, facts: Capture, digest: str, taken: Taken, truth: Unprocess) -> InputRow:
    file, (shot, read) = task.inputs[0], _noise(taken, truth)
    return InputRow(
        key=file.key, scene=task.scene, restoration=-1, enhancement=-1, shot=(shot,) * 4,
        read=(read,) * 4, noise_origin="recipe", ratio=taken.gain, ratio_origin="recipe",
        source=file.source.path, source_sha256=digest, **columns(facts, OF_INPUT),
    )  # fmt: skip


def _truth_row(task: Task, facts: Capture, digest: str, truth: Unprocess) -> TruthRow:
    path = task.truth.source.path
    own = {"enhanced": path, "enhanced_sha256": digest} if truth.enhancement else {}
    return TruthRow(
        key=task.truth.key, scene=task.scene, gains=None, white=float(truth.white - truth.black),
        source=path, source_sha256=digest, **columns(facts, OF_TRUTH), **(UNSET | own),
    )  # fmt: skip
