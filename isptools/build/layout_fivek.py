"""MIT-Adobe FiveK: its index says which camera took what; its folders, where the files are."""

from collections.abc import Sequence
from pathlib import Path

from isptools.build.folder import BuildError
from isptools.build.ledger import Line
from isptools.build.source import missing
from isptools.build.splits import by_hash, divided
from isptools.manifest import Entry, Known, Manifest, Split
from isptools.recipe import Recipe, Scenes

RAWS = ("raw_photos/*/photos/*", "dng/*")  # of the archive, and of files fetched one by one
ROTATED = "its sensor lies at 45 degrees: raw and picture have no pixel in common"


def listed(manifest: Manifest, recipe: Recipe, place: Path) -> tuple[tuple[Entry, ...], list[Line]]:
    """The entries of the scenes that a recipe takes, and what was left out; paths below `place`.

    A scene's raw is its input and, developed, its truth; the picture is the expert's. BuildError if
    there is no raw at all, or the recipe names a camera or list that the index has not.
    """
    asked = recipe.scenes or Scenes()
    raws, lines = _found(manifest, place, RAWS, ".dng")
    if not raws:
        raise BuildError(missing(manifest.data_set, place))
    pictures, twice = _found(manifest, place, (f"tiff16_{asked.expert}/*",), ".tif")
    published = recipe.enhancement is not None and recipe.enhancement.source == "published"
    taken = _taken(manifest, asked, recipe.name)
    splits = _splits(taken, asked)
    entries: list[Entry] = []
    for known in taken:
        split, stem = splits[known.scene], known.scene.casefold()
        path = raws.get(stem, f"{known.scene}.dng")
        if known.camera in manifest.data_set.rotated:
            why = ("refused", "rotated-sensor", f"{known.camera}: {ROTATED}")
            lines.append(Line(split, known.scene, path, *why))  # type: ignore[arg-type]  # a Kind
        elif stem not in raws:
            detail = "the file is not there"
            lines.append(Line(split, known.scene, path, "missing", "missing", detail))
        else:
            entries += [Entry(split, known.scene, role, path) for role in ("truth", "input")]
            if published and stem in pictures:
                entries.append(Entry(split, known.scene, "final", pictures[stem]))
    return tuple(entries), lines + (twice if published else []) + _unlisted(manifest, raws)


def _found(
    manifest: Manifest, place: Path, patterns: Sequence[str], suffix: str
) -> tuple[dict[str, str], list[Line]]:
    """Files by stem in lower case, the first of each; and a line for each further one."""
    files: dict[str, str] = {}
    lines = []
    for root in manifest.data_set.roots:
        for pattern in patterns:
            for path in sorted((place / root).glob(pattern)):
                if path.suffix.casefold().rstrip("f") != suffix.rstrip("f") or not path.is_file():
                    continue
                name = path.relative_to(place).as_posix()
                first = files.setdefault(path.stem.casefold(), name)
                if first != name:
                    detail = f"{first} is taken"
                    lines.append(Line("", path.stem, name, "unlisted", "second-copy", detail))
    return files, lines


def _taken(manifest: Manifest, asked: Scenes, name: str) -> list[Known]:
    """The scenes of the index with the cameras, on the list and as many as are asked for."""
    known = {row.camera for row in manifest.known}
    wrong = [camera for camera in asked.cameras if camera not in known]
    if wrong:
        cameras = ", ".join(sorted(known))
        raise BuildError(f"recipe {name}: the index has no camera {wrong[0]!r}; it has: {cameras}")
    if asked.published and not any(asked.published in row.splits for row in manifest.known):
        raise BuildError(f"recipe {name}: the index has no list {asked.published!r}")
    rows = [
        row
        for row in manifest.known
        if (not asked.cameras or row.camera in asked.cameras)
        and (not asked.published or asked.published in row.splits)
    ]
    if asked.each is None:
        return rows
    first = {
        scene
        for camera in {row.camera for row in rows}
        for scene in by_hash(row.scene for row in rows if row.camera == camera)[: asked.each]
    }
    return [row for row in rows if row.scene in first]


def _splits(taken: Sequence[Known], asked: Scenes) -> dict[str, Split]:
    """By the published list, else by shares; of a list that has no validation scenes, as many of
    its training scenes become such as the shares of the two say."""
    if not asked.published:
        return divided([[row.scene] for row in taken], asked.shares)
    splits = {row.scene: row.splits[asked.published] for row in taken}
    train = [[scene] for scene, split in splits.items() if split == "train"]
    if asked.shares[1] and "val" not in splits.values():
        splits |= divided(train, (*asked.shares[:2], 0))
    return splits


def _unlisted(manifest: Manifest, raws: dict[str, str]) -> list[Line]:
    known = {row.scene.casefold() for row in manifest.known}
    detail = "the data set's index has no such photograph"
    return [
        Line("", "", path, "unlisted", "unlisted", detail)
        for stem, path in raws.items()
        if stem not in known
    ]
