"""What contradicts itself about a scene's files: one file in two roles, two exposures for one file.

A file that stands under two names is a mistake of copying; an exposure that a name or a table
states may be that of another file. Neither shows in the pixels of one file. Where the exposure
ratio of a pair rests on it the pair is refused, else it is told.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from isptools.build.rows import ReadFrame
from isptools.decode.refusal import Refusal
from isptools.measure.exposure import Law, Shot, ratio

ALIKE = 1.15  # nominal times and speeds differ from exact ones by less: 0.3 s for 1/3 s, 30 for 32


@dataclass(slots=True)
class Doubts:
    """The files of a scene as they come; `law` says what the ratio is made of."""

    law: Law
    truth: ReadFrame
    inputs: dict[str, ReadFrame] = field(default_factory=dict)  # by sha256

    def of_input(self, read: ReadFrame) -> list[tuple[str, str]]:
        """What is to be noted (reason, detail). Refusal where the ratio rests on it."""
        twin = self._twin(read)
        self.inputs.setdefault(read.sha256, read)
        noted = []
        if twin:
            detail = f"its bytes are those of {twin.file.source.path}"
            if twin is self.truth or _states(twin) != _states(read):
                raise Refusal("same-file", f"{detail}: one file in two roles")
            noted.append(("same-file", detail))
        against = contradiction(read)
        if against:
            noted.append(("contradiction", against))
        if (against or contradiction(self.truth)) and self._rests_on_it(read):
            detail = against or f"of its truth {contradiction(self.truth)}"
            raise Refusal("contradiction", f"{detail}: its ratio to the truth rests on it")
        return noted

    def _twin(self, read: ReadFrame) -> ReadFrame | None:
        """Another file of the scene with the same bytes; one that is named in two roles is none."""
        for other in (self.truth, *self.inputs.values()):
            if other.sha256 == read.sha256 and other.file.source != read.file.source:
                return other
        return None

    def _rests_on_it(self, read: ReadFrame) -> bool:
        """Whether the ratio is another one by what the files state."""
        told = ratio(_named(read), _named(self.truth), self.law)
        found = ratio(_stated(read), _stated(self.truth), self.law)
        return told is not None and (found is None or _differ(told, found))


def contradiction(read: ReadFrame) -> str:
    """The exposure that a name or table states against the file's own; empty where they agree."""
    told, found = _named(read), _stated(read)
    facts: Mapping[str, tuple[float | None, float | None]] = {
        "exposure time, s": (told.exposure_s, found.exposure_s), "ISO": (told.iso, found.iso)
    }  # fmt: skip
    against = [
        f"{name}: {one:.4g} by its name or the data set's table, {other:.4g} by the file"
        for name, (one, other) in facts.items()
        if one and other and _differ(one, other)
    ]
    return "; ".join(against)


def _differ(one: float, other: float) -> bool:
    return not 1 / ALIKE < one / other < ALIKE


def _states(read: ReadFrame) -> tuple[float | None, float | None]:
    return read.file.named.exposure_s, read.file.named.iso


def _named(read: ReadFrame) -> Shot:
    named, capture = read.file.named, read.frame.capture
    return Shot(named.exposure_s, named.iso or capture.iso, capture.aperture)


def _stated(read: ReadFrame) -> Shot:
    capture = read.frame.capture
    return Shot(capture.exposure_s, capture.iso, capture.aperture)
