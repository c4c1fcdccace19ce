"""A recipe: everything that decides the bytes of a data set, and nothing else."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import msgspec
import numpy as np

from isptools import shipped, sound
from isptools.develop.chain import stations
from isptools.develop.steps import Bin, Step
from isptools.frame import Matrix, Space
from isptools.synth.unprocess import WIDEST, Curve, Law, Line, Profile, Range, Tone, expect_range

# numbers that can stand in a shard, see isptools.sound
Above0 = Annotated[float, msgspec.Meta(gt=0, le=sound.FACTOR)]
Ratio = Annotated[float, msgspec.Meta(gt=0, le=sound.RATIO)]
Level = Annotated[float, msgspec.Meta(ge=0, le=sound.DN)]  # DN
NotBelow0 = Annotated[float, msgspec.Meta(ge=0)]
SINGULAR = 1e-6
OLD = ("manifest", "develop", "pair", "scenes", "restoration", "enhancement")  # words of format 1


class Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A word that nothing knows is an error that names its path."""


# -- where a picture of the shard comes from -----------------------------------------------------


class Kept(Strict, frozen=True, tag="kept", tag_field="from"):
    """The picture that the walk of the truth's frame has at one station."""

    at: Space
    dtype: Literal["uint8", "uint16", "float32"] = "uint16"
    full_scale: Above0 = 1.0  # value that the largest integer stands for
    note: str = ""  # what people must know about it; stored in the shard

    def __post_init__(self) -> None:
        if self.dtype == "float32" and self.full_scale != 1:
            raise ValueError("`full_scale` is of integers: float32 keeps the numbers as they are")


class Published(Strict, frozen=True, tag="published", tag_field="from"):
    """The data set's own finished picture, laid onto the sensor."""

    at: Space = Space.SRGB
    dtype: Literal["uint8", "uint16"] = "uint8"
    note: str = ""
    # pixels: three quarters of the picture's tiles must lie closer to the developed raw
    within: Above0 = 1.0
    # whole pixels by which a picture may be moved until it does; such a one may also be smaller
    # than the raw. Cameras keep to themselves where they cut their pictures out
    reach: Annotated[int, msgspec.Meta(ge=0, le=64)] = 0

    @property
    def full_scale(self) -> float:
        """The value of the largest integer: 1, white."""
        return 1.0


class Own(Strict, frozen=True, tag="own", tag_field="from"):
    """The user's own picture, matched by scene (`--enhanced DIR`); of the other camera of a pair,
    the other camera's."""

    at: Space = Space.SRGB
    dtype: Literal["uint8", "uint16"] = "uint8"
    note: str = ""

    @property
    def full_scale(self) -> float:
        """The value of the largest integer: 1, white."""
        return 1.0


class AsItComes(Strict, frozen=True, tag="as-it-comes", tag_field="from"):
    """A linear truth at every pixel, which the data set has itself; nothing is done to it."""

    note: str = ""

    @property
    def at(self) -> Space:
        """The station: camera RGB."""
        return Space.CAMERA

    @property
    def dtype(self) -> Literal["uint16"]:
        """The type as stored."""
        return "uint16"

    @property
    def full_scale(self) -> float:
        """The value of the largest integer: 1, white."""
        return 1.0


Picture = Kept | Published | Own | AsItComes


# -- what is made of a scene ---------------------------------------------------------------------


class Develop(Strict, frozen=True, tag="develop", tag_field="make"):
    """One walk from the truth's frame; pictures are kept at one or two of its stations."""

    steps: tuple[Step, ...] = ()  # from `sensor` on
    restoration: Kept | AsItComes | None = None
    enhancement: Kept | Published | Own | None = None
    prepare: tuple[Step, ...] = ()  # sensor -> sensor, on every frame (bad pixels)
    fuse: Literal["", "truth", "view"] = ""  # the walk begins at the scene's burst, merged so
    black: Level | None = None  # DN, in place of the files' own
    max_ratio: Ratio = 300.0  # exposure ratio = min(light of the truth / input, max_ratio)
    # relative: an input whose measured ratio is further from the stated one is refused. Nominal
    # times (1/30 s is 1/32 s, 30 s are 32 s), ISO and apertures are off by 14 % together
    ratio_within: Above0 = 0.25

    def __post_init__(self) -> None:
        walk = stations(self.steps)
        if self.restoration is None and self.enhancement is None:
            raise ValueError("a recipe keeps a restoration truth, an enhancement truth, or both")
        for name, picture in self.pictures:
            if isinstance(picture, Kept) and picture.at not in walk:
                reached = ", ".join(walk)
                raise ValueError(f"`{name}` asks for {picture.at}; the steps reach {reached}")
        if any(space is not Space.SENSOR for space in stations(self.prepare)):
            raise ValueError("`prepare` takes only steps that stay at the sensor station")
        if any(isinstance(step, Bin) for step in (*self.steps, *self.prepare[1:])):
            raise ValueError(
                "`bin` is the first step of `prepare`: inputs are binned as truths are"
            )
        if self.linear and (self.steps or self.enhancement or self.fuse):
            raise ValueError(
                "a restoration truth that is kept as it comes is not developed: leave out `steps`, "
                "`enhancement` and `fuse`"
            )

    @property
    def pictures(self) -> Iterator[tuple[str, Picture]]:
        """What is kept, by the name of its dataset."""
        if self.restoration:
            yield "restoration", self.restoration
        if self.enhancement:
            yield "enhancement", self.enhancement

    @property
    def bins(self) -> bool:
        """Whether frames of Quad or Nona Bayer arrays are made Bayer as they are read."""
        return any(isinstance(step, Bin) for step in self.prepare)

    @property
    def repairs(self) -> tuple[Step, ...]:
        """What `prepare` does to a frame that was read."""
        return tuple(step for step in self.prepare if not isinstance(step, Bin))

    @property
    def linear(self) -> bool:
        """Whether the truth of a scene is a linear picture, as it comes."""
        return isinstance(self.restoration, AsItComes)


class Released(Strict, frozen=True, tag="released", tag_field="make"):
    """Patches of two cameras that were published as such: nothing is moved."""

    enhancement: Own = Own()
    patch: Annotated[int, msgspec.Meta(ge=16)] = 100  # side, pixels
    black: Level = 0.0  # of raw patches, DN
    white: Level = 0.0  # of raw patches, DN; 0 means that patches are finished pictures
    cfa: Literal["RGGB", "BGGR", "GRBG", "GBRG"] = "RGGB"  # of raw patches
    keep_flat: bool = False

    def __post_init__(self) -> None:
        if self.black and not self.white > self.black:
            raise ValueError("`white` must be above `black`")

    @property
    def pictures(self) -> Iterator[tuple[str, Picture]]:
        """The truths that are kept, by name."""
        yield "enhancement", self.enhancement


class Align(Strict, frozen=True, tag="align", tag_field="make"):
    """Photographs of two cameras, aligned and cut into patches; see isptools.pair."""

    enhancement: Own = Own()
    patch: Annotated[int, msgspec.Meta(ge=16)] = 100  # side, pixels
    size: tuple[int, int] | None = None  # height, width that both are resampled to
    reference: Literal["coarser", "phone", "dslr"] = "coarser"  # whose pixels stay otherwise
    mosaic: bool = False  # inputs are the phone's raw mosaic; "phone" must be the reference
    offsets: bool = True  # local offsets behind the plane, where they help
    shift_px: Annotated[int, msgspec.Meta(ge=0, le=12)] = 4  # search grid, see accept.Search
    turn_deg: Annotated[float, msgspec.Meta(ge=0, le=3)] = 1.0
    least: Annotated[float, msgspec.Meta(ge=-1, le=1)] = (
        0.9  # correlation above which a patch is kept
    )
    keep_flat: bool = False
    alike: Annotated[int, msgspec.Meta(ge=0, le=64)] = (
        6  # bits of 64 that near-duplicates differ by
    )

    def __post_init__(self) -> None:
        if self.mosaic and self.reference != "phone":
            raise ValueError('`mosaic` keeps the phone\'s raw as it was shot: reference = "phone"')
        if self.mosaic and self.size:
            raise ValueError("`mosaic` keeps the phone's raw as it was shot: leave out `size`")

    @property
    def pictures(self) -> Iterator[tuple[str, Picture]]:
        """The truths that are kept, by name."""
        yield "enhancement", self.enhancement


class Unprocess(Strict, frozen=True, tag="unprocess", tag_field="make", kw_only=True):
    """A finished picture back to raw (isptools.synth.unprocess); its truths are its linear light
    and the picture itself. What its camera was is drawn anew a picture."""

    restoration: Kept | None = Kept(Space.XYZ, full_scale=1.25)
    enhancement: Own | None = Own()
    matrices: tuple[Matrix, ...]  # XYZ (D65) to camera, of cameras that are mixed
    noise: Line | Profile = Line()
    red: Range = (1.9, 2.4)  # white balance gains, least and largest
    blue: Range = (1.5, 1.9)
    brightness: tuple[Above0, NotBelow0] = (0.8, 0.1)  # mean and deviation
    ratio: Range = (1.0, 1.0)  # how many times less light the input has than its truth
    tone: Tone = "smoothstep"
    curve: Curve = "gamma"
    cfa: Literal["RGGB", "BGGR", "GRBG", "GBRG"] = "RGGB"
    black: Annotated[int, msgspec.Meta(ge=0, le=65534)] = 512  # DN
    white: Annotated[int, msgspec.Meta(gt=0, le=65535)] = 16383
    least: Annotated[int, msgspec.Meta(ge=2)] = 128  # pixels a side below which none is taken
    seed: Annotated[int, msgspec.Meta(ge=0)] = 0

    def __post_init__(self) -> None:
        for name in ("red", "blue", "ratio"):
            expect_range(name, getattr(self, name))
        if self.black >= self.white:
            raise ValueError("`white` must be above `black`")
        if self.brightness[0] <= WIDEST * self.brightness[1]:
            raise ValueError("`brightness`: its mean must be above three times its deviation")
        if any(abs(np.linalg.det(np.array(one))) < SINGULAR for one in self.matrices):
            raise ValueError("`matrices`: one of them has no inverse")
        if self.restoration is None and self.enhancement is None:
            raise ValueError("a recipe keeps a restoration truth, an enhancement truth, or both")
        if self.restoration and self.restoration.at is not Space.XYZ:
            raise ValueError("the `restoration` of a picture that is made raw stands at xyz")

    @property
    def law(self) -> Law:
        """From what a picture's camera is drawn."""
        return Law(**{name: getattr(self, name) for name in Law.__struct_fields__})

    @property
    def pictures(self) -> Iterator[tuple[str, Picture]]:
        """The truths that are kept, by name."""
        if self.restoration:
            yield "restoration", self.restoration
        if self.enhancement:
            yield "enhancement", self.enhancement


class Storage(Strict, frozen=True):
    """How shards are cut and packed."""

    scenes_per_shard: Annotated[int, msgspec.Meta(gt=0)] = 4
    # side of the square chunks; a multiple of 6 keeps every CFA phase
    tile: Annotated[int, msgspec.Meta(gt=0)] = 252
    compression: Literal["bitshuffle-lz4", "none"] = "bitshuffle-lz4"


Maker = Develop | Released | Align | Unprocess


class Recipe(Strict, frozen=True):
    """One strict TOML. Workers, folders and verbosity are not in it: they change no bytes."""

    name: str
    title: str
    source: dict[str, Any]  # data_set, and the words of its room; see isptools.datasets.opened
    truth: Maker
    storage: Storage = Storage()
    limit: Annotated[int, msgspec.Meta(gt=0)] | None = None  # scenes per split; None means all
    sample: bool = False  # made from the embedded miniature, not from photographs

    def __post_init__(self) -> None:
        if not isinstance(self.source.get("data_set"), str):
            raise ValueError('`source` names a data set: data_set = "..."')

    @property
    def data_set(self) -> str:
        """The name or the folder of the data set."""
        return str(self.source["data_set"])

    @classmethod
    def load(cls, name: str | Path) -> Self:
        """Read a recipe by shipped name or by path; a ValueError in one line if wrong."""
        path = find(name)
        data = path.read_bytes()
        try:
            return msgspec.toml.decode(data, type=cls)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ValueError(f"{path}: {error}{_hint(path, data)}") from None
        except RecursionError:
            raise ValueError(f"{path}: it is nested too deep") from None

    def small(self, limit: int) -> Self:
        """The same recipe over a few scenes a split, for a first run; it has another hash."""
        return msgspec.structs.replace(self, limit=limit)

    def to_json(self) -> bytes:
        """Canonical text: what the shard stores and what the hash covers."""
        return msgspec.json.encode(self, order="deterministic")

    @property
    def sha256(self) -> str:
        """Of `to_json`, in hexadecimal: what tells recipes apart."""
        return hashlib.sha256(self.to_json()).hexdigest()


def find(name: str | Path) -> Path:
    """The file of a recipe, given its path or its shipped name. ValueError where there is none."""
    path = Path(name)
    if path.suffix == ".toml":
        if not path.is_file():
            raise ValueError(f"{path}: there is no such file")
        return path
    shipped_file = shipped.folder("recipes") / f"{name}.toml"
    if shipped_file.is_file():
        return shipped_file
    known = ", ".join(sorted(file.stem for file in shipped.folder("recipes").glob("*.toml")))
    raise ValueError(f"no recipe {str(name)!r}: give a .toml file or one of {known}")


def _hint(path: Path, data: bytes) -> str:
    """What to do about a recipe in the words of format 1."""
    try:
        words = msgspec.toml.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""
    if not any(word in words for word in OLD):
        return ""
    return f"; it is in the notation before 0.2: isptools recipes --convert {path} prints today's"
