"""What an output folder already holds, and what of it is still good."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from isptools.build import journal
from isptools.build.journal import Made
from isptools.build.plan import Plan
from isptools.build.share import Share, told
from isptools.build.task import Unit
from isptools.build.work import Work, facts
from isptools.datasets.listing import BuildError
from isptools.datasets.scene import Split
from isptools.recipe import Recipe
from isptools.shards import disk

Progress = Callable[[int, int], None]


def claim(out: Path, recipe: Recipe) -> None:
    """BuildError if the folder holds shards of another recipe, or files that are none of ours."""
    made = journal.made(out)
    for entry in made.values():
        if entry.recipe != recipe.sha256:
            raise BuildError(_foreign(out, entry.name, entry.recipe, recipe))
    for path in sorted(out.glob("*.h5")):
        if path.name not in made and (found := _recipe(path)) != recipe.sha256:
            raise BuildError(_foreign(out, path.name, found, recipe))


def _recipe(path: Path) -> str:
    from isptools.shards import read  # noqa: PLC0415 - HDF5 takes long to load

    try:
        return str(read.load(path).attrs["recipe_sha256"])
    except (ValueError, KeyError):
        return "no recipe of isptools"


def _foreign(out: Path, name: str, found: str, recipe: Recipe) -> str:
    return (
        f"{out} holds {name} of another recipe ({found[:22]}; this is {recipe.name}, "
        f"{recipe.sha256[:22]}): choose another --out, or remove that folder"
    )


@dataclass(frozen=True, slots=True)
class Rest:
    """What is still to be made."""

    units: list[Unit]
    mended: tuple[str, ...]  # a line for each thing that was damaged


def remaining(
    todo: Plan,
    work: Work,
    splits: Sequence[Split],
    verify: Progress | None = None,
    share: Share | None = None,
) -> Rest:
    """The units that are not finished, after what is no longer part of the plan was removed.

    With `share` those of the share alone. With `verify`, which is called with the shards that were
    hashed and all, those of finished units must have the hashes they had. BuildError if a split
    that is not built now was made with other versions of the libraries.
    """
    dropped = [f"{name} was damaged, or of an older version" for name in journal.mend(work.out)]
    made = journal.made(work.out)
    names = {unit.name for unit in todo.units}
    for entry in made.values():
        # where scenes wait, nobody knows what is no longer part of the plan
        if entry.split in splits and entry.name not in names and not todo.waits:
            journal.forget(work.out, entry.name)
        if entry.split not in splits and entry.versions != work.versions:
            raise BuildError(_versions(work, entry))
    for planned in journal.planned(work.out).values():
        if planned.recipe != work.recipe.sha256:  # of a build that made no shard
            journal.forget_plan(work.out, planned.split)
    for path in work.out.glob("*.h5"):
        if path.name not in made and path.name not in names:
            path.unlink()  # finished by a build that was killed before it could note it
    mine = share.units(todo.units) if share else todo.units
    open_ = [unit for unit in mine if not unit.waits]  # others can't be looked at now
    rest = [unit for unit in open_ if not _good(made.get(unit.name), unit, work)]
    left = {unit.name for unit in rest}
    rotten = set()
    if verify:
        kept = [made[unit.name] for unit in open_ if unit.name not in left]
        rotten = {entry.name for entry in _rotten(work.out, kept, verify)}
    told = [f"{name} was not what had been built" for name in sorted(rotten)]
    units = [unit for unit in open_ if unit.name in left | rotten]
    return Rest(units, (*dropped, *told))


def _rotten(out: Path, kept: Sequence[Made], progress: Progress) -> Iterator[Made]:
    """Those whose shard is not what it was."""
    for done, entry in enumerate(kept):
        progress(done, len(kept))
        if not _as_written(out, entry):
            yield entry
    progress(len(kept), len(kept))


def _as_written(out: Path, entry: Made) -> bool:
    """Whether a shard has the hash that it had when it was finished."""
    if entry.shard is None:
        return True
    try:
        return disk.sha256(out / entry.name) == entry.shard.sha256
    except OSError:  # a broken disk; what is written in its place lies elsewhere
        return False


def _good(entry: Made | None, unit: Unit, work: Work) -> bool:
    if entry is None:
        return False
    if (entry.versions, entry.sources) != (work.versions, unit.sources):
        return False
    if entry.facts != facts(unit, work):
        return False
    if entry.shard is None:
        return True
    path = work.out / entry.name
    return path.is_file() and path.stat().st_size == entry.shard.bytes


def _versions(work: Work, entry: Made) -> str:
    changed = told(entry.versions, work.versions)
    return (
        f"{work.out} holds the split {entry.split!r} made with other versions ({changed}); "
        "build all splits again (leave out --split) or choose another --out"
    )
