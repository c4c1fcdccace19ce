"""The Samsung S7 ISP data set: a folder a scene, named by the time it was taken."""

import re
from pathlib import Path

from isptools.build.folder import BuildError
from isptools.build.ledger import Line
from isptools.build.source import missing
from isptools.build.splits import divided
from isptools.manifest import Entry, Manifest, Split
from isptools.recipe import Recipe, Scenes

SCENE = re.compile(r"(\d{8}_\d{6})(_\d+)?")
FILE = re.compile(r"(medium|short)_exp[ou]sure1?\.(dng|jpg|jpeg)", re.IGNORECASE)
NAMES = {"medium.dng": "medium_exposure.dng", "short.dng": "short_exposure1.dng"}
STRONGER: tuple[Split, ...] = ("test", "val", "train")


def listed(manifest: Manifest, recipe: Recipe, place: Path) -> tuple[tuple[Entry, ...], list[Line]]:
    """The entries of every scene below `place`, and what was left out; paths below the root.

    The well-lit raw is the truth, its JPEG the picture; the input is the dark or the well-lit raw.
    Scenes of one time stamp are near-duplicates and share a split. BuildError if there is none.
    """
    asked = recipe.scenes or Scenes()
    root, lines = _root(manifest, place), list[Line]()
    scenes = {
        path.name: _files(root, path, lines)
        for path in sorted(root.iterdir())
        if path.is_dir() and SCENE.fullmatch(path.name)
    }
    splits = _splits(manifest, scenes, asked, lines)
    entries: list[Entry] = []
    for scene, files in scenes.items():
        split, needed = splits[scene], ("medium.dng", f"{asked.input}.dng")
        absent = [NAMES[name] for name in needed if name not in files]
        if absent:
            detail = f"the scene needs it; it has: {', '.join(sorted(files)) or 'nothing'}"
            lines.append(Line(split, scene, f"{scene}/{absent[0]}", "missing", "missing", detail))
            continue
        entries.append(Entry(split, scene, "truth", files["medium.dng"]))
        entries.append(Entry(split, scene, "input", files[f"{asked.input}.dng"]))
        if "medium.jpg" in files:
            entries.append(Entry(split, scene, "final", files["medium.jpg"]))
    return tuple(entries), lines


def _root(manifest: Manifest, place: Path) -> Path:
    for name in manifest.data_set.roots:
        root = place / name
        for path in root.glob("*/*") if root.is_dir() else ():
            if SCENE.fullmatch(path.parent.name) and FILE.fullmatch(path.name):
                return root
    raise BuildError(missing(manifest.data_set, place))


def _files(root: Path, folder: Path, lines: list[Line]) -> dict[str, str]:
    """Paths below the root by what they are: `medium.dng`, `short.jpg`, ...; no second ones."""
    found: dict[str, list[str]] = {}
    for path in sorted(folder.iterdir()):
        match = FILE.fullmatch(path.name)
        if match and path.is_file():
            suffix = "dng" if match[2].casefold() == "dng" else "jpg"
            key = f"{match[1].casefold()}.{suffix}"
            found.setdefault(key, []).append(path.relative_to(root).as_posix())
    for names in found.values():
        if len(names) > 1:
            detail = f"two files for one key, keep one: {', '.join(names)}"
            lines.append(Line("", folder.name, names[1], "refused", "two-files", detail))
    return {key: names[0] for key, names in found.items() if len(names) == 1}


def _splits(
    manifest: Manifest, scenes: dict[str, dict[str, str]], asked: Scenes, lines: list[Line]
) -> dict[str, Split]:
    """By a published list, or by shares; scenes of one time stamp stay together.

    With a list, what is not on it trains; a group of which the list names a scene goes where the
    list has that one, to `test` before `val` where it names several.
    """
    groups: dict[str, list[str]] = {}
    for scene in scenes:
        groups.setdefault(scene[:15], []).append(scene)
    if not asked.published:
        return divided(list(groups.values()), asked.shares)
    own = {
        row.scene: row.splits[asked.published]
        for row in manifest.known
        if asked.published in row.splits
    }
    if not own:
        raise BuildError(f"{manifest.data_set.name} has no published list {asked.published!r}")
    for scene in own.keys() - scenes.keys():
        detail = "the published list names this scene"
        lines.append(Line(own[scene], scene, scene, "missing", "missing", detail))
    splits: dict[str, Split] = {}
    for members in groups.values():
        here = {own.get(scene, "train") for scene in members}
        together = next(split for split in STRONGER if split in here)
        for scene in members:
            splits[scene] = together
            if own.get(scene, "train") != together:
                detail = f"of the time of {members[0]}: kept with it, in {together}"
                lines.append(Line(together, scene, scene, "noted", "near-duplicate", detail))
    return splits
