"""Green at a red or blue site, guessed in one direction: what PPG and AHD have in common."""

import numpy as np

from isptools.develop.planes import quartered
from isptools.develop.rows import part


@part
def guess(c2, g1, here, d1, e2, out):
    """From five samples in a row (color, green, color, green, color), clamped to both greens."""
    for x in range(len(out)):
        value = quartered(np.float32(2) * (g1[x] + here[x] + d1[x]) - c2[x] - e2[x])
        out[x] = max(min(g1[x], d1[x]), min(value, max(g1[x], d1[x])))
