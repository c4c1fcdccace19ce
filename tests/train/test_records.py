"""Records stand still and take no unknown words: what a run was told can't change under it."""

import dataclasses
import importlib.util
from pathlib import Path

import msgspec
import pytest

torch = pytest.importorskip("torch", reason="the extra `train` is not installed")
pytest.importorskip("lightning", reason="the extra `train` is not installed")

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for folder in ("train", "measure")
    for path in (ROOT / "isptools" / folder).rglob("*.py")
    if path.name != "__init__.py"
    and ("@dataclass" in (text := path.read_text(encoding="utf-8")) or "msgspec.Struct" in text)
)
MOVING = {"Moving", "Keeper"}  # a stage under way, which are there to change
# many numbers, none by its place
BY_NAME = {"isptools.train.camera.Net", "isptools.train.patches.Form"}


def made_anew(name):
    """A module as its file makes it: what stands outside of functions runs here, in the test."""
    if name == "isptools.train.convolve":
        pytest.importorskip("triton", reason="Triton is not installed")
    spec = importlib.util.find_spec(name)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    own = [one for one in vars(module).values() if isinstance(one, type)]
    return [one for one in own if one.__module__ == name]


@pytest.mark.parametrize("name", MODULES)
def test_records_are_frozen_small_and_strict(name):
    looked = 0
    for record in made_anew(name):
        if dataclasses.is_dataclass(record):
            looked += 1
            said = f"{name}.{record.__name__}"
            words = record.__dataclass_params__
            assert words.frozen == (record.__name__ not in MOVING), said
            assert "__slots__" in vars(record), said
            named = all(field.kw_only for field in dataclasses.fields(record))
            assert named == (said in BY_NAME), said
        if issubclass(record, msgspec.Struct):
            looked += 1
            config = record.__struct_config__
            assert config.frozen, record
            assert config.forbid_unknown_fields, record
    assert looked, f"{name} holds none that was found"
