"""Run a list of steps over a frame: the only loop over steps."""

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
            raise ValueError(f"{step} takes {_names(step)}, but stands at {passed[-1]}")
        passed.append(step.gives(passed[-1]))
    return tuple(passed)


def develop(frame: Frame, steps: Sequence[Step]) -> Frame:
    """Walk the frame down the chain and return it at the last station."""
    for frame in walk(frame, steps):  # noqa: B020 - the last frame of the walk is the result
        pass
    return frame


def walk(frame: Frame, steps: Sequence[Step]) -> Iterator[Frame]:
    """Yield the frame as given, then behind each step; the caller keeps what it needs."""
    stations(steps, frame.space)
    yield frame
    for step in steps:
        frame = step(frame)
        yield frame


def _names(step: Step) -> str:
    return " or ".join(sorted(step.takes))
