"""What the opcodes of a DNG do to samples (DNG 1.7, chapter 7), as pure functions over arrays.

Samples are float32 from 0 to 1: 1 is 65535 for OpcodeList1, which works on numbers as stored in
16 bits, and the white level for OpcodeList2 and 3. Results are clipped to that range.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from isptools import fields
from isptools.develop import badpixels, warp
from isptools.develop.rows import along_rows
from isptools.develop.shading import field_of
from isptools.frame import GainMap, UnsupportedError
from isptools.raw.opcodes import (
    BadConstant,
    BadList,
    Lines,
    Opcode,
    Polynomial,
    Sites,
    Table,
    Vignette,
    Warp,
    Window,
)

F32 = NDArray[np.float32]
FULL = np.float32(65535)
GAINS = (GainMap, Vignette)  # and Lines that scale: what multiplies, whatever the sample is


def multiplies(one: Opcode) -> bool:
    """Whether it is a field of gains, which white balance and demosaicking may come before."""
    return isinstance(one.does, GAINS) or (isinstance(one.does, Lines) and one.does.scales)


def commutes(one: Opcode) -> bool:
    """Whether it does the same behind white balance."""
    return multiplies(one) or isinstance(one.does, BadList)


def apply(samples: F32, one: Opcode, window: Window, colors: NDArray[np.uint8], black: F32) -> None:
    """Do what an opcode says to (H, W) or (H, W, planes), in place.

    `colors` are the color indices of the filters and `black` what stands for no light (both square,
    of one period). UnsupportedError for one that can't be applied to such a picture.
    """
    does = one.does
    if isinstance(does, BadConstant | BadList):
        _expect_mosaic(samples, one)
        _repair(samples, bad_sites(samples, does, window), colors, black)
    elif isinstance(does, Table | Polynomial | Lines):
        for plane in _planes(samples, does.sites):
            _map(plane, does, one.opcode_list, window)
    elif isinstance(does, GainMap | Vignette):
        _gain(samples, does, window)
    elif isinstance(does, Warp):
        samples[...] = warp.rectilinear(samples, does.terms, does.center, window)
    else:
        raise UnsupportedError(f"{one.name} is not known")


def bad_sites(samples: F32, does: BadConstant | BadList, window: Window) -> NDArray[np.bool_]:
    """(H, W): which samples are bad."""
    if isinstance(does, BadConstant):
        return np.asarray(np.rint(samples * FULL) == does.value)
    bad = np.zeros(samples.shape, bool)
    if does.points:
        at = np.array(does.points, np.int64) + window[:2]
        at = at[((at >= 0) & (at < samples.shape)).all(1)]
        bad[at[:, 0], at[:, 1]] = True
    for top, left, bottom, right in does.areas:
        rows = slice(max(top + window[0], 0), max(bottom + window[0], 0))
        bad[rows, max(left + window[1], 0) : max(right + window[1], 0)] = True
    return bad


def gain_field(one: Opcode, window: Window, colors: str = "") -> tuple[fields.Field, ...]:
    """A multiplying opcode as fields for an input's mosaic.

    `colors`: of OpcodeList3 the letters of the planes ("RGB"), whose filters they hold for.
    UnsupportedError for an opcode that does not multiply.
    """
    does = one.does
    if isinstance(does, Vignette):
        return (_radial(does, window),)
    if isinstance(does, GainMap) and colors:
        planes = range(does.plane, min(does.plane + does.planes, len(colors)))
        return tuple(field_of(does, window, p - does.plane, colors[p]) for p in planes)
    if isinstance(does, GainMap):
        return () if does.plane else (field_of(does, window),)
    if isinstance(does, Lines) and does.scales:
        return tuple(_lines_field(does, window, colors))
    raise UnsupportedError(f"{one.name} is no field of gains")


# -- one opcode ----------------------------------------------------------------------------------


def _repair(samples: F32, bad: NDArray[np.bool_], colors: NDArray[np.uint8], black: F32) -> None:
    level = along_rows(black, samples.shape[1])
    side = len(level)
    light = samples.copy()
    for row in range(side):
        light[row::side] -= level[row]
    light = badpixels.interpolated(light, bad, colors)
    at = np.nonzero(bad)
    values = light[at] + level[at[0] % side, at[1]]
    samples[at] = np.clip(values, 0, 1)


def _expect_mosaic(samples: F32, one: Opcode) -> None:
    if samples.ndim != 2:
        raise UnsupportedError(f"{one.name} repairs mosaics, this picture has all colors")


def _planes(samples: F32, sites: Sites) -> Iterator[F32]:
    """Views of the planes that it works on; a mosaic is one plane."""
    if samples.ndim == 2:
        if sites.plane == 0 and sites.planes:
            yield samples
        return
    for plane in range(sites.plane, min(sites.plane + sites.planes, samples.shape[2])):
        yield samples[..., plane]


def _map(plane: F32, does: Table | Polynomial | Lines, opcode_list: int, window: Window) -> None:
    at, skipped = _where(does.sites, window, plane.shape)
    part = plane[at]
    if not part.size:
        return
    if isinstance(does, Table):
        looked = np.minimum(np.rint(part * FULL), len(does.entries) - 1).astype(np.uint16)
        plane[at] = does.entries.astype(np.float32)[looked] / FULL
        return
    if isinstance(does, Polynomial):
        made = _horner(part, _terms(does.coefficients, opcode_list))
    else:
        count = part.shape[does.axis]
        values = does.values[skipped[does.axis] :][:count] * _unit(does, opcode_list)
        along = values[:, None] if does.axis == 0 else values[None]
        made = part * along if does.scales else part + along
    np.clip(made, 0, 1, out=made)
    plane[at] = made


def _terms(coefficients: Sequence[float], opcode_list: int) -> list[np.float32]:
    """For samples from 0 to 1; in OpcodeList1 a polynomial maps numbers of 16 bits."""
    unit = 65535.0 if opcode_list == 1 else 1.0
    return [np.float32(c * unit ** (i - 1)) for i, c in enumerate(coefficients)]


def _horner(x: F32, terms: Sequence[np.float32]) -> F32:
    out = np.full(x.shape, terms[-1], np.float32)
    for term in reversed(terms[:-1]):
        out *= x
        out += term
    return out


def _unit(does: Lines, opcode_list: int) -> np.float32:
    """What 1 of a delta is worth; see docs/decisions/0019-opcodes.md."""
    if does.scales:
        return np.float32(1)
    large = opcode_list == 2 and float(np.abs(does.values).max(initial=0)) > 1
    return 1 / FULL if opcode_list == 1 or large else np.float32(1)


def _where(
    sites: Sites, window: Window, shape: tuple[int, ...]
) -> tuple[tuple[slice, slice], tuple[int, int]]:
    """The samples as slices of the array, and how many lines lie before its edges."""
    slices, skipped = [], []
    for axis, pitch in enumerate((sites.row_pitch, sites.col_pitch)):
        first = sites.area[axis] + window[axis]
        last = min(sites.area[axis + 2] + window[axis], shape[axis])
        begin = first if first >= 0 else first % pitch
        slices.append(slice(begin, max(last, begin), pitch))
        skipped.append((begin - first) // pitch)
    return (slices[0], slices[1]), (skipped[0], skipped[1])


def _gain(samples: F32, does: GainMap | Vignette, window: Window) -> None:
    whole = (0, 0, *samples.shape[:2])
    if isinstance(does, Vignette):
        gain = fields.gains([_radial(does, window)], whole, "")
        samples *= gain if samples.ndim == 2 else gain[..., None]
    elif samples.ndim == 2:
        if does.plane == 0 and does.planes:
            samples *= fields.gains([field_of(does, window)], whole, "")
    else:
        for plane in range(does.plane, min(does.plane + does.planes, samples.shape[2])):
            field = field_of(does, window, plane - does.plane)
            samples[..., plane] *= fields.gains([field], whole, "")
    np.clip(samples, 0, 1, out=samples)


def _radial(does: Vignette, window: Window) -> fields.Radial:
    top, left, height, width = window
    y, x = does.center[1] * height, does.center[0] * width
    radius = float(np.hypot(max(y, height - y), max(x, width - x)))
    return fields.Radial(does.terms, (y + top, x + left), radius)


def _lines_field(does: Lines, window: Window, colors: str) -> Iterator[fields.Grid]:
    sites, axis = does.sites, does.axis
    pitch = sites.row_pitch, sites.col_pitch
    top, left, bottom, right = sites.area
    area = top + window[0], left + window[1], bottom + window[0], right + window[1]
    values = tuple(float(value) for value in does.values)
    rows = tuple((value,) for value in values) if axis == 0 else (values,)
    for letter in colors[sites.plane : sites.plane + sites.planes] if colors else ("",):
        if colors or not sites.plane:
            yield fields.Grid(
                area, pitch, (area[0] + 0.5, area[1] + 0.5), (float(pitch[0]), float(pitch[1])),
                rows, letter,
            )  # fmt: skip
