"""What the tables of a shard state about a pair of patches."""

from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import cv2
import numpy as np

from isptools.build.light import quality_of_picture
from isptools.build.rows import OF_INPUT, UNSET, columns
from isptools.build.task import File
from isptools.build.work import expect_sound
from isptools.develop.noise import Noise
from isptools.frame import Array, Capture
from isptools.measure.shift import shift
from isptools.pair.accept import Verdict
from isptools.shards import write
from isptools.shards.quality import correlation, luminance
from isptools.shards.read import normalized
from isptools.shards.schema import (
    KINDS,
    InputRow,
    PairRow,
    Spec,
    TruthRow,
    wrong_input,
    wrong_pair,
    wrong_truth,
)

PICTURE_WHITE = {"uint8": 255, "uint16": 65535}
SURE = 0.03  # response of the phase correlation below which its shift means nothing
ONES = (1.0, 1.0, 1.0, 1.0)


@dataclass(frozen=True, slots=True)
class Patch:
    """One pair of patches with what is known about it."""

    at: str  # "@top,left,height,width" in the aligned pair; "" for a patch released as such
    files: tuple[File, File]  # phone, DSLR
    sha256: tuple[str, str]
    pixels: Array  # (H, W, 3), or (H, W) sensor integers
    truth: Array  # (H, W, 3) uint8 or uint16
    facts: Capture
    noise: Noise | None = None
    verdict: Verdict | None = None


def picture_facts(pixels: Array) -> Capture:
    """The facts of a finished picture, (H, W, 3) uint8 or uint16: no black level."""
    white = PICTURE_WHITE[pixels.dtype.name]
    return Capture("rgb", "RGB", (0.0,) * 3, (0,) * 3, white, ONES, ONES)


def stored(shard: write.Writer, scene: str, patch: Patch) -> None:
    """Store a pair: its input, its truth and how they fit. Refusal of facts that make no sense."""
    own, its, pair = _rows(patch, scene, len(shard.truths), shard.spec)
    wrong = (wrong_input(own, KINDS[shard.spec.positions]), wrong_truth(its), wrong_pair(pair))
    expect_sound(chain(*wrong, write.wrong_facts(patch.facts)))
    number = shard.truth(its, {"enhancement": patch.truth}, patch.facts, ())
    pixels = _fitted(patch.pixels, shard)
    shard.input(replace(own, enhancement=number), pixels, patch.facts, ())
    shard.pair(pair)


def _fitted(pixels: Array, shard: write.Writer) -> Array:
    """In the depth of the shard: 8 bits are repeated, 16 bits are cut."""
    if pixels.dtype.name == shard.spec.dtype or pixels.ndim == 2:
        return pixels
    if shard.spec.dtype == "uint16":
        return pixels.astype(np.uint16) * np.uint16(257)
    return np.asarray(cv2.convertScaleAbs(pixels, alpha=1 / 257), np.uint8)


def _rows(patch: Patch, scene: str, number: int, spec: Spec) -> tuple[InputRow, TruthRow, PairRow]:
    """The rows of an input, of its truth with this number, and of how they fit."""
    stated, none = patch.facts, (0.0,) * len(patch.facts.cfa)
    phone, dslr = patch.files
    noise = patch.noise or Noise(none, none, "")  # type: ignore[arg-type]  # nobody measured any
    key = f"{phone.key}{patch.at}"
    of_input = columns(stated, OF_INPUT) | {"white": _white(patch, spec)}
    own = InputRow(
        key=key, scene=scene, restoration=-1, enhancement=number, shot=noise.shot, read=noise.read,
        noise_origin=noise.origin, ratio=None, ratio_origin="", source=phone.source.path,
        source_sha256=patch.sha256[0], **of_input,
    )  # fmt: skip
    unknown: dict[str, Any] = dict.fromkeys(("exposure_s", "iso", "aperture")) | {
        "make": "",
        "model": "",
    }
    white = float(np.iinfo(patch.truth.dtype).max)
    quality = quality_of_picture(patch.truth, white)
    its = TruthRow(
        quality_db=quality.db, quality_origin=quality.origin,
        key=f"{key}:dslr", scene=scene, gains=None, white=1.0, orientation=1, flip=stated.flip,
        source=dslr.source.path, source_sha256=patch.sha256[1], **unknown, **UNSET,
    )  # fmt: skip
    return own, its, _pair_row(patch, own)


def _white(patch: Patch, spec: Spec) -> float:
    if patch.facts.kind == "rgb":
        return float(PICTURE_WHITE[spec.dtype])
    return float(patch.facts.white)


def _pair_row(patch: Patch, row: InputRow) -> PairRow:
    verdict = patch.verdict
    own = patch.pixels if patch.pixels.ndim == 2 else patch.pixels.transpose(2, 0, 1)
    white = patch.facts.white
    one = luminance(normalized(own, replace(row, white=float(white))), row.cfa)
    full = np.float32(np.iinfo(patch.truth.dtype).max)
    other = luminance(patch.truth.transpose(2, 0, 1).astype(np.float32) / full, "RGB")
    return PairRow(
        key=row.key,
        correlation=correlation(one, other),
        dx=verdict.dx if verdict else 0.0,
        dy=verdict.dy if verdict else 0.0,
        turn_deg=verdict.turn_deg if verdict else 0.0,
        residual_px=residual(one, other),
    )


def residual(one: Array, other: Array) -> float | None:
    """The shift that phase correlation finds between two luminances (H, W), in pixels of the first.

    Where that is a mosaic's, the second is twice as fine. None where it finds none that is sure.
    """
    factor = 1
    if one.shape != other.shape:
        factor = 2
        other = cv2.resize(other, one.shape[::-1], interpolation=cv2.INTER_AREA)
    pair = [(each - each.mean()).astype(np.float32) for each in (one, other)]
    if min(float(each.std()) for each in pair) < 1e-4:
        return None
    found, response = shift(pair[0], pair[1])
    return factor * float(np.hypot(*found)) if response > SURE else None
