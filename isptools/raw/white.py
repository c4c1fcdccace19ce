"""The as-shot white of a DNG that states it as a chromaticity (DNG 1.7, chapter 6)."""

import math

import numpy as np
from numpy.typing import NDArray

from isptools.frame import Capture, Matrix

F64 = NDArray[np.float64]

# Correlated color temperature, K, of EXIF's LightSource codes; for fluorescent lamps the middle of
# the range that EXIF gives them.
TEMPERATURES = {
    1: 5500.0, 2: 4150.0, 3: 2850.0, 4: 5500.0, 9: 5500.0, 10: 6500.0, 11: 7500.0, 12: 6400.0,
    13: 5050.0, 14: 4150.0, 15: 3525.0, 16: 2925.0, 17: 2850.0, 18: 5500.0, 19: 6500.0, 20: 5500.0,
    21: 6500.0, 22: 7500.0, 23: 5000.0, 24: 3200.0,
}  # fmt: skip
# Robertson's isotemperature lines (Wyszecki and Stiles, Color Science, 1982, table 1(3.11)):
# reciprocal megakelvin, u, v (CIE 1960) on the Planckian locus, and the line's slope
ISOTHERMS = np.array([
    (0, 0.18006, 0.26352, -0.24341), (10, 0.18066, 0.26589, -0.25479),
    (20, 0.18133, 0.26846, -0.26876), (30, 0.18208, 0.27119, -0.28539),
    (40, 0.18293, 0.27407, -0.30470), (50, 0.18388, 0.27709, -0.32675),
    (60, 0.18494, 0.28021, -0.35156), (70, 0.18611, 0.28342, -0.37915),
    (80, 0.18740, 0.28668, -0.40955), (90, 0.18880, 0.28997, -0.44278),
    (100, 0.19032, 0.29326, -0.47888), (125, 0.19462, 0.30141, -0.58204),
    (150, 0.19962, 0.30921, -0.70471), (175, 0.20525, 0.31647, -0.84901),
    (200, 0.21142, 0.32312, -1.0182), (225, 0.21807, 0.32909, -1.2168),
    (250, 0.22511, 0.33439, -1.4512), (275, 0.23247, 0.33904, -1.7298),
    (300, 0.24010, 0.34308, -2.0637), (325, 0.24792, 0.34655, -2.4681),
    (350, 0.25591, 0.34951, -2.9641), (375, 0.26400, 0.35200, -3.5814),
    (400, 0.27218, 0.35407, -4.3633), (425, 0.28039, 0.35577, -5.3762),
    (450, 0.28863, 0.35714, -6.7262), (475, 0.29685, 0.35823, -8.5955),
    (500, 0.30505, 0.35907, -11.324), (525, 0.31320, 0.35968, -15.628),
    (550, 0.32129, 0.36011, -23.325), (575, 0.32931, 0.36038, -40.770),
    (600, 0.33724, 0.36051, -116.45),
])  # fmt: skip
COLDEST = 1e6  # K; what stands for an infinite temperature


def temperature(x: float, y: float) -> float:
    """Correlated color temperature, K, of a chromaticity (CIE 1931), by Robertson's method (1968).

    Between the two lines that the color lies between, reciprocal temperature goes with distance.
    From 1667 K up; what is redder reads 1667 K, what is bluer than every line 1e6 K.
    """
    u, v = np.array([2 * x, 3 * y]) / (1.5 - x + 6 * y)
    mired, at_u, at_v, slope = ISOTHERMS.T
    distances = ((v - at_v) - slope * (u - at_u)) / np.hypot(1, slope)
    behind = np.flatnonzero(distances <= 0)  # lines that the color lies on the cold side of
    index = int(behind[0]) if behind.size else len(mired) - 1
    if index == 0:
        return COLDEST
    before, after = distances[index - 1], distances[index]
    share = 1.0 if not behind.size else before / (before - after)
    found = mired[index - 1] + share * (mired[index] - mired[index - 1])
    return float(min(1e6 / found, COLDEST)) if found > 0 else COLDEST


def neutral(facts: Capture, white: tuple[float, float], calibrated: bool) -> F64 | None:
    """Camera RGB of a white at chromaticity `white`, its green 1; None where nothing says so.

    AnalogBalance x CameraCalibration x ColorMatrix x XYZ. Of two matrices (and calibrations) the
    mean, weighted by the reciprocal temperatures of their illuminants and of the white;
    calibrations only where `calibrated`: CameraCalibrationSignature is that of the profile.
    """
    x, y = white
    if not (math.isfinite(x) and math.isfinite(y) and x > 0 and y > 0 and x + y < 1):
        return None
    color = _between(facts, "color_matrix", temperature(x, y))
    if color is None:
        return None
    calibration = _between(facts, "camera_calibration", temperature(x, y)) if calibrated else None
    camera = color @ np.array([x / y, 1.0, (1 - x - y) / y])
    camera = camera if calibration is None else calibration @ camera
    camera = camera * np.array(facts.analog_balance or (1.0, 1.0, 1.0))
    return camera / camera[1] if (camera > 0).all() else None


def _between(facts: Capture, name: str, kelvin: float) -> F64 | None:
    first: Matrix | None = getattr(facts, f"{name}_1")
    second: Matrix | None = getattr(facts, f"{name}_2")
    if name == "camera_calibration" and (first is None) != (second is None):
        unity = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))  # what DNG takes for it
        first, second = first or unity, second or unity
    there = [np.array(one) for one in (first, second) if one is not None]
    if len(there) < 2:
        return there[0] if there else None
    share = _share(facts, kelvin)
    return np.asarray(share * there[0] + (1 - share) * there[1])


def _share(facts: Capture, kelvin: float) -> float:
    """Weight of the first of two matrices; 1 where an illuminant's temperature is not known."""
    lights = (facts.illuminant_1, facts.illuminant_2)
    one, two = (TEMPERATURES.get(light or 0, 0.0) for light in lights)
    if not one or not two or one == two:
        return 1.0
    share = (1 / kelvin - 1 / two) / (1 / one - 1 / two)
    return min(max(share, 0.0), 1.0)
