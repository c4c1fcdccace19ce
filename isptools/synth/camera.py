"""The inverse of the light path: a linear scene to the numbers of a sensor.

What the chain does to a mosaic, undone in the opposite order: linear sRGB to balanced camera RGB
by the inverse of the camera's matrix, the as-shot gains divided out, one color kept per pixel,
scaled to electrons, noise, black added, rounded and clipped.
"""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from isptools.frame import Capture, Frame, Kind, Matrix, Space
from isptools.raw.color import XYZ_FROM_SRGB

FLIPS = {1: 0, 3: 3, 6: 6, 8: 5}  # LibRaw's code of an EXIF orientation
D65 = 21


@dataclass(frozen=True)
class Camera:
    """A camera that does not exist: color and levels of a real one, a noise model of our own."""

    make: str
    model: str
    kind: Kind
    cfa: str  # letters row by row: 4 or 36
    black: float  # DN; LibRaw takes the integer part
    white: int  # DN at saturation, black still in
    xyz_to_camera: Matrix  # D65
    full_well: float  # electrons that reach white at ISO 100
    read_electrons: float  # standard deviation of what is added before amplification
    read_dn: float  # standard deviation, DN, of what is added behind it

    @property
    def span(self) -> float:
        """DN from black to saturation."""
        return self.white - self.black

    def dn_per_electron(self, iso: float) -> float:
        """How many digital numbers an electron makes at an ISO."""
        return self.span * iso / (100.0 * self.full_well)

    def noise_profile(self, iso: float) -> tuple[float, float]:
        """(S, O) of DNG's NoiseProfile: variance S * x + O of x = (DN - black) / (white - black).

        O holds the 1/12 DN^2 that rounding adds.
        """
        k = self.dn_per_electron(iso)
        read = (self.read_electrons * k) ** 2 + self.read_dn**2 + 1.0 / 12.0
        return k / self.span, read / self.span**2


SONY = Camera(
    make="isptools",
    model="Miniature Sony",
    kind="bayer",
    cfa="RGGB",
    black=512,
    white=16383,
    xyz_to_camera=(
        (0.5838, -0.1430, -0.0246), (-0.3497, 1.1477, 0.2297), (-0.0748, 0.1885, 0.5778),
    ),
    full_well=150_000.0,
    read_electrons=1.5,
    read_dn=2.0,
)  # fmt: skip

FUJI = Camera(
    make="isptools",
    model="Miniature Fuji",
    kind="xtrans",
    cfa="RBGBRG" "GGRGGB" "GGBGGR" "BRGRBG" "GGBGGR" "GGRGGB",
    black=1024,
    white=16383,
    xyz_to_camera=(
        (1.1434, -0.4948, -0.1210), (-0.3746, 1.2042, 0.1903), (-0.0666, 0.1479, 0.5235),
    ),
    full_well=80_000.0,
    read_electrons=1.5,
    read_dn=2.0,
)  # fmt: skip

PHONE = Camera(
    make="isptools",
    model="Miniature Nexus 6P",
    kind="bayer",
    cfa="RGGB",
    black=64,
    white=1023,
    xyz_to_camera=(
        (0.8421, -0.2712, -0.0987), (-0.3105, 1.1286, 0.2038), (-0.0412, 0.1533, 0.5261),
    ),
    full_well=9000.0,
    read_electrons=2.5,
    read_dn=0.8,
)  # fmt: skip


@dataclass(frozen=True)
class Exposure:
    """What is set at the camera for one picture."""

    seconds: float
    scene_seconds: float  # the exposure at which a white of 1.0 reaches saturation in green
    iso: float
    gains: tuple[float, float, float]  # as-shot R, G, B that make the scene's white neutral
    orientation: int = 1
    aperture: float = 8.0


def expose(scene: NDArray[np.float32], camera: Camera, exposure: Exposure, rng: Generator) -> Frame:
    """Photograph linear sRGB (H, W, 3) as it falls on the sensor: a SENSOR frame (H, W) uint16.

    Photons are Poisson distributed, reading adds a Gaussian; nothing else is modelled (no hot
    pixels, no fixed pattern, no dark current, no optics). With the same `rng` the result depends
    only on numpy's Poisson and normal generators and on arithmetic that IEEE 754 fixes.
    """
    k = camera.dn_per_electron(exposure.iso)
    signal = expected(scene, camera, exposure)
    photons = rng.poisson(signal * camera.span / k)
    electrons = photons + camera.read_electrons * rng.standard_normal(signal.shape)
    numbers = electrons * k + camera.read_dn * rng.standard_normal(signal.shape)
    pixels = np.clip(np.rint(numbers + camera.black), 0, camera.white).astype(np.uint16)
    return Frame(pixels, Space.SENSOR, _capture(camera, exposure))


def expected(scene: NDArray[np.float32], camera: Camera, exposure: Exposure) -> NDArray[np.float64]:
    """The mosaic without noise, black or clipping: (H, W) float64, 1.0 is saturation."""
    color = product(scene.astype(np.float64), camera_from_srgb(camera.xyz_to_camera))
    color /= np.array(exposure.gains) / min(exposure.gains)
    color *= exposure.seconds / exposure.scene_seconds
    return np.maximum(np.take_along_axis(color, cfa_indices(camera, scene.shape), 2)[..., 0], 0.0)


def cfa_indices(camera: Camera, shape: tuple[int, ...]) -> NDArray[np.intp]:
    """Which color (0, 1, 2) each pixel has: (H, W, 1)."""
    side = 6 if camera.kind == "xtrans" else 2
    pattern = np.array(["RGB".index(letter) for letter in camera.cfa]).reshape(side, side)
    rows, columns = np.arange(shape[0]) % side, np.arange(shape[1]) % side
    return pattern[rows[:, None], columns][..., None]


def camera_from_srgb(xyz_to_camera: Matrix) -> NDArray[np.float64]:
    """Linear sRGB to balanced camera RGB, 3x3; the rows add up to 1, so white stays white."""
    matrix = product(np.array(xyz_to_camera), XYZ_FROM_SRGB.T)
    sums = matrix[:, 0] + matrix[:, 1] + matrix[:, 2]
    return np.asarray(matrix / sums[:, None])


def product(colors: NDArray[np.float64], matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """colors @ matrix.T, summed in one fixed order (BLAS picks its own by machine)."""
    parts = [colors[..., i, None] * matrix[:, i] for i in range(3)]
    return np.asarray(parts[0] + parts[1] + parts[2])


def _capture(camera: Camera, exposure: Exposure) -> Capture:
    positions = len(camera.cfa)
    red, green, blue = exposure.gains
    neutral = product(np.array(camera.xyz_to_camera), XYZ_FROM_SRGB.T).sum(axis=1)
    day = [float(1.0 / value) for value in neutral]
    return Capture(
        kind=camera.kind,
        cfa=camera.cfa,
        black=(float(camera.black),) * positions,
        black_libraw=(int(camera.black),) * positions,
        white=camera.white,
        as_shot=(red, green, blue, 0.0),
        daylight=(day[0], day[1], day[2], day[1]),
        make=camera.make,
        model=camera.model,
        xyz_to_camera=camera.xyz_to_camera,
        color_matrix_1=camera.xyz_to_camera,
        illuminant_1=D65,
        noise_profile=(camera.noise_profile(exposure.iso),),
        exposure_s=exposure.seconds,
        iso=exposure.iso,
        aperture=exposure.aperture,
        orientation=exposure.orientation,
        flip=FLIPS[exposure.orientation],
    )
