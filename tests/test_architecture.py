"""Who may import whom, and who may touch the disk, the screen and the GPU."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1] / "isptools"
BELOW_BUILD = {
    "frame": set(),
    "shipped": set(),
    "children": set(),
    "manifest": {"shipped"},
    "raw": {"frame"},
    "develop": {"frame", "raw"},  # raw runs LibRaw's own demosaicking, see docs/decisions
    "burst": {"frame", "develop"},
    "pair": {"frame", "develop"},
    "patches": {"frame"},
    "shards": {"frame", "patches"},
    "measure": {"frame"},
    "recipe": {"frame", "develop", "burst", "pair", "shipped"},
    "sample": {"frame", "raw", "develop", "manifest", "shipped"},
}
MAY_SEE = BELOW_BUILD | {
    "build": set(BELOW_BUILD),
    "own": {*BELOW_BUILD, "build"},
    "get": {"manifest", "shipped"},
    "report": {"shards", "measure"},
    "train": {"shards", "measure", "frame", "children"},
    "testing": {"shards", "train"},
}
MAY_SEE |= {"cli": set(MAY_SEE)}
OWNERS = {
    "rawpy": {"raw"},
    "tifffile": {"raw", "cli"},  # cli: `render --out x.tif`
    "h5py": {"shards", "raw"},  # raw: .MAT files of version 7.3 are HDF5
    "torch": {"train", "testing"},
    "click": {"cli"},
    "fsspec": {"get"},
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
