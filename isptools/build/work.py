"""What every maker shares: what a build knows, what ends one file, and the entry of a unit."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from isptools.apart import SECONDS
from isptools.build import journal
from isptools.build.journal import Made, Shard
from isptools.build.task import File, Task, Unit
from isptools.datasets import Card
from isptools.datasets.card import Facts
from isptools.datasets.listing import Line, LineKind
from isptools.decode.refusal import Refusal
from isptools.decode.told import Told
from isptools.recipe import Develop, Recipe
from isptools.shards.schema import Picture, Spec
from isptools.storage.shadow import Shadow

if TYPE_CHECKING:
    from isptools.shards import write

SOURCES = {"Kept": "develop", "Published": "published", "AsItComes": "published", "Own": "files"}
POSITIONS = {"rgb": 3, "bayer": 4, "xtrans": 36}


@dataclass(frozen=True, slots=True)
class Work:
    """What every unit of a build needs to know; small, so that it travels to workers."""

    recipe: Recipe
    card: Card
    versions: dict[str, str]
    root: Path
    out: Path
    pictures: Path | None
    token: str
    seconds: float = SECONDS  # that one file may take
    shadow: Shadow | None = None  # `root` is its: files are fetched when they are needed

    def told(self, file: File) -> Told:
        """What a decoder needs to know of a file."""
        return Told(file.source.path, file.named, self.card, file.source.size)


def expect_sound(wrong: Iterable[str]) -> None:
    """Refusal of a file whose facts make no sense: readers of its shard would refuse that."""
    for text in wrong:
        raise Refusal("facts", text)


def refused(file: File, task: Task, unit: Unit, why: Refusal, kind: LineKind = "refused") -> Line:
    """The line of a file that can't be used."""
    where = file.source.path
    return Line(unit.split, task.scene, where, kind, why.reason, why.detail, why.number)


def noted(unit: Unit, work: Work, shard: "write.Writer", lines: list[Line]) -> Made:
    """Enter a unit, whose shard is closed, into the journal."""
    if shard.written is None:
        (work.out / unit.name).unlink(missing_ok=True)  # of an earlier build, when files were good
    made = Made(
        unit.name,
        unit.split,
        work.recipe.sha256,
        work.versions,
        facts(unit, work),
        unit.sources,
        _listed(unit, shard.written),
        tuple(sorted(lines)),
    )
    journal.save(work.out, made)
    return made


def facts(unit: Unit, work: Work) -> str:
    """The hash of what the data set states and a shard repeats: licence, exposures, ..."""
    card = {name: getattr(work.card, name) for name in Facts.__struct_fields__}
    named = [file.named for task in unit.tasks for file in task.files]
    stated = (card, work.card.citation, named)
    return hashlib.sha256(msgspec.json.encode(stated, order="deterministic")).hexdigest()


def _listed(unit: Unit, written: "write.Written | None") -> Shard | None:
    if written is None:
        return None
    size, rows, scenes = written.bytes, written.rows, written.scenes
    return Shard(
        written.name, written.sha256, size, rows, scenes, unit.split, unit.shape, unit.kind
    )


def spec_of(unit: Unit, work: Work) -> Spec:
    """What the shard of a unit is to hold."""
    from isptools.shards import write  # noqa: PLC0415 - HDF5 takes long to load

    recipe, card = work.recipe, work.card
    walk = recipe.truth if isinstance(recipe.truth, Develop) else None
    steps = {"prepare": walk.prepare if walk else (), "develop": walk.steps if walk else ()}
    return Spec(
        name=unit.name,
        shape=unit.shape,
        positions=POSITIONS[unit.kind],
        tile=recipe.storage.tile,
        compression=recipe.storage.compression,
        pictures={
            name: Picture(
                str(kept.at), kept.dtype, kept.full_scale, kept.note, SOURCES[type(kept).__name__]
            )
            for name, kept in recipe.truth.pictures
        },
        attrs={
            "data_set": card.name,
            "title": card.title,
            "licence": card.licence,
            "redistribution": card.redistribution,
            "citation": card.citation,
            "split": unit.split,
            "sample": recipe.sample,
            "recipe": recipe.to_json().decode(),
            "recipe_sha256": recipe.sha256,
            "versions": write.canonical(work.versions),
            "steps": msgspec.json.encode(steps, order="deterministic").decode(),
        },
        weighted=bool(walk and walk.fuse),
    )
