"""What the tables of a shard state about a pair of patches."""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from isptools.build.plan import File
from isptools.build.shift import shift
from isptools.develop.noise import Noise
from isptools.frame import Array, Capture
from isptools.pair.accept import Verdict
from isptools.shards.quality import correlation, luminance
from isptools.shards.read import normalized
from isptools.shards.schema import InputRow, PairRow, Spec, TruthRow

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
    noise: Noise | None
    verdict: Verdict | None


def picture_facts(white: int) -> Capture:
    """The facts of a finished picture: three channels, no black level."""
    return Capture("rgb", "RGB", (0.0,) * 3, (0,) * 3, white, ONES, ONES)


def rows(patch: Patch, number: int, spec: Spec) -> tuple[InputRow, TruthRow, PairRow]:
    """The rows of an input, of its truth with this number, and of how they fit."""
    facts, none = patch.facts, (0.0,) * len(patch.facts.cfa)
    phone, dslr = patch.files
    noise = patch.noise or Noise(none, none, "")  # type: ignore[arg-type]  # nobody measured any
    key = f"{phone.key}{patch.at}"
    input_row = InputRow(
        key=key, scene=phone.entry.scene, restoration=-1, enhancement=number, cfa=facts.cfa,
        black=facts.black, white=_white(patch, spec), as_shot=facts.as_shot,
        daylight=facts.daylight, camera_to_srgb=facts.camera_to_srgb,
        xyz_to_camera=facts.xyz_to_camera, shot=noise.shot, read=noise.read,
        noise_origin=noise.origin, exposure_s=facts.exposure_s, iso=facts.iso,
        aperture=facts.aperture, ratio=None, ratio_origin="", orientation=facts.orientation,
        flip=facts.flip, visible_origin=facts.visible_origin, active_area=facts.active_area,
        default_crop=facts.default_crop, make=facts.make, model=facts.model,
        source=phone.source.path, source_sha256=patch.sha256[0],
    )  # fmt: skip
    truth_row = TruthRow(
        key=f"{key}:dslr", scene=dslr.entry.scene, gains=None, white=1.0, restoration_low=0,
        restoration_high=0, enhancement_low=0, enhancement_high=0, exposure_s=None, iso=None,
        aperture=None, orientation=1, flip=facts.flip, make="", model="",
        source=dslr.source.path, source_sha256=patch.sha256[1], enhanced="",
        enhanced_sha256="", enhanced_turned=0,
    )  # fmt: skip
    return input_row, truth_row, _pair_row(patch, input_row)


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
    """The shift that phase correlation finds between two luminances, pixels of the first picture's
    patch (twice as fine where the input is a mosaic); None where it finds none that is sure."""
    factor = 1
    if one.shape != other.shape:
        factor = 2
        other = cv2.resize(other, one.shape[::-1], interpolation=cv2.INTER_AREA)
    pair = [(each - each.mean()).astype(np.float32) for each in (one, other)]
    if min(float(each.std()) for each in pair) < 1e-4:
        return None
    found, response = shift(pair[0], pair[1])
    return factor * float(np.hypot(*found)) if response > SURE else None
