"""What the first compiled loop of a process loads."""

import subprocess
import sys

CODE = """
import sys
import numpy as np
from isptools.shards import passes
assert "numba" not in sys.modules
assert passes.median(np.array([3.0, 1.0])) == 2
assert "numba" in sys.modules
assert "scipy.linalg" not in sys.modules
import numba
assert numba.njit(lambda a: np.dot(a, a))(np.array([3.0, 1.0])) == 10
assert "scipy.linalg" in sys.modules
"""


def test_a_loop_loads_no_linear_algebra_and_a_product_still_has_it() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
