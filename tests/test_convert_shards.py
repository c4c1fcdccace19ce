"""`isptools convert`: what comes out is read by the other tool's own reader."""

import hashlib
import io
import json
import shutil
import tarfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import tifffile
from click.testing import CliRunner, Result

from isptools import exports
from isptools.cli import convert as command
from isptools.cli import main
from isptools.shards import write
from isptools.shards.schema import FusionRow
from tests.build import tiny as tinies
from tests.shards.made import capture, input_row, mosaic, spec, truth, truth_row
from tests.shards.test_weight import RECIPE

TERMS = "MSR-LA: research, no redistribution"
KINDS = ("webdataset", "zarr", "parquet", "tiff", "exr", "npz")
NEEDS = {"webdataset": "webdataset", "zarr": "zarr", "parquet": "pyarrow", "exr": "OpenEXR"}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two scenes for training and others, each with two inputs of one truth."""
    tiny = tinies.make(tmp_path_factory.mktemp("convert") / "tiny")
    card = tiny.folder / "manifest/dataset.toml"
    words = card.read_text().replace('"CC0"', f'"{TERMS}"').replace('"allowed"', '"forbidden"')
    card.write_text(words)
    tiny.build()
    return tiny.out


@pytest.fixture(scope="module")
def made(built: Path, tmp_path_factory: pytest.TempPathFactory):
    """The folder of a kind of file, made once."""
    done: dict[str, Path] = {}

    def of(kind: str, *more: str) -> Path:
        pytest.importorskip(NEEDS.get(kind, "numpy"), reason="needs the extra `convert`")
        name = "-".join([kind, *more])
        if name not in done:
            done[name] = tmp_path_factory.mktemp("made") / kind
            result = call(built, "--to", kind, "--out", done[name], *more)
            assert result.exit_code == 0, result.output
            assert "redistribution: forbidden: keep them to yourself" in result.output
        return done[name]

    return of


def call(*words: Any) -> Result:
    return CliRunner().invoke(main, ["convert", *map(str, words)])


def by_h5py(folder: Path) -> dict[str, dict[str, Any]]:
    """What the shards hold, as anybody reads them: by key."""
    found = {}
    for path in sorted(folder.glob("*.h5")):
        with h5py.File(path) as file:
            for i, row in enumerate(file["meta"][:]):
                found[row["key"].decode()] = {
                    "input": file["input"][i],
                    "restoration": file["restoration"][row["restoration"]],
                    "enhancement": file["enhancement"][row["enhancement"]],
                    "white": row["white"], "black": row["black"].tolist(),
                    "split": file.attrs["split"],
                    "truth": file["truth_meta"][row["restoration"]]["key"].decode(),
                }  # fmt: skip
    return found


def same(found: dict[str, dict[str, Any]], wanted: dict[str, dict[str, Any]]) -> None:
    assert sorted(found) == sorted(wanted)
    for key, record in found.items():
        for name in ("input", "restoration", "enhancement"):
            assert record[name].dtype == wanted[key][name].dtype
            np.testing.assert_array_equal(record[name], wanted[key][name])
        facts = record["facts"]
        assert (facts["white"], facts["black"]) == (wanted[key]["white"], wanted[key]["black"])
        assert facts["split"] == wanted[key]["split"]
        assert (facts["licence"], facts["redistribution"]) == (TERMS, "forbidden")
        assert facts["pictures"]["restoration"]["value_of_one"] == 1.25 / 65535


# webdataset leaves the tars that it has read to the garbage collector
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_webdataset(built: Path, made) -> None:
    folder, wds = made("webdataset"), pytest.importorskip("webdataset")
    tars = sorted(str(path) for path in folder.glob("*.tar"))
    assert [Path(tar).name for tar in tars] == [
        f"{split}-64x80-000000.tar" for split in ("test", "train", "val")
    ]
    data = wds.WebDataset(tars, shardshuffle=False).decode()
    found = {
        one["json"]["key"]: {"facts": one["json"]} | {
            name: one[f"{name}.npy"] for name in ("input", "restoration", "enhancement")
        }
        for one in data
    }  # fmt: skip
    same(found, by_h5py(built))


def test_zarr(built: Path, made) -> None:
    folder, zarr = made("zarr"), pytest.importorskip("zarr")
    found = {}
    for path in folder.glob("*.zarr"):
        group = zarr.open_group(str(path), mode="r")
        assert (group.attrs["licence"], group.attrs["redistribution"]) == (TERMS, "forbidden")
        for i, text in enumerate(group.attrs["facts"]):
            facts = json.loads(text)
            found[facts["key"]] = {"facts": facts} | {
                name: group[name][i] for name in ("input", "restoration", "enhancement")
            }
    same(found, by_h5py(built))


def test_parquet(built: Path, made) -> None:
    folder, parquet = made("parquet"), pytest.importorskip("pyarrow.parquet")
    found = {}
    types = {"input": np.uint16, "restoration": np.uint16, "enhancement": np.uint8}
    for path in folder.glob("*.parquet"):
        table = parquet.read_table(path)
        assert table.schema.metadata[b"licence"].decode() == TERMS
        assert str(table.schema.field("input").type) == ("list<element: list<element: uint16>>")
        for row in table.to_pylist():
            assert row["key"] == json.loads(row["facts"])["key"]
            found[row["key"]] = {"facts": json.loads(row["facts"])} | {
                name: np.array(row[name], kind) for name, kind in types.items()
            }
    same(found, by_h5py(built))


def test_parquet_for_hugging_face(built: Path, made, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets", reason="Hugging Face's datasets is not installed")
    files = {"train": str(made("parquet") / "train-64x80.parquet")}
    how = {"split": "train", "cache_dir": str(tmp_path)}
    data = datasets.load_dataset("parquet", data_files=files, **how).with_format("numpy")
    wanted = by_h5py(built)
    assert len(data) == 4
    for row in data:
        for name in ("input", "restoration", "enhancement"):
            np.testing.assert_array_equal(row[name], wanted[str(row["key"])][name])


def test_tiff(built: Path, made) -> None:
    """The integers as they are; a truth of two inputs is there once."""
    folder = made("tiff")
    wanted = by_h5py(built)
    assert len(list(folder.rglob("*.input.tif"))) == 8
    assert len(list(folder.rglob("*.restoration.tif"))) == 4
    found = {}
    for path in folder.rglob("*.input.tif"):
        with tifffile.TiffFile(path) as file:
            facts = json.loads(file.pages[0].description)
            assert "DateTime" not in file.pages[0].tags
        truth = wanted[facts["key"]]["truth"].replace("/", "-")
        found[facts["key"]] = {"facts": facts, "input": tifffile.imread(path)} | {
            name: np.moveaxis(tifffile.imread(path.with_name(f"{truth}.{name}.tif")), -1, 0)
            for name in ("restoration", "enhancement")
        }
    same(found, wanted)


def test_exr_has_physical_values(built: Path, made) -> None:
    folder, exr = made("exr"), pytest.importorskip("OpenEXR")
    wanted, seen = by_h5py(built), 0
    for path in folder.rglob("*.input.exr"):
        with exr.File(str(path), separate_channels=True) as file:
            facts = json.loads(file.header()["facts"])
            assert file.header()["licence"] == TERMS
            light = file.channels()["Y"].pixels
        shard = wanted[facts["key"]]
        black = np.tile(np.reshape(shard["black"], (2, 2)), (32, 40))
        np.testing.assert_allclose(
            light, (shard["input"] - black) / (shard["white"] - black), rtol=1e-6, atol=1e-7
        )
        truth = path.with_name(shard["truth"].replace("/", "-") + ".restoration.exr")
        with exr.File(str(truth), separate_channels=True) as file:
            for letter, plane in zip("XYZ", shard["restoration"], strict=True):
                pixels = file.channels()[letter].pixels
                assert pixels.dtype == np.float32
                np.testing.assert_allclose(pixels, plane * (1.25 / 65535), rtol=1e-6)
        seen += 1
    assert seen == 8


def test_npz(built: Path, made) -> None:
    found = {}
    for path in made("npz").rglob("*.npz"):
        with np.load(path) as file:
            facts = json.loads(str(file["facts"]))
            found[facts["key"]] = {"facts": facts, **{n: file[n] for n in file if n != "facts"}}
    same(found, by_h5py(built))


def test_patches_are_whole_cells_side_by_side(built: Path, made) -> None:
    wanted, where = by_h5py(built), []
    for path in made("npz", "--patches", "30").rglob("*.npz"):
        with np.load(path) as file:
            facts = json.loads(str(file["facts"]))
            top, left, height, width = facts["window"]
            area = (..., slice(top, top + height), slice(left, left + width))
            for name in ("input", "restoration", "enhancement"):
                np.testing.assert_array_equal(file[name], wanted[facts["key"]][name][area])
                assert file[name].shape[-2:] == (30, 30)
        where.append((facts["key"], top, left))
    assert sorted(where) == sorted(
        (key, top, left) for key in wanted for top in (0, 30) for left in (0, 30)
    )


@pytest.mark.parametrize("kind", KINDS)
def test_facts_and_licence_travel_along(built: Path, made, kind: str) -> None:
    folder = made(kind)
    page = (folder / "README.md").read_text()
    assert TERMS in page
    assert "may not be passed on" in page
    lines = [json.loads(line) for line in (folder / "facts.jsonl").read_text().splitlines()]
    assert {one["key"] for one in lines} == set(by_h5py(built))


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_bytes_again(built: Path, made, kind: str, tmp_path: Path) -> None:
    first = made(kind)
    assert call(built, "--to", kind, "--out", tmp_path / "again").exit_code == 0
    assert hashes(tmp_path / "again") == hashes(first)


def hashes(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*") if path.is_file()
    }  # fmt: skip


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--patches", "31"], "give a multiple of 2"),
        (["--patches", "66"], "a patch of 66 pixels does not fit"),
        (["--split", "val,test", "--patches", "1"], "give a multiple of 2"),
    ],
)
def test_what_cannot_be_cut_leaves_nothing(built: Path, tmp_path: Path, words, says) -> None:
    done = call(built, "--to", "npz", "--out", tmp_path / "out", *words)
    assert done.exit_code == 1
    assert says in done.output
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_replaced_only_if_asked(built: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    done = call(built, "--to", "npz", "--split", "val", "--out", tmp_path)
    assert done.exit_code == 1
    assert "--overwrite" in done.output
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    line = [built, "--to", "npz", "--split", "val", "--out", tmp_path, "--overwrite"]
    assert call(*line).exit_code == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["README.md", "facts.jsonl", "val"]


def test_shards_are_not_replaced_by_what_is_made_of_them(built: Path, tmp_path: Path) -> None:
    own = tmp_path / "mine/shards"
    shutil.copytree(built, own)
    for out in (own, own.parent, own / "../../mine"):
        done = call(own, "--to", "npz", "--split", "val", "--out", out, "--overwrite")
        assert done.exit_code == 1
        assert "holds the shards that are read" in done.output
    assert (own / "index.json").is_file()


def test_a_library_that_is_not_there(built: Path, tmp_path: Path, monkeypatch) -> None:
    def missing(_: Path) -> None:
        raise ImportError("No module named 'zarr'", name="zarr")

    monkeypatch.setitem(exports.KINDS, "zarr", missing)
    done = call(built, "--to", "zarr", "--out", tmp_path / "out")
    assert done.exit_code == 1
    assert "--to zarr needs zarr: in isptools' own folder, pip install '.[convert]'" in done.output
    assert list(tmp_path.iterdir()) == []


def test_keys_that_are_alike_as_names() -> None:
    """WebDataset takes what stands before the first dot for the name."""
    names = exports.records._Names()
    assert [names.of(key) for key in ("a/b.c", "a/b-c", "a-b_c", "A/B.C", "a/b.c")] == [
        "a-b_c", "a-b-c", "a-b_c-2", "A-B_C-3", "a-b_c",
    ]  # fmt: skip


def test_kinds_of_the_command_line() -> None:
    assert tuple(exports.KINDS) == command.KINDS


def test_tars_end_when_they_are_full(built: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(exports.files, "TAR", 1)
    assert call(built, "--to", "webdataset", "--out", tmp_path / "out").exit_code == 0
    names = sorted(path.name for path in (tmp_path / "out").glob("train-*.tar"))
    assert names == [f"train-64x80-{number:06d}.tar" for number in range(4)]
    with tarfile.open(tmp_path / "out" / names[0]) as tar:
        assert {member.mtime for member in tar} == {0}
        first = tar.extractfile(tar.getmembers()[0])
        assert np.load(io.BytesIO(first.read())).shape == (64, 80)


def test_a_weight_goes_along(tmp_path: Path) -> None:
    sha256 = hashlib.sha256(RECIPE.encode()).hexdigest()
    attrs = {**spec().attrs, "recipe": RECIPE, "recipe_sha256": sha256}
    with write.shard(tmp_path, spec(weighted=True, attrs=attrs)) as writer:
        at = writer.truth(truth_row("s/fused", "s"), truth(0), capture(), ())
        facts = FusionRow(key="s/fused", frames=2, refused=0, effective_frames=2.0, trusted=0.5)
        stored = np.random.default_rng(1).integers(0, 256, (50, 70))
        writer.fusion(facts, (stored / 255).astype(np.float32))
        row = input_row("s/0", "s", restoration=at, enhancement=at)
        writer.input(row, mosaic(1), capture(), ())
    assert call(tmp_path / "a.h5", "--to", "npz", "--out", tmp_path / "out").exit_code == 0
    with np.load(tmp_path / "out/train/s-0.npz") as file:
        np.testing.assert_array_equal(file["weight"], stored)
