"""How well pairs of two cameras lie on each other: measured again, and told over a whole set."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isptools.shards.read import normalized
from isptools.shards.schema import PairRow
from isptools.shards.table import Table

WEIGHTS = np.array([0.299, 0.587, 0.114], np.float32)  # of encoded RGB (Rec. 601)
WORST = 20
PERCENT = (0, 1, 5, 25, 50, 75, 95, 99, 100)
DIFFERENCE = 0.02  # a correlation that was measured anew may differ by so much from the stored one


@dataclass(frozen=True, slots=True)
class Quality:
    """Over all pairs of a folder."""

    pairs: int
    correlation: tuple[float, ...]  # at PERCENT
    residual: tuple[float, ...]  # pixels, at PERCENT, of the pairs where it could be measured
    measured: int  # pairs where it could be
    worst: tuple[PairRow, ...]  # by correlation


def quality(tables: Iterable[Table]) -> Quality | None:
    """None where no pair of two cameras is among the shards."""
    rows = [row for table in tables for row in table.pairs]
    if not rows:
        return None
    residual = [row.residual_px for row in rows if row.residual_px is not None]
    return Quality(
        len(rows),
        _percentiles([row.correlation for row in rows]),
        _percentiles(residual),
        len(residual),
        tuple(sorted(rows, key=lambda row: (row.correlation, row.key))[:WORST]),
    )


def _percentiles(values: list[float]) -> tuple[float, ...]:
    return tuple(map(float, np.percentile(values, PERCENT))) if values else ()


def recomputed(
    table: Table, i: int, own: NDArray[Any], truths: Mapping[str, NDArray[np.float32]]
) -> Iterator[tuple[str, str]]:
    """Whether the stored correlation of pair i is that of its pixels: of `own` as stored, and of
    `truths` (3, H, W) in physical values."""
    row, pair = table.rows[i], table.pairs[i]
    if row.key != pair.key:
        yield "pair", f"row {i} of pair is {pair.key}, the input is {row.key}"
        return
    name = "enhancement" if row.enhancement >= 0 else "restoration"
    truth = luminance(truths[name], "RGB")
    found = correlation(luminance(normalized(own, row), row.cfa), truth)
    if abs(found - pair.correlation) > DIFFERENCE:
        yield (
            "pair",
            f"{row.key} correlates with its {name} by {found:.3f}, the table says "
            f"{pair.correlation:.3f}",
        )


def luminance(picture: NDArray[np.float32], cfa: str) -> NDArray[np.float32]:
    """Of (3, H, W), or of a Bayer mosaic (H, W) as (H/2, W/2) behind a square root."""
    if picture.ndim == 3:
        return np.asarray(np.tensordot(WEIGHTS, picture, 1), np.float32)
    cells = [picture[i // 2 :: 2, i % 2 :: 2] for i in range(4)]
    planes = [np.mean([cells[i] for i in range(4) if cfa[i] == color], axis=0) for color in "RGB"]
    return np.asarray(np.sqrt(np.clip(np.tensordot(WEIGHTS, np.stack(planes), 1), 0, None)))


def correlation(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Normalized correlation of two luminances (H, W); the finer is averaged down. 0 for a flat
    one."""
    if one.shape != other.shape:
        height, width = one.shape
        other = other[: 2 * height, : 2 * width].reshape(height, 2, width, 2).mean((1, 3))
    a, b = one - one.mean(dtype=np.float64), other - other.mean(dtype=np.float64)
    energy = float((a * a).sum() * (b * b).sum())
    return float((a * b).sum() / np.sqrt(energy)) if energy > 1e-12 else 0.0
