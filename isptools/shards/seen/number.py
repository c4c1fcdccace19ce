"""One thing that was measured of a pair, and how far it may be off."""

from dataclasses import dataclass

SIGMAS = 4.0  # deviations that chance may bring: 1 in 16,000 to either side


@dataclass(frozen=True, slots=True)
class Number:
    """0 is right; `value` above `limit` is wrong."""

    kind: str  # a word of docs/check.md: "level", "white", "place", ...
    value: float
    limit: float
    told: str  # what is wrong, for people, if it is
    unit: str = ""

    @property
    def share(self) -> float:
        """Of what is allowed; above 1 it is wrong."""
        return self.value / self.limit

    @property
    def wrong(self) -> bool:
        """Whether it is beyond its limit."""
        return self.value > self.limit

    @property
    def amount(self) -> str:
        """For people."""
        unit = f" {self.unit}" if self.unit else ""
        return f"{self.value:.3g}{unit}, at most {self.limit:.3g} is allowed"


def limit(systematic: float, error: float) -> float:
    """What optics, cameras and rounding do to honest pairs, and what chance does."""
    return systematic + SIGMAS * error
