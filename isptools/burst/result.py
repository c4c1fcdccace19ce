"""What a fusion gives: a frame of finer digital numbers, and how far each pixel can be trusted."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from isptools.burst.align import Flow
from isptools.burst.merge import F32, SHARE, SQUARES
from isptools.burst.planes import PAD, cells
from isptools.develop.listed import of_merged
from isptools.develop.noise import Noise
from isptools.develop.rows import kernel, over_rows
from isptools.frame import Array, Capture, Frame, Space, empty

LARGEST = 65535
TRUSTED = 1.5  # effective frames below which a truth's pixel rests on the reference alone


@dataclass(frozen=True, slots=True)
class Refused:
    """A frame that was left out: its number, why in a word and in a line, and what was measured."""

    frame: int
    reason: str
    detail: str
    number: float


@dataclass(frozen=True, slots=True)
class Noted:
    """What is odd about a frame that was taken, as `Refused`."""

    frame: int
    reason: str
    detail: str
    number: float


RGB = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Fused:
    """One frame for a burst.

    `frame` stands at SENSOR: (H, W) uint16 of `scale` times the inputs' digital numbers, levels
    likewise, with its own noise profile. `effective` and `weight`, one number a cell of 2 x 2
    pixels in `effective_cells` and `weight_cells`, are (H, W) float32: how many
    frames' worth of light a pixel has (its variance is the reference's over that), and the share
    of the burst that went into it; for a truth 0 where it is not to be trusted (clipped, or
    nothing but the reference agreed).
    """

    frame: Frame
    scale: int
    effective_cells: F32
    weight_cells: F32
    reference: int
    offsets_px: tuple[tuple[float, float] | None, ...]  # (down, right) median, None if refused
    shares: tuple[float, ...]  # of each frame that was taken, 0 if refused
    refused: tuple[Refused, ...]
    noted: tuple[Noted, ...]
    brightness: tuple[RGB | None, ...]  # R, G, B of each frame as measured, over what its exposure
    # promises, or the reference's where exposures are not stated; None if refused
    noise_before: Noise
    noise_after: Noise
    flows: Mapping[int, Flow]

    @property
    def effective(self) -> F32:
        """(H, W)."""
        return _pixels(self.effective_cells, self.frame.pixels.shape)

    @property
    def weight(self) -> F32:
        """(H, W)."""
        return _pixels(self.weight_cells, self.frame.pixels.shape)

    @property
    def effective_frames(self) -> float:
        """Mean over the picture."""
        return float(self.effective_cells.mean())


@dataclass(frozen=True, slots=True)
class Walked:
    """What happened to the frames of a burst."""

    reference: int
    count: int
    flows: dict[int, Flow]
    shares: dict[int, float]
    refused: dict[int, Refused]
    brightness: dict[int, RGB]
    noted: dict[int, Noted]


def finish(
    reference: Frame, gathered: tuple[F32, F32, float | None, float], before: Noise, walked: Walked
) -> Fused:
    """`gathered`: the reference's planes, the total, the weight that every pixel's light has been
    taken with (None: its own), and the weight of all frames together."""
    planes, total, common, whole = gathered
    height, width = cells(reference.pixels.shape)
    inside = (slice(PAD, PAD + height), slice(PAD, PAD + width))
    share, squares = total[SHARE][inside], total[SQUARES][inside]
    own = np.float32(1) + share if common is None else np.full_like(share, common)
    effective = own**2 / ((own - share) ** 2 + squares)
    weight = (1 + share) / np.float32(whole)
    scale = _scale(reference.capture.white)
    pixels = empty(reference.pixels.shape, np.uint16)
    black = np.asarray(reference.capture.black, np.float32)
    over_rows(_mosaic, height, planes, total, 1 / own, black, np.float32(scale), pixels)
    if common is None:
        clipped = _cells(reference.pixels >= reference.capture.white, height, width)
        weight[clipped | (effective < TRUSTED)] = 0
    after = _after(before, float((1 / effective).mean()))
    capture = _capture(reference.capture, scale, after, len(walked.flows) + 1)
    offsets = {index: flow.median() for index, flow in walked.flows.items()}
    offsets[walked.reference] = (0.0, 0.0)
    return Fused(
        frame=Frame(pixels, Space.SENSOR, capture),
        scale=scale,
        effective_cells=effective,
        weight_cells=weight,
        reference=walked.reference,
        offsets_px=tuple(offsets.get(index) for index in range(walked.count)),
        shares=tuple(walked.shares.get(index, 0.0) for index in range(walked.count)),
        refused=tuple(walked.refused[index] for index in sorted(walked.refused)),
        noted=tuple(walked.noted[index] for index in sorted(walked.noted)),
        brightness=tuple(walked.brightness.get(index) for index in range(walked.count)),
        noise_before=before,
        noise_after=after,
        flows=walked.flows,
    )


def _scale(white: int) -> int:
    """The largest power of two by which white still fits in 16 bits."""
    return 1 << max(0, LARGEST.bit_length() - white.bit_length())


@kernel
def _mosaic(planes, total, portion, black, scale, pixels, top, bottom):
    rows, columns = pixels.shape
    for y in range(top, bottom):
        for position in range(4):
            at, shift = 2 * y + position // 2, position % 2
            if at >= rows:
                continue
            out, level = pixels[at], black[position]
            own, other = planes[position, PAD + y], total[position, PAD + y]
            part = portion[y]
            for x in range((columns + 1 - shift) // 2):
                value = (own[PAD + x] + other[PAD + x] * part[x] + level) * scale
                value = min(max(value + np.float32(0.5), np.float32(0)), np.float32(65535))
                out[2 * x + shift] = np.uint16(np.int32(value))


def _cells(mask: Array, height: int, width: int) -> NDArray[np.bool_]:
    """Cells of which any pixel is marked."""
    out = np.zeros((height, width), bool)
    for y in (0, 1):
        for x in (0, 1):
            part = mask[y::2, x::2]
            out[: part.shape[0], : part.shape[1]] |= part
    return out


def _pixels(of_cells: F32, shape: tuple[int, ...]) -> F32:
    """Each cell's number at each of its pixels."""
    return np.ascontiguousarray(of_cells.repeat(2, 0).repeat(2, 1)[: shape[0], : shape[1]])


def _after(before: Noise, part: float) -> Noise:
    shot, read = (tuple(value * part for value in each) for each in (before.shot, before.read))
    return replace(before, shot=shot, read=read)


def _capture(capture: Capture, scale: int, noise: Noise, frames: int) -> Capture:
    by_color = {
        letter: (noise.shot[i], noise.read[i]) for i, letter in reversed([*enumerate(capture.cfa)])
    }
    pairs = tuple(by_color[letter] for letter in "RGB")
    return replace(
        of_merged(capture),
        black=tuple(level * scale for level in capture.black),
        black_libraw=tuple(int(level * scale) for level in capture.black),
        white=capture.white * scale,
        noise_profile=pairs[:1] if len(set(pairs)) == 1 else pairs,
        origins=(*capture.origins, ("pixels", f"{frames} frames fused, {scale} times their DN")),
    )
