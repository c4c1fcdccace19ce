"""Several steps at once: a row goes from the sensor to the screen while it is in the cache.

What comes out, the history too, is what the steps give one after the other.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from isptools.develop import balance, listed, tone
from isptools.develop.demosaic import own
from isptools.develop.demosaic.ends import NO_ENDS, Ends
from isptools.develop.rows import readonly
from isptools.develop.steps import (
    Balance,
    Demosaic,
    Encode,
    Levels,
    Opcodes,
    Orient,
    Step,
    ToSpace,
)
from isptools.frame import Frame

ORDER = (Levels, Opcodes, Balance, Demosaic, ToSpace, Encode, Orient)


def run(frame: Frame, steps: Sequence[Step]) -> int:
    """How many steps, from the first on, can be done at once; 0 where that is none or one.

    A Demosaic by one of our own methods, and what of ORDER stands right before and behind it.
    """
    if frame.capture.kind != "bayer" or frame.pixels.dtype != np.uint16:
        return 0
    found, at = 0, 0
    for step in steps:
        at = next((i for i in range(at, len(ORDER)) if isinstance(step, ORDER[i])), len(ORDER)) + 1
        if at > len(ORDER) or not _joins(step, frame):
            break
        found += 1
    return found if found > 1 and any(isinstance(step, Demosaic) for step in steps[:found]) else 0


def _joins(step: Step, frame: Frame) -> bool:
    """Whether it looks at nothing but the pixels of a row's window."""
    facts = frame.capture
    match step:
        case Opcodes():
            return not listed.pending(frame, 2)
        case Balance():
            return not balance.looks_at_pixels(facts, step.by, step.otherwise or "")
        case Demosaic():
            return step.method in own.METHODS
        case Encode():
            return not step.auto_bright
        case Orient():
            return facts.flip < 4
    return True


def through(frame: Frame, steps: Sequence[Step], scratch: bool) -> Frame:
    """The frame behind all steps of a `run`."""
    ends, source, method = NO_ENDS, frame.pixels, ""
    for step in steps:
        frame, ends = _told(step, frame, ends)
        if isinstance(step, Levels):  # behind its opcodes
            scratch, source = scratch or frame.pixels is not source, frame.pixels
        if isinstance(step, Demosaic):
            method = step.method
    ends = Ends(*map(readonly, ends))
    whole = np.ascontiguousarray(source)  # a piece of a picture: kernels are compiled for wholes
    return replace(frame, pixels=own.picture(method, whole, frame.capture, scratch, ends))


def _told(step: Step, frame: Frame, ends: Ends) -> tuple[Frame, Ends]:
    """The frame behind a step but for its pixels, and the step's numbers beside the others."""
    facts = frame.capture
    match step:
        case Levels():
            black = np.asarray(facts.black_libraw, np.uint16).reshape(2, 2)
            return step.told(frame), ends._replace(black=black.astype(np.float32))
        case Balance():
            told = step.told(frame)
            return told, ends._replace(factor=balance.factors(facts.cfa, told.gains, frame.white))
        case Demosaic():
            return step.done(frame, np.empty((0, 0, 3), np.uint16)), ends
        case ToSpace():
            matrix = step.matrix(facts)
            ends = ends if matrix is None else ends._replace(matrix=matrix)
        case Encode():
            ends = ends._replace(table=step.table(tone.FULL))
            return step.done(frame, frame.pixels, {"white": (float(tone.FULL),)}), ends
        case Orient():
            ends = ends._replace(flip=facts.flip)
    return step.done(frame, frame.pixels), ends
