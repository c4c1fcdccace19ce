"""Decimals of float32 numbers, whatever has been done to NumPy's print options."""

import numpy as np
import pytest

from isptools.raw.decimal import shortest


@pytest.mark.parametrize("legacy", [False, "1.13"])
@pytest.mark.parametrize("decimal", [0.019828921, 4.967431, 1e-5, 0.1, 1 / 3, 2.0**-126, 3e38])
def test_the_shortest_decimal_of_a_float32(decimal, legacy):
    before = np.get_printoptions()["legacy"]
    np.set_printoptions(legacy=legacy)
    try:
        found = shortest(float(np.float32(decimal)))
    finally:
        np.set_printoptions(legacy=before)
    assert np.float32(found) == np.float32(decimal)
    assert len(f"{found!r}") <= len(f"{float(np.float32(decimal))!r}")
