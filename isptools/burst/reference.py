"""Which frame the others are laid onto, and which frames can be laid onto it at all."""

import hashlib

import numpy as np
from numpy.typing import NDArray

from isptools.frame import Frame

SAMPLED = 65536  # pixels of a frame that tell it from every other one
FIRST = 3  # of these the sharpest: later frames are further from the press of the button


def sharpness(frame: Frame) -> float:
    """Energy of the green plane's steps from pixel to pixel, over its mean squared.

    Noise adds to all frames of a burst alike. 0 for a picture without light.
    """
    capture = frame.capture
    at = capture.cfa.index("G")
    green = frame.pixels[at // 2 :: 2, at % 2 :: 2].astype(np.float32) - capture.black[at]
    mean = float(green.mean())
    down, right = _energy(green[1:] - green[:-1]), _energy(green[:, 1:] - green[:, :-1])
    return (down + right) / mean**2 if mean > 0 else 0.0


def _energy(steps: NDArray[np.float32]) -> float:
    return float(np.vdot(steps, steps)) / max(steps.size, 1)


def difference(frame: Frame, reference: Frame) -> tuple[str, str]:
    """Why a frame can't belong to the reference's burst (reason, detail); empty if it can."""
    own, its = frame.capture, reference.capture
    cameras = [f"{each.make} {each.model}".strip() or "an unnamed camera" for each in (own, its)]
    if cameras[0] != cameras[1]:
        return "wrong-camera", f"taken with {cameras[0]}, the reference with {cameras[1]}"
    if frame.pixels.shape != reference.pixels.shape:
        sizes = [" x ".join(map(str, each.pixels.shape)) for each in (frame, reference)]
        return "wrong-size", f"{sizes[0]}, the reference {sizes[1]} (height x width)"
    if (own.kind, own.cfa) != (its.kind, its.cfa):
        return "wrong-cfa", f"color filters {own.cfa or 'none'}, the reference {its.cfa}"
    return "", ""


def signature(frame: Frame) -> bytes:
    """Of pixels spread over a frame: noise makes those of two exposures differ."""
    step = max(1, frame.pixels.size // SAMPLED) | 1
    return hashlib.blake2b(frame.pixels.ravel()[::step].tobytes()).digest()


def stated_gain(frame: Frame, reference: Frame) -> float | None:
    """How much brighter the reference was exposed: time x ISO / aperture squared, as files state.

    None where either lacks its time or ISO, or only one states its aperture.
    """
    values = []
    for capture in (reference.capture, frame.capture):
        if not (capture.exposure_s and capture.iso):
            return None
        values.append(capture.exposure_s * capture.iso / (capture.aperture or 1.0) ** 2)
    if bool(reference.capture.aperture) != bool(frame.capture.aperture):
        return None
    return values[0] / values[1]


STATED = {"exposure_s": "exposure time", "iso": "ISO", "aperture": "aperture"}


def lacking(frame: Frame, reference: Frame) -> str:
    """Which facts of the exposure only one of the two states; empty for none."""
    own, its = (
        {fact for fact in STATED if getattr(each.capture, fact)} for each in (frame, reference)
    )
    told = []
    for more, fewer, who in ((its, own, "it"), (own, its, "the reference")):
        names = [name for fact, name in STATED.items() if fact in more - fewer]
        if names:
            told.append(f"{who} states no {' and no '.join(names)}")
    return " and ".join(told)
