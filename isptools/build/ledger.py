"""What a build did not take, and why; and the index of what it made."""

from collections import Counter
from collections.abc import Iterable
from typing import Literal

import msgspec

Kind = Literal["refused", "missing", "excluded", "unlisted", "noted", "kept"]


class Line(msgspec.Struct, frozen=True, order=True):
    """One line of ledger.jsonl: a file that was not used, or was used although it is odd."""

    split: str  # "" for a file that the manifest does not know
    scene: str
    file: str  # below the data set's root
    kind: Kind  # only "noted" and "kept" (patches) are in the shards
    reason: str  # one of a few words, to be counted
    detail: str  # the same for people
    number: float | None = None  # what was measured, where the reason has a measure

    def __post_init__(self) -> None:
        if "\n" in self.detail:
            raise ValueError(f"a ledger line has one line, not {self.detail!r}")


def lines(entries: Iterable[Line]) -> bytes:
    """ledger.jsonl: sorted, one JSON object a line, no line twice."""
    return b"".join(
        msgspec.json.encode(line) + b"\n" for line in sorted(set(entries), key=msgspec.json.encode)
    )


def counts(entries: Iterable[Line]) -> dict[str, dict[str, int]]:
    """How many files by kind and reason."""
    tally = Counter((line.kind, line.reason) for line in set(entries))
    out: dict[str, dict[str, int]] = {}
    for (kind, reason), number in sorted(tally.items()):
        out.setdefault(kind, {})[reason] = number
    return out
