"""Training through a codec: its stages, what moves in each, and the curves that eval draws."""

import csv
import json

import numpy as np
import pytest
from click.testing import CliRunner

torch = pytest.importorskip("torch", reason="the extra `train` is not installed")
pytest.importorskip("lightning", reason="the extra `train` is not installed")

from isptools import measure, shards  # noqa: E402 - behind the skip
from isptools.cli import main  # noqa: E402 - behind the skip
from isptools.train import checkpoint, compression, data, networks, rates  # noqa: E402 - the same
from isptools.train.codecs import Codec, eight_bits  # noqa: E402 - behind the skip
from isptools.train.export import export  # noqa: E402 - behind the skip
from isptools.train.infer import How  # noqa: E402 - behind the skip
from isptools.train.objectives import Compressed, Djs, Pair  # noqa: E402 - behind the skip
from isptools.train.place import Place  # noqa: E402 - behind the skip
from isptools.train.rates import Point  # noqa: E402 - behind the skip
from isptools.train.run import Job, train  # noqa: E402 - behind the skip
from isptools.train.settings import Settings  # noqa: E402 - behind the skip
from isptools.train.simulators import DJS  # noqa: E402 - behind the skip
from isptools.train.task import Task  # noqa: E402 - behind the skip

STAGES = [
    {"train": "simulator", "steps": 2, "batch": 3, "rate": 1e-3},
    {"train": "whole", "steps": 2, "rate": 1e-3},
    {"train": "compressed", "steps": 2, "batch": 1, "rate": 1e-4},
]
SMALL = {
    "title": "t", "network": {"name": "compression-aware", "widths": [3, 4], "reduction": 2},
    "patch": 32, "batch": 2, "log_every": 1, "stages": STAGES,
    "objective": {"loss": "compressed", "quality": 30,
                  "simulator": {"kind": "cas", "widths": [3, 4]}},
}  # fmt: skip


def task(at, **objective):
    settings = Settings.of(SMALL | {"objective": SMALL["objective"] | objective})
    torch.manual_seed(0)
    return Task(networks.built(settings.network)[0], settings, settings.stages[at])


def batch(count=2):
    random = np.random.default_rng(2)
    y, x = np.mgrid[:32, :32]
    truth = np.stack([127 + 100 * np.sin(y / a + x / 5) for a in (3, 4, 9)])
    truth = np.uint8(truth + random.normal(0, 10, (count, 3, 32, 32)))
    return {
        "enhancement": torch.from_numpy(truth), "enhancement_scale": torch.full((count,), 1 / 255),
        "raw": torch.randint(100, 4000, (count, 32, 32)).to(torch.uint16),
        "black": torch.full((count, 4), 64.0), "white": torch.full((count,), 4095.0),
        "gain": torch.ones(count),
    }  # fmt: skip


def test_a_simulators_truth_is_the_real_file():
    first = task(0)
    done = first.completed(batch())
    truth = done["enhancement"].permute(0, 2, 3, 1).numpy()
    for own, picture in zip(done["compressed"], truth, strict=True):
        real, _ = Codec("jpeg", "4:2:0").through(picture, 30)
        assert np.array_equal(own.permute(1, 2, 0).numpy(), real)
    loss = first(done).item()  # fresh, it hands the picture on
    wanted = np.abs(done["compressed"].numpy() / 255 - done["enhancement"].numpy() / 255).mean()
    assert loss == pytest.approx(wanted, rel=1e-4)
    with torch.no_grad():
        assert first.strip(done).shape == (3, 32, 2 * 32)


def test_a_simulator_learns_in_single_precision():
    """What a codec changes is smaller than the steps of halves: an autocast leaves it alone."""
    first = task(0)
    with torch.no_grad():
        for p in first.difference.learned.parameters():
            p.normal_(0, 0.1)
        given = first.completed(batch())
        plain = first.pictures(given)["compressed"]
        with torch.autocast("cpu", torch.bfloat16):
            under = first.pictures(given)["compressed"]
    assert under.dtype == torch.float32
    assert torch.equal(under, plain)


@pytest.mark.parametrize(
    ("at", "frozen", "moves"),
    [(0, True, (False, True)), (1, True, (True, False)), (2, True, (True, False)),
     (2, False, (True, True))],
)  # fmt: skip
def test_what_moves_in_each_stage(at, frozen, moves):
    made = task(at, frozen=frozen)
    trained = {id(p) for turn in made.turns for p in turn.parameters}
    for module, wanted in zip((made.camera, made.difference.learned), moves, strict=True):
        assert {id(p) in trained for p in module.parameters()} == {wanted}
    for _ in range(2):  # a residual's last layer begins at 0: what stands before it moves later
        made(made.completed(batch())).backward()
        with torch.no_grad():
            for p in made.parameters():
                p.add_(0 if p.grad is None else 0.1)
    for module, wanted in zip((made.camera, made.difference.learned), moves, strict=True):
        assert {p.grad is not None for p in module.parameters()} == {wanted}


def test_the_loss_of_the_last_stage_by_hand():
    """lambda_isp L1(f, y) + lambda_comp L1(g(f), g(y)), g the JPEG that is computed."""
    chosen = Compressed(isp=0.3, compressed=2.0, simulator=Djs(), quality=30, subsampling="4:4:4")
    x, y = (torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(s)) for s in (1, 2))
    pairs = {"enhancement": Pair("enhancement", x, y, 1.0)}
    djs = DJS(30, "4:4:4")
    wanted = 0.3 * (x - y).abs().mean() + 2 * (djs(x) - djs(y)).abs().mean()
    torch.testing.assert_close(compression.Compression(chosen, "compressed")(pairs), wanted)
    plain = compression.Compression(chosen, "whole")(pairs)
    torch.testing.assert_close(plain, (x - y).abs().mean())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"stages": STAGES[1:]}, "compressed needs a stage simulator before it"),
        ({"stages": [STAGES[2], STAGES[0]]}, "compressed needs a stage simulator before it"),
        ({"objective": {"loss": "l2"}}, 'simulator and compressed need objective.loss = "compr'),
        ({"objective": {"loss": "compressed", "simulator": {"kind": "djs"}}}, "djs learns nothing"),
        ({"objective": {"loss": "compressed", "simulator": {"kind": "djs", "widths": [3, 4]}}},
         "widths"),
        ({"stages": [{"train": "joint", "steps": 1}]}, "has simulator, whole, compressed"),
        ({"objective": {"loss": "compressed", "quality": 101}}, "quality"),
    ],
)  # fmt: skip
def test_stages_that_do_nothing_are_refused(words, said):
    with pytest.raises(ValueError, match=said):
        Settings.of(SMALL | words)


def test_without_a_codec_no_simulator_is_needed():
    agnostic = SMALL["objective"] | {"isp": 1.0, "compressed": 0.0}
    Settings.of(SMALL | {"stages": STAGES[1:], "objective": agnostic})
    djs = SMALL["objective"] | {"simulator": {"kind": "djs"}}
    Settings.of(SMALL | {"stages": STAGES[1:], "objective": djs})


def test_gain_is_what_lies_between_the_curves():
    """Curves 1 dB apart whose points lie at other bits; only bits that both reach count."""
    theirs = [Point("a", "mean", q, 30 + 2 * b, 0, b) for q, b in ((80, 1.0), (90, 2.0), (96, 4.0))]
    ours = [Point("b", "mean", q, 31 + 2 * b, 0, b) for q, b in ((96, 3.5), (80, 0.5), (88, 1.7))]
    assert rates.gain(ours, theirs) == pytest.approx(1.0)
    assert np.isnan(rates.gain([ours[1]], theirs))


def test_points_are_of_real_files():
    random = np.random.default_rng(0)
    truth = random.random((24, 40, 3)).astype(np.float32)
    ours = np.clip(truth + 0.1, 0, 1.2)
    found = list(rates.points([("k", {"n": ours, "truth": truth})], Codec(), [80]))
    (own, theirs) = found
    file, size = Codec().through(eight_bits(ours), 80)
    real, _ = Codec().through(eight_bits(truth), 80)
    assert own.psnr == measure.psnr(file, real, 255)
    assert own.psnr_plain == measure.psnr(file, eight_bits(truth), 255)
    assert own.bpp == size * 8 / (24 * 40)
    assert theirs.psnr == theirs.psnr_plain == measure.psnr(real, eight_bits(truth), 255)


def invoke(*words):
    done = CliRunner().invoke(main, [str(word) for word in words])
    assert done.exit_code == 0, done.output
    return done.output


@pytest.fixture(scope="module")
def run(shards_folder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "run"
    stages = ",".join(
        "{" + ",".join(f"{k}={json.dumps(v)}" for k, v in stage.items()) + "}" for stage in STAGES
    )
    words = ("train", "compression-aware", "--preset", "tiny", "--shards", shards_folder,
             "--device", "cpu", "--set", f"stages=[{stages}]", "--set", "patch=32",
             "--set", "network.widths=[3,4]", "--set", "network.reduction=2",
             "--set", 'objective.simulator={kind="cas",widths=[3,4]}',
             "--set", "log_every=1")  # fmt: skip
    invoke(*words, "--out", folder)
    return folder


def test_the_last_stage_takes_what_the_others_taught(run):
    """The simulator stands as it was taught; the network goes on from where it was."""
    states = {name: checkpoint.load(run / f"{name}.safetensors")
              for name in ("simulator", "whole", "compressed")}  # fmt: skip
    taught, last = states["simulator"]["beside"], states["compressed"]["beside"]
    assert all(torch.equal(taught[name], last[name]) for name in taught)
    assert not all(torch.equal(taught[n], states["whole"]["beside"][n]) for n in taught)
    moved = [(states["compressed"]["model"][n] - x).abs().max() for n, x in
             states["whole"]["model"].items()]  # fmt: skip
    assert 0 < max(moved) <= 3e-4, "two steps of Adam at 1e-4"
    with (run / "log.csv").open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert [row["stage"] for row in rows] == [s["train"] for s in STAGES for _ in range(2)]


def test_eval_draws_rate_and_quality(run, shards_folder):
    said = invoke("eval", run, shards_folder, "--no-baselines", "--qualities",
                  "80:96:16", "--beside", f"again={run}")  # fmt: skip
    assert "compression-agnostic" in said
    assert (run / "eval-test-jpeg.png").read_bytes()[:4] == b"\x89PNG"
    text = (run / "eval-test-jpeg.csv").read_text().splitlines()
    stamp = {line[2:].split(": ")[0]: line.split(": ", 1)[1] for line in text if line[0] == "#"}
    assert json.loads(stamp["chroma_subsampling"]) == "4:2:0"
    rows = list(csv.DictReader(line for line in text if line[0] != "#"))
    assert {row["method"] for row in rows} == {
        "compression-agnostic",
        "compression-aware",
        "again",
        "truth",
    }
    assert {row["quality"] for row in rows} == {"80", "96"}
    mean = [row for row in rows if (row["picture"], row["quality"]) == ("mean", "80")]
    aware, again = (next(r for r in mean if r["method"] == n) for n in ("compression-aware",
                                                                       "again"))  # fmt: skip
    assert aware["psnr"] == again["psnr"]
    with shards.open(shards_folder, "test") as source:
        truth = source[0].enhancement.transpose(1, 2, 0)
        key = source.facts(0).key
    plain = eight_bits(truth)
    file, size = Codec().through(plain, 80)
    own = next(r for r in rows if (r["method"], r["picture"], r["quality"]) == ("truth", key, "80"))
    assert float(own["psnr"]) == pytest.approx(measure.psnr(file, plain, 255))
    assert float(own["bpp"]) == pytest.approx(8 * size / plain[..., 0].size)


def test_eval_refuses_what_it_can_not_draw(run, shards_folder):
    words = ["eval", str(run), str(shards_folder), "--no-baselines"]
    for more, said in (
        (["--qualities", "80:x"], "expected 80,90 or FIRST:LAST:STEP"),
        (["--qualities", "0,3"], "from 1 to 100"),
        (["--beside", "x"], "expected NAME=RUN"),
    ):
        done = CliRunner().invoke(main, words + more)
        assert done.exit_code == 1
        assert said in done.output
        assert "Traceback" not in done.output


def test_other_networks_have_curves_too(shards_folder):
    """Of a run with another objective, where a codec is asked for; SRCNN's first picture."""
    camera, _ = networks.built({"name": "srcnn"})
    with data.open_shards(shards_folder, "test", camera.intake, ("enhancement",)) as source:
        one = source.chosen(lambda row: row.key == source.facts(0).key)
        found = list(rates.points(rates.pictures({"n": camera}, one, How(0)), Codec("webp"), [80]))
        assert [point.method for point in found] == ["n", "truth"]
        linear, _ = networks.built({"name": "deepisp-low", "layers": 1})
        with pytest.raises(ValueError, match="makes no sRGB"):
            next(rates.pictures({"n": linear}, one, How(0)))


def test_a_run_stopped_in_any_stage_ends_as_one_that_was_not(run, shards_folder, tmp_path):
    """Each stage's own, and what a later one takes of an earlier one in another call."""
    settings = Settings.of_json((run / "settings.json").read_text())
    job = Job(shards_folder, tmp_path / "parts", Place("cpu"), stop_after=1)
    for _ in range(len(STAGES)):
        with pytest.raises(checkpoint.TrainError, match="go on"):
            train(settings, job)
        torch.rand(3)
    train(settings, job)
    for stage in STAGES:
        name = f"{stage['train']}.safetensors"
        whole, parts = (checkpoint.load(folder / name) for folder in (run, job.out))
        for part in ("model", "beside"):
            assert all(torch.equal(x, parts[part][k]) for k, x in whole[part].items()), name


def test_a_dry_run_says_what_each_stage_costs(shards_folder, tmp_path):
    words = ("train", "compression-aware-tiny", shards_folder, "--out", tmp_path / "run",
             "--dry-run", "--device", "cpu", "--set", "patch=32", "--set", "network.widths=[3,4]",
             "--set", 'objective.simulator={kind="cas",widths=[3,4]}')  # fmt: skip
    said = invoke(*words)
    assert [word for word in ("simulator:", "whole:", "compressed:") if word not in said] == []


@pytest.mark.parametrize("name", ["compression-aware", "dped"])
def test_systems_are_exported(name, tmp_path):
    """ONNX Runtime shows torch's picture, attention and instance norm included."""
    pytest.importorskip("onnxruntime", reason="the extra `onnx` is not installed")
    small = {"widths": [3, 4], "reduction": 2} if name == "compression-aware" else {"width": 3}
    torch.manual_seed(0)
    camera, _ = networks.built({"name": name, **small})
    assert export(camera.eval(), tmp_path / "x.onnx", 32, 48) < 1e-4
    assert (tmp_path / "x.onnx").exists()
