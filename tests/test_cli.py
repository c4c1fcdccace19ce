"""The command line is frozen here: it grows on purpose only."""

import errno
import json
import subprocess
import sys

import numpy as np
import pytest
import rawpy
import tifffile
from click.testing import CliRunner

from isptools.cli import COMMANDS, main
from isptools.cli.target import Into, Target
from isptools.datasets import miniature
from tests.develop import libraw

OPTIONS = {
    "align": [
        "phone", "dslr", "out", "report", "reference", "aspect", "size", "patch", "reach", "turn",
        "least", "offsets", "seed", "threshold", "as_json",
    ],
    "bad-pixels": ["raws", "ratio", "out", "as_json"],
    "build": ["recipe", "source", "out", "staging", "sample", "split", "jobs", "share", "cluster",
              "limit", "enhanced", "time_limit", "verify", "as_json"],
    "check": ["folder", "jobs", "as_json"],
    "convert": ["folder", "kind", "out", "patches", "split", "overwrite", "as_json"],
    "compare": [
        "table", "folder", "listed", "copy", "out", "budget", "only", "seeds", "steps", "limit",
        "device", "jobs", "camera", "code", "as_json",
    ],
    "develop": ["model", "raws", "out", "gain", "tile", "device", "code", "as_json"],
    "doctor": ["test", "as_json"],
    "eval": ["run", "folder", "predictions", "split", "out", "image", "tile", "device",
             "baselines", "camera", "code", "codec", "qualities", "beside", "as_json"],
    "export": ["model", "onnx", "size", "code", "as_json"],
    "fuse": ["frames", "out", "reference", "truth", "weights", "report", "image", "as_json"],
    "get": ["name", "out", "chosen", "only", "jobs", "yes", "dry_run", "as_json"],
    "init": ["folder", "out", "kind", "by", "jobs", "overwrite", "as_json"],
    "inspect": ["file", "image", "as_json"],
    "ledger": ["folder", "files", "reason", "as_json"],
    "manifest": ["folder", "out", "kind", "by", "jobs", "overwrite", "as_json"],
    "models": ["names", "as_json"],
    "recipes": ["convert", "as_json"],
    "render": [
        "raw", "out", "demosaic", "balance", "space", "gamma", "highlights", "fixed_white",
        "trust", "auto_bright", "as_json",
    ],
    "report": ["folder", "out", "source", "skip", "jobs", "as_json"],
    "sample": ["name", "out", "seed", "as_json"],
    "show": ["recipe", "as_json"],
    "stats": ["folder", "as_json", "plots"],
    "train": [
        "name", "folder", "out", "preset", "settings", "changes", "seed", "only", "device",
        "devices", "nodes", "jobs", "threads", "start", "parts", "dry_run", "data",
        "as_json",
    ],
}  # fmt: skip
EVERYWHERE = ["quiet", "log"]


def run(*words):
    return CliRunner().invoke(main, [str(word) for word in words])


def test_command_line_grows_only_on_purpose():
    found = {name: [one.name for one in main.get_command(None, name).params] for name in COMMANDS}
    assert found == {name: words + EVERYWHERE for name, words in OPTIONS.items()}


def test_help_is_light():
    """Nothing that takes long to load: benchmarks/speed.py says the time."""
    heavy = (
        "import sys, isptools.cli as cli\n"
        "try: cli.main(['--help'])\n"
        "except SystemExit: pass\n"
        "print('loaded', *sorted({'numpy','torch','h5py','rawpy','numba'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", heavy], capture_output=True, text=True, check=True)
    assert "\nloaded\n" in done.stdout
    assert all(name in done.stdout for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name):
    done = run(name, "--help")
    assert done.exit_code == 0
    assert done.output.startswith("Usage")


def test_show_prints_stations_truths_and_notes():
    done = run("show", "sid")
    assert done.exit_code == 0, done.output
    for word in ("sensor -> mosaic", "camera -> xyz", "<- truth", "stands in for Photoshop"):
        assert word in done.output


def test_recipes_lists_what_ships():
    done = run("recipes")
    assert {"sid", "sid-fuji", "sid-paper2018"} <= {
        line.split()[0] for line in done.output.splitlines()
    }
    assert "isptools compare --list" in done.output.splitlines()[-1]


@pytest.mark.parametrize("word", ["no-such-recipe", "missing.toml"])
def test_an_unknown_recipe_is_one_line(word):
    done = run("show", word)
    assert done.exit_code == 1
    assert done.output.count("\n") == 1
    assert ("there is no such file" if word.endswith(".toml") else "sid") in done.output


@pytest.mark.parametrize(
    ("arguments", "choices"),
    [
        (["--demosaic", "ppg"], {"method": "ppg"}),
        (["--balance", "daylight", "--space", "xyz"], {"balance": "daylight", "space": "xyz"}),
        (["--balance", "1.9,1,1.4,1.1", "--gamma", "srgb"], {"balance": "user", "curve": "srgb"}),
        (["--highlights", "blend", "--adjust-maximum"], {"highlights": 2, "adjust": 0.75}),
        (["--auto-bright", "--highlights", "unclipped"], {"auto_bright": True, "highlights": 1}),
        (["--auto-bright", "--balance", "auto"], {"auto_bright": True, "balance": "auto"}),
    ],
)
def test_render_writes_libraws_integers(tmp_path, arguments, choices):
    data, _ = libraw.written(libraw.probe("GBRG", (47, 62), flip_orientation=8))
    (tmp_path / "a.dng").write_bytes(data)
    done = run("render", tmp_path / "a.dng", "--out", tmp_path / "a.tif", *arguments)
    assert done.exit_code == 0, done.output
    picture = tifffile.imread(tmp_path / "a.tif")
    np.testing.assert_array_equal(picture, libraw.rendered(data, **choices))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.dng", "a.tif"]


def test_render_defaults_are_those_of_the_help(tmp_path):
    data, _ = libraw.written(libraw.probe())
    (tmp_path / "a.dng").write_bytes(data)
    done = run("render", tmp_path / "a.dng", "--out", tmp_path / "a.tif", "--json")
    with rawpy.imread(str(tmp_path / "a.dng")) as opened:
        theirs = opened.postprocess(
            use_camera_wb=True, no_auto_bright=True, adjust_maximum_thr=0.0, output_bps=16
        )
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "a.tif"), theirs)
    told = json.loads(done.stdout)
    assert (told["height"], told["width"], 3) == theirs.shape
    assert (told["out"], told["balance"]) == (str(tmp_path / "a.tif"), "as_shot")


@pytest.mark.parametrize(("method", "quality"), [("ahd", "AHD"), ("ppg", "PPG")])
def test_render_gives_xtrans_files_to_libraws_own_method(tmp_path, method, quality):
    raw = next(path for path in miniature("sid-fuji", tmp_path / "fuji") if "long" in str(path))
    out = tmp_path / "a.tif"
    done = run("render", raw, "--out", out, "--demosaic", method)
    assert done.exit_code == 0, done.output
    with rawpy.imread(str(raw)) as opened:
        theirs = opened.postprocess(
            use_camera_wb=True, no_auto_bright=True, adjust_maximum_thr=0.0, output_bps=16,
            demosaic_algorithm=rawpy.DemosaicAlgorithm[quality],
        )  # fmt: skip
    np.testing.assert_array_equal(tifffile.imread(out), theirs)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing.dng", "--out", "a.tif"], "nothing.dng"),
        (["a.dng", "--out", "a.jpg"], ".tif, .tiff or .png"),
        (["a.dng", "--out", "a.tif", "--balance", "warm"], "expected camera"),
        (["a.dng", "--out", "a.tif", "--balance", "1,0,1,1"], "above 0"),
        (["a.dng", "--out", "text.ARW/a.tif"], "folder can't be made"),
        (["text.ARW", "--out", "a.tif"], "text.ARW"),
    ],
)
def test_render_complains_in_one_line_and_writes_nothing(tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.dng").write_bytes(libraw.written(libraw.probe())[0])
    (tmp_path / "text.ARW").write_text("no raw at all")
    done = run("render", *arguments)
    assert done.exit_code == 1
    assert message in done.output
    assert done.output.count("\n") == 1
    assert "Traceback" not in done.output
    assert not list(tmp_path.glob("a.tif*")) + list(tmp_path.glob(".a*"))


def test_bad_pixels_writes_a_step_a_recipe_takes(tmp_path):
    paths = []
    for i in range(4):
        frame = libraw.probe(seed=i, shape=(60, 80))
        pixels = frame.pixels.copy()
        pixels[:] = 400 + 3 * i
        pixels[11, 20] = pixels[30, 33] = 4000
        pixels[(5 + i) * 2, 7] = 3000  # a photon strike: not confirmed
        paths.append(tmp_path / f"{i}.dng")
        data, _ = libraw.written(type(frame)(pixels, frame.space, frame.capture))
        paths[-1].write_bytes(data)
    done = run("bad-pixels", *paths, "--out", tmp_path / "step.toml")
    assert done.exit_code == 0, done.output
    assert "2 bad pixels" in done.output
    from isptools.recipe import Recipe, find  # noqa: PLC0415 - only here

    text = find("sid").read_text(encoding="utf-8")
    head, tail = text.split('make = "develop"\n')
    step = (tmp_path / "step.toml").read_text()
    (tmp_path / "own.toml").write_text(f'{head}make = "develop"\n{step}{tail}')
    step = Recipe.load(tmp_path / "own.toml").truth.prepare[0]
    assert step.sites == ((11, 20), (30, 33))
    assert step.camera == "isptools probe"


def test_sample_writes_the_same_bytes_twice(tmp_path):
    assert run("sample", "sid", "--out", tmp_path / "one").exit_code == 0
    done = run("sample", "sid", "--out", tmp_path / "two", "--json")
    files = [path for path in (tmp_path / "one").rglob("*") if path.is_file()]
    assert files
    told = json.loads(done.stdout)["files"]
    assert sorted(told) == sorted(path.relative_to(tmp_path / "one").as_posix() for path in files)
    for path in files:
        other = tmp_path / "two" / path.relative_to(tmp_path / "one")
        assert path.read_bytes() == other.read_bytes()


def test_sample_writes_over_no_photograph(tmp_path):
    photograph = tmp_path / "Sony/short/10003_00_0.1s.ARW"
    photograph.parent.mkdir(parents=True)
    photograph.write_bytes(b"the data set's own")
    done = run("sample", "sid", "--out", tmp_path)
    assert done.exit_code == 1
    assert done.output.splitlines()[-1].startswith(f"Error: {photograph} is there, and another")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [photograph]
    assert photograph.read_bytes() == b"the data set's own"


@pytest.mark.parametrize(
    "words",
    [
        ("render", "a.tif", "--out", "a.tif"),
        ("render", "a.tif", "--out", "other/../a.tif"),
        ("inspect", "a.png", "--image", "link.png"),
        ("fuse", "b.dng", "a.dng", "--out", "a.dng"),
        ("fuse", "b.dng", "a.dng", "--out", "x.dng", "--report", "c.json", "--weights", "b.tif"),
        ("fuse", ".", "--out", "a.dng"),
        ("bad-pixels", "a.dng", "--out", "a.dng"),
        ("align", "c.json", "a.png", "--out", "o", "--report", "c.json"),
        ("eval", "run", "shards", "--image", "x.png", "--out", "run"),
    ],
)
def test_what_is_read_is_not_written_over(words, tmp_path, monkeypatch):
    """By another name too; a folder's files as well."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "other").mkdir()
    names = ("a.tif", "a.png", "a.dng", "b.dng", "c.json", "run")
    for name in names:
        (tmp_path / name).write_bytes(name.encode())
    (tmp_path / "link.png").symlink_to("a.png")
    (tmp_path / "b.tif").symlink_to("b.dng")
    done = run(*words)
    assert done.exit_code == 1
    assert "it is read too; choose another name" in done.output
    assert all((tmp_path / name).read_bytes() == name.encode() for name in names)


def test_an_unknown_sample_is_one_line(tmp_path):
    done = run("sample", "mars", "--out", tmp_path / "x")
    assert done.exit_code == 1
    assert done.output.count("\n") == 1


def test_a_mistyped_command_is_corrected():
    done = run("biuld", "sid")
    assert done.exit_code == 2
    assert "Did you mean 'build'?" in done.output
    assert "Did you mean" not in run("qqqq").output


TARGETS = {
    "fuse": ("fuse", "a.dng", "b.dng", "--out", "{}/x.dng"),
    "fuse report": ("fuse", "a.dng", "b.dng", "--out", "x.dng", "--report", "{}/x.json"),
    "render": ("render", "a.dng", "--out", "{}/x.png"),
    "eval": ("eval", "run", "s", "--out", "{}/x.csv"),
    "inspect": ("inspect", "a.dng", "--image", "{}/x.png"),
    "export": ("export", "run", "--onnx", "{}/x.onnx"),
    "bad-pixels": ("bad-pixels", "a.dng", "--out", "{}/x.toml"),
    "align": ("align", "a.dng", "b.png", "--out", "o", "--report", "{}/x.html"),
    "manifest": ("manifest", "photos", "--out", "{}/x.tsv"),
    "report": ("report", "shards", "--out", "{}/x.html"),
    "stats": ("stats", "shards", "--plots", "{}/x.svg"),
    "eval image": ("eval", "run", "s", "--image", "{}/x.png"),
}


@pytest.mark.parametrize("name", TARGETS)
def test_what_is_to_be_written_is_looked_at_before_any_work(name, tmp_path, monkeypatch):
    """Nothing that the command would read is there: it must not get so far."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_bytes(b"not a folder")
    done = run(*(word.format("file/deep") for word in TARGETS[name]))
    assert done.exit_code == 1
    assert "file/deep/x" in done.output
    assert "its folder can't be made" in done.output
    assert len(done.output.splitlines()) == 1
    run(*(word.format("new/deep") for word in TARGETS[name]))
    assert (tmp_path / "new/deep").is_dir()


FOLDERS = {
    "align": ("align", "a.dng", "b.png"),
    "build": ("build", "sid", "--sample"),
    "compare": ("compare", "no-table.toml", "shards"),
    "convert": ("convert", "shards", "--to", "npz"),
    "get": ("get", "hdrplus", "--dry-run"),
    "init": ("init", "photos"),
    "sample": ("sample", "sid"),
    "train": ("train", "cameranet-tiny", "shards"),
}


def test_every_command_looks_at_its_output():
    """None takes a plain path there; `develop` takes files or a folder, and looks by itself."""
    for name in COMMANDS:
        for one in main.get_command(None, name).params:
            if {"--out", "--image", "--report", "--plots", "--onnx", "--log"} & set(one.opts):
                assert isinstance(one.type, (Target, Into)) or name == "develop", name
                assert isinstance(one.type, Into) == (name in FOLDERS and "--out" in one.opts)


@pytest.mark.parametrize("name", FOLDERS)
def test_a_folder_to_write_to_is_looked_at_before_any_work(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_bytes(b"not a folder")
    for out, says in (("file", "it is no folder"), ("file/deep", f"{tmp_path}/file is no folder")):
        done = run(*FOLDERS[name], "--out", out)
        assert done.exit_code == 1
        assert done.output == f"Error: {out}: {says}; choose another --out\n"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_folder_that_takes_no_files_is_found_by_trying(tmp_path, monkeypatch):
    """An administrator may write wherever rights are asked for, and yet not to every system."""

    def refused(**_):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr("isptools.cli.target.tempfile.TemporaryFile", refused)
    done = run("build", "sid", "--sample", "--out", tmp_path / "new")
    said = f"Error: {tmp_path}/new: {tmp_path} takes no files (Read-only file system); choose"
    assert done.output.startswith(said)
    done = run("render", "a.dng", "--out", tmp_path / "x.png")
    assert "x.png: its folder takes no files (Read-only file system)" in done.output
