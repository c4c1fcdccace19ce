"""The promises of rooms: kept by every one that ships, and by strangers'; broken ones are told."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import h5py
import msgspec
import numpy as np
import pytest

from isptools import datasets, raw, shipped, testing
from isptools.build import BuildError, Options, build
from isptools.frame import Frame
from isptools.recipe import Recipe, Storage
from tests.build.tiny import frame, write
from tests.build.tiny import make as make_tiny

BUILT = ("sid", "photographs", "bursts")  # the tests of the others build theirs with 1 and 2 jobs
RECIPES = {"photographs": "unprocess"}  # of those that have none of their own name
SETS = sorted(path.parent.name for path in shipped.folder("manifests").glob("*/dataset.toml"))


LONG = ("bursts", "dped-originals", "hdrplus", "pairs", "photographs", "sid-fuji")  # to be drawn


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.long if name in LONG else ()) for name in SETS],
)
def test_every_shipped_room_keeps_its_promises(name: str) -> None:
    testing.room(RECIPES.get(name, name), build_twice=name in BUILT)


DATA_SET = """
name = "stranger"
title = "A stranger's"
licence = "CC0-1.0"
redistribution = "allowed"
home = "https://example.org"
downloads = []
size = "a few files"
place = "so that --source holds the folders"
roots = ["."]
room = "room.py"
"""
RECIPE = """
name = "stranger"
title = "A stranger's set"

[source]
data_set = "."

[truth]
make = "develop"
steps = [
    { step = "levels" },
    { step = "balance" },
    { step = "demosaic", method = "linear" },
    { step = "xyz" },
]

[truth.restoration]
from = "kept"
at = "xyz"
full_scale = 1.25
"""
ROOM = """
from pathlib import Path

import msgspec

from isptools.datasets.listing import Listing, root_with
from isptools.datasets.scene import Exposures, Named, Scene


class Select(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    scenes: tuple[str, ...] = ()


def find(card, select, place):
    root = root_with(card, place, "*/long.dng")
    scenes = []
    for folder in sorted(path for path in root.iterdir() if path.is_dir()):
        if not select.scenes or folder.name in select.scenes:
            inputs = tuple(Named(f"{folder.name}/{p.name}") for p in sorted(folder.glob("s*.dng")))
            truth = Named(f"{folder.name}/long.dng")
            scenes.append(Scene(folder.name, "train", Exposures(truth, inputs)))
    return Listing(root, tuple(scenes))
"""


@pytest.fixture
def stranger(tmp_path: Path) -> Path:
    """A data set of somebody else's: facts, recipe and room; photographs beside them."""
    tiny = make_tiny(tmp_path / "tiny")
    for number, scene in enumerate("ab"):
        write(tiny, f"{scene}/long.dng", frame(number))
        write(tiny, f"{scene}/s1.dng", short(number))
    for name in ("long", "short"):
        for path in (tiny.source / name).iterdir():
            path.unlink()
        (tiny.source / name).rmdir()
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "dataset.toml").write_text(DATA_SET)
    (folder / "recipe.toml").write_text(RECIPE)
    (folder / "room.py").write_text(ROOM)
    tiny.source.rename(tmp_path / "photos")
    return folder


def room_with(folder: Path, old: str, new: str) -> None:
    text = (folder / "room.py").read_text()
    assert old in text
    (folder / "room.py").write_text(text.replace(old, new))


def test_a_strangers_room_keeps_the_promises(stranger: Path) -> None:
    testing.room(stranger / "recipe.toml", stranger.parent / "photos")


def test_its_hash_stands_in_the_shards(stranger: Path, tmp_path: Path) -> None:
    words = ["build", "mine/recipe.toml", "--source", "photos", "--out", "out"]
    call = [sys.executable, "-m", "isptools.cli", *words]
    subprocess.run(call, cwd=tmp_path, check=True, capture_output=True)
    import hashlib  # noqa: PLC0415 - only here
    import json  # noqa: PLC0415 - only here

    with h5py.File(next((tmp_path / "out").glob("*.h5"))) as file:
        versions = json.loads(file.attrs["versions"])
    expected = hashlib.sha256((stranger / "room.py").read_bytes()).hexdigest()
    assert versions["room"] == expected


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (", forbid_unknown_fields=True", "", "takes unknown words: add forbid_unknown_fields"),
        ('f"{folder.name}/long.dng"', 'f"../photos/{folder.name}/long.dng"', "no path below"),
        ('"train", Exp', '("test" if folder.name == "b" else "train"), Exp', ""),
        ("scenes.append(Scene(folder.name", 'scenes.append(Scene("same"', "have the key"),
        ("tuple(scenes))", "tuple(scenes[:0]))", "lists no scene"),
        (
            "    return Listing(root, tuple(scenes))",
            "    import random\n    return Listing(root, tuple(random.sample(scenes * 9, 9)))",
            "differently the second time",
        ),
        (
            '"train", Exposures(truth, inputs)',
            '("test" if folder.name == "b" else "train"), Exposures(truth, inputs), "one"',
            "stands in",
        ),
    ],
    ids=["lax words", "outside", "fine", "same keys", "nothing", "chance", "split group"],
)
def test_a_promise_that_is_not_kept_is_told(stranger, old, new, message) -> None:
    room_with(stranger, old, new)
    photos = stranger.parent / "photos"
    if not message:
        testing.room(stranger / "recipe.toml", photos)
        return
    with pytest.raises((AssertionError, BuildError), match=message):
        testing.room(stranger / "recipe.toml", photos)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import no_such_module_here\n", r"room 'room.py' can't be loaded: ModuleNotFoundError"),
        ("def find(:\n", r"room 'room.py' can't be loaded: SyntaxError"),
        ("Select = int\n", "defines no find"),
        (None, r"room 'room.py' can't be loaded: FileNotFoundError"),
    ],
)
def test_a_room_that_is_none_is_one_line(stranger: Path, text: str | None, message: str) -> None:
    (stranger / "room.py").unlink()
    if text is not None:
        (stranger / "room.py").write_text(text)
    with pytest.raises(ValueError, match=message) as caught:
        datasets.opened(Recipe.load(stranger / "recipe.toml").source, stranger)
    assert "\n" not in str(caught.value)


def test_a_room_that_fails_is_one_line(stranger: Path) -> None:
    room_with(stranger, "    scenes = []\n", "    scenes = []\n    1 / 0\n")
    recipe = Recipe.load(stranger / "recipe.toml")
    opened = datasets.opened(recipe.source, stranger)
    with pytest.raises(BuildError, match=r"can't list .*: ZeroDivisionError") as caught:
        build(recipe, stranger.parent / "photos", stranger / "out", Options(data_set=opened))
    assert "\n" not in str(caught.value)


def test_workers_find_a_room_that_was_named_from_here(stranger, tmp_path, monkeypatch) -> None:
    """loky's workers stay in the folder where they were started; the recipe's path is relative."""
    write_scene(tmp_path / "photos", "c", 7)
    recipe = msgspec.structs.replace(
        Recipe.load(stranger / "recipe.toml"), storage=Storage(scenes_per_shard=1)
    )
    (elsewhere := tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(elsewhere)
    make_tiny(elsewhere).build(elsewhere / "first", jobs=2)  # the workers start here
    monkeypatch.chdir(tmp_path)
    opened = datasets.opened(recipe.source, Path("mine"))
    build(recipe, Path("photos"), Path("out"), Options(jobs=2, data_set=opened))
    assert len(list((tmp_path / "out").glob("*.h5"))) == 3


def write_scene(photos: Path, name: str, seed: int) -> None:
    (photos / name).mkdir()
    raw.write_dng(photos / name / "long.dng", frame(seed))
    raw.write_dng(photos / name / "s1.dng", short(seed))


def short(seed: int) -> Frame:
    """A hundredth of the light of `frame(seed)`, with about the noise that it states."""
    made = frame(seed, 0.01, exposure_s=0.1)
    noise = np.random.default_rng(seed).integers(0, 9, made.pixels.shape)
    return replace(made, pixels=(made.pixels + noise).astype(np.uint16))


def test_a_room_of_an_importable_package(stranger: Path, tmp_path: Path) -> None:
    package = tmp_path / "site" / "lab_rooms"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (stranger / "room.py").rename(package / "night.py")
    facts = (stranger / "dataset.toml").read_text().replace('"room.py"', '"lab_rooms.night"')
    (stranger / "dataset.toml").write_text(facts)
    words = ["build", str(stranger / "recipe.toml"), "--source", str(tmp_path / "photos")]
    call = [sys.executable, "-m", "isptools.cli", *words, "--out", "out", "--jobs", "2"]
    path = {**os.environ, "PYTHONPATH": f"{tmp_path / 'site'}{os.pathsep}{Path.cwd()}"}
    subprocess.run(call, cwd=tmp_path, check=True, capture_output=True, env=path)
    assert len(list((tmp_path / "out").glob("*.h5"))) == 1


BARE = '''
import numpy as np


def numbers(data, named):
    """Files of the sort .pic hold 12 bits in 16, most significant byte first."""
    if not named.path.endswith(".pic"):
        return None
    return np.frombuffer(data, ">u2").reshape(32, 48).astype(np.uint16) >> 4
'''


@pytest.mark.parametrize("form", ["raw", "pic"])
def test_headerless_numbers(stranger: Path, form: str, tmp_path: Path) -> None:
    """`.raw` of stated size, type and filters (as PMRID has them); one's own sort by `numbers`."""
    photos = tmp_path / "photos"
    sensor = 'sensor = { cfa = "BGGR", black = 64, white = 1023, make = "A", model = "B", '
    sensor += "shape = [32, 48] }\n"
    (stranger / "dataset.toml").write_text(DATA_SET + sensor)
    random = np.random.default_rng(5)
    stored = {}
    for scene in "ab":
        for old, name in (("long", "long"), ("s1", "s1")):
            (photos / scene / f"{old}.dng").unlink()
            pixels = random.integers(64, 1024, (32, 48)).astype(np.uint16)
            stored[f"{scene}/{name}.{form}"] = pixels
            data = pixels.tobytes() if form == "raw" else (pixels << 4).astype(">u2").tobytes()
            (photos / scene / f"{name}.{form}").write_bytes(data)
    text = (stranger / "room.py").read_text().replace(".dng", f".{form}")
    (stranger / "room.py").write_text(text + BARE)
    testing.room(stranger / "recipe.toml", photos)
    recipe = Recipe.load(stranger / "recipe.toml")
    opened = datasets.opened(recipe.source, stranger)
    build(recipe, photos, tmp_path / "out", Options(data_set=opened))
    with h5py.File(next((tmp_path / "out").glob("*.h5"))) as file:
        for row, record in enumerate(file["meta"]):
            expected = stored[record["source"].decode()]
            np.testing.assert_array_equal(file["input"][row], expected)
            assert record["cfa"] == b"BGGR"
            assert (record["white"], record["make"]) == (1023, b"A")
            assert list(record["black"]) == [64] * 4
    if form == "raw":
        (photos / "a/s1.raw").write_bytes(b"\0" * 100)
        summary = build(recipe, photos, tmp_path / "cut", Options(data_set=opened))
        assert summary.refusals == {"noted": {"no-white": 1}, "refused": {"unreadable": 1}}
        ledger = (tmp_path / "cut/ledger.jsonl").read_text()
        assert "it holds 100 bytes, 32 x 48 uint16 behind 0 are 3072" in ledger
