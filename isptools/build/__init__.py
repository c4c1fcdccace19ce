"""Recipe and data set to shards: the only loop over files."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import msgspec

from isptools import datasets
from isptools.apart import SECONDS, time_limit, used_by
from isptools.build import folder, headers, index, journal, ledger, state
from isptools.build.journal import Planned
from isptools.build.plan import Choice, Plan, plan, travelling
from isptools.build.run import run_units, started
from isptools.build.share import Share, missing
from isptools.build.stamps import of_libraries
from isptools.build.task import Undone, Unit, Wait
from isptools.build.warm import compile_kernels
from isptools.build.work import Work
from isptools.build.workers import LostError
from isptools.children import Crew, StartError
from isptools.datasets import BuildError, Listing, Opened
from isptools.datasets.listing import Line
from isptools.datasets.scene import SPLITS, Couple, Scene, Split
from isptools.datasets.tables import TableError
from isptools.recipe import Develop, Own, Recipe
from isptools.shown import storable
from isptools.sources import ContentError
from isptools.storage import StorageError
from isptools.storage.shadow import Shadow

__all__ = ["BuildError", "Options", "Share", "Summary", "Wait", "WaitError", "build"]

GO_ON = "nothing is lost: run the same command again when it can be read"
OWN = "the user's own pictures, matched by scene"


class WaitError(BuildError):
    """The data set can't be read just now: a fault of the machine, that may pass."""


@dataclass(frozen=True, slots=True)
class Options:
    """How a build runs. Of these only `enhanced` and `data_set` change bytes."""

    jobs: int = 1  # 1 works in this process, -1 takes every core
    splits: Sequence[Split] | None = None  # None makes all
    enhanced: Path | None = None  # folder of the user's own enhancement truths
    data_set: Opened | None = None  # None opens the shipped one that the recipe names
    verify: bool = False  # hash what was finished before, and build anew what differs
    progress: Callable[[str, int, int], None] = lambda _stage, _done, _total: None
    # called with "headers", "hashes", "kernels" or "inputs", how many are done, and how many of
    # all; with (text, 0, 1) where a cluster's workers are waited for, and (text, 1, 1) after it
    seconds: float = SECONDS  # that one file may take to be decoded
    share: Share | None = None  # one of several calls into one folder makes its units alone
    cluster: str | None = None  # tcp://HOST:PORT, local:N or slurm[:options], instead of `jobs`
    shadow: Shadow | None = None  # of an object store: the source is its root
    finished: Callable[[str], None] = lambda _name: None  # called with each unit that is made


@dataclass(frozen=True, slots=True)
class Summary:
    """What stands in the output folder now."""

    out: Path
    recipe: Recipe
    shards: tuple[journal.Shard, ...]
    made: int  # units of this run
    kept: int  # units that were finished before
    refusals: dict[str, dict[str, int]]  # kind -> reason -> files
    mended: tuple[str, ...] = ()  # a line for each thing that was damaged; it is whole again
    waits: tuple[Wait, ...] = ()  # scenes left undone since the machine failed: build again
    missing: tuple[str, ...] = ()  # units that other shares have not made yet: there is no index


def build(recipe: Recipe, source: Path, out: Path, options: Options | None = None) -> Summary:
    """Make the shards of a recipe from the files below `source`, in the folder `out`.

    What was finished before and has not changed is kept. Files that can't be used go to
    `out/ledger.jsonl`; what was made is listed in `out/index.json`, which is written last.
    BuildError, one message for people, if the data set is not there, or the folder holds another
    recipe's shards or takes no more. An interrupt passes through; only whole shards stay. WaitError
    where a disk or a store can't be read just now: the same call goes on later.
    """
    options = options or Options()
    data_set = options.data_set or _opened(recipe)
    recipe = _settled(recipe, data_set, options.enhanced)
    splits = tuple(options.splits or SPLITS)
    try:
        state.claim(out, recipe)
    except OSError as error:
        raise folder.refused_by_system(out, error) from error
    use = options.shadow.used if options.shadow else None
    with time_limit(options.seconds), used_by(use):
        found = versions(data_set)
        card = travelling(data_set.card)
        known = headers.loaded(out, card, found)
        todo = _planned(recipe, data_set, source, options, Choice(splits, headers=known))
    try:
        with folder.locked(out, options.share) as token:
            known.save(out)
            place, seconds = todo.root, options.seconds
            work = Work(recipe, card, found, place, out, options.enhanced, token, seconds,
                        options.shadow)  # fmt: skip
            return _run(todo, work, options, splits)
    except (LostError, StorageError) as error:
        raise WaitError(str(error)) from None
    except OSError as error:
        raise folder.refused_by_system(out, error) from error


def _opened(recipe: Recipe) -> Opened:
    try:
        return datasets.opened(recipe.source)
    except ValueError as error:
        raise BuildError(str(error)) from None


def _run(todo: Plan, work: Work, options: Options, splits: tuple[Split, ...]) -> Summary:
    mine = options.share.units(todo.units) if options.share else todo.units
    names = {unit.name for unit in mine} if options.share else None
    folder.sweep(work.out, names)
    verify = partial(options.progress, "hashes") if options.verify else None
    found = state.remaining(todo, work, splits, verify, options.share)
    rest = found.units
    if rest:
        index.remove(work.out)  # it says that all is whole
    for split, lines in todo.ledger.items():
        scenes = todo.scenes.get(split, {})
        journal.save(work.out, Planned(split, work.recipe.sha256, tuple(sorted(lines)), scenes))
    try:
        undone = _made(mine, rest, work, options)
    finally:
        folder.sweep(work.out, names)
    waits = (*todo.waits, *(wait for one in undone for wait in one.waits))
    others = _close(todo, work, options.share, bool(waits))
    made_all = journal.made(work.out).values()
    return Summary(
        work.out,
        work.recipe,
        tuple(entry.shard for entry in made_all if entry.shard),
        len(rest) - len(undone),
        len(mine) - len(rest) - sum(bool(unit.waits) for unit in mine),
        ledger.counts(index.entries(work.out)),
        found.mended,
        waits,
        others,
    )


def _made(mine: Sequence[Unit], rest: Sequence[Unit], work: Work, options: Options) -> list[Undone]:
    """Make the rest; gives what is left undone."""
    with started(rest, work, options.jobs, options.cluster) as crew:
        if rest:
            options.progress("kernels", 0, 1)
            compile_kernels(work.recipe, rest)
            options.progress("kernels", 1, 1)
        return _made_by(crew, mine, rest, work, options)


def _made_by(
    crew: Crew | None, mine: Sequence[Unit], rest: Sequence[Unit], work: Work, options: Options
) -> list[Undone]:
    rows = {unit.name: unit.rows for unit in mine}
    done, waited = sum(rows.values()) - sum(unit.rows for unit in rest), ""

    def tell(text: str) -> None:
        """What is waited for; the one before is over."""
        nonlocal waited
        if waited:
            options.progress(waited, 1, 1)
        waited = text
        options.progress(*((text, 0, 1) if text else ("inputs", done, sum(rows.values()))))

    tell("")
    undone = []
    for made in run_units(rest, work, crew, options.cluster, tell):
        if isinstance(made, Undone):
            undone.append(made)
        else:
            options.finished(made.name)
        done += rows[made.name]
        options.progress("inputs", done, sum(rows.values()))
    return undone


def _close(todo: Plan, work: Work, share: Share | None, waits: bool) -> tuple[str, ...]:
    """Write the index if all is made; gives the units that other shares still have to make."""
    with folder.turn(work.out):
        others = missing(todo.units, work) if share and not waits else ()
        if waits or others:
            index.remove(work.out)
        else:
            index.write(work.out, work.recipe, work.card, work.versions)
    return others


def _planned(
    recipe: Recipe, data_set: Opened, source: Path, options: Options, choice: Choice
) -> Plan:
    def progress(done: int, total: int) -> None:
        options.progress("headers", done, total)

    try:
        listing = listed(data_set, source)
        asked = replace(choice, pictures=options.enhanced, progress=progress)
        return plan(recipe, data_set, listing, asked)
    except StartError as error:
        raise BuildError(f"no decoder: {error}") from error
    except OSError as error:
        place = error.filename or source
        raise WaitError(f"cannot read {place}: {error.strerror or error}; {GO_ON}") from error


def listed(data_set: Opened, source: Path) -> Listing:
    """The scenes that the room finds. BuildError in one line also where a stranger's room fails."""
    try:
        return named(data_set.room.find(data_set.card, data_set.select, source))
    except (BuildError, OSError):
        raise
    except (TableError, ContentError) as error:
        raise BuildError(str(error)) from None
    except Exception as error:
        if not data_set.room.sha256:
            raise
        said = " ".join(f"{type(error).__name__}: {error}".split())
        where = f"{data_set.card.folder}: room {data_set.card.room!r}"
        raise BuildError(f"{where} can't list {source}: {said}") from error


def named(listing: Listing) -> Listing:
    """Without scenes of files whose names are not UTF-8: no ledger and no table can hold them."""
    kept: list[Scene] = []
    odd: list[Scene] = []
    for scene in listing.scenes:
        (kept if all(map(storable, names_of(scene))) else odd).append(scene)
    detail = "its name is not UTF-8: rename it"
    lines = [
        Line(scene.split or "", scene.name, name, "refused", "name", detail)
        for scene in odd
        for name in names_of(scene)
        if not storable(name)
    ]
    return replace(listing, scenes=tuple(kept), lines=(*listing.lines, *lines))


def names_of(scene: Scene) -> list[str]:
    """Every path of a scene, and its own name."""
    shot = scene.shot
    if isinstance(shot, Couple):
        return [scene.name, shot.phone.path, shot.dslr.path]
    files = (shot.truth, *shot.inputs, *shot.frames, shot.final)
    return [scene.name, *(one.path for one in files if one)]


def _settled(recipe: Recipe, data_set: Opened, pictures: Path | None) -> Recipe:
    """What is built: with all words of `source`, those left out as well; and with a folder of own
    pictures, the enhancement comes from there."""
    recipe = msgspec.structs.replace(recipe, source=data_set.source(recipe.data_set))
    truth = recipe.truth
    if not isinstance(truth, Develop):
        if pictures:
            raise BuildError(f"recipe {recipe.name} takes no pictures beside: leave out --enhanced")
        return recipe
    kept = truth.enhancement
    if kept is None and pictures:
        raise BuildError(f"recipe {recipe.name} keeps no enhancement: leave out --enhanced")
    if isinstance(kept, Own) and not pictures:
        raise BuildError(f"recipe {recipe.name} takes your own pictures: give --enhanced DIR")
    if kept is None or isinstance(kept, Own) or not pictures:
        return recipe
    own = Own(kept.at, "uint8" if kept.dtype == "uint8" else "uint16", OWN)
    own_truth = msgspec.structs.replace(truth, enhancement=own)
    return msgspec.structs.replace(recipe, truth=own_truth)


def versions(data_set: Opened) -> dict[str, str]:
    """What can't be the same everywhere and may change bytes: it is stamped into every shard."""
    return of_libraries() | ({"room": data_set.room.sha256} if data_set.room.sha256 else {})
