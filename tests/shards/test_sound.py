"""One validator: what is written is read and accepted, what readers refuse can't be written."""

import json
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from isptools import sound
from isptools.build import develop as maker
from isptools.recipe import Recipe
from isptools.shards import read, structure, write
from isptools.shards.check import check
from isptools.shards.schema import wrong_input, wrong_truth
from tests.build import tiny as tinies
from tests.shards import made

SEED = 20260114
# numbers as files have them, and as they should not
NUMBERS = st.one_of(
    st.floats(allow_nan=True, allow_infinity=True),
    st.floats(-10, 70_000),
    st.sampled_from([0.0, -1.0, 64.0, 4095.0, 65535.0, 1e-9, 1e30]),
)
STATED = st.one_of(st.none(), NUMBERS)


def some(count: int) -> st.SearchStrategy[tuple[float, ...]]:
    return st.tuples(*[NUMBERS] * count)


MATRICES = st.one_of(st.none(), st.tuples(*[some(3)] * 3), st.just(((0.0,) * 3,) * 3))
INPUT: dict[str, st.SearchStrategy[Any]] = {
    "black": some(4), "white": NUMBERS, "as_shot": some(4), "daylight": some(4),
    "camera_to_srgb": MATRICES, "xyz_to_camera": MATRICES, "shot": some(4), "read": some(4),
    "exposure_s": STATED, "iso": STATED, "aperture": STATED, "ratio": STATED,
    "orientation": st.integers(-3, 12), "flip": st.integers(-3, 12),
    "cfa": st.sampled_from(["RGGB", "GBRG", "RGGG", "RGB", "", "XYZW", "R" * 36]),
}  # fmt: skip
TRUTH = {
    "white": NUMBERS, "gains": st.one_of(st.none(), some(4)), "exposure_s": STATED, "iso": STATED,
    "aperture": STATED, "orientation": st.integers(-3, 12), "flip": st.integers(-3, 12),
}  # fmt: skip


def few(columns: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    """Another value in some columns of a sound row."""
    names = st.lists(st.sampled_from(sorted(columns)), max_size=3, unique=True)
    return names.flatmap(lambda chosen: st.fixed_dictionaries({n: columns[n] for n in chosen}))


@seed(SEED)
@settings(max_examples=150, deadline=None, database=None)
@given(few(INPUT), few(TRUTH))
def test_a_row_is_written_and_accepted_or_neither(
    of_input: dict[str, Any], of_truth: dict[str, Any]
) -> None:
    row = replace(made.input_row("k", "s", restoration=0, enhancement=0), **of_input)
    truth = made.truth_row("t", "s", **of_truth)
    refused = [*wrong_input(row, "bayer"), *wrong_truth(truth)]
    expected = pytest.raises(ValueError, match=r"^[kt]: ") if refused else nullcontext()
    with TemporaryDirectory() as folder:
        with expected, write.shard(Path(folder), made.spec(shape=(24, 24))) as writer:
            writer.truth(truth, made.truth(0, (24, 24)), made.capture(), ())
            writer.input(row, made.mosaic(0, (24, 24)), made.capture(), ())
        if refused:
            assert not list(Path(folder).iterdir())
            return
        table = read.load(Path(folder) / "a.h5")
        assert not [*structure.tables(table)]
        assert tuple(table.rows) == (row,)


FACTS: dict[str, st.SearchStrategy[Any]] = {
    "black": some(4), "as_shot": some(4), "daylight": some(4), "camera_to_srgb": MATRICES,
    "xyz_to_camera": MATRICES, "exposure_s": STATED, "iso": STATED, "aperture": STATED,
    "white": st.integers(-5, 1 << 21), "color_matrix_1": MATRICES,
    "noise_profile": st.one_of(st.none(), st.tuples(some(2))),
    "orientation": st.integers(0, 9),
}  # fmt: skip


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> tinies.Tiny:
    return tinies.make(tmp_path_factory.mktemp("sound") / "tiny")


@seed(SEED)
@settings(max_examples=12, deadline=None, database=None,
          suppress_health_check=[HealthCheck.function_scoped_fixture])  # fmt: skip
@given(facts=few(FACTS))
def test_what_is_built_is_accepted(
    facts: dict[str, Any], tiny: tinies.Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Headers that state anything: a row of the ledger, or a shard without a problem."""
    plain = maker.frames.frame

    def frame(data: bytes, *words: Any) -> Any:
        found = plain(data, *words)
        return replace(found, capture=replace(found.capture, **facts))

    with monkeypatch.context() as patched, TemporaryDirectory() as folder:
        patched.setattr(maker.frames, "frame", frame)
        tiny.build(out=Path(folder))
        kinds = {one.what for one in check(folder) if one.sure}
        assert not kinds & {"schema", "facts", "pointer", "unreadable", "index", "not-finite"}
        assert list(Path(folder).glob("*.h5")) or tinies.ledger(Path(folder))


WORDS = {
    "full_scale": ("truth.restoration.full_scale", NUMBERS),
    "max_ratio": ("truth.max_ratio", NUMBERS),
    "black": ("truth.black", STATED),
    "tile": ("storage.tile", st.integers(-3, 1 << 70)),
}


@seed(SEED)
@settings(max_examples=100, deadline=None, database=None)
@given(st.sampled_from(sorted(WORDS)).flatmap(
    lambda name: st.tuples(st.just(name), WORDS[name][1])))  # fmt: skip
def test_a_recipe_that_is_read_asks_for_what_can_be_written(word: tuple[str, Any]) -> None:
    name, value = word
    text = msgspec.toml.decode(tinies.RECIPE)
    *tables, last = WORDS[name][0].split(".")
    place = text
    for table in tables:
        place = place.setdefault(table, {})
    place[last] = value
    try:
        recipe = msgspec.convert(text, Recipe)
    except (msgspec.ValidationError, ValueError):
        return
    for _, picture in recipe.truth.pictures:
        assert not [*sound.within("full_scale", picture.full_scale, sound.FACTOR)]
    assert json.loads(recipe.to_json())["truth"]["max_ratio"] <= sound.RATIO
    assert recipe.truth.black is None or 0 <= recipe.truth.black <= sound.DN


@pytest.mark.parametrize(
    ("matrix", "said"),
    [(np.eye(3), []), (np.eye(3) * 1e-3, []), ([[1, 2, 3], [2, 4, 6], [0, 0, 1]], ["inverted"]),
     (np.zeros((3, 3)), ["inverted"]), ([[1, 0, 0], [0, np.nan, 0], [0, 0, 1]], ["finite"])],
)  # fmt: skip
def test_matrices_that_can_be_inverted(matrix: Any, said: list[str]) -> None:
    found = list(sound.matrix("m", tuple(map(tuple, np.asarray(matrix, float).tolist()))))
    assert len(found) == len(said)
    assert all(word in line for word, line in zip(said, found, strict=True))
