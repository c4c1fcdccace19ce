"""What a build did not take, and why; and the index of what it made."""

from collections import Counter
from collections.abc import Iterable

import msgspec

from isptools.datasets.listing import Line


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
