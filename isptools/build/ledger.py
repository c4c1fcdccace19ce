"""What a build did not take, and why; and the index of what it made."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import get_args

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


def odd(refusals: Mapping[str, Mapping[str, int]]) -> int:
    """How many files need a look: what was there and could not be used, though the recipe asks for
    it. Windows of a pair are not among them: the recipe says which to keep."""
    refused = refusals.get("refused", {})
    if not refused:
        return 0
    from isptools.pair.accept import Reason  # noqa: PLC0415 - with OpenCV, which takes long to load

    return sum(number for reason, number in refused.items() if reason not in get_args(Reason))
