"""Small pictures to look at: of a raw file, of a sample's layers."""

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from isptools.develop.autotone import encode_srgb
from isptools.develop.chain import develop
from isptools.develop.orient import upright
from isptools.develop.steps import Balance, Demosaic, Encode, Levels, ToSpace, as_bayer
from isptools.frame import Frame, Matrix, Space
from isptools.shards.read import Sample

Bytes = NDArray[np.uint8]
WIDTH = 360  # of a picture, where nothing else is asked for
DOUBT = (200, 0, 0)  # color of pixels that are not to be trusted


def of_raw(frame: Frame) -> Bytes:
    """(h, w, 3) uint8, upright, half size (a sixth of the rows for X-Trans).

    A Bayer file with square pixels goes through the chain; others show their plain numbers.
    """
    frame = as_bayer(frame)
    facts = frame.capture
    if facts.kind == "bayer" and facts.pixel_aspect == 1:
        steps = (Levels(), Balance(), Demosaic("half"), ToSpace(), Encode("srgb"))
        picture = (np.asarray(develop(frame, steps).pixels, np.uint16) >> 8).astype(np.uint8)
    else:
        black = np.float32(min(facts.black))
        light = (frame.pixels.astype(np.float32) - black) / (facts.white - black)
        picture = screen(_colors(light, facts.cfa, facts.as_shot, facts.camera_to_srgb))
    return upright(picture, facts.flip)


def layers(sample: Sample, space: str) -> dict[str, Bytes]:
    """What there is to see of a sample, (h, w, 3) each as the sensor lies, by name.

    The input (brought to its truth's exposure, one pixel a CFA cell), restoration, enhancement and
    weight (red: not to be trusted). `space` is the station of the restoration.
    """
    return dict(_pictures(sample, space))


def _pictures(sample: Sample, space: str) -> Iterator[tuple[str, Bytes]]:
    """`space` is the station of the restoration."""
    facts = sample.facts
    light = sample.input * np.float32(facts.ratio or 1)
    if light.ndim == 3:  # a finished picture
        shown = np.rint(np.clip(light.transpose(1, 2, 0), 0, 1) * 255).astype(np.uint8)
        yield "input", shown
    else:
        yield "input", screen(_colors(light, facts.cfa, facts.as_shot, facts.camera_to_srgb))
    if sample.restoration is not None:
        linear = np.ascontiguousarray(sample.restoration.transpose(1, 2, 0))
        xyz = space == Space.XYZ
        shown = (encode_srgb(linear) >> 8).astype(np.uint8) if xyz else screen(linear)
        yield "restoration", shown
    if sample.enhancement is not None:
        shown = np.rint(np.clip(sample.enhancement, 0, 1) * 255).astype(np.uint8)
        yield "enhancement", np.ascontiguousarray(shown.transpose(1, 2, 0))
    if sample.weight is not None:
        gray = np.rint(sample.weight * 255).astype(np.uint8)
        yield "weight", np.where(gray[..., None] > 0, gray[..., None], np.array(DOUBT, np.uint8))


def _colors(
    light: NDArray[np.float32], cfa: str, gains: tuple[float, ...], to_srgb: Matrix | None
) -> NDArray[np.float32]:
    """Linear sRGB (h, w, 3), one pixel per CFA cell, white balanced as shot; black 0, white 1."""
    if not cfa:
        return np.atleast_3d(light) * np.ones(3, np.float32)
    side = 2 if len(cfa) == 4 else 6
    rows, columns = light.shape[0] // side, light.shape[1] // side
    cells = light[: rows * side, : columns * side].reshape(rows, side, columns, side)
    letters = np.array(list(cfa)).reshape(side, side)
    color = np.stack([cells.transpose(0, 2, 1, 3)[..., letters == c].mean(-1) for c in "RGB"], -1)
    if min(gains[:3]) > 0:
        color = np.minimum(color * (np.array(gains[:3], np.float32) / min(gains[:3])), 1)
    if to_srgb is not None:
        color = color @ np.array(to_srgb, np.float32).T
    return color.astype(np.float32)


def screen(linear: NDArray[np.float32]) -> Bytes:
    """Clipped and encoded for the screen (IEC 61966-2-1)."""
    light = np.clip(linear, 0, 1)
    steep = 1.055 * np.maximum(light, 0.0031308) ** (1 / 2.4) - 0.055
    shown = np.where(light <= 0.0031308, light * 12.92, steep)
    return np.asarray(np.rint(shown * 255), np.uint8)


def fit(picture: Bytes, width: int = WIDTH) -> Bytes:
    """At another width, in its proportions."""
    height = max(1, round(picture.shape[0] * width / picture.shape[1]))
    way = cv2.INTER_AREA if picture.shape[1] > width else cv2.INTER_NEAREST
    return np.asarray(cv2.resize(picture, (width, height), interpolation=way), np.uint8)
