"""Shifts by phase correlation against pictures that were moved by known ones."""

import numpy as np
import pytest

from isptools.measure.shift import shift


@pytest.mark.parametrize("side", [75, 100, 127, 224, 225, 448])
@pytest.mark.parametrize("by", [(0, 0), (2, -1)])
def test_known_shifts_are_found_at_any_size(side, by):
    """OpenCV is half a pixel off where it pads to an odd size, as from 224 to 225."""
    picture = np.random.default_rng(side).standard_normal((side + 16, side + 16))
    moved = np.roll(picture, by[::-1], (0, 1))
    one, other = (each[8:-8, 8:-8].astype(np.float32) for each in (picture, moved))
    found, peak = shift(one, other)
    assert found == pytest.approx(by, abs=0.05)
    assert peak > 0.3
