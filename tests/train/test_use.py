"""Tiles, phases, scores and commands."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

torch = pytest.importorskip("torch", reason="the extra `train` is not installed")
pytest.importorskip("lightning", reason="the extra `train` is not installed")

from isptools import measure, shards  # noqa: E402 - behind the skip
from isptools.cli import main  # noqa: E402 - behind the skip
from isptools.datasets import miniature  # noqa: E402 - behind the skip
from isptools.report.pictures import WIDTH, fit  # noqa: E402 - behind the skip
from isptools.report.sheet import GAP, LINE  # noqa: E402 - behind the skip
from isptools.train import checkpoint, data, infer, networks  # noqa: E402 - behind the skip

SMALL = {"widths": [4, 6, 8], "layers": 3}


def invoke(*words):
    return CliRunner().invoke(main, [str(word) for word in words])


def mosaic(cfa="RGGB", shape=(150, 203), seed=0):
    pixels = np.random.default_rng(seed).integers(500, 16000, shape).astype(np.uint16)
    count = len(cfa)
    return infer.Mosaic(pixels, cfa, (512.0,) * count, 16383.0, (1e-4,) * count, (1e-6,) * count)


def trained(name, options=SMALL):
    """Weights large enough that every path matters."""
    torch.manual_seed(1)
    known = networks.opened(name).options.__struct_fields__
    chosen = {word: value for word, value in options.items() if word in known}
    camera, _ = networks.built({"name": name, **chosen})
    with torch.no_grad():
        for key, parameter in camera.named_parameters():
            if "rise" in key:
                parameter.normal_(std=0.2)
            if "convs" in key and key.endswith("weight"):  # of DeepISP: residuals begin near 0
                parameter.add_(torch.randn_like(parameter) * 0.03)
            if key.endswith("mix"):
                parameter.fill_(0.5)
    return camera.eval()


# smaller frames of every network stand in test_promises
@pytest.mark.parametrize(
    "name", ["cameranet", pytest.param("cameranet-three-stage", marks=pytest.mark.long)]
)
def test_tiles_show_the_untiled_picture(name):
    camera = trained(name)
    frame = mosaic(shape=(310, 420))
    whole = infer.develop(camera, frame)
    tiled = infer.develop(camera, frame, tile=64)
    assert whole
    for picture in whole:
        assert whole[picture].std() > 1e-3
        np.testing.assert_allclose(tiled[picture], whole[picture], atol=1e-3)


@pytest.mark.long
def test_tiles_of_the_enhance_nets_dilations():
    camera = trained("cameranet", {"widths": [4, 4, 4, 4, 4]})
    frame = mosaic(shape=(1408, 352))
    whole = infer.develop(camera, frame)["enhancement"]
    tiled = infer.develop(camera, frame, tile=128)["enhancement"]
    np.testing.assert_allclose(tiled, whole, atol=1e-3)


def test_xtrans_tiles():
    camera = trained("cameranet-xtrans")
    frame = mosaic(data.TARGET[36], (205, 330))
    whole = infer.develop(camera, frame)["enhancement"]
    assert whole.shape == (3, 205, 330)
    tiled = infer.develop(camera, frame, tile=64)["enhancement"]
    np.testing.assert_allclose(tiled, whole, atol=1e-3)


@pytest.mark.parametrize(("cfa", "top", "left"), [("GRBG", 0, 1), ("GBRG", 1, 0), ("BGGR", 1, 1)])
def test_every_phase_is_the_same_scene(cfa, top, left):
    """A crop of an RGGB frame that begins elsewhere gives the crop of its picture."""
    camera = trained("deepisp-low")  # local, so that a cut changes nothing inside
    whole = mosaic(shape=(64, 80))
    cut = infer.Mosaic(
        whole.pixels[top:, left:], cfa, whole.black, whole.white, whole.shot, whole.read
    )
    ours = infer.develop(camera, cut)["restoration"]
    theirs = infer.develop(camera, whole)["restoration"][:, top:, left:]
    np.testing.assert_allclose(ours[:, 8:-8, 8:-8], theirs[:, 8:-8, 8:-8], atol=1e-5)


def test_mosaics_of_another_kind_are_refused():
    with pytest.raises(ValueError, match="bayer mosaics only"):
        infer.develop(trained("cameranet"), mosaic(data.TARGET[36]))
    with pytest.raises(ValueError, match="too small"):
        infer.develop(trained("deepisp"), mosaic(shape=(12, 12)))


@pytest.fixture(scope="module")
def run_folder(shards_folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("run") / "run"
    done = invoke(
        "train", "cameranet", shards_folder, "--out", out, "--preset", "tiny",
        "--device", "cpu", "--set", "network.widths=[8,12]", "--set", "patch=48",
        "--set", "objective.eps=1e-2",
        "--set", 'stages=[{train="restore",steps=30,rate=3e-3},'
        '{train="enhance",steps=30,rate=3e-3},{train="joint",steps=10,rate=1e-3}]', "--json",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["stages"] == ["restore", "enhance", "joint"]
    assert (told["out"], told["weights"]) == (str(out), str(out / "model.safetensors"))
    return out


def test_a_terminal_shows_a_bar_and_a_file_lines(shards_folder, tmp_path, monkeypatch):
    words = (
        "train", "cameranet", shards_folder, "--out", tmp_path, "--preset", "tiny",
        "--device", "cpu", "--set", "network.widths=[4,6]", "--set", "patch=32",
        "--set", "log_every=2",
        "--set", 'stages=[{train="restore",steps=4,rate=1e-3}]',
    )  # fmt: skip
    lines = invoke(*words).stderr
    assert lines.count(", loss ") == 2  # a slow machine says between them that it lives
    assert "restore: 2/4, loss " in lines
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    (tmp_path / "restore.safetensors").unlink()
    shown = invoke(*words).stderr
    assert "4/4" in shown
    assert "restore, loss " in shown
    assert "restore: 2/4" not in shown


def test_eval_writes_what_measure_says(run_folder, shards_folder, tmp_path):
    sheet = tmp_path / "x.png"
    done = invoke("eval", run_folder, shards_folder, "--out", tmp_path / "x.csv", "--image", sheet)
    assert done.exit_code == 0, done.output
    assert "exclusions: misaligned" in done.output
    text = (tmp_path / "x.csv").read_text().splitlines()
    stamp = dict(line[2:].split(": ", 1) for line in text if line.startswith("#"))
    assert json.loads(stamp["pairs"]) == 2
    rows = list(csv.DictReader(line for line in text if not line.startswith("#")))
    methods = {row["method"] for row in rows}
    assert methods == {"network", "chain + auto-tone", "LibRaw's default"}
    with shards.open(shards_folder, "test") as source:
        truth = source[0].enhancement.transpose(1, 2, 0)
        from isptools.develop import steps as s  # noqa: PLC0415 - for this comparison
        from isptools.develop.chain import develop  # noqa: PLC0415 - for this comparison
        from isptools.frame import Frame, Space  # noqa: PLC0415 - for this comparison

        frame = Frame(source.raw(0), Space.SENSOR, source.capture(0))
        walk = (s.Levels(), s.Balance(), s.Demosaic(), s.ToXYZ(), s.AutoTone())
        toned = develop(frame, walk).pixels / 65535
        expected = measure.psnr(toned, truth)
        key = source.facts(0).key
    (found,) = [r for r in rows if (r["method"], r["picture"]) == ("chain + auto-tone", key)]
    assert float(found["psnr"]) == pytest.approx(expected, abs=1e-4)
    mean = [float(r["psnr"]) for r in rows if r["method"] == "network"]
    assert mean[-1] == pytest.approx(sum(mean[:-1]) / 2)
    row = mean[1] > mean[0]  # of the first input: the best is shown first
    cells = _cells(sheet, truth.shape[:2])
    assert cells.shape[:2] == (2, 5)  # input, network, both that need no training, truth
    for column, picture in ((2, toned), (4, truth)):
        wanted = fit(np.rint(picture * 255).astype(np.uint8), WIDTH).astype(int)
        assert np.abs(cells[int(row), column].astype(int) - wanted).max() <= 1


def _cells(path, shape):
    """(rows, columns, height, width, 3) of a sheet of pictures of that shape."""
    import imageio.v3 as imageio  # noqa: PLC0415 - for this picture

    picture, height = imageio.imread(path), round(WIDTH * shape[0] / shape[1])
    down, across = height + 2 * LINE + 2 * GAP, WIDTH + GAP
    rows, columns = picture.shape[0] // down, picture.shape[1] // across
    corners = [[(GAP + y * down, GAP + x * across) for x in range(columns)] for y in range(rows)]
    return np.array([[picture[y : y + height, x : x + WIDTH] for y, x in row] for row in corners])


def test_camera_jpegs_are_scored_where_they_lie_on_the_sensor(run_folder, shards_folder, tmp_path):
    import imageio.v3 as imageio  # noqa: PLC0415 - for these pictures

    from isptools.develop.orient import upright  # noqa: PLC0415 - for these pictures

    with shards.open(shards_folder, "test") as source:
        facts = [source.facts(i) for i in range(2)]
        truth = (source[0].enhancement.transpose(1, 2, 0) * 255).round().astype(np.uint8)
    shown = upright(np.ascontiguousarray(truth), facts[0].flip)
    stem = facts[0].source.rpartition("/")[2].rpartition(".")[0]
    imageio.imwrite(tmp_path / f"{stem.lower()}.JPG", shown, extension=".jpg", quality=98)
    words = ("eval", run_folder, shards_folder, "--out", tmp_path / "x.csv")
    done = invoke(*words, "--camera", tmp_path)
    assert done.exit_code == 0, done.output
    assert f"{facts[1].key}: no camera JPEG of that name; left out" in done.output
    (row,) = [line.split() for line in done.output.splitlines() if line.startswith("camera JPEG,")]
    assert row[2:5] == ["1", "of", "2"]
    assert float(row[5]) > 30, "the truth itself, a JPEG later"
    imageio.imwrite(tmp_path / f"{stem.lower()}.JPG", np.roll(shown, 9, 0), extension=".jpg")
    done = invoke(*words, "--camera", tmp_path, "--no-baselines")
    assert "does not line up" in done.output


def test_develop_takes_one_raw_or_many(run_folder, tmp_path):
    raws = miniature("sid", tmp_path / "raws")[:2]
    done = invoke("develop", run_folder, raws[0], "--out", tmp_path / "x.png", "--gain", "100")
    assert done.exit_code == 0, done.output
    import imageio.v3 as imageio  # noqa: PLC0415 - for this look

    assert imageio.imread(tmp_path / "x.png").shape[2] == 3
    done = invoke("develop", run_folder / "model.safetensors", *raws, "--out", tmp_path / "many")
    assert done.exit_code == 0, done.output
    assert len(list((tmp_path / "many").glob("*.png"))) == 2
    (tmp_path / "bad.dng").write_bytes(b"no raw")
    words = ("develop", run_folder, tmp_path / "bad.dng", raws[0], tmp_path / "none.dng")
    done = invoke(*words, "--out", tmp_path / "some", "--json")
    assert done.exit_code == 3
    told = {Path(one["raw"]).name: one for one in json.loads(done.stdout)["files"]}
    assert list(told) == ["bad.dng", raws[0].name, "none.dng"]
    assert "bad.dng" in told["bad.dng"]["wrong"]
    picture = imageio.imread(told[raws[0].name]["out"])
    assert picture.shape[:2] == (told[raws[0].name]["height"], told[raws[0].name]["width"])
    assert sum(line.startswith("Error: ") for line in done.stderr.splitlines()) == 2
    assert "bad.dng" in done.stderr
    assert "none.dng" in done.stderr
    assert len(list((tmp_path / "some").glob("*.png"))) == 1, "the good one is there all the same"


def test_a_tile_too_large_for_a_gpu_says_what_to_try(monkeypatch):
    def full(*_):
        raise torch.cuda.OutOfMemoryError

    monkeypatch.setattr(infer, "_through", full)
    with pytest.raises(ValueError, match="try --tile 512"):
        infer.develop(trained("deepisp-low"), mosaic(), tile=1024)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("train", "cameranet", "none", "--out", "o", "--preset", "tiny"), "no shards"),
        (("train", "cameranet", "none", "--out", "o", "--preset", "mars"), "tiny"),
        (("train", "cameranet-sid", "none", "--out", "o", "--set", "pach=3"), "pach"),
        (("train", "cameranet-sid", "none", "--out", "o", "--set", "x"), "KEY=VALUE"),
        (("train", "cameranet", "s", "--out", "file/o", "--preset", "tiny"), "file"),
        (
            ("train", "deepisp-s7", "s", "--out", "o", "--device", "cuda:9"),
            "cuda:9",
        ),
        (("eval", "none", "none"), "no such checkpoint"),
        (("develop", "none", "a.dng", "--out", "x.jpg"), ".tif, .tiff or .png"),
        (("develop", "none", "a.dng", "--out", "x.png"), "no such checkpoint"),
    ],
)
def test_commands_complain_in_one_line(words, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("no folder")
    done = invoke(*words)
    assert done.exit_code == 1
    assert said in done.output
    assert done.output.count("\n") == 1


def test_models_lists_json():
    done = invoke("models", "--json")
    rows = {row["name"]: row for row in json.loads(done.output)}
    assert rows["deepisp"] == {
        "name": "deepisp", "parameters": 629790, "gflops": 12857.27, "gflops_paper_way": 12869.4,
    }  # fmt: skip
    assert rows["cameranet"]["parameters"] == 26_527_640
    assert rows["l3"]["gflops"] is rows["l3"]["gflops_paper_way"] is None, (
        "looked up, not convolved"
    )
    (line,) = [one for one in invoke("models", "l3").output.splitlines() if one.startswith("l3")]
    assert line.split()[2:] == ["-", "-"]


def test_onnx_runtime_gives_the_same_picture(run_folder, tmp_path):
    pytest.importorskip("onnxscript", reason="the extra `onnx` is not installed")
    onnxruntime = pytest.importorskip("onnxruntime", reason="the extra `onnx` is not installed")
    path = tmp_path / "x.onnx"
    done = invoke("export", run_folder, "--onnx", path, "--size", 64, 96)
    assert done.exit_code == 0, done.output
    camera, _ = checkpoint.model(run_folder)
    frame = torch.rand(1, 5, 32, 48)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [one.name for one in session.get_outputs()]
    theirs = dict(zip(names, session.run(None, {"prepared": frame.numpy()}), strict=True))
    with torch.inference_mode():
        ours = camera(frame)
    assert names == list(ours)
    for name in ours:
        np.testing.assert_allclose(theirs[name], ours[name].numpy(), atol=1e-3)
    done = invoke("export", run_folder, "--onnx", tmp_path / "y.onnx", "--size", 50, 50)
    assert done.exit_code == 1
    assert "multiples of 32" in done.output
    assert [one.name for one in tmp_path.iterdir()] == ["x.onnx"]
