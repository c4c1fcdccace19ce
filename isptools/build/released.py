"""Make one shard of patches of two cameras that were published as such: nothing is moved."""

from dataclasses import replace

from isptools.apart import apart
from isptools.build import folder
from isptools.build.journal import Made
from isptools.build.patch_rows import Patch, picture_facts, stored
from isptools.build.task import File, Task, Unit
from isptools.build.work import Work, noted, refused, spec_of
from isptools.datasets.listing import Line
from isptools.datasets.scene import Couple
from isptools.decode import files as decode
from isptools.decode.refusal import Refusal, foreseen, judged
from isptools.frame import Array, Capture
from isptools.recipe import Released
from isptools.shards import write


def make(unit: Unit, work: Work, truth: Released) -> Made:
    """Write the shard of a unit and note it in the journal. Memory holds one pair at a time."""
    dtype = "uint16" if truth.white else truth.enhancement.dtype
    lines: list[Line] = []
    with write.shard(work.out, replace(spec_of(unit, work), dtype=dtype)) as shard:
        for task in unit.tasks:
            try:
                with foreseen(task.inputs[0].source.path):
                    patch, flat = _patch(task, unit, work, truth)
                stored(shard, task.scene, patch)
            except Refusal as refusal:
                lines.append(refused(task.inputs[0], task, unit, refusal))
                continue
            lines += [refused(task.inputs[0], task, unit, flat, "noted")] if flat else []
        folder.holds(work.out, work.token)
    return noted(unit, work, shard, lines)


def _patch(task: Task, unit: Unit, work: Work, how: Released) -> tuple[Patch, Refusal | None]:
    """A pair as it comes, and what is to be noted of it. Refusal if it can't be used."""
    if not isinstance(task.shot, Couple):
        raise Refusal("no-pair", "it is no pair of two cameras")
    phone, dslr = task.shot.phone, task.shot.dslr
    truth, digest = _read(dslr, work, False)
    pixels, own = _read(phone, work, bool(how.white))
    for file, shape in ((phone, pixels.shape), (dslr, truth.shape)):
        if shape[:2] != unit.shape:
            detail = f"{file.source.path} is {shape[0]} x {shape[1]}, not {unit.shape[0]} square"
            raise Refusal("wrong-size", detail)
    facts = _mosaic_facts(pixels, how) if how.white else picture_facts(pixels)
    flat = None
    if min(float(pixels.std()), float(truth.std())) < 1:
        flat = Refusal("flat", "one side shows one flat tone")
        if not how.keep_flat:
            raise flat
    return Patch("", (phone, dslr), (own, digest), pixels, truth, facts), flat


def _mosaic_facts(pixels: Array, how: Released) -> Capture:
    """What the recipe states of raw patches. Refusal for numbers of another scale."""
    if int(pixels.max()) > how.white * 4:
        raise Refusal("wrong-scale", f"its largest number is {pixels.max()}, not about "
                      f"{how.white:g}", float(pixels.max()))  # fmt: skip
    black, ones = (how.black,) * 4, (1.0, 1.0, 1.0, 1.0)
    levels = (round(how.black),) * 4
    return Capture("bayer", how.cfa, black, levels, round(how.white), ones, ones)


def _read(file: File, work: Work, mosaic: bool) -> tuple[Array, str]:
    path, name = work.root.absolute() / file.source.path, file.source.path
    with judged(path, name, file.source.size):
        if mosaic:
            digest, pixels = apart(decode.numbers, path, name)
        else:
            digest, pixels = apart(decode.shown, path, name, "srgb", False)
        return pixels, digest
