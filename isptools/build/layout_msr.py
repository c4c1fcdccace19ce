"""MSR demosaicing: two cameras' folders, each with lists of the ids of its splits."""

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import msgspec

from isptools import manifest as manifests
from isptools.build import phase, reading
from isptools.build.folder import BuildError
from isptools.build.ledger import Line
from isptools.build.source import missing, rules
from isptools.frame import Array, UnsupportedError
from isptools.manifest import DataSet, Entry, Rule, Sensor, Split
from isptools.raw import RawError
from isptools.recipe import Recipe

LISTS: dict[str, Split] = {"train.txt": "train", "validation.txt": "val", "test.txt": "test"}
ID = re.compile(r"[\w-]+")
LOOKED_AT = 12  # pairs from which a phase that nobody states is found
CLEAR = 1.2  # the next phase leaves so many times the residual, or it can't be told


def listed(data_set: DataSet, recipe: Recipe, place: Path) -> tuple[tuple[Entry, ...], list[Line]]:
    """An entry for each mosaic and each truth that the lists of the recipe's parts name.

    A scene is called part/id. Where the manifest states no color filters of a part, they are found
    from its first pairs, and the ledger says so. BuildError if the parts are not at `place`, their
    lists contradict each other, or the filters can't be told.
    """
    chosen = rules(data_set, recipe.parts)
    roots = [place / name for name in data_set.roots]
    here = [root for root in roots if any((root / rule.input).is_dir() for rule in chosen)]
    if not here:
        raise BuildError(missing(data_set, place))
    root = here[0]
    entries: list[Entry] = []
    lines: list[Line] = []
    for rule in chosen:
        ids = _ids(root / rule.input)
        sensor = rule.sensor or data_set.sensor or Sensor()
        if not sensor.cfa:
            sensor, told = _found(root, rule, list(ids), sensor)
            lines.append(told)
        lines += _odd(root, rule, ids)
        entries += _entries(rule, ids, sensor)
    try:
        manifests.check(entries, root)
    except ValueError as error:
        raise BuildError(str(error)) from None
    return tuple(entries), lines


def _ids(folder: Path) -> dict[str, Split]:
    """Ids in the order of the lists, which lie beside the folder of inputs."""
    ids: dict[str, Split] = {}
    there = [name for name in LISTS if (folder.parent / name).is_file()]
    if not there:
        raise BuildError(f"{folder.parent}: there is none of {', '.join(LISTS)}, the data set's "
                         "own lists of its splits")  # fmt: skip
    for name in there:
        path = folder.parent / name
        for number, line in enumerate(path.read_text("ascii", "replace").split("\n"), start=1):
            one = line.strip()
            if one and not ID.fullmatch(one):
                raise BuildError(f"{path}:{number}: expected the id of a picture, not {one!r}")
            if one and ids.setdefault(one, LISTS[name]) != LISTS[name]:
                raise BuildError(f"{path}:{number}: {one} stands in two splits")
    return ids


def _entries(rule: Rule, ids: dict[str, Split], sensor: Sensor) -> Iterator[Entry]:
    for one, split in ids.items():
        scene = f"{rule.name}/{one}"
        yield Entry(split, scene, "truth", f"{rule.truth}/{one}.png", sensor=sensor)
        yield Entry(split, scene, "input", f"{rule.input}/{one}.png", sensor=sensor)


def _odd(root: Path, rule: Rule, ids: dict[str, Split]) -> Iterator[Line]:
    """Another number of pairs than was published, and pictures that no list names."""
    if rule.pairs is not None and len(ids) != rule.pairs:
        detail = f"its lists name {len(ids)} pairs, {rule.pairs} were published"
        yield Line("", "", rule.input, "noted", "other-count", detail, float(len(ids)))
    folder = root / rule.input
    for path in sorted(folder.glob("*.png")) if folder.is_dir() else ():
        if path.stem not in ids:
            where = str(PurePosixPath(rule.input) / path.name)
            yield Line("", "", where, "unlisted", "unlisted", "no list of the data set names it")


def _found(root: Path, rule: Rule, ids: list[str], sensor: Sensor) -> tuple[Sensor, Line]:
    """The sensor with the phase that leaves the least residual over the first pairs."""
    totals = dict.fromkeys(phase.PHASES, 0.0)
    used = 0
    for one in ids:
        pair = _pair(root, rule, one, sensor) if used < LOOKED_AT else None
        if pair is None:
            continue
        used += 1
        for name, residual in phase.found(*pair).items():
            totals[name] += residual
    best, second = sorted(totals, key=lambda name: totals[name])[:2]
    times = phase.ratio(totals, second) if used else 0.0
    if times < CLEAR:
        raise BuildError(
            f"{root / rule.input}: the color filters can't be told from {used} pairs; state `cfa` "
            f"in the [rules.sensor] of a manifest of your own"
        )
    detail = f"color filters {best} from {used} pairs; the next leaves so many times the residual"
    return msgspec.structs.replace(sensor, cfa=best), Line(
        "", "", rule.input, "noted", "phase", detail, round(times, 3)
    )


def _pair(root: Path, rule: Rule, one: str, sensor: Sensor) -> tuple[Array, Array] | None:
    """Mosaic and truth, or None where one of them can't be read: the build says why."""
    assumed = msgspec.structs.replace(sensor, cfa="RGGB")  # of no effect on the numbers
    own = Entry("test", one, "input", f"{rule.input}/{one}.png")
    truth = Entry("test", one, "truth", f"{rule.truth}/{one}.png")
    try:
        data, seen = ((root / entry.path).read_bytes() for entry in (own, truth))
        mosaic = reading.frame(data, own, own.path, assumed, None).pixels
        picture = reading.picture(seen, truth, truth.path, assumed).pixels
    except (RawError, UnsupportedError, OSError):
        return None
    return (mosaic, picture) if mosaic.shape == picture.shape[:2] else None
