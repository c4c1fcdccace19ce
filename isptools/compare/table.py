"""A table of methods in one strict TOML: rows, data, seeds, budgets, and a paper's own numbers."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

import msgspec

from isptools.train.stages import Train

Count = Annotated[int, msgspec.Meta(ge=0)]
Above = Annotated[float, msgspec.Meta(gt=0)]
Values = tuple[float, ...]  # of the table's metrics, in their order; nan where none is printed
# what is measured: pictures against truths, losses of trainings, costs, what operators change, or
# what simulates a codec against its files
Kind = Literal["quality", "losses", "complexity", "histograms", "simulators"]
Subsampling = Literal["4:4:4", "4:2:2", "4:2:0"]
BUDGETS = ("tiny", "hour", "paper")


class Budget(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How far a table is from what its settings say. The default changes nothing."""

    steps: Count = 0  # of all stages of a row but a simulator's, shared as its settings share them
    patch: Count = 0
    batch: Count = 0
    times: Above | dict[Train, Above] = 1.0  # rates are multiplied by it, or those of these stages
    decay: Literal["", "step", "exponential", "none"] = ""  # of every stage; "": as settings say
    limit: Count = 0  # inputs that are scored
    seeds: tuple[Count, ...] = ()
    network: dict[str, dict[str, Any]] = {}  # options of networks by their names
    simulator: dict[str, dict[str, Any]] = {}  # and of what simulates a codec, by its kind


class Data(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A data set of the paper: which shards stand for it, and why numbers are not comparable."""

    name: str
    recipes: tuple[str, ...] = ()
    suffix: str = ""  # what * in a row's preset stands for
    split: str = "test"
    not_comparable: str = ""


class Jpeg(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Pictures are compressed before they are compared."""

    quality: Annotated[int, msgspec.Meta(ge=1, le=100)]
    subsampling: Subsampling = "4:2:0"
    truth: bool = False  # compressed in the same way, as Uhm et al. 2021 do


class Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A method: trained, without training, or one that can't be had."""

    name: str
    preset: str = ""  # the table's where it is left out
    network: str | dict[str, Any] = ""  # another one than the preset's
    set: dict[str, Any] = {}  # words of its settings to replace
    stages: tuple[str, ...] = ()  # of the preset those that stay; () all
    joined: Literal["", "whole", "joint"] = ""  # all in one stage of as many steps or epochs
    method: str = ""  # without training; `methods.NAMES`
    cannot: str = ""  # why it can't be had
    trained: str = ""  # the data whose training it takes; left out: that it is scored on
    enhance: str = ""  # the data whose training the parts behind the restored picture come from
    jpeg: Jpeg | None = None
    at: float | None = None  # its place on the table's axis
    printed: dict[str, Values] = {}  # by the names of data, "" where there is none
    not_comparable: str = ""

    def __post_init__(self) -> None:
        said = [bool(self.method), bool(self.cannot), bool(self.preset or self.network)]
        if sum(said) > 1:
            raise ValueError(f"row {self.name!r}: a method, a training or why there is none")


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the file says. ValueError in one line where it is wrong."""

    title: str
    metrics: tuple[str, ...]
    rows: tuple[Row, ...]
    paper: str = ""  # where the printed numbers stand
    kind: Kind = "quality"
    data: tuple[Data, ...] = ()
    preset: str = ""  # of rows that name none
    suffix: str = ""  # what * stands for on shards of no data set of the paper
    set: dict[str, Any] = {}  # of every row
    seeds: tuple[Count, ...] = (0,)
    axis: str = ""  # what the rows' `at` counts, for a plot
    note: str = ""
    budgets: dict[Literal["tiny", "hour", "paper"], Budget] = {}

    def __post_init__(self) -> None:
        for what, names in (("row", [row.name for row in self.rows]),
                            ("data", [one.name for one in self.data])):  # fmt: skip
            twice = {name for name in names if names.count(name) > 1}
            if twice:
                raise ValueError(f"{what} {', '.join(sorted(twice))}: there twice")
        for row in self.rows:
            self._expect_known(row)

    def _expect_known(self, row: Row) -> None:
        known = {one.name for one in self.data} | {""}
        for name in (row.trained, row.enhance, *row.printed):
            if name not in known:
                raise ValueError(f"row {row.name!r}: no data {name!r}; there are "
                                 f"{', '.join(sorted(known - {''})) or 'none'}")  # fmt: skip
        for name, values in row.printed.items():
            if len(values) != len(self.metrics):
                raise ValueError(
                    f"row {row.name!r}, {name}: {len(values)} printed numbers, the table has "
                    f"{len(self.metrics)} metrics"
                )

    @classmethod
    def load(cls, path: Path) -> Self:
        """From a TOML. ValueError in one line."""
        try:
            return msgspec.toml.decode(path.read_bytes(), type=cls)
        except FileNotFoundError:
            raise ValueError(f"{path}: there is no such table") from None
        except (msgspec.DecodeError, ValueError) as error:
            raise ValueError(f"{path}: {error}") from None

    def budget(self, name: str) -> Budget:
        """What a budget of this name allows; the usual one where the table has none."""
        return self.budgets.get(name, Budget())  # type: ignore[call-overload, no-any-return] # names

    def of(self, data: str) -> Data:
        """A data set of the paper, or a stranger of this name."""
        found = [one for one in self.data if one.name == data]
        return found[0] if found else Data(data, suffix=self.suffix)
