"""Run a list of steps over a frame: the only loop over steps."""

from collections import deque
from collections.abc import Iterator, Sequence

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
    walked = _walk(frame, steps, scratch=True)
    del frame  # so that a sensor frame nobody else holds makes room for the picture
    return deque(walked, maxlen=1)[0]


def walk(frame: Frame, steps: Sequence[Step]) -> Iterator[Frame]:
    """Yield the frame as given, then behind each step; the caller keeps what it needs."""
    return _walk(frame, steps, scratch=False)


def _walk(frame: Frame, steps: Sequence[Step], scratch: bool) -> Iterator[Frame]:
    """With `scratch`, steps may write over every frame but the one given."""
    stations(steps, frame.space)
    yield frame
    own = False
    for step in steps:
        known = id(frame.pixels)
        frame = step(frame, scratch and own)
        own = own or id(frame.pixels) != known
        yield frame
