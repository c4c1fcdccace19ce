"""What stands in a shard: the columns of its tables, and what a stored number means."""

import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isptools import sound
from isptools.frame import Matrix

FORMAT = 2  # what is written
READABLE = (1, 2)  # 1 states the recipe in another notation, see isptools.shards.made
KINDS = {3: "rgb", 4: "bayer", 36: "xtrans"}  # CFA positions -> kind of input a shard holds
AXES = {
    "input": "row, height, width",
    "picture": "row, channel, height, width",
    "weight": "row, height, width",
}
TRUST = 255  # stored weight of a pixel that has all of its burst
RGB = 3  # positions of an input that is a finished picture: (row, channel, height, width)
ROOT = (
    "format",
    "data_set",
    "title",
    "licence",
    "redistribution",
    "citation",
    "split",
    "kind",
    "sample",
    "recipe",
    "recipe_sha256",
    "versions",
    "steps",
)
POSITIONS = 0  # a column as long as the CFA has positions


def _column(code: str, *shape: int) -> Any:
    """A field of a row: NumPy code ("S" for text, which is as wide as its longest) and shape."""
    return field(metadata={"code": code, "shape": shape})


def _later(code: str, absent: Any) -> Any:
    """A column that format 2 got later: shards without it are read as if it said `absent`."""
    return field(default=absent, metadata={"code": code, "shape": (), "later": True})


@dataclass(frozen=True, slots=True, kw_only=True)
class InputRow:
    """The facts of one input, row i of /meta, which belongs to row i of /input.

    Digital numbers (DN) and noise stand per CFA position, row by row from the top left pixel (4
    for Bayer, 36 for X-Trans); gains as LibRaw states them, in its order R, G, B, G2. None is a
    fact that nobody stated (NaN, or -1 in a column of integers).
    """

    key: str = _column("S")  # unique in the data set and stable over builds
    scene: str = _column("S")
    restoration: int = _column("i4")  # row of /restoration, -1 for none
    enhancement: int = _column("i4")  # row of /enhancement, -1 for none
    cfa: str = _column("S")  # a letter per position
    black: tuple[float, ...] = _column("f8", POSITIONS)  # DN
    white: float = _column("f8")  # DN at saturation, black still in
    as_shot: tuple[float, ...] = _column("f8", 4)
    daylight: tuple[float, ...] = _column("f8", 4)
    camera_to_srgb: Matrix | None = _column("f8", 3, 3)  # noqa: RUF009 - a field
    xyz_to_camera: Matrix | None = _column("f8", 3, 3)  # noqa: RUF009 - a field
    shot: tuple[float, ...] = _column("f8", POSITIONS)  # variance = shot * x + read
    read: tuple[float, ...] = _column("f8", POSITIONS)  # x = (DN - black) / (white - black)
    noise_origin: str = _column("S")  # "noise_profile", "estimated" or "recipe"
    exposure_s: float | None = _column("f8")  # as the file states it
    iso: float | None = _column("f8")
    aperture: float | None = _column("f8")
    ratio: float | None = _column("f8")  # exposure of the truth over that of the input, limited
    ratio_origin: str = _column("S")  # "manifest" (nominal), "exif", "recipe", or ""
    orientation: int = _column("i4")  # EXIF code; the pixels stand as the sensor has them
    flip: int = _column("i4")  # LibRaw's code for the same
    visible_origin: tuple[int, ...] = _column("i4", 2)  # row, column on the sensor of pixel 0, 0
    active_area: tuple[int, ...] | None = _column("i4", 4)  # top, left, bottom, right on the sensor
    default_crop: tuple[float, ...] | None = _column("f8", 4)  # top, left, height, width
    make: str = _column("S")
    model: str = _column("S")
    source: str = _column("S")  # file, below the data set's root
    source_sha256: str = _column("S")
    ratio_measured: float | None = _later("f8", None)  # robust slope of the truth on the input

    @property
    def truth(self) -> int:
        """Row of its truths: they have the same."""
        return max(self.restoration, self.enhancement)


@dataclass(frozen=True, slots=True, kw_only=True)
class TruthRow:
    """The facts of one truth, row j of /truth_meta, /restoration and /enhancement."""

    key: str = _column("S")
    scene: str = _column("S")
    gains: tuple[float, ...] | None = _column(
        "f8", 4
    )  # white balance that was applied, R, G, B, G2
    white: float = _column("f8")  # DN above black that was taken for full scale
    restoration_low: int = _column("i8")  # values that were clipped to 0 ...
    restoration_high: int = _column("i8")  # ... and to the largest integer when stored
    enhancement_low: int = _column("i8")
    enhancement_high: int = _column("i8")
    exposure_s: float | None = _column("f8")
    iso: float | None = _column("f8")
    aperture: float | None = _column("f8")
    orientation: int = _column("i4")
    flip: int = _column("i4")
    make: str = _column("S")
    model: str = _column("S")
    source: str = _column("S")
    source_sha256: str = _column("S")
    enhanced: str = _column("S")  # the user's own picture, where the enhancement is one
    enhanced_sha256: str = _column("S")
    enhanced_turned: int = _column("i4")  # 1 if it was upright and turned back onto the sensor
    # whose white balance `gains` are: "as_shot", "as_shot_xy" (AsShotWhiteXY), "daylight",
    # "gray_world", "recipe" (its own gains), "" where none was applied
    balance_origin: str = _later("S", "")
    quality_db: float | None = _later("f8", None)  # 10 log10(1 / mean variance of what noise is
    # left in the truth), white is 1
    quality_origin: str = _later("S", "")  # "profile", "frames", "exposure", "measured" or ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairRow:
    """How well input i lies on its truth, row i of /pair; only where two cameras took them."""

    key: str = _column("S")
    correlation: float = _column("f8")  # of luminance, after what is below was taken away
    dx: float = _column("f8")  # pixels that one side's window was shifted against the aligned pair
    dy: float = _column("f8")
    turn_deg: float = _column("f8")
    residual_px: float | None = _column("f8")  # what phase correlation finds left, NaN: nothing to


@dataclass(frozen=True, slots=True, kw_only=True)
class FusionRow:
    """What truth j was fused from, row j of /fusion, beside /weight; only for fused bursts."""

    key: str = _column("S")  # of the truth
    frames: int = _column("i4")  # that were fused, the reference among them
    refused: int = _column("i4")  # frames of the burst that were not
    effective_frames: float = _column("f8")  # mean over the picture of frames' worth of light
    trusted: float = _column("f8")  # share of the pixels whose weight is not 0


TABLES: dict[str, Any] = {
    "meta": InputRow, "truth_meta": TruthRow, "pair": PairRow, "fusion": FusionRow,
}  # fmt: skip
Row = InputRow | TruthRow | PairRow | FusionRow


@dataclass(frozen=True, slots=True)
class Picture:
    """What the numbers of a truth mean: physical value = stored * full_scale / largest."""

    space: str  # the station (`isptools.frame.Space`) it was taken at
    dtype: str  # "uint8", "uint16" or "float32"; a float is stored as it is
    full_scale: float
    note: str
    source: str  # "develop", or "files" for the user's own pictures

    @property
    def largest(self) -> int:
        """The largest integer; 0 for floats."""
        return 0 if self.dtype == "float32" else int(np.iinfo(self.dtype).max)

    @property
    def scale(self) -> float:
        """Multiply a stored number by this to have its physical value."""
        return self.full_scale / self.largest if self.largest else 1.0

    def meaning(self) -> str:
        """How a stored number is turned into its value and back, in words."""
        if not self.largest:
            return "physical values, stored as they are"
        return (
            f"physical value = stored * {self.full_scale!r} / {self.largest}; stored from value * "
            f"{self.largest} / {self.full_scale!r} in float64, rounded half to even, clipped"
        )


@dataclass(frozen=True, slots=True)
class Spec:
    """What one shard is to hold: frames of one shape and one kind of CFA, and their truths."""

    name: str  # of the file
    shape: tuple[int, int]  # height, width
    positions: int  # of the CFA: 4 or 36; 3 for finished pictures
    tile: int
    compression: str  # "bitshuffle-lz4" or "none"
    pictures: Mapping[str, Picture]  # of "restoration" and "enhancement", those that are kept
    attrs: Mapping[str, str | int | bool]  # of the root: the names in ROOT
    dtype: str = "uint16"  # of the inputs
    weighted: bool = False  # truths are fused and have a weight for every pixel


def trust(weight: NDArray[Any]) -> NDArray[np.uint8]:
    """Weights (H, W) from 0 to 1 as they are stored; what is above 0 stays so."""
    stored = np.clip(np.rint(weight * np.float32(TRUST)), weight > 0, TRUST)
    return np.asarray(stored, np.uint8)


def decode(stored: NDArray[Any], picture: Picture) -> NDArray[np.float32]:
    """Stored numbers to physical values, float32 (computed in float64)."""
    if not picture.largest:
        return stored.astype(np.float32)
    out = np.empty(stored.shape, np.float32)
    np.multiply(stored, picture.scale, out=out, dtype=np.float64, casting="unsafe")
    return out


def table(rows: Sequence[Row], positions: int) -> NDArray[Any]:
    """Rows of one type as a structured array; a text column is as wide as its longest entry."""
    names = [column.name for column in fields(rows[0])]
    out = np.zeros(len(rows), _dtype(rows, positions))
    for i, row in enumerate(rows):
        out[i] = tuple(_stored(getattr(row, name), out.dtype[name]) for name in names)
    return out


def _dtype(rows: Sequence[Row], positions: int) -> np.dtype[Any]:
    columns = []
    for column in fields(rows[0]):
        code = column.metadata["code"]
        if code == "S":
            code = f"S{max(1, *(len(getattr(row, column.name).encode()) for row in rows))}"
        columns.append((column.name, code, shape_of(column.metadata, positions)))
    return np.dtype(columns)


def shape_of(metadata: Mapping[Any, Any], positions: int) -> tuple[int, ...]:
    """The shape of a column in a shard whose CFA has so many positions."""
    return tuple(positions if side == POSITIONS else side for side in metadata["shape"])


def _stored(value: Any, dtype: np.dtype[Any]) -> Any:
    if isinstance(value, str):
        return value.encode()
    if value is None:
        return np.full(dtype.shape, -1 if dtype.base.kind == "i" else np.nan)
    if np.shape(value) != dtype.shape:
        raise ValueError(f"{value} does not fit a column of shape {dtype.shape}")
    return value


def plain(value: Any) -> Any:
    """A stored value as it stands in a row: text, number, nested tuples; None where nobody stated
    one."""
    if isinstance(value, bytes):
        return sys.intern(value.decode())
    if np.ndim(value):
        return _shared(value.tobytes(), value.dtype.str, value.shape)
    number = value.item()
    return None if isinstance(number, float) and math.isnan(number) else number


@lru_cache(4096)
def _shared(data: bytes, code: str, shape: tuple[int, ...]) -> Any:
    """Nested tuples of an array; rows of one camera state the same ones, and hold one copy."""
    array = np.frombuffer(data, code).reshape(shape)
    nothing = np.isnan(array) if array.dtype.kind == "f" else array == -1
    return None if array.dtype.kind in "fi" and nothing.all() else _tuples(array.tolist())


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value


def wrong_input(row: InputRow, kind: str) -> Iterator[str]:
    """What of an input's facts makes no sense, in a shard of a kind; written nor read with it."""
    yield from sound.levels(row.black, row.white)
    yield from sound.noise(row.shot, row.read)
    if KINDS.get(len(row.cfa)) != kind:
        yield f"color filters {row.cfa[:40]!r} in a shard of kind {kind}"
        return
    yield from sound.filters(row.cfa)
    if len(row.black or ()) != len(row.cfa):
        yield f"{len(row.black or ())} black levels for {len(row.cfa)} filters"
    for name in ("as_shot", "daylight"):
        yield from sound.gains(name, getattr(row, name))
    for name in ("camera_to_srgb", "xyz_to_camera"):
        yield from sound.matrix(name, getattr(row, name))
    yield from sound.exposure(row.exposure_s, row.iso, row.aperture)
    yield from sound.within("exposure ratio", row.ratio, sound.RATIO)
    yield from sound.turns(row.orientation, row.flip)
    yield from _wrong_texts(row)


def wrong_truth(row: TruthRow) -> Iterator[str]:
    """The same of a truth."""
    if row.white is None or not 0 <= row.white <= sound.DN:  # 0 where it was not developed
        yield f"white {row.white} is not from 0 to {sound.DN}"
    if row.gains is not None:
        yield from sound.gains("applied", row.gains)
    yield from sound.exposure(row.exposure_s, row.iso, row.aperture)
    yield from sound.turns(row.orientation, row.flip)
    yield from _wrong_texts(row)


def _wrong_texts(row: InputRow | TruthRow) -> Iterator[str]:
    for name in ("key", "scene", "source", "make", "model"):
        yield from sound.text(name, getattr(row, name))


def wrong_pair(row: PairRow) -> Iterator[str]:
    """The same of how an input lies on its truth."""
    numbers = (row.correlation, row.dx, row.dy, row.turn_deg, row.residual_px or 0.0)
    if any(value is None or not math.isfinite(value) for value in numbers):
        yield "how the pair lies is not stated in finite numbers"


def wrong_fusion(row: FusionRow) -> Iterator[str]:
    """The same of what a truth was fused from."""
    light, share = row.effective_frames or 0.0, row.trusted
    if row.frames < 1 or not 1 <= light <= sound.DN:
        yield f"{light:g} effective of {row.frames} frames"
    if share is None or not 0 <= share <= 1:
        yield f"a share of {share} of its pixels is trusted"
