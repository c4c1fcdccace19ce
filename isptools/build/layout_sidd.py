"""SIDD: a folder for each scene instance, with noisy and clean mosaics and their metadata."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from isptools.build.folder import BuildError
from isptools.build.ledger import Line
from isptools.build.source import missing
from isptools.build.splits import LISTED, hashed, own
from isptools.manifest import DataSet, Entry, Role, Sensor, Split
from isptools.recipe import Recipe

DATA = "Data"
LISTS = ("Scene_Instances.txt", "Scene_Instance.txt")  # the read me names the second
INSTANCE = re.compile(r"(\d{4})_(\d{3})_([A-Z][A-Z0-9])_(\d{5})_(\d{5})_(\d{4})_([LNH])")
MOSAIC = re.compile(r"(?:(\d{4})_)?(GT|NOISY)_RAW_(\d{3})\.MAT", re.IGNORECASE)
FILTERS = {"GP": "BGGR", "IP": "RGGB", "S6": "GRBG", "N6": "BGGR", "G4": "BGGR"}


@dataclass(frozen=True, slots=True)
class Instance:
    """What the name of a folder says."""

    name: str
    number: str
    scene: str
    phone: str
    iso: float
    exposure_s: float  # the name holds the inverse
    kelvin: int
    light: str  # L low, N normal, H high

    @classmethod
    def of(cls, name: str) -> "Instance | None":
        """None for a name of another kind."""
        found = INSTANCE.fullmatch(name)
        if not found or not int(found[4]) or not int(found[5]):
            return None
        number, scene, phone, iso, shutter, kelvin, light = found.groups()
        exposure = 1 / int(shutter)
        return cls(name, number, scene, phone, float(iso), exposure, int(kelvin), light)


def listed(data_set: DataSet, recipe: Recipe, place: Path) -> tuple[tuple[Entry, ...], list[Line]]:
    """An entry for each clean and noisy mosaic below Data/, and for the metadata beside them.

    A scene of ours is one pair: instance/frame. Splits are by SIDD's scene, so that no object
    stands in two: the user's splits.tsv (SIDD's scene number, tab, split) or the hash of the scene
    number. Color filters are the phone's, unless the metadata states them. The recipe's `parts` are
    the phones that are taken.
    """
    unknown = [phone for phone in recipe.parts if phone not in FILTERS]
    if unknown:
        raise BuildError(
            f"{data_set.name} has no phone {unknown[0]!r}; it has: {', '.join(FILTERS)}"
        )
    root = _root(data_set, place)
    lines: list[Line] = []
    instances = list(_instances(root, lines))
    given = own(root / LISTED) if (root / LISTED).is_file() else None
    entries: list[Entry] = []
    for instance in instances:
        split = hashed(instance.scene) if given is None else given.get(instance.scene)
        folder = f"{DATA}/{instance.name}"
        if recipe.parts and instance.phone not in recipe.parts:
            detail = f"the recipe takes {', '.join(recipe.parts)} only"
            lines.append(Line("", instance.name, folder, "excluded", "other-phone", detail))
        elif split is None:
            detail = f"{LISTED} does not name scene {instance.scene}"
            lines.append(Line("", instance.name, folder, "excluded", "not-listed", detail))
        else:
            sensor = _sensor(data_set, instance)
            entries += _entries(root / DATA, instance, split, sensor, lines)
    if not entries and not lines:
        raise BuildError(missing(data_set, place))
    return tuple(entries), lines


def _root(data_set: DataSet, place: Path) -> Path:
    for name in data_set.roots:
        if next((place / name / DATA).glob("*/*RAW_0*.[mM][aA][tT]"), None):
            return place / name
    raise BuildError(missing(data_set, place))


def _instances(root: Path, lines: list[Line]) -> Iterator[Instance]:
    """Those that are there; what is odd about the list or a name goes to `lines`."""
    there = sorted(path.name for path in (root / DATA).iterdir() if path.is_dir())
    names = next((_names(root / one) for one in LISTS if (root / one).is_file()), None)
    for name in sorted(set(names or ()) - set(there)):
        detail = "the data set's list names it, but there is no such folder"
        lines.append(Line("", name, f"{DATA}/{name}", "missing", "missing", detail))
    for name in there:
        instance = Instance.of(name)
        if instance is None or instance.phone not in FILTERS:
            detail = "expected instance_scene_phone_ISO_shutter_temperature_light"
            lines.append(Line("", name, f"{DATA}/{name}", "unlisted", "other-name", detail))
        elif names is not None and name not in names:
            detail = "the data set's list does not name it"
            lines.append(Line("", name, f"{DATA}/{name}", "unlisted", "unlisted", detail))
        else:
            yield instance


def _names(path: Path) -> set[str]:
    text = path.read_text("ascii", "replace")
    return {line.strip() for line in text.splitlines() if line.strip()}


def _sensor(data_set: DataSet, instance: Instance) -> Sensor:
    stated = data_set.sensor or Sensor()
    return msgspec.structs.replace(stated, cfa=FILTERS[instance.phone])


def _entries(
    data: Path, instance: Instance, split: Split, sensor: Sensor, lines: list[Line]
) -> Iterator[Entry]:
    """Clean, noisy and metadata of each numbered frame."""
    folder = data / instance.name
    sides: dict[str, dict[str, str]] = {}
    for path in sorted(folder.iterdir()):
        found = MOSAIC.fullmatch(path.name)
        if found and found[1] in {None, instance.number}:
            sides.setdefault(found[3], {})[found[2].upper()] = path.name
    if not sides:
        detail = "it holds no NOISY_RAW or GT_RAW file of its own number"
        lines.append(Line(split, instance.name, f"{DATA}/{instance.name}", "missing", "no-frames",
                          detail))  # fmt: skip
    for number, names in sorted(sides.items()):
        scene, below = f"{instance.name}/{number}", f"{DATA}/{instance.name}"
        files: dict[Role, str] = {
            "truth": _named(names, "GT", number, instance),
            "input": _named(names, "NOISY", number, instance),
            "facts": _facts(folder, instance, number),
        }
        for role, file in files.items():
            yield Entry(split, scene, role, f"{below}/{file}", instance.exposure_s, instance.iso,
                        sensor=sensor)  # fmt: skip


def _named(names: dict[str, str], side: str, number: str, instance: Instance) -> str:
    """The file of one side, or the name it should have."""
    return names.get(side) or f"{instance.number}_{side}_RAW_{number}.MAT"


def _facts(folder: Path, instance: Instance, number: str) -> str:
    """The frame's own metadata, else that of the instance's first frame."""
    for name in (f"METADATA_RAW_{number}.MAT", "METADATA_RAW_010.MAT"):
        for each in (f"{instance.number}_{name}", name):
            if (folder / each).is_file():
                return each
    return f"{instance.number}_METADATA_RAW_010.MAT"
