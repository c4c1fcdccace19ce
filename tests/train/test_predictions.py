"""`isptools eval --predictions`: pictures from elsewhere, scored as measure says, told if odd."""

import json
import math
import re

import cv2
import numpy as np
import pytest
import tifffile
from click.testing import CliRunner

torch = pytest.importorskip("torch", reason="the extra `train` is not installed")
pytest.importorskip("lightning", reason="the extra `train` is not installed")

from isptools import measure, shards  # noqa: E402 - behind the skip
from isptools.cli import main  # noqa: E402 - behind the skip
from isptools.cli.predictions import read  # noqa: E402 - behind the skip
from isptools.shards.schema import Picture  # noqa: E402 - behind the skip
from isptools.train import evaluate, intake  # noqa: E402 - behind the skip
from isptools.train.camera import Camera, Net  # noqa: E402 - behind the skip
from tests.shards import made  # noqa: E402 - behind the skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two scenes of two inputs, s1/0 to s2/1, in the split that is scored."""
    where = tmp_path_factory.mktemp("made")
    plain = made.spec()
    made.shard(where, made.spec(attrs=plain.attrs | {"split": "test"}))
    return where


def scored(folder, pictures, *words):
    """Exit code, what was told, and the JSON."""
    words = ("eval", folder, "--predictions", pictures, "--no-baselines", *words)
    done = CliRunner().invoke(main, [*map(str, words), "--json"])
    told = [line for line in done.stderr.splitlines() if not re.fullmatch(r"eval: \d+ s", line)]
    return done.exit_code, told, json.loads(done.stdout)[0] if done.stdout else {}


def drawn(seed, kind):
    values = np.random.default_rng(seed).random((50, 70, 3))
    if kind == "float":
        return values.astype(np.float32)
    full = 65535 if kind == "deep" else 255
    return np.rint(values * full).astype(np.uint16 if kind == "deep" else np.uint8)


def written(path, values):
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".npy":
        np.save(path, values)
    elif path.suffix == ".png":
        cv2.imwrite(str(path), values[..., ::-1])
    else:
        tifffile.imwrite(path, values)


def test_every_format_is_scored_as_measure_says(folder, tmp_path):
    """PNG and TIFF of 16 bits, bytes, floats in either order; by whole keys and folders."""
    pictures = {
        "s1/0.png": drawn(0, "deep"), "s1/1.tif": drawn(1, "deep"), "s2/0.npy": drawn(2, "float"),
        "s2/1.npy": drawn(3, "float").transpose(2, 0, 1),
    }  # fmt: skip
    for name, values in pictures.items():
        written(tmp_path / name, values)
    code, told, found = scored(folder, tmp_path, "--out", tmp_path.parent / "x.csv")
    assert (code, told, found["left_out"]) == (0, [], [])
    with shards.open(folder, "test") as source:
        truths = {source.facts(i).key: source[i].enhancement for i in range(4)}
    fulls = (65535, 65535, 1, 1)
    means = []
    for row, (name, values), full in zip(found["pictures"], pictures.items(), fulls, strict=True):
        assert row["key"] == name.rpartition(".")[0]
        ours = values.transpose(1, 2, 0) if values.shape[0] == 3 else values
        pair = ours / full, truths[row["key"]].transpose(1, 2, 0)
        for column in ("psnr", "ssim", "s_cielab", "color_angle"):
            assert row[column] == pytest.approx(getattr(measure, column)(*pair), rel=1e-5)
        assert row["ms_ssim"] is None, "too small for five scales"
        means.append(row["psnr"])
    assert found["means"]["predictions"]["psnr"] == pytest.approx(np.mean(means))
    assert (found["pairs"], found["split"]) == (4, "test")
    assert "predictions,s2/1," in (tmp_path.parent / "x.csv").read_text()


def test_what_is_missing_extra_or_odd_is_one_line_each(folder, tmp_path):
    written(tmp_path / "s1/0.png", drawn(0, "byte"))
    written(tmp_path / "s1/1.tif", drawn(1, "deep")[:49])
    written(tmp_path / "s2/0.png", drawn(2, "deep").swapaxes(0, 1))
    written(tmp_path / "s3/0.png", drawn(2, "deep"))
    (tmp_path / "notes.txt").write_text("n")
    code, lines, found = scored(folder, tmp_path)
    assert code == 3
    assert lines == found["left_out"]
    assert len(found["pictures"]) == 1
    assert len(lines) == 5
    for part in ("notes.txt: neither PNG, TIFF nor npy", "s3/0.png: no input of the split has",
                 "s2/1: no picture, expected", "its shape is (49, 70, 3), expected (50, 70, 3)",
                 "as they stand on the sensor, not turned"):  # fmt: skip
        assert sum(part in line for line in lines) == 1, part


def test_the_last_part_of_a_key_is_enough_where_it_is_one(tmp_path):
    plain = made.spec()
    made.shard(tmp_path, made.spec(attrs=plain.attrs | {"split": "test"}), scenes=("s1",))
    written(tmp_path / "p/0.png", drawn(0, "deep"))
    written(tmp_path / "p/1.png", drawn(1, "deep"))
    written(tmp_path / "p/s1/1.npy", drawn(1, "float"))
    code, told, found = scored(tmp_path, tmp_path / "p")
    assert [row["key"] for row in found["pictures"]] == ["s1/0"]
    assert code == 3
    assert any(line.startswith("s1/1: two pictures") for line in told)


def test_nothing_to_score_is_one_line(folder, tmp_path):
    (tmp_path / "empty").mkdir()
    for pictures, said in (
        (tmp_path / "none", "no such folder"),
        (tmp_path / "empty", "no picture"),
    ):
        code, told, _ = scored(folder, pictures)
        assert code == 1
        assert said in told[-1]
    done = CliRunner().invoke(main, ["eval", str(folder)])
    assert done.exit_code == 2
    assert "give RUN and FOLDER, or --predictions" in done.output


@pytest.mark.parametrize(
    ("name", "values", "said"),
    [("x.npy", np.full((4, 5, 3), math.nan), "no numbers"),
     ("x.npy", np.zeros((4, 5, 3), int), "unsigned"),
     ("x.npy", b"no array", "no array"), ("x.png", b"no picture", "no picture"),
     ("x.npy", np.zeros((4, 5)), "shape")],
)  # fmt: skip
def test_files_that_hold_no_picture(name, values, said, tmp_path):
    if isinstance(values, bytes):
        (tmp_path / name).write_bytes(values)
    else:
        np.save(tmp_path / name, values)
    with pytest.raises(ValueError, match=said) as caught:
        read(tmp_path / name, (4, 5))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("station", "finished", "beside"),
    [("xyz", True, (True, False)), ("xyz", False, (False, False)), ("camera", False, (True, True))],
)
def test_renderings_stand_beside_finished_pictures_and_camera_rgb(
    station, finished, beside, tmp_path
):
    """Of pictures from elsewhere, and of a network that makes light alone: none is XYZ."""
    pictures = {"restoration": Picture(station, "uint16", 1.25, "", "develop")}
    more = {"enhancement": made.spec().pictures["enhancement"]} if finished else {}
    made.shard(tmp_path, made.spec(pictures=pictures | more), ("s1",))
    gray = {"gray": lambda *_: np.full((50, 70, 3), 2**15, np.uint16)}
    camera = Camera([Net(module=torch.nn.Identity(), reach=0)], intake.BILINEAR, restored=0)
    with shards.open(tmp_path, "train") as source:
        second = evaluate.given(source, lambda i: np.full((50, 70, 3), 0.5) if i else None, gray)
        assert [(one.method, one.key) for one in second] == [
            ("predictions", "s1/1"), *[("gray", "s1/1")] * beside[0],
        ]  # fmt: skip
        both = [one.method for one in evaluate.scores(camera, source, gray)]
    assert both == (["network", "gray"] if beside[1] else ["network"]) * 2
