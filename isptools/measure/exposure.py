"""How much more light one exposure gathered and amplified than another."""

from dataclasses import dataclass
from typing import Literal

Law = Literal["light", "time"]  # time x ISO / f-number squared, or time alone


@dataclass(frozen=True, slots=True)
class Shot:
    """What is stated of one exposure; None where nothing is."""

    exposure_s: float | None = None  # seconds
    iso: float | None = None
    aperture: float | None = None  # f-number


def ratio(own: Shot, its: Shot, law: Law = "light") -> float | None:
    """How many times the digital numbers of `its` are those of `own`, above black.

    Time x ISO over the f-number squared (the exposure equation of ISO 2720, with the gain that the
    ISO stands for). ISO and aperture count where both state them; None where not both state a time.
    """
    times = _quotient(own.exposure_s, its.exposure_s)
    if times is None or law == "time":
        return times
    gain = _quotient(own.iso, its.iso) or 1.0
    stops = _quotient(its.aperture, own.aperture) or 1.0
    return times * gain * stops**2


def _quotient(below: float | None, above: float | None) -> float | None:
    return above / below if below and above and below > 0 and above > 0 else None
