"""Methods that need no training: renderings of a raw, and a raw's neighbors."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from isptools.build import lineup
from isptools.develop import steps as s
from isptools.develop.chain import develop
from isptools.frame import Array, Capture, Frame, Space, UnsupportedError
from isptools.shards.schema import InputRow

# digital numbers, what the file states, its row -> (H, W, 3) uint16, or None where there is none
Method = Callable[[Array, Capture, InputRow], "Array | None"]
ONES = s.Balance("user", (1.0, 1.0, 1.0, 1.0))
LIBRAW = (s.Levels(0.75), s.Balance("daylight"), s.Demosaic(), s.ToSpace("srgb"),
          s.Encode(auto_bright=True))  # fmt: skip
TONED = (s.ToXYZ(), s.AutoTone())
SIGMA = 1.0  # pixels, of the Gaussian
STRENGTH = 2600.0  # of non-local means, of 65535


def named(name: str, camera: Path | None = None) -> Method:
    """The method of this name; `camera` is the folder of the camera's own JPEGs.

    ValueError in one line for a name that is none, or where the method lacks something.
    """
    if name == "camera-jpeg":
        if camera is None:
            raise ValueError("needs the camera's own JPEGs: --camera FOLDER")
        return camera_jpeg(camera, lambda _: None)
    if name not in METHODS:
        raise ValueError(f"no method {name!r}; there are {', '.join(NAMES)}")
    return METHODS[name]


def rendering(*steps: s.Step) -> Method:
    """The chain through these steps."""

    def render(pixels: Array, capture: Capture, _: InputRow) -> Array:
        return develop(Frame(pixels, Space.SENSOR, capture), steps).pixels

    return render


def demosaicked(method: str, denoise: Callable[[Array], Array] | None = None) -> Method:
    """Malvar's or Menon's demosaicking by colour-demosaicing, denoised, then auto-tone.

    A function of a mosaic (H, W) uint16 to sRGB (H, W, 3) uint16.
    """

    def render(pixels: Array, capture: Capture, _: InputRow) -> Array:
        start = develop(Frame(pixels, Space.SENSOR, capture), (s.Levels(), s.Balance()))
        camera = Frame(_peer(method, start), Space.CAMERA, start.capture)
        shown = develop(camera, TONED).pixels
        return denoise(shown) if denoise else shown

    return render


def linear(method: str) -> Method:
    """The same demosaicking in linear camera RGB, as the chain's own `linear` rows."""

    def render(pixels: Array, capture: Capture, _: InputRow) -> Array:
        return _peer(method, develop(Frame(pixels, Space.SENSOR, capture), (s.Levels(), ONES)))

    return render


def _peer(method: str, frame: Frame) -> Array:
    try:
        import colour_demosaicing  # noqa: PLC0415 - an extra of its own
    except ImportError:
        how = "in isptools' own folder, pip install '.[bench]'"
        raise ValueError(f"this needs colour-demosaicing: {how}") from None
    function: Any = getattr(colour_demosaicing, f"demosaicing_CFA_Bayer_{method}")
    light = np.asarray(function(np.asarray(frame.pixels, np.float64) / 65535, frame.capture.cfa))
    out: NDArray[np.uint16] = np.rint(np.clip(light, 0, 1) * 65535).astype(np.uint16)
    return out


def gaussian(picture: Array) -> Array:
    """(H, W, 3) uint16, each channel behind a Gaussian of SIGMA."""
    return np.asarray(cv2.GaussianBlur(np.asarray(picture, np.uint16), (0, 0), SIGMA))


def non_local_means(picture: Array) -> Array:
    """(H, W, 3) uint16 by OpenCV's non-local means (Buades et al. 2005), L1 over 16 bits."""
    pixels = np.ascontiguousarray(picture, np.uint16)
    strength = [STRENGTH] * 3
    return np.asarray(cv2.fastNlMeansDenoising(pixels, strength, None, 5, 15, cv2.NORM_L1))


def camera_jpeg(folder: Path, tell: Callable[[str], None]) -> Method:
    """The camera's JPEG of a raw, laid onto the sensor; where it does not lie there None, told."""
    files = {path.stem.lower(): path for path in sorted(folder.iterdir())
             if path.suffix.lower() in {".jpg", ".jpeg"}}  # fmt: skip

    def render(pixels: Array, capture: Capture, facts: InputRow) -> Array | None:
        path = files.get(Path(facts.source).stem.lower())
        try:
            if path is None:
                raise UnsupportedError("no camera JPEG of that name")
            toned = METHODS["auto-tone"](pixels, capture, facts)
            picture = lineup.laid_picture(path, np.asarray(toned), capture).pixels
        except (UnsupportedError, lineup.MisfitError) as error:
            tell(f"{facts.key}: {error}; left out")
            return None
        return picture.astype(np.uint16) * (257 if picture.dtype.itemsize == 1 else 1)

    return render


def itself(pixels: Array, _: Capture, facts: InputRow) -> Array:
    """A finished picture as it went in, (3, H, W), to (H, W, 3) uint16. ValueError for a mosaic."""
    if pixels.ndim != 3:
        raise ValueError("`input` is for shards of finished pictures")
    whole = 65535 // int(facts.white)  # 8 bits or 16
    return np.asarray(pixels.transpose(1, 2, 0), np.uint16) * np.uint16(whole)


METHODS: dict[str, Method] = {
    "auto-tone": rendering(s.Levels(), s.Balance(), s.Demosaic(), *TONED),
    "libraw": rendering(*LIBRAW),
    "bilinear": rendering(s.Levels(), ONES, s.Demosaic("linear")),
    "ahd": rendering(s.Levels(), ONES, s.Demosaic("ahd")),
    "malvar": linear("Malvar2004"),
    "menon": linear("Menon2007"),
    "malvar-gaussian": demosaicked("Malvar2004", gaussian),
    "menon-gaussian": demosaicked("Menon2007", gaussian),
    "menon-nlm": demosaicked("Menon2007", non_local_means),
    "input": itself,
}
NAMES = (*METHODS, "camera-jpeg", "truth")  # the last one behind a JPEG
