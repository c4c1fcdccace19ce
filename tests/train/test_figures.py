"""Figures that are told of a run, a network or its pictures, worked out by hand."""

import csv
import json
import math
from types import SimpleNamespace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra `train` is not installed")
pytest.importorskip("lightning", reason="the extra `train` is not installed")

from torch import nn  # noqa: E402 - behind the skip
from torch.nn import functional as F  # noqa: E402, N812 - behind the skip, the usual name

from isptools import measure  # noqa: E402 - behind the skip
from isptools.train import (  # noqa: E402 - behind the skip
    adversarial,
    codecs,
    dry,
    evaluate,
    export,
    intake,
    keep,
    rates,
    threads,
)
from isptools.train.camera import Camera, Net, least, shown  # noqa: E402 - behind the skip
from isptools.train.checkpoint import TrainError  # noqa: E402 - behind the skip
from isptools.train.dry import Took  # noqa: E402 - behind the skip
from isptools.train.flops import Added, operations  # noqa: E402 - behind the skip
from isptools.train.job import Job  # noqa: E402 - behind the skip
from isptools.train.perceptual import Perceptual  # noqa: E402 - behind the skip
from isptools.train.place import Place  # noqa: E402 - behind the skip
from isptools.train.rates import Point  # noqa: E402 - behind the skip
from isptools.train.settings import Settings  # noqa: E402 - behind the skip


def settings(**changes):
    stages = [{"train": "restore", "steps": 8}, {"train": "enhance", "epochs": 3}]
    words = {"title": "t", "network": {"name": "cameranet", "widths": [2, 2]}, "patch": 32,
             "batch": 2, "accumulate": 2, "stages": stages}  # fmt: skip
    return Settings.of(words | changes)


# -- operations ------------------------------------------------------------------------------------


def test_what_tensorflow_counts_beside_products():
    """Biases, two for a LeakyReLU, windows of maxima, whole multiples of a dilation."""
    x = torch.rand(1, 3, 5, 7)

    def added(work):
        with Added() as counted:
            work()
        return counted.count

    plain, bias = torch.rand(4, 3, 3, 3), torch.rand(4)
    assert added(lambda: F.conv2d(x, plain, None, 1, 1)) == 0
    assert added(lambda: F.conv2d(x, plain, bias, 1, 1)) == 4 * 5 * 7
    # dilated by 2: 5 x 7 are padded to 6 x 8, each of four maps takes 27 products of two
    more = 2 * 27 * 4 * (6 * 8 - 5 * 7)
    layer = nn.Conv2d(3, 4, 3, padding=2, dilation=2)
    assert added(lambda: layer(x)) == more + 4 * 5 * 7
    assert added(lambda: F.leaky_relu(x, 0.2)) == 2 * x.numel()
    assert added(lambda: F.max_pool2d(x, 3, 2)) == 9 * 3 * 2 * 3
    assert added(lambda: F.linear(torch.rand(2, 6), torch.rand(5, 6))) == 10
    assert added(lambda: F.relu(x)) == 0


def test_operations_of_a_frame_are_of_its_packed_planes():
    """A 1 x 1 convolution of five planes at half the side: 5 x 3 products of two a pixel."""
    with torch.device("meta"):
        part = Net(module=nn.Conv2d(4, 3, 1), factor=2, reach=0)
        camera = Camera([part], intake.PACKED, enhanced=0)
        plain, paper = operations(camera, 12, 20)
    assert plain == 2 * 4 * 3 * 6 * 10
    assert paper == plain + 3 * 6 * 10


# -- plans -----------------------------------------------------------------------------------------


def test_a_stage_in_a_line():
    """800 steps of 4 cuts over 16 inputs are 200 epochs; 2e9 operations in a quarter second."""
    cost = dry.Cost("restore", 800, 4, 16, 2 * 10**9, 0.25, 3 * 2**30)
    assert str(cost) == (
        "restore: 800 steps of 4 cuts (200.0 epochs of 16 inputs), 2 GFLOP and 250.0 ms a step "
        "(0.008 TFLOP/s), at most 3,072 MB, 3.3 minutes"
    )
    assert (dry._hours(3599), dry._hours(3600)) == ("60.0 minutes", "1.0 hours")


def test_a_plan_is_the_sum_of_its_stages(monkeypatch, tmp_path):
    """Of two processes: 8 steps of 2 s; three epochs of 10 inputs in steps of 8 are 4 of 2 s."""
    asked = []
    monkeypatch.setattr(dry, "measured", lambda *_: Took(30.0, 2**20))
    monkeypatch.setattr(dry, "_inputs", lambda *_: 10)
    monkeypatch.setattr(dry, "_operations", lambda *_: asked.append(1) or 10**9)
    job = Job(tmp_path, tmp_path, Place("cpu"))
    costs = list(dry.costs(settings(), job, world=2))
    first, second = map(str, costs)
    assert first.startswith("restore: 8 steps of 8 cuts (6.4 epochs of 10 inputs), 4 GFLOP")
    assert second.startswith("enhance: 4 steps of 8 cuts (3.2 epochs of 10 inputs), 4 GFLOP")
    assert dry.said(costs).startswith("in all about 6.0 minutes in one process")
    (only,) = dry.costs(settings(), Job(tmp_path, tmp_path, Place("cpu"), only="enhance"))
    assert str(only).startswith("enhance: 8 steps of 4 cuts (3.2 epochs of 10 inputs)"), "one alone"


@pytest.mark.parametrize(
    ("device", "steps", "clock", "seconds"),
    [("cpu", 3, [0.0, 5.0, 6.0], 3.0), ("cuda", 10, [0, 9, 9, 9, 9, 10, 11, 12, 13, 14], 1.0)],
)
def test_seconds_of_a_step(device, steps, clock, seconds, monkeypatch, tmp_path):
    """Between the ends of steps; on a GPU of the latter half, behind the recording."""
    asked, waited = [], []

    def train(short, trial):
        asked.append((short, trial))
        for _ in range(trial.stop_after):
            trial.show("restore", 1, 2, None)
        raise TrainError("stopped; run the same command to go on")

    monkeypatch.setattr(dry, "train", train)
    monkeypatch.setattr(dry.time, "perf_counter", iter(clock).__next__)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: waited.append(1))
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda: 77)
    whole = settings(validation=0.5)
    job = Job(tmp_path, tmp_path / "own", Place(device), only="enhance")
    took = dry.measured(whole, whole.stages[0], job)
    assert took.seconds == seconds
    assert (took.memory == 77) == (device == "cuda")
    assert len(waited) == (10 if device == "cuda" else 0)
    (short, trial) = asked[0]
    assert (short.validation, short.stages) == (0, whole.stages[:1])
    assert min(short.log_every, short.save_every) > 10**6
    assert (trial.only, trial.stop_after) == ("", steps)
    assert trial.out != job.out
    assert not trial.out.exists()
    monkeypatch.setattr(dry, "train", lambda *_: (_ for _ in ()).throw(TrainError("no shards")))
    with pytest.raises(TrainError, match="no shards"):
        dry.measured(whole, whole.stages[0], job)


def test_memory_is_in_bytes(monkeypatch):
    """getrusage counts kilobytes, on a Mac bytes."""
    usage = SimpleNamespace(ru_maxrss=7)
    monkeypatch.setattr(dry.resource, "getrusage", lambda _: usage)
    for system, expected in (("linux", 7168), ("darwin", 7)):
        monkeypatch.setattr(dry.sys, "platform", system)
        assert dry._memory(False) == expected


@pytest.mark.parametrize(
    ("device", "world", "count", "cores"), [("cpu", 1, 2, 6), ("cuda", 1, 2, 7), ("cuda", 4, 1, 1)]
)
def test_readers_take_the_cores_that_are_left(device, world, count, cores, monkeypatch):
    """Of eight steps in 8 s: 1.5 s of each is reading, half a second of it was lost."""
    monkeypatch.setattr(threads, "allowed", lambda: 8)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    fabric = SimpleNamespace(device=torch.device(device), world_size=world)
    found, said = keep.readers((10.0, 5.0, 1.0), (18.0, 17.0, 5.0), fabric)
    assert found == min(3, cores) if count != 2 else found == 3
    assert said == (
        f"readers: {found}; reading takes 1500.0 ms of a step, all else 500.0 ms, {cores} cores "
        "are left for it (--jobs)"
    )


def test_fewer_read_where_memory_is_short(monkeypatch):
    monkeypatch.setattr(keep.feed, "shareable", lambda _cuts, _batch, count: count <= 2)
    assert [keep.readable(count, None, 1) for count in (5, 2, 1, 0)] == [2, 2, 1, 0]
    monkeypatch.setattr(keep.feed, "shareable", lambda *_: False)
    assert keep.readable(3, None, 1) == 0


# -- pictures --------------------------------------------------------------------------------------


def test_scores_of_a_pair_are_of_what_a_screen_shows():
    rng = np.random.default_rng(0)
    truth = rng.random((176, 180, 3)) * 1.2 - 0.1
    picture = truth + 0.3 * rng.standard_normal(truth.shape)
    cut = np.clip(picture, 0, 1), np.clip(truth, 0, 1)
    names, columns = ("psnr", "ssim", "ms_ssim", "s_cielab", "color_angle"), evaluate.COLUMNS
    assert columns == names
    expected = [getattr(measure, name)(*cut) for name in names]
    assert evaluate.PAPERS.values(picture, truth) == pytest.approx(expected)
    few = evaluate.PAPERS.values(picture[:175], truth[:175])
    assert math.isnan(few[2])
    assert not any(math.isnan(one) for one in few[:2] + few[3:])
    two = evaluate.PAPERS.values(picture, truth, ("s_cielab", "psnr", "bpp"))
    assert two == pytest.approx((expected[0], expected[3]))  # in the order of the columns


def test_means_leave_out_what_is_no_number(tmp_path):
    found = [evaluate.Score("a", "x", (1.0, math.nan)), evaluate.Score("b", "x", (7.0, math.nan)),
             evaluate.Score("a", "y", (2.0, 4.0))]  # fmt: skip
    means = evaluate.means(found)
    assert means["a"] == (1.5, 4.0)
    assert means["b"][0] == 7
    assert math.isnan(means["b"][1])
    evaluate.write(tmp_path / "x.csv", found, {"split": "test"}, ("one", "two"))
    text = (tmp_path / "x.csv").read_bytes().decode().splitlines()
    assert text == ["# split: \"test\"", "method,picture,one,two", "a,x,1.0,nan", "b,x,7.0,nan",
                    "a,y,2.0,4.0", "a,mean,1.5,4.0", "b,mean,7.0,nan"]  # fmt: skip


def points():
    return [
        Point("n", "x", 80, 30.0, 28.0, 1.0), Point("n", "x", 90, 34.0, 31.0, 2.0),
        Point("n", "y", 80, 32.0, 29.0, 2.0), Point("n", "y", 90, 36.0, 33.0, 3.0),
        Point("truth", "x", 80, 40.0, 40.0, 1.5),
    ]  # fmt: skip


def test_curves_of_a_codec_are_means_over_pictures():
    means = rates.means(points())
    assert means["n"] == [
        Point("n", "mean", 80, 31.0, 28.5, 1.5), Point("n", "mean", 90, 35.0, 32.0, 2.5)
    ]  # fmt: skip
    assert means["truth"] == [Point("truth", "mean", 80, 40.0, 40.0, 1.5)]
    other = [Point("o", "mean", 0, 30.0, 0, 1.0), Point("o", "mean", 1, 30.0, 0, 2.0)]
    assert rates.gain(means["n"], other) == pytest.approx(2)
    assert math.isnan(rates.gain(means["n"][:1], means["n"][1:])), "no bits in common"


def test_the_table_and_the_plot_of_a_codec(tmp_path, monkeypatch):
    """Points, then their means; axes say what stands on them."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - half a second that only this needs

    plain, kept = Figure.savefig, []
    monkeypatch.setattr(Figure, "savefig", lambda own, *a, **k: kept.append((own, k)) or
                        plain(own, *a, **k))  # fmt: skip
    table, plot = rates.write(tmp_path, "eval-jpeg", points(), {"codec": "jpeg"})
    assert (table.name, plot.name) == ("eval-jpeg.csv", "eval-jpeg.png")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["eval-jpeg.csv", "eval-jpeg.png"]
    stamp, head, *lines = table.read_text().splitlines()
    assert stamp == f"# codec: {json.dumps('jpeg')}"
    assert head == "method,picture,quality,psnr,psnr_plain,bpp"
    rows = [*csv.reader(lines)]
    assert (len(rows), rows[0]) == (8, ["n", "x", "80", "30.0", "28.0", "1.0"])
    assert rows[5] == ["n", "mean", "80", "31.0", "28.5", "1.5"]
    ((figure, words),) = kept
    (axes,) = figure.axes
    assert axes.get_xlabel() == "bits per pixel"
    assert axes.get_ylabel() == "PSNR behind jpeg to the truth behind it, dB"
    labels = [one.get_text() for one in axes.get_legend().get_texts()]
    assert labels == ["n", "truth, to itself uncompressed"]
    assert [line.get_xydata().tolist() for line in axes.lines] == [
        [[1.5, 31.0], [2.5, 35.0]], [[1.5, 40.0]]
    ]  # fmt: skip
    assert [line.get_linestyle() for line in axes.lines] == ["-", "--"]
    assert {line.get_markersize() for line in axes.lines} == {3}
    (grid, *_) = axes.xaxis.get_gridlines()
    assert (grid.get_visible(), grid.get_alpha()) == (True, 0.3)
    assert words["dpi"] == 120
    assert (figure.get_size_inches() == (7, 5)).all()


def test_codecs_are_asked_where_jpeg_has_80_to_96(monkeypatch):
    assert codecs.QUALITIES == {
        "jpeg": (80, 82, 84, 86, 88, 90, 92, 94, 96),
        "webp": (80, 82, 84, 86, 88, 90, 92, 94, 96),
        "jpeg2000": (34, 36, 38, 40, 42, 44, 46),
        "avif": (64, 68, 72, 76, 80, 84, 88, 92, 96),
    }
    asked = []
    monkeypatch.setattr(codecs.features, "check", lambda name: asked.append(name) or False)
    assert codecs.codec("jpeg") == codecs.Codec("jpeg", "4:2:0"), "every Pillow has it"
    for name, word in (("webp", "webp"), ("jpeg2000", "jpg_2000"), ("avif", "avif")):
        with pytest.raises(ValueError, match=f"{name}: the Pillow"):
            codecs.codec(name)
        assert asked.pop() == word
    stated = {name: (one := codecs.Codec(name, "4:4:4").stated())["chroma_subsampling"]
              + " " + one["quality_scale"] for name in codecs.FORMS}  # fmt: skip
    assert stated == {"jpeg": "4:4:4 of the codec", "webp": "4:2:0 of the codec",
                      "jpeg2000": "none dB", "avif": "4:4:4 of the codec"}  # fmt: skip


def test_what_codecs_write_by_their_own_headers():
    """T.81, B.2.2: how often each component is sampled; T.800, table A.20: 0 is the lossy wavelet.

    Of JPEG 2000 the quality is the PSNR of the whole file, of the others a number of the codec's.
    """
    rng = np.random.default_rng(3)
    y, x = np.mgrid[:64, :64] / 64
    picture = codecs.eight_bits(np.stack([x, y, x * y], -1) + 0.1 * rng.random((64, 64, 1)))
    for chroma, first in (("4:4:4", 0x11), ("4:2:2", 0x21), ("4:2:0", 0x22)):
        data = codecs.Codec("jpeg", chroma).encoded(picture, 90)
        frame = data.index(b"\xff\xc0")
        assert list(data[frame + 11 : frame + 20 : 3]) == [first, 0x11, 0x11]
    if not codecs.features.check("jpg_2000"):
        return
    data = codecs.Codec("jpeg2000").encoded(picture, 36)
    coding = data.index(b"\xff\x52")
    assert data[coding + 13] == 0
    shown, size = codecs.Codec("jpeg2000").through(picture, 36)
    assert size == len(data)
    assert measure.psnr(shown, picture, 255) == pytest.approx(36, abs=1)


def test_eight_bits_are_rounded():
    picture = np.array([[[-0.1, 0.0019, 0.002], [0.5, 1.0, 1.7]]])
    assert codecs.eight_bits(picture).tolist() == [[[0, 0, 1], [128, 255, 255]]]


def test_layers_of_vgg_by_torchvisions_numbers():
    """A convolution and a ReLU each, a maximum behind the 2nd, 4th, 8th and 12th."""

    def relu(convolutions):
        return 2 * convolutions - 1 + sum(convolutions > before for before in (2, 4, 8, 12))

    layers, taken = adversarial.LAYERS, Perceptual.TAKEN
    assert layers == {"relu5_2": relu(14), "relu5_4": relu(16)}
    assert taken == (relu(4), relu(16))


# -- pieces ----------------------------------------------------------------------------------------


def test_a_part_where_nothing_is_said():
    part = Net(module=nn.Identity(), reach=3)
    assert (part.factor, part.stride, part.least, part.bottom, part.bottoms, part.fit) == (
        1, 1, 1, None, (), None
    )  # fmt: skip
    camera = Camera([part], intake.MOSAIC)
    assert (camera.restored, camera.enhanced, camera.display, camera.begin) == (
        -1, -1, "paper", None
    )  # fmt: skip
    assert camera(torch.ones(1, 1, 2, 2)) == {}
    assert least(camera) == 2


def test_pictures_are_packed_for_the_part_behind_them():
    """The first takes packed planes; the second a picture, by cells of its own factor."""
    first = Net(module=nn.PixelShuffle(2), factor=2, reach=0, least=5)
    second = Net(module=nn.PixelShuffle(3), factor=3, reach=0, least=4)
    camera = Camera([first, second], intake.PACKED, restored=0, enhanced=1, display="code")
    assert [camera.packing(at) for at in (0, 1)] == [1, 3]
    assert least(camera) == 12
    x = torch.rand(1, 12, 6, 9)
    out = camera(x)
    restored = F.pixel_shuffle(x, 2)
    torch.testing.assert_close(out["restoration"], restored)
    torch.testing.assert_close(out["enhancement"], shown(restored, "code"))
    torch.testing.assert_close(camera.run(x, 0, 1), out["enhancement"])
    unshuffled = F.pixel_unshuffle(shown(restored, "code"), 3)
    torch.testing.assert_close(camera.enter(1, restored), unshuffled)
    assert camera.enter(0, x) is x


def test_displays_near_black():
    """Straight below 0.0031308 (IEC 61966-2-1); the code takes 1e-4 for all that is darker."""
    x = torch.tensor([0.0, 0.002, 0.0031308, 0.0031309, 0.01]).view(1, 1, 1, 5).expand(1, 3, 1, 5)
    curve = [1.055 * light ** (1 / 2.4) - 0.055 for light in (0.0031309, 0.01)]
    expected = [0, 12.92 * 0.002, 12.92 * 0.0031308, *curve]
    assert shown(x, "paper")[0, 0, 0].tolist() == pytest.approx(expected, rel=1e-5)
    dark = shown(torch.full((1, 3, 1, 1), -1.0), "code").flatten().tolist()
    assert dark == pytest.approx([1e-4 ** (1 / 2.2)] * 3)


def test_channels_of_a_finished_picture_have_a_level_each():
    raw = torch.tensor([11.0, 32, 103]).view(1, 3, 1, 1).expand(1, 3, 2, 2)
    facts = {"raw": raw, "black": torch.tensor([[1.0, 2, 3]]), "white": torch.tensor([103.0]),
             "gain": torch.tensor([7.0])}  # fmt: skip
    found = intake.RGB.prepared(facts)[0, :, 0, 0].tolist()
    assert found == pytest.approx([10 / 102, 30 / 101, 1.0]), "and no exposure to be made up for"


def test_planes_of_xtrans_as_its_authors_pack_them():
    """Chen et al. 2018, pack_raw of their script for Fuji: row and column in a cell of 6 x 6."""
    y, x = torch.meshgrid(torch.arange(12.0), torch.arange(6.0), indexing="ij")
    planes = intake.nine_planes((10 * y + x)[None, None])[0, :, :2].tolist()
    assert planes == [
        [[0, 4], [31, 33]], [[2, 5], [32, 35]], [[1, 3], [30, 34]], [[12, 25], [52, 45]],
        [[22, 15], [42, 55]], [[10, 13], [40, 43]], [[11, 14], [41, 44]], [[20, 23], [50, 53]],
        [[21, 24], [51, 54]],
    ]  # fmt: skip


class Session:
    """ONNX Runtime, whose pictures lie `off` by a little."""

    off = 0.0

    def __init__(self, _path, providers):
        assert providers == ["CPUExecutionProvider"]

    def run(self, _outputs, given):
        (x,) = given.values()
        return [torch.nn.functional.pixel_shuffle(torch.from_numpy(x), 2).numpy() + self.off]


@pytest.mark.parametrize(
    ("size", "off", "said"),
    [((32, 64), 9e-4, ""), ((32, 64), 1.2e-3, "differs by 0.0012"), ((32, 64), math.nan, "nan"),
     ((48, 64), 0, "multiples of 32"), ((64, 48), 0, "multiples of 32")],
)  # fmt: skip
def test_an_export_is_compared_with_torch(size, off, said, monkeypatch, tmp_path):
    program = SimpleNamespace(save=lambda path: path.write_bytes(b"onnx"))
    monkeypatch.setattr(export, "_runtime", lambda: SimpleNamespace(InferenceSession=Session))
    monkeypatch.setattr(export, "_program", lambda *_: program)
    monkeypatch.setattr(Session, "off", off)
    part = Net(module=nn.PixelShuffle(2), factor=2, reach=0)
    planes = intake.Intake("bayer", 12, 2, lambda x, _: x, intake.XYZ_SRGB)
    camera = Camera([part], planes, enhanced=0)
    if said:
        with pytest.raises(TrainError, match=said):
            export.export(camera, tmp_path / "x.onnx", *size)
        assert list(tmp_path.iterdir()) == []
    else:
        worst = export.export(camera, tmp_path / "x.onnx", *size)
        assert worst == pytest.approx(off, rel=1e-2)
        assert (tmp_path / "x.onnx").exists()
        monkeypatch.setattr(export, "CLOSE", worst)  # that far apart is still close
        assert export.export(camera, tmp_path / "x.onnx", *size) == worst
    monkeypatch.setattr(export, "_program", lambda *_: None)
    with pytest.raises(TrainError, match="torch exported nothing"):
        export.export(camera, tmp_path / "y.onnx", 32, 32)
