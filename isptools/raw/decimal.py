"""Numbers that were stored as float32, as the decimals they stand for."""

import numpy as np


def shortest(value: float) -> float:
    """The shortest decimal that is the same float32, as float64.

    Whatever print options are set: other libraries change NumPy's, and `str` follows them.
    """
    return float(np.format_float_scientific(np.float32(value)))
