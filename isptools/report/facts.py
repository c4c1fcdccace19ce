"""What every page begins with, and the pictures that it carries inside."""

import base64
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fact:
    """One of the numbers at the top."""

    name: str
    value: str
    unit: str
    limit: str  # what it is held against
    meaning: str
    wrong: bool = False


@dataclass(frozen=True, slots=True)
class Top:
    """The verdict first, in a sentence."""

    title: str
    verdict: str  # "ship", "look" or "stop"
    sentence: str
    facts: tuple[Fact, ...]
    sample: bool = False  # made from code


def uri(data: bytes, kind: str) -> str:
    """A picture that stands in the page itself."""
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
