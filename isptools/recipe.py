"""A recipe: everything that decides the bytes of a data set, and nothing else."""

import hashlib
from pathlib import Path
from typing import Annotated, Literal, Self

import msgspec

from isptools import shipped
from isptools.develop.chain import stations
from isptools.develop.steps import Step
from isptools.frame import Space

Share = Annotated[float, msgspec.Meta(ge=0)]


class Truth(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is kept of the walk: the picture at one station, as integers or floats on disk."""

    at: Space
    dtype: Literal["uint8", "uint16", "float32"] = "uint16"
    full_scale: Annotated[float, msgspec.Meta(gt=0)] = (
        1.0  # value that the largest integer stands for
    )
    # "files": the user's own, matched by scene; "published": the data set's own picture (of a
    # restoration: the scene's truth, a linear picture as it comes)
    source: Literal["develop", "files", "published"] = "develop"
    note: str = ""  # what people must know about it; stored in the shard
    # pixels: three quarters of a published picture's tiles must lie closer to the developed raw
    within: Annotated[float, msgspec.Meta(gt=0)] = 1.0
    # whole pixels by which a published picture may be moved until it does; such a one may also be
    # smaller than the raw. Cameras keep to themselves where they cut their pictures out
    reach: Annotated[int, msgspec.Meta(ge=0, le=64)] = 0


class Pairing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How pictures of two cameras become pairs of patches; see isptools.pair."""

    source: Literal["patches", "photographs"]  # released patches as they come, or full pictures
    patch: Annotated[int, msgspec.Meta(ge=16)] = 100  # side, pixels
    rules: tuple[str, ...] = ()  # of the manifest; none takes all
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
    black: float = 0.0  # of released raw patches, DN
    white: float = 0.0  # of released raw patches, DN; 0 means that patches are finished pictures
    cfa: str = "RGGB"  # of released raw patches

    def __post_init__(self) -> None:
        if self.mosaic and self.reference != "phone":
            raise ValueError('`mosaic` keeps the phone\'s raw as it was shot: reference = "phone"')
        if self.mosaic and self.size:
            raise ValueError("`mosaic` keeps the phone's raw as it was shot: leave out `size`")
        if self.white and not self.white > self.black:
            raise ValueError("`white` must be above `black`")
        if self.white and sorted(self.cfa) != sorted("RGGB"):
            raise ValueError("`cfa` is one of RGGB, BGGR, GRBG, GBRG, row by row")


class Scenes(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which scenes of FiveK or S7-ISP, which of their files, and how they are split."""

    cameras: tuple[str, ...] = ()  # "Make Model" as the manifest's index has it; () takes all
    published: str = (
        ""  # a published list of the manifest: its scenes (S7-ISP: all), and its splits
    )
    # train, val, test of what no list settles, scaled to what there is: by the hash of the name
    shares: tuple[Share, Share, Share] = (1, 0, 0)
    each: Annotated[int, msgspec.Meta(gt=0)] | None = None  # scenes of a camera, by the same hash
    expert: Literal["a", "b", "c", "d", "e"] = "c"  # of FiveK, where a published picture is kept
    input: Literal["short", "medium"] = "short"  # of S7-ISP: the dark raw, or the well-lit one

    def __post_init__(self) -> None:
        if not sum(self.shares):
            raise ValueError("`shares` of train, val and test must not all be 0")


class Recipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One strict TOML. Workers, folders and verbosity are not in it: they change no bytes."""

    name: str
    title: str
    manifest: str
    develop: tuple[Step, ...] = ()  # the walk of the truth frame, from `sensor` on
    restoration: Truth | None = None
    enhancement: Truth | None = None
    prepare: tuple[Step, ...] = ()  # sensor -> sensor steps on every frame (bad pixels)
    pairs: Literal["all", "first", "one-per-scene"] = "all"
    input: Literal["reference", "burst"] = "reference"  # of a burst: its reference, or all frames
    truth: Literal["file", "fused"] = "file"  # of a burst: the published raw, or our own fusion
    fusion: Literal["truth", "view"] = "truth"  # which merge a fused truth takes
    results: str = ""  # of HDR+: the folder of published results
    black: Annotated[float, msgspec.Meta(ge=0)] | None = None  # DN, in place of the files' own
    scenes: Scenes | None = None  # of data sets that an index or a rule divides
    parts: tuple[
        str, ...
    ] = ()  # names of the manifest's rules that are taken, in MSR; () takes all
    models: tuple[str, ...] = ()  # parts of the camera's name a burst must state; () takes all
    val: Literal["own", "train"] = "own"  # "train": the validation scenes join the training split
    exclude: tuple[str, ...] = ()  # names of exclusion lists of the manifest
    max_ratio: float = 300.0  # exposure ratio = min(truth / input, max_ratio)
    scenes_per_shard: Annotated[int, msgspec.Meta(gt=0)] = 4
    tile: Annotated[int, msgspec.Meta(gt=0)] = (
        252  # side of the square chunks; a multiple of 6 keeps every CFA phase
    )
    compression: Literal["bitshuffle-lz4", "none"] = "bitshuffle-lz4"
    limit: int | None = None  # scenes per split; None means all
    pair: Pairing | None = None  # where two cameras took input and truth
    sample: bool = False  # made from the embedded miniature, not from photographs

    def __post_init__(self) -> None:
        walk = stations(self.develop)
        if self.restoration is None and self.enhancement is None:
            raise ValueError("a recipe keeps a restoration truth, an enhancement truth, or both")
        if self.restoration and self.restoration.source == "files":
            raise ValueError("a restoration truth can't come of your own files")
        for truth in (self.restoration, self.enhancement):
            if truth and truth.source == "develop" and truth.at not in walk:
                raise ValueError(f"truth asks for {truth.at}; the steps reach {', '.join(walk)}")
        if self.published:
            self._expect_published()
        if self.pair and (self.enhancement is None or self.restoration or self.develop):
            raise ValueError("a recipe of pairs keeps the other camera's picture as enhancement")
        if any(space is not Space.SENSOR for space in stations(self.prepare)):
            raise ValueError("`prepare` takes only steps that stay at the sensor station")

    @property
    def published(self) -> bool:
        """Whether the truth of a scene is a linear picture, as it comes."""
        return self.restoration is not None and self.restoration.source == "published"

    def _expect_published(self) -> None:
        truth = self.restoration
        if self.develop or self.enhancement or self.pair or self.truth == "fused":
            raise ValueError(
                "a published restoration truth is kept as it comes: leave out `develop`, "
                "[enhancement], [pair] and fusion"
            )
        if truth and (truth.at, truth.dtype, truth.full_scale) != (Space.CAMERA, "uint16", 1.0):
            raise ValueError(
                'a published restoration truth stands at = "camera", as uint16 of full_scale 1.0'
            )

    @classmethod
    def load(cls, name: str | Path) -> Self:
        """Read a recipe by shipped name (`sid`) or by path; a ValueError in one line if wrong."""
        path = find(name)
        try:
            return msgspec.toml.decode(path.read_bytes(), type=cls)
        except msgspec.DecodeError as error:
            raise ValueError(f"{path}: {error}") from None

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
    if path.suffix == ".toml" and path.is_file():
        return path
    shipped_file = shipped.folder("recipes") / f"{name}.toml"
    if shipped_file.is_file():
        return shipped_file
    known = ", ".join(sorted(file.stem for file in shipped.folder("recipes").glob("*.toml")))
    raise ValueError(f"no recipe {str(name)!r}: give a .toml file or one of {known}")
