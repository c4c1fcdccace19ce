"""build, check and inspect as a person calls them."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import imageio.v3 as imageio
import numpy as np
import pytest
import rawpy
from click.testing import CliRunner, Result

from isptools import raw
from isptools.cli import main
from tests.build import tiny as tinies
from tests.build.tiny import Tiny
from tests.shards.made import XTRANS


def call(*arguments: object) -> Result:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("sample") / "shards"
    result = call("build", "sid", "--sample", "--out", out)
    assert result.exit_code == 0, result.output
    return out


def test_a_sample_from_nothing(built: Path) -> None:
    again = call("build", "sid", "--sample", "--out", built)
    assert again.exit_code == 0
    assert "made from code" in again.output
    assert "3 units finished before" in again.output
    assert f"isptools check {built}" in again.output
    assert "misaligned 3" in again.output
    index = json.loads((built / "index.json").read_text())
    assert index["sample"]
    assert "miniature made from code" in index["data_set"]["title"]
    with h5py.File(built / index["shards"][0]["name"]) as file:
        assert file.attrs["sample"]
        assert "not photographs" in file.attrs["title"]


def test_a_sample_does_not_depend_on_its_folder(built: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from isptools.cli import main; main()", "build", "sid", "--sample",
         "--out", str(tmp_path / "two"), "--jobs", "2"],
        capture_output=True, text=True, check=True, env={"TMPDIR": str(tmp_path)},
    )  # fmt: skip
    assert "building: 13/13" in done.stderr
    assert tinies.listing(tmp_path / "two") == tinies.listing(built)
    assert [path.name for path in tmp_path.iterdir()] == ["two"]


def test_limit_and_split(tmp_path: Path) -> None:
    out = tmp_path / "small"
    assert call("build", "sid", "--sample", "--out", out, "--limit", 1).exit_code == 0
    assert json.loads((out / "index.json").read_text())["counts"]["train"]["scenes"] == 1
    refused = call("build", "sid", "--sample", "--out", out, "--split", "train")
    assert (refused.exit_code, "of another recipe" in refused.output) == (1, True)
    one = tmp_path / "one"
    assert call("build", "sid", "--sample", "--out", one, "--split", "test,val").exit_code == 0
    assert list(json.loads((one / "index.json").read_text())["counts"]) == ["test", "val"]
    assert call("build", "sid", "--sample", "--out", one, "--split", "tset").exit_code == 2


def test_a_recipe_file_with_its_manifest_beside_it(tiny: Tiny) -> None:
    recipe = tiny.folder / "recipe.toml"
    result = call("build", recipe, "--source", tiny.source, "--out", tiny.out)
    assert result.exit_code == 0, result.output
    tiny.build(tiny.folder / "same")
    assert tinies.listing(tiny.out) == tinies.listing(tiny.folder / "same")


@pytest.mark.parametrize("source", [[], ["--source", "nowhere"]])
def test_a_missing_source(tmp_path: Path, source: list[str]) -> None:
    result = call("build", "sid", "--out", tmp_path / "out", *source)
    assert result.exit_code == 1
    for part in ("Sony A7S II", "Sony2025.zip", "licence", "25 GB", "Sony/short/*.ARW", "--sample"):
        assert part in result.output
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["nothing", "--sample"], "no recipe 'nothing'"),
        (["sid", "--sample", "--source", "x"], "leave out --source"),
        (["sid", "--sample", "--jobs", "0"], "--jobs"),
    ],
)
def test_wrong_calls_are_one_line(tmp_path: Path, arguments: list[str], line: str) -> None:
    result = call("build", *arguments, "--out", tmp_path / "out")
    assert result.exit_code in {1, 2}
    assert line in result.output.splitlines()[-1]
    assert not (tmp_path / "out").exists()


def test_check_says_what_is_there_or_what_is_wrong(built: Path, tmp_path: Path) -> None:
    good = call("check", built)
    assert good.exit_code == 0
    assert "no problems: 3 shards, 13 inputs, 5 scenes" in good.output
    name = "sid-val-384x512-0000.h5"
    for path in built.glob("*.*"):
        if path.is_file():
            (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / name).unlink()
    bad = call("check", tmp_path)
    assert bad.exit_code == 3
    assert f"problem: {name}: missing" in bad.output
    assert call("check", tmp_path / "nowhere").exit_code == 1


def test_a_set_that_must_stay_at_home_says_so(tiny: Tiny) -> None:
    facts = tiny.folder / "manifest/dataset.toml"
    facts.write_text(facts.read_text().replace('"allowed"', '"forbidden"'))
    tiny.build()
    shard = next(tiny.out.glob("*.h5"))
    checked, inspected = call("check", tiny.out), call("inspect", shard)
    assert "licence: CC0\nredistribution: forbidden: keep these shards" in checked.output
    assert "redistribution       forbidden" in inspected.output


def test_inspect_a_shard(built: Path, tmp_path: Path) -> None:
    image = tmp_path / "sheet.png"
    result = call("inspect", built / "sid-val-384x512-0000.h5", "--image", image)
    assert result.exit_code == 0
    for part in ("made from code", "CVPR", "auto-tone", "(3, 384, 512) uint16", "libraw 0.",
                 "sid/20007/20007_00_0.04s", "physical value = stored * 1.25"):  # fmt: skip
        assert part in result.output
    picture = imageio.imread(image)
    assert picture.dtype == np.uint8
    height, width = picture.shape[0] // 3, picture.shape[1] // 3  # 3 rows of 3 pictures
    first = [picture[: height - 6, i * width : (i + 1) * width - 6] for i in range(3)]
    means = np.array([part.mean((0, 1)) for part in first])
    assert np.abs(means - means.mean(0)).max() < 12  # the same scene at the same exposure


def test_inspect_a_raw(tiny: Tiny, tmp_path: Path) -> None:
    image = tmp_path / "raw.png"
    path = tiny.file("long/a1_long.dng")
    result = call("inspect", path, "--image", image)
    assert result.exit_code == 0
    for part in ("80 x 64", "RGGB", "64 65 66 67", "4095", "Test", "noise_profile", "0.58 -0.14"):
        assert part in result.output
    with rawpy.imread(str(path)) as picture:
        wanted = picture.postprocess(
            half_size=True, use_camera_wb=True, no_auto_bright=True, adjust_maximum_thr=0,
            gamma=(2.4, 12.92),
        )  # fmt: skip
    assert np.array_equal(imageio.imread(image), wanted)


@pytest.mark.parametrize(
    ("facts", "size"),
    [
        ({"kind": "xtrans", "cfa": XTRANS, "black": (64.0,) * 36, "flip": 6, "orientation": 6},
         (80 // 6, 64 // 6)),
        ({"kind": "monochrome", "cfa": "", "black": (64.0,), "color_matrix_1": None,
          "illuminant_1": None, "as_shot": (0.0, 1.0, 0.0, 0.0)}, (64, 80)),
        ({"pixel_aspect": 0.5}, (32, 40)),
    ],
)  # fmt: skip
def test_inspect_what_the_chain_does_not_take(
    tmp_path: Path, facts: dict[str, Any], size: tuple[int, int]
) -> None:
    black = tuple(map(int, facts.get("black", (64, 65, 66, 67))))
    raw.write_dng(tmp_path / "x.dng", tinies.frame(0, **facts, black_libraw=black))
    result = call("inspect", tmp_path / "x.dng", "--image", tmp_path / "x.png")
    assert result.exit_code == 0, result.output
    picture = imageio.imread(tmp_path / "x.png")
    assert picture.shape == (*size, 3)
    assert picture.std() > 20


def test_inspect_something_else(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("x")
    (tmp_path / "x.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + b"0" * 99)
    for path in (tmp_path / "x.txt", tmp_path / "x.h5", tmp_path / "none", tmp_path):
        result = call("inspect", path)
        assert result.exit_code == 1, path
        said = [line for line in result.output.splitlines() if "reading headers" not in line]
        assert [line[:7] for line in said] == ["Error: "]
    with h5py.File(tmp_path / "y.h5", "w") as file:
        file["x"] = 1
    assert "not a readable shard" in call("inspect", tmp_path / "y.h5").output


@pytest.mark.parametrize("name", ["build", "check", "inspect"])
def test_help_is_light(name: str) -> None:
    code = (
        "import sys; from click.testing import CliRunner; from isptools.cli import main;"
        f"r = CliRunner().invoke(main, ['{name}', '--help']); assert r.exit_code == 0, r.output;"
        "print([m for m in ('numpy', 'h5py', 'rich', 'msgspec') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
