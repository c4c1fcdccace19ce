"""Hypothesis on what reads strangers' bytes: an answer or one line, never another exception.

`make fuzz` runs more of it: FUZZ is the number of examples of each.
"""

import io
import os
import struct
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from isptools import raw
from isptools.datasets.card import load
from isptools.raw.integrity import missing_bytes
from isptools.raw.tags import WANTED, Tags, read_tags
from isptools.recipe import Recipe
from tests.raw.mosaics import frame, written

many = settings(
    max_examples=int(os.environ.get("FUZZ", "100")), deadline=None,
    derandomize="FUZZ" not in os.environ, print_blob=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
entries = st.tuples(
    st.sampled_from([*sorted(WANTED), 330, 34665, 51008, 51009]), st.integers(0, 20),
    st.one_of(st.integers(0, 9), st.integers(0, 2**32 - 1)), st.integers(0, 2**32 - 1),
)  # fmt: skip
DNG = written(frame())


@many
@given(st.lists(st.lists(entries, max_size=8), max_size=4), st.binary(max_size=64))
def test_directories(directories: list, rest: bytes) -> None:
    data = b"II*\0\x08\0\0\0"
    for directory in directories:
        data += struct.pack("<H", len(directory))
        data += b"".join(struct.pack("<HHII", *entry) for entry in directory)
        data += struct.pack("<I", len(data) + 4)
    found = read_tags(io.BytesIO(data + rest))
    assert found is None or isinstance(found, Tags)
    if found:
        assert isinstance(missing_bytes(found, len(data)), str)


@many
@given(st.lists(st.tuples(st.integers(0, 900), st.binary(min_size=1, max_size=4)), max_size=6))
def test_raw_headers(changes: list) -> None:
    data = bytearray(DNG)
    for place, piece in changes:
        data[place : place + len(piece)] = piece
    for call in (raw.read_bytes, raw.header_of_bytes):
        try:
            call(bytes(data), "a.dng")
        except raw.RawError as error:
            assert str(error).isprintable()  # noqa: PT017 - either may happen


words = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**63), 2**64 - 1), st.floats(), st.text()),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
    max_leaves=6,
)


@many
@given(st.sampled_from(["title", "source", "truth", "storage", "limit", "sample"]), words)
def test_recipes(word: str, value: object) -> None:
    text = Path("recipes/sid.toml").read_bytes()
    plain = msgspec.toml.decode(text) | {word: value}
    try:
        recipe = msgspec.convert(plain, Recipe)
    except ValueError as error:
        assert str(error)  # noqa: PT017 - either may happen
        return
    assert msgspec.json.decode(recipe.to_json(), type=Recipe) == recipe


@many
@given(st.binary(max_size=300), st.sampled_from(["dataset.toml", "files.tsv", "scenes.tsv"]))
@pytest.mark.parametrize("before", [b"", b"split\tscene\trole\tpath\n"])
def test_manifests(tmp_path: Path, before: bytes, data: bytes, name: str) -> None:
    for path in Path("manifests/sid").iterdir():
        if path.suffix in {".toml", ".tsv"}:
            (tmp_path / path.name).write_bytes(path.read_bytes()[:100_000])
    (tmp_path / name).write_bytes(before + data)
    try:
        load(str(tmp_path))
    except ValueError as error:
        assert "\n" not in str(error)  # noqa: PT017 - either may happen
