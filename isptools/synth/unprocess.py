"""A finished picture back to what a sensor saw (Brooks et al. 2019, Unprocessing Images for Learned
Raw Denoising), and the way there again.

Each step has its mirror: forward undoes inverse where nothing clips and no highlight was kept.
Colors are (..., 3) float64. The paper's symbols stand in the docstrings.
"""

import math
from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from isptools.frame import Matrix
from isptools.synth.camera import camera_from_srgb, product

F64 = NDArray[np.float64]
Above0 = Annotated[float, msgspec.Meta(gt=0)]
NotBelow0 = Annotated[float, msgspec.Meta(ge=0)]
Range = tuple[Above0, Above0]
Tone = Literal["smoothstep", "none"]
Curve = Literal["gamma", "srgb"]
GAMMA, DARKEST = 2.2, 1e-8  # of the paper's curve
INFLECTION = 0.9  # gray above which highlights keep their light
WIDEST = 3.0  # deviations at which what is drawn from a normal distribution is cut off


class Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A word that nothing knows is an error that names its path."""


class Line(Strict, frozen=True, tag="line", tag_field="from"):
    """Noise of many cameras and ISO: log shot is uniform, log read is normal around a line of it.

    The defaults are the paper's: log read ~ N(2.18 log shot + 1.20, 0.26).
    """

    shot: Range = (1e-4, 1.2e-2)
    slope: float = 2.18
    offset: float = 1.20
    deviation: NotBelow0 = 0.26

    def __post_init__(self) -> None:
        expect_range("shot", self.shot)

    def drawn(self, rng: Generator) -> tuple[float, float]:
        """Shot and read, variance = shot * x + read."""
        logs = math.log(self.shot[0]), math.log(self.shot[1])
        shot = rng.uniform(*logs)
        read = self.slope * shot + self.offset + self.deviation * rng.standard_normal()
        return math.exp(shot), math.exp(read)


class Profile(Strict, frozen=True, tag="profile", tag_field="from"):
    """Noise of one camera: a pair (shot, read) an ISO, as DNG's NoiseProfile states them."""

    pairs: Annotated[tuple[tuple[NotBelow0, NotBelow0], ...], msgspec.Meta(min_length=1)]

    def drawn(self, rng: Generator) -> tuple[float, float]:
        """One of the pairs."""
        return self.pairs[int(rng.integers(len(self.pairs)))]


class Law(Strict, frozen=True):
    """From what a picture's camera and light are drawn; ranges are (least, largest)."""

    matrices: Annotated[tuple[Matrix, ...], msgspec.Meta(min_length=1)]  # XYZ (D65) to camera
    noise: Line | Profile
    red: Range  # white balance gains, green 1
    blue: Range
    brightness: tuple[Above0, NotBelow0]  # mean and deviation of the light that is left
    ratio: Range  # how many times less light than that the input had, uniform in its logarithm


@dataclass(frozen=True, slots=True)
class Taken:
    """How a picture is said to have been taken."""

    xyz_to_camera: Matrix
    red: float
    blue: float
    brightness: float
    ratio: float
    shot: float  # variance of the noise = shot * x + read
    read: float

    @property
    def gains(self) -> F64:
        """White balance R, G, B."""
        return np.array((self.red, 1.0, self.blue))

    @property
    def gain(self) -> float:
        """By which the input is made as bright as the picture."""
        return self.ratio / self.brightness


def expect_range(name: str, values: tuple[float, float]) -> None:
    """ValueError where the first is above the second."""
    if values[0] > values[1]:
        raise ValueError(f"`{name}` is (least, largest), not {values}")


def drawn(law: Law, rng: Generator) -> Taken:
    """A camera, its light and its noise."""
    weights = rng.uniform(size=len(law.matrices))
    red, blue = rng.uniform(*law.red), rng.uniform(*law.blue)
    mean, deviation = law.brightness
    brightness = mean + deviation * float(np.clip(rng.standard_normal(), -WIDEST, WIDEST))
    ratio = math.exp(rng.uniform(math.log(law.ratio[0]), math.log(law.ratio[1])))
    return Taken(mixed(law.matrices, weights), red, blue, brightness, ratio, *law.noise.drawn(rng))


def mixed(matrices: tuple[Matrix, ...], weights: F64) -> Matrix:
    """A convex combination of color matrices."""
    total = sum(weight * np.array(one) for weight, one in zip(weights, matrices, strict=True))
    mean = np.asarray(total) / weights.sum()
    return tuple(tuple(float(value) for value in row) for row in mean)


# -- steps and their mirrors -----------------------------------------------------------------------


def toned(x: F64) -> F64:
    """smoothstep(x) = 3 x^2 - 2 x^3, 0 to 1 (the paper's tone curve)."""
    return x * x * (3 - 2 * x)


def untoned(y: F64) -> F64:
    """smoothstep^-1(y) = 1/2 - sin(arcsin(1 - 2 y) / 3)."""
    return np.asarray(0.5 - np.sin(np.arcsin(1 - 2 * np.clip(y, 0, 1)) / 3))


def encoded(x: F64, curve: Curve = "gamma") -> F64:
    """Gamma(x) = max(x, 1e-8)^(1 / 2.2), or sRGB's curve."""
    if curve == "gamma":
        return np.asarray(np.maximum(x, DARKEST) ** (1 / GAMMA))
    return np.where(x <= 0.0031308, 12.92 * x, 1.055 * np.maximum(x, 0.003) ** (1 / 2.4) - 0.055)


def decoded(y: F64, curve: Curve = "gamma") -> F64:
    """Gamma^-1(y) = max(y, 1e-8)^2.2, or the inverse of sRGB's curve."""
    if curve == "gamma":
        return np.asarray(np.maximum(y, DARKEST) ** GAMMA)
    return np.where(y <= 0.04045, y / 12.92, ((np.maximum(y, 0.04) + 0.055) / 1.055) ** 2.4)


def unbalanced(color: F64, taken: Taken) -> F64:
    """Gains undone with highlights kept: f(x) = max(x / g, (1 - a) x / g + a x).

    a = (max(mean of x - 0.9, 0) / 0.1)^2, so that a white stays as bright as saturation.
    """
    inverse = taken.brightness / taken.gains
    gray = color.mean(-1, keepdims=True)
    mask = (np.maximum(gray - INFLECTION, 0) / (1 - INFLECTION)) ** 2
    return np.asarray(color * np.maximum(mask + (1 - mask) * inverse, inverse))


def balanced(color: F64, taken: Taken) -> F64:
    """Gains applied; no highlight is told from another color."""
    return np.asarray(color * (taken.gains / taken.brightness))


# -- the whole way ---------------------------------------------------------------------------------


def levels(largest: int, tone: Tone, curve: Curve) -> F64:
    """Linear light of every integer that a finished picture can hold."""
    y = np.arange(largest + 1) / largest
    return decoded(untoned(y) if tone == "smoothstep" else y, curve)


def light(linear: F64, taken: Taken) -> F64:
    """Linear sRGB to what a sensor saw at every pixel: 1 is saturation, the ratio is not in it."""
    camera = product(linear, camera_from_srgb(taken.xyz_to_camera))
    return np.asarray(np.clip(unbalanced(camera, taken), 0, 1))


def finished(seen: F64, taken: Taken, tone: Tone, curve: Curve) -> F64:
    """The mirror of it all, from what a sensor saw at every pixel to the picture."""
    inverse: F64 = np.linalg.inv(camera_from_srgb(taken.xyz_to_camera)).astype(np.float64)
    linear = np.clip(product(balanced(seen, taken), inverse), 0, 1)
    picture = encoded(linear, curve)
    return toned(np.clip(picture, 0, 1)) if tone == "smoothstep" else picture


def sifted(seen: F64, cfa: str) -> F64:
    """One color a pixel, (H, W), of (H, W, 3)."""
    mosaic = np.empty(seen.shape[:2])
    for i, letter in enumerate(cfa):
        at = slice(i // 2, None, 2), slice(i % 2, None, 2)
        mosaic[at] = seen[(*at, "RGB".index(letter))]
    return mosaic


def noisy(mosaic: F64, taken: Taken, rng: Generator) -> F64:
    """With shot and read noise, a Gaussian of variance shot * x + read."""
    spread = np.sqrt(taken.shot * mosaic + taken.read)
    return np.asarray(mosaic + spread * rng.standard_normal(mosaic.shape))
