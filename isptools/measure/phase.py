"""Which color stands where in a mosaic, found from the mosaic's own truth at every pixel."""

import numpy as np

from isptools.frame import Array

PHASES = ("RGGB", "GRBG", "GBRG", "BGGR")
CLEAR = 1.2  # another phase leaves so many times the residual of the right one


def residuals_of_phases(mosaic: Array, picture: Array) -> dict[str, float]:
    """Mean absolute residual of a mosaic (H, W) against a linear picture (H, W, 3), by phase."""
    light, truth = mosaic.astype(np.float32), picture.astype(np.float32)
    residuals = {}
    for phase in PHASES:
        parts = [
            np.abs(light[i // 2 :: 2, i % 2 :: 2] - truth[i // 2 :: 2, i % 2 :: 2, "RGB".index(c)])
            for i, c in enumerate(phase)
        ]
        residuals[phase] = float(np.mean([part.mean(dtype=np.float64) for part in parts]))
    return residuals


def residual_ratio(residuals: dict[str, float], phase: str) -> float:
    """How many times the least residual of another phase this one leaves; above 1 it is wrong."""
    least = min(value for other, value in residuals.items() if other != phase)
    return round(residuals[phase] / max(least, 1e-9), 6)


def contradicts(residuals: dict[str, float], phase: str) -> bool:
    """Whether another phase fits clearly better; a gray picture fits all alike."""
    return residual_ratio(residuals, phase) > CLEAR


def contradiction(residuals: dict[str, float], phase: str) -> str:
    """The line of the ledger: the stated phase, and the one that fits better."""
    best = min(residuals, key=lambda other: residuals[other])
    return (
        f"stated as {phase}, but {best} fits its truth better; the number says how many times the "
        "residual the stated one leaves"
    )
