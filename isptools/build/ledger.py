"""What a build did not take, and why; and the index of what it made."""

from collections import Counter
from collections.abc import Iterable

import msgspec

from isptools.datasets.listing import Line
from isptools.shards.proof import proved


def lines(entries: Iterable[Line]) -> bytes:
    """ledger.jsonl: sorted, one JSON object with its proof a line, no line twice."""
    encoded = sorted(map(msgspec.json.encode, set(entries)))
    return b"".join(map(proved, encoded))


def counts(entries: Iterable[Line]) -> dict[str, dict[str, int]]:
    """How many files by kind and reason."""
    tally = Counter((line.kind, line.reason) for line in set(entries))
    out: dict[str, dict[str, int]] = {}
    for (kind, reason), number in sorted(tally.items()):
        out.setdefault(kind, {})[reason] = number
    return out
