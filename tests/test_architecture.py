"""Who may import whom, and who may touch the disk, the screen and the GPU."""

import ast
import re
from pathlib import Path

import pytest

from isptools.datasets.names import ROOMS

ROOT = Path(__file__).resolve().parents[1] / "isptools"
GROUND: dict[str, set[str]] = {
    "frame": set(),
    "compiled": set(),  # kernels
    "vectors": {"compiled"},  # in them
    "shipped": set(),
    "serving": set(),  # what children run
    "children": {"serving"},
    "sources": set(),
    "scratch": set(),
    "whole": set(),
    "shown": set(),  # what strangers wrote, for people
    "apart": {"children", "sources"},
    "convert": set(),
    "storage": {"sources"},  # object stores
    "patches": {"frame"},
    "fields": {"frame", "patches"},
    "sound": set(),
    "measure": {"frame"},
    "raw": {"frame", "sources", "compiled"},
    "develop": {"frame", "raw", "fields", "compiled"},  # raw: LibRaw demosaics
    "gpu": {"frame", "develop"},  # the same steps over tensors
    "burst": {"frame", "develop", "vectors"},
    "pair": {"frame", "develop", "vectors"},
    "picture": {"frame", "develop"},
    "synth": {"frame", "raw"},
    "shards": {
        "frame", "compiled", "measure", "patches", "fields", "sound", "shown", "storage",
        "children",
    },
    "recipe": {"frame", "develop", "shipped", "synth", "sound"},
    "datasets": {
        "frame", "shipped", "measure", "raw", "develop", "burst", "picture", "synth",
        "apart", "sources", "shown", "compiled",
    },
    "decode": {"frame", "develop", "sound", "sources", "raw", "picture", "datasets"},
}  # fmt: skip
MAY_SEE = GROUND | {
    "build": set(GROUND),
    "propose": {"datasets", "raw", "picture", "apart", "sources", "shown"},
    "get": {"datasets"},
    "exports": {"shards", "patches"},
    "report": {"shards", "frame", "patches", "develop", "datasets"},
    "train": {"shards", "measure", "frame", "children", "datasets", "whole"},
    "compare": {"shards", "measure", "frame", "develop", "build", "train", "shipped", "whole"},
    "testing": {"shards", "train", "datasets", "build", "recipe"},
}
MAY_SEE |= {"cli": set(MAY_SEE)}
OWNERS = {
    "rawpy": {"raw"},
    "tifffile": {"raw", "cli", "exports"},  # cli: `render --out x.tif`
    "h5py": {"shards", "raw"},  # raw: .MAT files of version 7.3 are HDF5
    "torch": {"train", "testing", "compare", "gpu"},
    "triton": {"train", "gpu"},
    "click": {"cli"},
    "jinja2": {"report"},
    "OpenEXR": {"exports"},
    "zarr": {"exports"},
    "pyarrow": {"exports"},
    "distributed": {"build"},
    "dask_jobqueue": {"build"},
    "fsspec": {"get", "storage"},
    "aiohttp": {"get"},
}


def imports(tree: ast.AST, path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: write the full name"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_run_downhill(path):
    here = path.relative_to(ROOT).with_suffix("").parts[0]
    if here == "__init__":
        return
    for name in imports(ast.parse(path.read_text(encoding="utf-8")), path):
        top, *rest = name.split(".")
        if top == "isptools":
            room = rest[0]
            assert room == here or room in MAY_SEE[here], f"{path} imports {name}"
        owners = OWNERS.get(top, {here})
        assert here in owners, f"{path} imports {name}, which belongs to {owners}"


def test_imports_have_no_circle():
    """Between rooms; a room's own files are its own affair."""
    left = {room: set(seen) & set(MAY_SEE) for room, seen in MAY_SEE.items()}
    while left:
        ground = {room for room, seen in left.items() if not seen & set(left)}
        assert ground, f"these import each other: {', '.join(sorted(left))}"
        left = {room: seen for room, seen in left.items() if room not in ground}


def test_files_import_each_other_in_no_circle():
    """Files of one room too, and imports for types alone."""
    files = {module_of(path): path for path in ROOT.rglob("*.py")}
    left = {
        module: {other for name in imports(ast.parse(path.read_text("utf-8")), path)
                 if (other := nearest(name, files)) not in {None, module}}
        for module, path in files.items()
        if path.name != "__init__.py"  # a package's face hands names on
    }  # fmt: skip
    left = {module: {other for other in seen if other in left} for module, seen in left.items()}
    while left:
        ground = {module for module, seen in left.items() if not seen & set(left)}
        assert ground, f"these import each other: {', '.join(sorted(left))}"
        left = {module: seen for module, seen in left.items() if module not in ground}


def module_of(path):
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def nearest(name, files):
    """The module that an imported name stands in."""
    while name and name not in files:
        name = name.rpartition(".")[0]
    return name or None


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda p: str(p.relative_to(ROOT)))
def test_nobody_imports_the_room_of_one_data_set(path):
    """`datasets.room_of` finds it by the name that dataset.toml gives."""
    ours = path.relative_to(ROOT).parts[0] == "datasets"
    rooms = {f"isptools.datasets.{room}" for room in ROOMS if not ours and room != "bursts"}
    for name in imports(ast.parse(path.read_text(encoding="utf-8")), path):
        assert not [room for room in rooms if name == room or name.startswith(f"{room}.")], name


# how data sets are called: as their folders and rooms are, and otherwise; HDR+ is the name of a
# method, too, which burst/ follows
FOLDERS = (path.parent.name for path in (ROOT.parent / "manifests").glob("*/dataset.toml"))
OTHERWISE = ("hdr+", "hdrplusdata", "s7", "pynet", "see-in-the-dark")
SETS = tuple({*FOLDERS, *ROOMS[4:], *OTHERWISE} - set(ROOMS[:4]) - {"pairs"})
WORD = re.compile(r"(?<![\w-])(" + "|".join(map(re.escape, SETS)) + r")(?![\w-]|\.\w+\()", re.I)
# and DPED that of a network, and of what it makes small; `doctor` builds one miniature
MAY_NAME = {
    "datasets/names.py": SETS, "burst": ("hdr+",), "train": ("dped",), "cli/doctor.py": ("sid",),
}  # fmt: skip


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda p: str(p.relative_to(ROOT)))
def test_a_data_set_is_named_in_its_room_alone(path):
    here = path.relative_to(ROOT)
    if here.parts[0] == "datasets" and here.parts[1].removesuffix(".py") in ROOMS[4:]:
        return
    allowed = {*MAY_NAME.get(str(here), ()), *MAY_NAME.get(here.parts[0], ())}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        named = {word.lower() for word in WORD.findall(line)} - allowed
        assert not named, f"{here}:{number} names {', '.join(named)}: {line.strip()}"


def test_every_room_is_in_the_table():
    rooms = {path.stem for path in ROOT.iterdir() if path.suffix == ".py" or path.is_dir()}
    assert rooms - {"__init__", "__pycache__", "py", "recipes", "manifests"} <= set(MAY_SEE)


def test_the_vocabulary_computes_nothing():
    tree = ast.parse((ROOT / "develop/steps.py").read_text(encoding="utf-8"))
    sums = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult | ast.Div | ast.Add)
    ]
    assert not sums, "arithmetic belongs to the step's own module"


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda p: str(p.relative_to(ROOT)))
def test_files_and_functions_stay_small(path):
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= 400, "split it"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            length = (node.end_lineno or 0) - node.lineno + 1
            assert length <= 60, f"{node.name} has {length} lines"
