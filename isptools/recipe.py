"""A recipe: everything that decides the bytes of a data set, and nothing else."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import msgspec

from isptools import shipped
from isptools.develop.chain import stations
from isptools.develop.steps import Step
from isptools.frame import Space

Above0 = Annotated[float, msgspec.Meta(gt=0, le=1e9)]  # NaN and inf are neither
NotBelow0 = Annotated[float, msgspec.Meta(ge=0, le=1e9)]
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
        return 1.0


class Own(Strict, frozen=True, tag="own", tag_field="from"):
    """The user's own picture, matched by scene (`--enhanced DIR`); of the other camera of a pair,
    the other camera's."""

    at: Space = Space.SRGB
    dtype: Literal["uint8", "uint16"] = "uint8"
    note: str = ""

    @property
    def full_scale(self) -> float:
        return 1.0


class AsItComes(Strict, frozen=True, tag="as-it-comes", tag_field="from"):
    """A linear truth at every pixel, which the data set has itself; nothing is done to it."""

    note: str = ""

    @property
    def at(self) -> Space:
        return Space.CAMERA

    @property
    def dtype(self) -> Literal["uint16"]:
        return "uint16"

    @property
    def full_scale(self) -> float:
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
    black: NotBelow0 | None = None  # DN, in place of the files' own
    max_ratio: Above0 = 300.0  # exposure ratio = min(light of the truth / input, max_ratio)

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
    def linear(self) -> bool:
        """Whether the truth of a scene is a linear picture, as it comes."""
        return isinstance(self.restoration, AsItComes)


class Released(Strict, frozen=True, tag="released", tag_field="make"):
    """Patches of two cameras that were published as such: nothing is moved."""

    enhancement: Own = Own()
    patch: Annotated[int, msgspec.Meta(ge=16)] = 100  # side, pixels
    black: NotBelow0 = 0.0  # of raw patches, DN
    white: NotBelow0 = 0.0  # of raw patches, DN; 0 means that patches are finished pictures
    cfa: Literal["RGGB", "BGGR", "GRBG", "GBRG"] = "RGGB"  # of raw patches
    keep_flat: bool = False

    def __post_init__(self) -> None:
        if self.black and not self.white > self.black:
            raise ValueError("`white` must be above `black`")

    @property
    def pictures(self) -> Iterator[tuple[str, Picture]]:
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
    least: float = 0.9  # correlation above which a patch is kept
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
        yield "enhancement", self.enhancement


class Storage(Strict, frozen=True):
    """How shards are cut and packed."""

    scenes_per_shard: Annotated[int, msgspec.Meta(gt=0)] = 4
    # side of the square chunks; a multiple of 6 keeps every CFA phase
    tile: Annotated[int, msgspec.Meta(gt=0)] = 252
    compression: Literal["bitshuffle-lz4", "none"] = "bitshuffle-lz4"


class Recipe(Strict, frozen=True):
    """One strict TOML. Workers, folders and verbosity are not in it: they change no bytes."""

    name: str
    title: str
    source: dict[str, Any]  # data_set, and the words of its room; see isptools.datasets.opened
    truth: Develop | Released | Align
    storage: Storage = Storage()
    limit: Annotated[int, msgspec.Meta(gt=0)] | None = None  # scenes per split; None means all
    sample: bool = False  # made from the embedded miniature, not from photographs

    def __post_init__(self) -> None:
        if not isinstance(self.source.get("data_set"), str):
            raise ValueError('`source` names a data set: data_set = "..."')

    @property
    def data_set(self) -> str:
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
        return hashlib.sha256(self.to_json()).hexdigest()


def find(name: str | Path) -> Path:
    """The file of a recipe, given its path or its shipped name."""
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
