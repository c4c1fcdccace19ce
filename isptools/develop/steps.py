"""The vocabulary of a recipe: each step names its parameters and calls the math.

No arithmetic lives here. A step is a frozen record of parameters, the stations it joins, and one
call. `Step` is the whole list: what is not in it can't be in a recipe. With `scratch` a step may
write over the pixels of the frame it is given, or give their memory back.
"""

from dataclasses import replace
from typing import Annotated, Literal

import msgspec
import numpy as np

from isptools.develop import (
    autotone,
    badpixels,
    balance,
    binning,
    color,
    highlight,
    listed,
    orient,
    sensor,
    shading,
    tone,
)
from isptools.develop.base import Base
from isptools.develop.base import floats as _floats
from isptools.develop.base import integers as _integers
from isptools.develop.base import only as _only
from isptools.develop.base import with_square_sites as _with_square_sites
from isptools.develop.defects import FINDERS
from isptools.develop.demosaic import libraw, own
from isptools.develop.demosaic.half import half
from isptools.frame import Capture, Frame, Space, UnsupportedError

Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Positive = Annotated[float, msgspec.Meta(gt=0)]

LINEAR = {
    "raw": Space.CAMERA_LINEAR,
    "srgb": Space.SRGB_LINEAR,
    "adobe": Space.ADOBE_LINEAR,
    "prophoto": Space.PROPHOTO_LINEAR,
    "xyz": Space.XYZ_LINEAR,
    "p3": Space.P3_LINEAR,
    "rec2020": Space.REC2020_LINEAR,
}
ENCODED = {
    Space.CAMERA_LINEAR: Space.CAMERA_ENCODED,
    Space.SRGB_LINEAR: Space.SRGB,
    Space.ADOBE_LINEAR: Space.ADOBE,
    Space.PROPHOTO_LINEAR: Space.PROPHOTO,
    Space.XYZ_LINEAR: Space.XYZ_ENCODED,
    Space.P3_LINEAR: Space.P3,
    Space.REC2020_LINEAR: Space.REC2020,
}
PICTURES = frozenset({Space.CAMERA, Space.XYZ, *ENCODED, *ENCODED.values()})


class Opcodes(Base, frozen=True, tag="opcodes"):
    """Do what the DNG's opcode list for this station says, in its order.

    OpcodeList1 at SENSOR (`levels` and `bad-pixels` do it where it was not done), OpcodeList2 at
    MOSAIC, OpcodeList3 at CAMERA. `leave` names opcodes that are not to be applied; without it a
    mandatory one that can't be refuses the frame, an optional one is noted.
    """

    takes = frozenset({Space.SENSOR, Space.MOSAIC, Space.CAMERA})
    leave: tuple[int, ...] = ()

    def gives(self, space: Space) -> Space:
        return space

    def __call__(self, frame: Frame, scratch: bool = False) -> Frame:
        _integers(frame)
        pixels, white, found = listed.applied(frame, self.leave)
        return replace(self.done(frame, pixels, found), white=white)


def behind_first_list(frame: Frame) -> Frame:
    """A SENSOR frame behind its OpcodeList1: itself where there is none, or it was done."""
    return Opcodes()(frame) if listed.pending(frame, 1) else frame


class BadPixels(Base, frozen=True, tag="bad-pixels"):
    """Replace bad sites by the median of their CFA plane (rawpy.enhance.repair_bad_pixels).

    With `sites` (rows of y, x in the visible area) a confirmed map; without, what one picture
    shows: as rawpy finds it, fine texture included, or "outliers", which no light can have made.
    """

    takes = frozenset({Space.SENSOR})
    camera: str = ""  # "Make Model" that `sites` holds for; other cameras' frames pass untouched
    sites: tuple[tuple[int, int], ...] | None = None
    find: Literal["rawpy", "outliers"] = "rawpy"

    def gives(self, space: Space) -> Space:
        return Space.SENSOR

    def __call__(self, frame: Frame, scratch: bool = False) -> Frame:
        _only(frame, "bayer", "bad-pixels")
        frame = behind_first_list(frame)
        name = f"{frame.capture.make} {frame.capture.model}".strip()
        if self.sites is None:
            sites = FINDERS[self.find](frame)
        else:
            here = not self.camera or self.camera == name
            sites = np.array(self.sites if here else (), np.int64).reshape(-1, 2)
        repaired = badpixels.repair(_integers(frame), sites)
        return self.done(frame, repaired, {"repaired": (len(sites),)})


class Bin(Base, frozen=True, tag="bin"):
    """Average the pixels of each cell of a Quad (2x2) or Nona (3x3) Bayer array: a Bayer frame.

    Levels stay, the noise profile is that of the means. First of all steps; a Bayer frame is not
    taken.
    """

    takes = frozenset({Space.SENSOR})

    def gives(self, space: Space) -> Space:
        return Space.SENSOR

    def __call__(self, frame: Frame, scratch: bool = False) -> Frame:
        facts, side = frame.capture, binning.SIDES.get(frame.capture.kind)
        if side is None:
            what = f"bin is for quad and nona Bayer arrays, this frame is {facts.kind}"
            raise UnsupportedError(what)
        pixels = _integers(frame)
        made = self.done(frame, binning.binned(pixels, facts.cfa, side), {"cells": (side,)})
        return replace(made, capture=binning.binned_facts(facts, pixels.shape, side))


def as_bayer(frame: Frame) -> Frame:
    """A Quad or Nona Bayer frame binned, any other as it is."""
    return Bin()(frame) if frame.capture.kind in binning.SIDES else frame


class Levels(Base, frozen=True, tag="levels"):
    """Subtract black and fix what stands for white (LibRaw: subtract_black, adjust_maximum).

    `adjust_maximum` is LibRaw's threshold: 0 keeps the camera's white level, as a truth needs.
    """

    takes = frozenset({Space.SENSOR})
    adjust_maximum: Share = 0.0

    def gives(self, space: Space) -> Space:
        return Space.MOSAIC

    def told(self, frame: Frame) -> Frame:
        """The frame behind it, black still in its pixels."""
        _with_square_sites(frame, "levels")
        frame, facts = behind_first_list(frame), frame.capture
        peak = sensor.peak(_integers(frame), facts.black_libraw)
        white = sensor.scaled_white(facts.white, facts.black_libraw, peak, self.adjust_maximum)
        found = {"peak": (float(peak),), "white": (float(white),)}
        return replace(self.done(frame, frame.pixels, found), white=white)

    def __call__(self, frame: Frame, scratch: bool = False) -> Frame:
        made = self.told(frame)
        mosaic = sensor.subtract_black(_integers(made), made.capture.black_libraw)
        return replace(made, pixels=mosaic)


class Balance(Base, frozen=True, tag="balance"):
    """White balance, 65535 = white (LibRaw: scale_colors).

    `else` says what happens where the file states no usable gains for `camera`; left out, it is
    "gray-world" (`auto`), as LibRaw has it. `highlights`: "clip" divides gains by their least, so
    that a saturated sensor gives white; "keep" by their largest.
    """

    takes = frozenset({Space.MOSAIC})
    by: Literal["camera", "daylight", "auto", "user"] = "camera"
    gains: tuple[float, float, float, float] | None = None  # R, G, B, G2 for "user"
    highlights: Literal["clip", "keep"] = "clip"
    # not in a recipe's text, nor in its hash, where it is left out
    otherwise: Literal["refuse", "daylight", "gray-world"] | msgspec.UnsetType = msgspec.field(
        default=msgspec.UNSET, name="else"
    )

    def __post_init__(self) -> None:
        if self.otherwise is not msgspec.UNSET and self.by != "camera":
            raise ValueError('`else` goes with by = "camera", and only with it')
        if (self.by == "user") != (self.gains is not None):
            raise ValueError('`gains` go with by = "user", and only with it')

    def gives(self, space: Space) -> Space:
        return Space.BALANCED

    def told(self, frame: Frame) -> Frame:
        """The frame behind it, its pixels not multiplied."""
        raw_gains, origin = balance.chosen(frame, self.by, self.gains, self.otherwise or "")
        gains = balance.normalized(raw_gains, self.highlights == "keep")
        done = self.done(frame, _integers(frame), {"gains": gains})
        return replace(done, gains=gains, balance_origin=origin)

    def __call__(self, frame: Frame, scratch: bool = False) -> Frame:
        told = self.told(frame)
        pixels = balance.scale(_integers(told), told.capture.cfa, told.gains, told.white)
        return replace(told, pixels=pixels)


class Shading(Base, frozen=True, tag="shading"):
    """Undo the lens shading that the file's OpcodeList2 states (DNG), where it states any.

    That is the whole list, as far as it does behind white balance what it does before it.
    """

    takes = frozenset({Space.BALANCED})

    def gives(self, space: Space) -> Space:
        return Space.BALANCED

    def __call__(self, frame: Frame, scratch: bool = False) -> Frame:
        _integers(frame)
        pixels, found = listed.applied_balanced(frame)
        return self.done(frame, pixels, found)


class Vignetting(Base, frozen=True, tag="vignetting"):
    """Multiply by 1 + k0 r^2 + k1 r^4 + ... (DNG FixVignetteRadial), r = 1 in the far corner."""

    takes = frozenset({Space.BALANCED})
    terms: tuple[float, ...]
    center: tuple[Share, Share] = (0.5, 0.5)

    def gives(self, space: Space) -> Space:
        return Space.BALANCED

    def __call__(self, frame: Frame, scratch: bool = False) -> Frame:
        return self.done(frame, shading.radial(_integers(frame), self.terms, self.center))


Method = Literal[
    "half", "linear", "ppg", "ahd", "libraw-vng", "libraw-dcb", "libraw-dht", "libraw-aahd",
    "libraw-xtrans-1pass", "libraw-xtrans-3pass",
]  # fmt: skip


class Demosaic(Base, frozen=True, tag="demosaic"):
    """All three colors at every pixel, with LibRaw's integers; `libraw-...` runs LibRaw itself."""

    takes = frozenset({Space.BALANCED})
    method: Method = "ahd"

    def gives(self, space: Space) -> Space:
        return Space.CAMERA

    def __call__(self, frame: Frame, scratch: bool = False) -> Frame:
        xtrans = "xtrans" in self.method
        _only(frame, "xtrans" if xtrans else "bayer", f"demosaic {self.method}")
        facts, pixels = frame.capture, _integers(frame)
        if self.method.startswith("libraw-"):
            return self.done(frame, libraw.demosaic(pixels, facts, self.method[7:]))
        if self.method == "half":
            return self.done(frame, half(pixels, balance.color_indices(facts.cfa)))
        return self.done(frame, own.picture(self.method, pixels, facts, scratch))


class Blend(Base, frozen=True, tag="blend"):
    """Draw the chroma of clipped highlights together (LibRaw: highlight mode 2).

    Goes with Balance(highlights = "keep").
    """

    takes = frozenset({Space.CAMERA})

    def gives(self, space: Space) -> Space:
        return Space.CAMERA

    def __call__(self, frame: Frame, scratch: bool = False) -> Frame:
        return self.done(frame, highlight.blend(_integers(frame), frame.gains))


class ToXYZ(Base, frozen=True, tag="xyz"):
    """Linear CIE XYZ in float32, nothing clipped: the restoration truth.

    "libraw": white balanced, D65, a neutral white is (0.9505, 1, 1.0888) whatever the camera; a
    camera without a matrix keeps its own RGB, as LibRaw has it. "mean": CameraNet v1's inverse of
    the mean of ColorMatrix1 and 2, on camera RGB with the white balance taken out again.
    """

    takes = frozenset({Space.CAMERA})
    matrix: Literal["libraw", "mean"] = "libraw"

    def gives(self, space: Space) -> Space:
        return Space.XYZ

    def __call__(self, frame: Frame, scratch: bool = False) -> Frame:
        matrix = color.xyz_matrix(frame.capture, self.matrix, frame.gains)
        found = {"matrix": tuple(float(value) for value in matrix.ravel())}
        return self.done(frame, color.project(_integers(frame), matrix), found)


class ToSpace(Base, frozen=True, tag="space"):
    """Linear light of a color space, clipped to 16 bit (LibRaw: convert_to_rgb).

    A camera without a matrix keeps its own RGB, as LibRaw has it.
    """

    takes = frozenset({Space.CAMERA})
    name: Literal["raw", "srgb", "adobe", "prophoto", "xyz", "p3", "rec2020"] = "srgb"

    def gives(self, space: Space) -> Space:
        return LINEAR[self.name]

    def matrix(self, facts: Capture) -> color.F32 | None:
        """(3, 3); None where colors stay as they are."""
        known = facts.camera_to_srgb
        return None if self.name == "raw" or known is None else color.out_matrix(self.name, known)

    def __call__(self, frame: Frame, scratch: bool = False) -> Frame:
        matrix = self.matrix(frame.capture)
        if matrix is None:
            return self.done(frame, frame.pixels)
        return self.done(frame, color.convert(_integers(frame), matrix, scratch))


class Encode(Base, frozen=True, tag="encode"):
    """The transfer curve and brightness (LibRaw: gamma_curve, auto-bright).

    `curve`: "libraw" is its default 2.222 / 4.5, "srgb" 2.4 / 12.92, "linear" 1 / 1. With
    `auto_bright`, `clipped` of the pixels of the brightest channel become white.
    """

    takes = frozenset(ENCODED)
    curve: Literal["libraw", "srgb", "linear"] = "libraw"
    bright: Positive = 1.0
    auto_bright: bool = False
    clipped: Share = 0.01

    def gives(self, space: Space) -> Space:
        return ENCODED[space]

    def __call__(self, frame: Frame, scratch: bool = False) -> Frame:
        pixels = _integers(frame)
        white = tone.white_point(pixels, self.clipped) if self.auto_bright else tone.FULL
        encoded = tone.encode(pixels, self.table(white), scratch)
        return self.done(frame, encoded, {"white": (float(white),)})

    def table(self, white: int) -> tone.U16:
        """(65536,): the curve that brings this brightness (of 8192) to white."""
        return tone.curve(*tone.CURVES[self.curve], tone.full_scale(white, self.bright))


class EncodeSrgb(Base, frozen=True, tag="encode-srgb"):
    """XYZ to sRGB, clipped, encoded as IEC 61966-2-1 says."""

    takes = frozenset({Space.XYZ})

    def gives(self, space: Space) -> Space:
        return Space.SRGB

    def __call__(self, frame: Frame, scratch: bool = False) -> Frame:
        return self.done(frame, autotone.encode_srgb(_floats(frame)))


class AutoTone(Base, frozen=True, tag="auto-tone"):
    """XYZ to sRGB with levels and contrast from the picture itself.

    An open stand-in for the closed auto tool of the CameraNet papers; it does not equal it.
    """

    takes = frozenset({Space.XYZ})
    clip: Annotated[float, msgspec.Meta(ge=0, lt=0.5)] = 0.001  # share that goes to black, to white
    middle: Annotated[float, msgspec.Meta(gt=0, lt=1)] = (
        0.45  # display value aimed at for the median
    )

    def gives(self, space: Space) -> Space:
        return Space.SRGB

    def __call__(self, frame: Frame, scratch: bool = False) -> Frame:
        pixels, levels = autotone.auto_tone(_floats(frame), self.clip, self.middle)
        return self.done(frame, pixels, {"black_white_exponent": levels})


class Orient(Base, frozen=True, tag="orient"):
    """Turn the picture upright by the file's orientation (LibRaw: flip)."""

    takes = PICTURES

    def gives(self, space: Space) -> Space:
        return space

    def __call__(self, frame: Frame, scratch: bool = False) -> Frame:
        return self.done(frame, orient.upright(frame.pixels, frame.capture.flip, scratch))


Step = (
    Opcodes | BadPixels | Bin | Levels | Balance | Shading | Vignetting | Demosaic | Blend | ToXYZ
    | ToSpace | Encode | EncodeSrgb | AutoTone | Orient
)  # fmt: skip
