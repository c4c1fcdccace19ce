"""Run a list of steps over a frame: the only loop over steps."""

from collections import deque
from collections.abc import Collection, Iterator, Sequence

from isptools.develop import fused
from isptools.develop.steps import Step
from isptools.frame import Frame, Space


def stations(steps: Sequence[Step], start: Space = Space.SENSOR) -> tuple[Space, ...]:
    """The stations a chain passes, `start` first; ValueError where two steps do not meet.

    Needs no pixels.
    """
    passed = [start]
    for step in steps:
        if passed[-1] not in step.takes:
            takes = " or ".join(sorted(step.takes))
            raise ValueError(f"{step} takes {takes}, but the chain stands at {passed[-1]}")
        passed.append(step.gives(passed[-1]))
    return tuple(passed)


def develop(frame: Frame, steps: Sequence[Step]) -> Frame:
    """Walk the frame down the chain and return it at the last station; `frame` stays as it is."""
    walked = _walk(frame, steps, frozenset(), scratch=True)
    del frame  # so that a sensor frame nobody else holds makes room for the picture
    return deque(walked, maxlen=1)[0]


def walk(
    frame: Frame, steps: Sequence[Step], kept: Collection[Space] = frozenset(Space)
) -> Iterator[Frame]:
    """Yield the frame as given, then behind the steps; the caller keeps what it needs.

    Of stations that are not `kept` a frame may be left out, and of a kept one all but its last.
    """
    return _walk(frame, steps, kept, scratch=False)


def _walk(
    frame: Frame, steps: Sequence[Step], kept: Collection[Space], scratch: bool
) -> Iterator[Frame]:
    """With `scratch`, steps may write over every frame but the one given."""
    passed = stations(steps, frame.space)
    yield frame
    own, at = False, 0
    while at < len(steps):
        known = id(frame.pixels)
        count = fused.run(frame, steps[at : _end(passed, at, kept)])
        if count:
            frame = fused.through(frame, steps[at : at + count], scratch and own)
        else:
            frame = steps[at](frame, scratch and own)
        own = own or id(frame.pixels) != known
        at += count or 1
        yield frame


def _end(passed: Sequence[Space], at: int, kept: Collection[Space]) -> int:
    """How far steps may be done at once: to where the walk leaves a station that is kept."""
    for i in range(at + 1, len(passed) - 1):
        if passed[i] in kept and passed[i + 1] != passed[i]:
            return i
    return len(passed) - 1
