"""A stage at work: what it compares, validates, keeps, begins with and says, by hand."""

import csv
import math
from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra `train` is not installed")
pytest.importorskip("lightning", reason="the extra `train` is not installed")

from torch import nn  # noqa: E402 - behind the skip

from isptools.train import (  # noqa: E402 - behind the skip
    checkpoint,
    compression,
    data,
    evaluate,
    feed,
    intake,
    networks,
    objectives,
    run,
)
from isptools.train.adversarial import Enhancement  # noqa: E402 - behind the skip
from isptools.train.camera import Camera, Net  # noqa: E402 - behind the skip
from isptools.train.checkpoint import TrainError  # noqa: E402 - behind the skip
from isptools.train.job import Job  # noqa: E402 - behind the skip
from isptools.train.keep import Keeper, Moving  # noqa: E402 - behind the skip
from isptools.train.place import Place  # noqa: E402 - behind the skip
from isptools.train.run import train  # noqa: E402 - behind the skip
from isptools.train.settings import Settings, Stage  # noqa: E402 - behind the skip
from isptools.train.task import Task, expect_patch, needs, span  # noqa: E402 - behind the skip
from isptools.train.validate import Validation  # noqa: E402 - behind the skip
from tests.shards import made  # noqa: E402 - behind the skip

CPU = Place("cpu")


def settings(**changes):
    words = {"title": "t", "network": {"name": "cameranet", "widths": [4, 6]}, "patch": 32,
             "batch": 2, "log_every": 1, "stages": [{"train": "restore", "steps": 2}]}  # fmt: skip
    return Settings.of(words | changes)


def rows(folder):
    with (folder / "log.csv").open(newline="") as lines:
        return list(csv.DictReader(lines))


# -- what is compared ------------------------------------------------------------------------------


class Handed(nn.Module):
    """Gives what it takes, by a weight of 1."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))

    def forward(self, x):
        return x * self.weight


def handing(count=2):
    """Finished pictures through parts that hand them on."""
    parts = [Net(module=Handed(), reach=0) for _ in range(count)]
    return Camera(parts, intake.RGB, restored=count - 2, enhanced=count - 1, display="code")


def batch(raw, truth, mask=None):
    made = {"raw": torch.as_tensor(raw).expand(1, 3, 4, 4).clone(), "black": torch.zeros(1, 3),
            "white": torch.ones(1), "gain": torch.ones(1), "enhancement_scale": torch.ones(1),
            "enhancement": torch.as_tensor(truth).expand(1, 3, 4, 4).clone()}  # fmt: skip
    return made if mask is None else made | {"mask": mask.view(1, 4, 4).to(torch.uint8)}


def whole(camera, **changes):
    chosen = settings(objective={"loss": "l2"}, stages=[{"train": "whole", "steps": 1}], **changes)
    return Task(camera, chosen, chosen.stages[0])


def test_a_cut_is_judged_by_its_part_and_its_psnr():
    """0.25 off everywhere: 12.04 dB; nothing off: 100 dB; beyond white counts as white."""
    task = whole(handing(1))
    found = task.judged(batch(0.5, 0.25))
    assert found["validation_enhancement"].item() == pytest.approx(1 / 16)
    assert found["psnr_enhancement"].item() == pytest.approx(20 * math.log10(4))
    assert task.judged(batch(0.5, 0.5))["psnr_enhancement"].item() == 100
    assert task.judged(batch(3.0, 1.5))["psnr_enhancement"].item() == 100
    assert task.judged(batch(-2.0, 0.0))["psnr_enhancement"].item() == 100
    assert set(found) == {"validation_enhancement", "psnr_enhancement"}


@pytest.mark.parametrize("last", [True, False])
def test_channels_lie_last_where_settings_say_so(last):
    """As convolutions of a GPU are fast; a single channel lies either way."""
    seen = []
    camera = handing(1)
    camera.nets[0].register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    whole(camera, channels_last=last)(batch(torch.rand(1, 3, 4, 4), 0.25))
    assert seen[0].is_contiguous(memory_format=torch.channels_last) == last


def test_what_is_looked_at_is_shown_as_on_a_screen():
    """A finished picture as it is, restored light by its curve; the truth at its right."""
    with torch.no_grad():
        strip = whole(handing(1)).strip(batch(0.25, 0.5))
    assert strip.shape == (3, 4, 8)
    assert (strip[..., :4] == 0.25).all()
    assert (strip[..., 4:] == 0.5).all()
    chosen = settings(objective={"loss": "l2"})
    light = batch(0.2140411, 0.0)
    light |= {"restoration": light["enhancement"] + 1, "restoration_scale": torch.ones(1)}
    with torch.no_grad():
        strip = Task(handing(2), chosen, chosen.stages[0]).strip(light)
    np.testing.assert_allclose(strip[..., :4], 0.5, rtol=1e-5)
    np.testing.assert_allclose(strip[..., 4:], 1, rtol=1e-5)


def test_only_trusted_pixels_count_and_all_of_them_alike():
    """Half of the pixels at weight 100 of 255: masks alone ask no more than that."""
    mask = torch.tensor([100] * 8 + [0] * 8)
    raw = torch.where(mask.view(1, 1, 4, 4) > 0, 0.5, 9.0)
    for words, counts in (({}, True), ({"masks": False}, False)):
        task = whole(handing(1), **words)
        loss = task(batch(raw, 0.25, mask)).item()
        assert loss == pytest.approx(1 / 16 if counts else (1 / 16 + 8.75**2) / 2)
    assert task.noted() == {}
    fused = whole(handing(1), confidence={"fused": True})
    assert fused(batch(0.5, 0.25)).item() == pytest.approx(1 / 16), "where no truth was fused"
    nothing = torch.zeros(16)
    assert whole(handing(1))(batch(0.5, 0.25, nothing)).item() == 0


def test_trusted_shares_of_what_goes_through_a_codec():
    """Each term is a mean over all pixels, of which half are 0: twice as much over the others."""
    x, y = torch.full((1, 3, 16, 16), 0.6), torch.full((1, 3, 16, 16), 0.2)
    chosen = objectives.Compressed(isp=0.5, compressed=3.0, simulator=objectives.Djs(), quality=90)
    made = {stage: compression.Compression(chosen, stage) for stage in ("compressed", "whole")}
    for share in (1.0, 0.5):
        pair = {"enhancement": objectives.Pair("enhancement", x, y, share)}
        g = made["compressed"].learned
        through = (g(x) - g(y)).abs().mean().item()
        assert made["whole"](pair).item() == pytest.approx(0.4 / share)
        expected = (0.5 * 0.4 + 3 * through) / share
        assert made["compressed"](pair).item() == pytest.approx(expected)


def test_a_judges_turn_leaves_the_network_alone():
    """Its pictures are made without gradients; a network without a judge has one turn."""
    weights = {"color": 0.0, "content": 0.0, "variation": 0.0, "mse": 1.0}
    own = [nn.Parameter(torch.ones(1))]
    with_judge = Enhancement(objectives.Enhanced(**weights, texture=1.0), 16).turns(own)
    assert [turn.still for turn in with_judge] == [False, True]
    assert with_judge[0].parameters is own
    assert len(with_judge[1].parameters) > 10
    (alone,) = Enhancement(objectives.Enhanced(**weights, texture=0.0), 16).turns(own)
    assert not alone.still


def test_stages_of_two_parts():
    two, one, three = handing(2), handing(1), handing(3)
    assert [span(two, Stage(name, steps=1)) for name in ("restore", "enhance", "joint")] == [
        (0, 0), (1, 1), (0, 1)
    ]  # fmt: skip
    assert [span(three, Stage(name, steps=1)) for name in ("restore", "enhance", "joint")] == [
        (0, 1), (2, 2), (0, 2)
    ]  # fmt: skip
    for camera in (one, two):
        last = len(camera.nets) - 1
        for name, parts in (
            ("whole", (0, last)),
            ("compressed", (0, last)),
            ("simulator", (0, -1)),
        ):
            assert span(camera, Stage(name, steps=1)) == parts
        with pytest.raises(ValueError, match="no closed form"):
            span(camera, Stage("fit", steps=1))
    low = networks.built({"name": "deepisp-low", "layers": 1})[0]
    assert span(low, Stage("restore", steps=1)) == (0, 0), "its one picture is restored"
    for name in ("enhance", "joint"):
        with pytest.raises(ValueError, match=f"as '{name}'; use 'whole'"):
            span(low, Stage(name, steps=1))
    assert span(networks.built({"name": "l3"})[0], Stage("fit", steps=1)) == (0, 0)
    assert needs(low, "whole") == needs(low, "restore") == ("restoration",)
    assert needs(two, "whole") == needs(two, "compressed") == ("enhancement",)
    assert needs(two, "joint") == needs(two, "enhance") == ("restoration", "enhancement")


@pytest.mark.parametrize(
    ("name", "good", "bad", "said"),
    [("deepisp-low", [2, 4], [1, 3], "multiple of 2 from 2 on"),
     ("cameranet-xtrans", [48, 54], [42, 50], "multiple of 6 from 48 on")],
)  # fmt: skip
def test_cuts_that_a_network_takes(name, good, bad, said):
    """X-Trans in one level of dilation 1 and one of 2: (2 << 1) + 1 pixels of nine planes."""
    small = {"widths": [2, 2, 2]} if name.startswith("camera") else {"layers": 1}
    camera = networks.built({"name": name, **small})[0]
    if name.startswith("camera"):  # the least of both parts: 9 cells of 2 or 5 of 3
        good, bad, said = [18, 24], [12, 20], "multiple of 6 from 18 on"
    for patch in good:
        expect_patch(camera, patch)
    for patch in bad:
        with pytest.raises(TrainError, match=said):
            expect_patch(camera, patch)


# -- validation and what is kept -------------------------------------------------------------------


class Seen(nn.Module):
    """A task that says whether it trains, and whether gradients are wanted."""

    def __init__(self):
        super().__init__()
        self.weight, self.seen = nn.Parameter(torch.zeros(1)), []

    def forward(self, own):
        self.seen.append((self.training, torch.is_grad_enabled(), self.weight.item()))
        return torch.tensor(float(own))

    def judged(self, own):
        return {"psnr": torch.tensor(10.0 * own)}

    def strip(self, own):
        self.seen.append((self.training, torch.is_grad_enabled(), self.weight.item()))
        return own


def test_validation_is_a_mean_without_training():
    check = object.__new__(Validation)
    check.task, check.batches = Seen(), [1, 2, 6]
    check.fabric = SimpleNamespace(autocast=nullcontext)
    weights = [check.task.weight], [torch.full((1,), 7.0)]
    assert check.scores(*weights) == {"validation": 3, "psnr": 30}
    assert check.strip(*weights) == 1, "of the first cut"
    assert check.task.seen == [(False, False, 7)] * 4
    assert check.task.training
    assert check.task.weight.item() == 0
    check.task.judged = None
    with pytest.raises(TypeError):
        check.scores(*weights)
    assert check.task.training, "behind an error too"


def keeper(tmp_path, scores, writes=True):
    put, lines, pictures = [], [], []
    log = SimpleNamespace(write=lambda *words: lines.append(words), picture=pictures.append)
    check = SimpleNamespace(scores=lambda *_: scores.pop(0), strip=lambda *_: "strip")
    writer = SimpleNamespace(put=lambda path, state: put.append((path.name, state)))
    fabric = SimpleNamespace(is_global_zero=writes)
    kept = Keeper(tmp_path / "whole.safetensors", {"network": "n"}, handing(1), fabric, log,
                  check, writer)  # fmt: skip
    return kept, put, lines, pictures


def test_the_best_weights_are_the_first_of_the_lowest_loss(tmp_path):
    losses = [0.5, 0.7, 0.5, 0.4, math.nan]
    kept, put, lines, pictures = keeper(tmp_path, [{"validation": x} for x in losses])
    for step in range(5):
        kept.line(Moving(None, [], None, [], [], step), 0.1, step == 4, {"accuracy": 1.0})
    assert [(name, state["step"], state["validation"]) for name, state in put] == [
        ("whole-best.safetensors", 0, 0.5), ("whole-best.safetensors", 3, 0.4)
    ]  # fmt: skip
    assert put[0][1]["network"] == "n"
    assert put[0][1]["model"].keys() == {"nets.0.weight"}
    assert lines[1] == (1, 0.1, {"validation": 0.7, "accuracy": 1.0})
    assert pictures == ["strip"], "at the end"
    checkpoint.save(kept.best_file, {"validation": 0.25, "model": {}})
    kept.go_on()
    assert kept.best == 0.25
    other, put, _, _ = keeper(tmp_path, [{"validation": 0.1}], writes=False)
    other.line(Moving(None, [], None, [], [], 1), 0.1, False, {})
    assert put == []
    other.check = None
    other.line(Moving(None, [], None, [], [], 1), 0.1, True, {})
    assert other.best == 0.1, "nan is no best"


# -- runs ------------------------------------------------------------------------------------------


def test_lines_of_a_run_say_how_much_was_done(shards_folder, tmp_path):
    """Two cuts of 32 pixels in each of two micro-steps; the loss is their mean."""
    half = {"stages": [{"train": "restore", "steps": 2, "rate": 1e-3}]}
    for name, words in (("a", {"batch": 4}), ("b", {"batch": 2, "accumulate": 2})):
        train(settings(**half, **words), Job(shards_folder, tmp_path / name, CPU))
    one, two = rows(tmp_path / "a"), rows(tmp_path / "b")
    for ours, theirs in zip(one, two, strict=True):
        assert float(ours["training"]) == pytest.approx(float(theirs["training"]), rel=1e-3)
        for row in (ours, theirs):
            pixels = float(row["mp_s"]) * float(row["seconds"])
            assert pixels == pytest.approx(4 * 32 * 32 / 1e6, rel=1e-6)
            assert math.isnan(float(row["mfu"])), "of a processor no peak is known"
    assert (tmp_path / "a/history.png").exists()


def test_a_gpus_run_goes_on_on_a_processor(shards_folder, tmp_path):
    """Its file knows where a GPU's chance stood, which has none to take it here.

    Whoever watches is told of every step, and of losses where the log has a line.
    """
    shown = []
    chosen = settings(stages=[{"train": "restore", "steps": 3}], log_every=2)

    def show(stage, step, of, loss):
        shown.append((stage, step, of, loss if loss is None else type(loss)))

    with pytest.raises(TrainError, match="go on"):
        train(chosen, Job(shards_folder, tmp_path, CPU, stop_after=1, show=show))
    file = tmp_path / "restore.safetensors"
    state = checkpoint.load(file)
    assert (state["random_cuda"].numel(), state["step"], state["done"]) == (0, 1, False)
    checkpoint.save(file, state | {"random_cuda": torch.zeros(16, dtype=torch.uint8)})
    train(chosen, Job(shards_folder, tmp_path, CPU, show=show))
    assert [row["step"] for row in rows(tmp_path)] == ["2", "3"]
    assert shown == [("restore", 1, 3, None), ("restore", 2, 3, float), ("restore", 3, 3, float)]


def test_a_step_is_compiled_where_settings_say_so(shards_folder, tmp_path, monkeypatch):
    """And Adam has the settings' numbers; its rate is one on a processor, no tensor."""
    called, adams = [], []
    plain = torch.optim.Adam.__init__

    def begun(self, parameters, *numbers, **more):
        adams.append((*numbers, more))
        plain(self, parameters, *numbers, **more)

    monkeypatch.setattr(torch.optim.Adam, "__init__", begun)
    monkeypatch.setattr(Task, "compile", lambda _: called.append("task"))
    monkeypatch.setattr(torch.compiler, "reset", lambda: called.append("reset"))
    one = [{"train": "restore", "steps": 1, "rate": 0.25}]
    words = {"compile": True, "adam": {"betas": [0.5, 0.75], "eps": 0.125}, "stages": one}
    train(settings(**words), Job(shards_folder, tmp_path, CPU))
    assert called == ["reset", "task"]
    assert adams == [(0.25, (0.5, 0.75), 0.125, {})]
    assert type(adams[0][0]) is float


def test_readers_are_chosen_once_by_steps_behind_the_first(shards_folder, tmp_path, monkeypatch):
    """The first ones compile and fill memory: of a look of two the third and the fourth count."""
    asked = []
    monkeypatch.setattr(run, "PROBE", 2)
    monkeypatch.setattr(run.Log, "mark", lambda log: (len(log.losses),) * 3)
    monkeypatch.setattr(
        run, "readers", lambda *marks: asked.append([one[0] for one in marks[:2]]) or (0, "")
    )
    chosen = settings(batch=1, log_every=100, stages=[{"train": "restore", "steps": 7}])
    train(chosen, Job(shards_folder, tmp_path, Place("cpu", workers="auto")))
    assert asked == [[2, 4]]


def test_weights_lie_as_settings_say(shards_folder, tmp_path, monkeypatch):
    """Before what Adam keeps of them is laid likewise."""
    laid = []

    def looked(adam):
        weights = [p for group in adam.param_groups for p in group["params"] if p.ndim == 4]
        own = [p for p in weights if min(p.shape[1:]) > 1]  # of others both layouts are one
        laid.append((len(own), {p.is_contiguous(memory_format=torch.channels_last) for p in own}))

    monkeypatch.setattr(run.speed, "laid_as_weights", looked)
    one = [{"train": "restore", "steps": 1}]
    train(settings(channels_last=True, stages=one), Job(shards_folder, tmp_path, CPU, "restore"))
    assert laid == [(laid[0][0], {True})]
    assert {one.name for one in tmp_path.glob("*.safetensors")} == {
        "restore.safetensors", "restore-best.safetensors",
    }, "a stage that was asked for alone makes no model"  # fmt: skip
    assert laid[0][0] > 5


@pytest.mark.parametrize(
    ("objective", "turns"),
    [({"loss": "l1-log"}, False), ({"loss": "dped", "content": 0}, True),
     ({"loss": "dped", "content": 0, "texture": 0}, False)],
)  # fmt: skip
def test_processes_are_told_where_turns_leave_weights_out(objective, turns, monkeypatch, tmp_path):
    class Asked(Exception):  # noqa: N818 - no error: it carries out what was asked for
        pass

    def launched(_place, precision, turned):
        raise Asked(precision, turned)

    monkeypatch.setattr(run, "launched", launched)
    chosen = settings(network={"name": "dped"}, stages=[{"train": "whole", "steps": 1}],
                      objective=objective)  # fmt: skip
    with pytest.raises(Asked) as caught:
        train(chosen, Job(tmp_path, tmp_path, CPU))
    assert caught.value.args == ("fp32", turns)


def test_deepisp_begins_with_the_regression_of_its_cuts(shards_folder, tmp_path):
    """W's bias: the mean over one cut an input of the least-squares map onto the truth."""
    chosen = settings(network={"name": "deepisp", "layers": 1, "maps": 5}, batch=1, seed=3,
                      stages=[{"train": "whole", "steps": 1, "rate": 1e-12}])  # fmt: skip
    train(chosen, Job(shards_folder, tmp_path, CPU))
    found = checkpoint.load(tmp_path / "model.safetensors")["model"]["nets.0.matrix.bias"]
    source = data.open_shards(shards_folder, "train", intake.BILINEAR, ("enhancement",))
    cuts = data.Cuts(source, 32, 3, ("enhancement",))
    maps = []
    for one in feed.loader(cuts, range(len(source)), feed.Feed()):
        x = intake.BILINEAR.prepared(one)[0].numpy().reshape(3, -1).astype(np.float64)
        y = data.truth(one, "enhancement")[0].numpy().reshape(3, -1).astype(np.float64)
        x = np.vstack([x, np.ones(x.shape[1])])
        maps.append(np.linalg.pinv(x @ x.T) @ x @ y.T)
    assert len(maps) == 8
    w = found.view(3, 10).numpy()
    np.testing.assert_allclose(w[:, [0, 1, 2, 9]], np.mean(maps, 0).T, rtol=1e-3, atol=1e-3)
    assert np.abs(w[:, 3:9]).max() < 1e-9, "but for a step at 1e-12"


@pytest.mark.parametrize(
    ("name", "truth", "station"),
    [("srcnn", "enhancement", ""), ("deepisp-low", "restoration", "xyz")],
)
def test_networks_are_scored_on_the_truth_they_make(name, truth, station, tmp_path):
    """And on no other: shards that have that one alone will do."""
    made.shard(tmp_path, made.spec(pictures={truth: made.spec().pictures[truth]}))
    with evaluate.opened(tmp_path, "train", networks.built({"name": name})[0]) as source:
        assert evaluate.compared(source) == truth
        assert evaluate.station(source) == station
