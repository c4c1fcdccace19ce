"""What a run tells: lines, times, looks for NaN, pictures and curves, by a clock of our own."""

import csv
import math

import imageio.v3 as imageio
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra `train` is not installed")
pytest.importorskip("lightning", reason="the extra `train` is not installed")

from isptools.train import curves, log, writing  # noqa: E402 - behind the skip
from isptools.train.checkpoint import TrainError  # noqa: E402 - behind the skip
from isptools.train.log import Log, Work  # noqa: E402 - behind the skip


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self):
        self.now = 100.0

    def perf_counter(self):
        return self.now

    def passing(self, seconds, value=None):
        def fetch():
            self.now += seconds
            return value

        return fetch


@pytest.fixture
def clock(monkeypatch):
    made = Clock()
    monkeypatch.setattr(log, "time", made)
    return made


def rows(path):
    with path.open(newline="") as lines:
        return list(csv.DictReader(lines))


# -- lines -----------------------------------------------------------------------------------------


def test_a_line_by_a_clock(clock, tmp_path):
    """Two steps of 3 MP in 8 s, 2 of which went into fetching; half of a card's peak."""
    kept = Log(tmp_path / "log.csv", "whole", True, Work(3_000_000, 8e12, 4e12))
    assert kept.wait(clock.passing(1.5, "batch")) == "batch"
    kept.wait(clock.passing(0.5))
    assert kept.mark() == (102, 2, 2)
    kept.add(torch.tensor(1.0))
    kept.add(torch.tensor(3.0))
    clock.now += 6
    kept.write(5, 0.25, {"validation": 0.5, "psnr": 30.0})
    kept.wait(clock.passing(3))
    assert kept.mark() == (111, 5, 5), "since the beginning, whatever was written meanwhile"
    kept.add(torch.tensor(7.0))
    clock.now += 1
    kept.write(6, 0.125, {"validation": math.nan, "psnr": 31.0})
    first, second = rows(tmp_path / "log.csv")
    assert first == {
        "stage": "whole", "step": "5", "rate": "0.25", "training": "2.0", "validation": "0.5",
        "waiting": "0.25", "seconds": "8.0", "mp_s": "0.75", "mfu": "0.5", "psnr": "30.0",
    }  # fmt: skip
    assert (second["training"], second["waiting"], second["seconds"]) == ("7.0", "0.75", "4.0")
    assert (second["validation"], second["mp_s"]) == ("nan", "0.75")


def test_other_processes_write_nothing(clock, tmp_path):
    kept = Log(tmp_path / "log.csv", "whole", False, Work(1, 0, 0))
    kept.add(torch.tensor(1.0))
    clock.now += 1
    kept.write(1, 0.1, {"validation": 0.5})
    kept.picture(np.zeros((3, 2, 2), np.float32))
    assert list(tmp_path.iterdir()) == []


def test_a_processors_losses_are_looked_at_every_twenty_steps(tmp_path):
    kept = Log(tmp_path / "log.csv", "whole", True, Work(1, 0, 0))
    with pytest.raises(TrainError, match="whole: the loss is no longer a finite number"):
        kept.add(torch.tensor(math.inf))
    kept = Log(tmp_path / "log.csv", "whole", True, Work(1, 0, 0))
    for loss in (1.0, math.nan, *[1.0] * 18):
        kept.add(torch.tensor(loss))
    with pytest.raises(TrainError):
        kept.add(torch.tensor(1.0))
    kept = Log(tmp_path / "log.csv", "whole", True, Work(1, 0, 0))
    kept.expect_finite([torch.ones(2)])
    with pytest.raises(TrainError):
        kept.expect_finite([torch.ones(2), torch.tensor([1.0, math.nan])])


class OnCard(torch.Tensor):
    """A number that says it lies on a GPU."""

    is_cuda = True


class Event:
    """Of a stream; `ready` says whether the GPU has come so far."""

    ready = True

    def __init__(self, enable_timing=False):
        assert enable_timing
        self.recorded = 0

    def query(self):
        return self.ready

    def record(self):
        self.recorded += 1

    def elapsed_time(self, after):
        assert self.recorded == after.recorded == 1
        return 250.0


@pytest.mark.parametrize(
    ("ready", "wrong", "at"), [(True, 10, 20), (True, 1, 20), (True, 11, 30), (False, 10, None)]
)
def test_a_gpus_losses_are_looked_at_without_waiting_for_it(
    ready, wrong, at, tmp_path, monkeypatch
):
    """Ten steps are looked at behind the tenth; what was seen is read ten steps later."""
    plain = torch.empty

    def pageable(*shape, pin_memory=False, **words):  # what no GPU reads can't be pinned
        assert pin_memory or "dtype" not in words
        return plain(*shape, **words)

    monkeypatch.setattr(torch, "empty", pageable)
    event = type("Seen", (), {"query": lambda _: ready})()
    stream = type("Stream", (), {"record_event": lambda _: event})()
    monkeypatch.setattr(torch.cuda, "current_stream", lambda: stream)
    kept = Log(tmp_path / "log.csv", "whole", True, Work(1, 0, 0))
    losses = [1.0] * 35
    losses[wrong - 1] = math.nan
    for step, loss in enumerate(losses, 1):
        try:
            kept.add(torch.tensor(loss).as_subclass(OnCard))
        except TrainError:
            assert step == at
            break
    else:
        assert at is None


def test_a_gpu_loses_what_it_idles(clock, tmp_path, monkeypatch):
    """Events around a fetch say 250 ms of idling, where fetching took 2 s of a busy GPU."""
    waited = []
    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: waited.append(1))
    kept = Log(tmp_path / "log.csv", "whole", True, Work(1, 0, 0))
    assert kept.wait(clock.passing(2, 7), cuda=True) == 7
    kept.wait(clock.passing(2), cuda=True)
    assert kept.mark() == (104, 4, 0.5)
    assert waited == [1]
    kept.add(torch.tensor(1.0))
    kept.write(1, 0.1, {"validation": 0.5})
    assert float(rows(tmp_path / "log.csv")[0]["waiting"]) == 0.5 / 4
    assert kept.mark() == (104, 4, 0.5)
    assert waited == [1, 1], "nothing to wait for behind the line"


def test_pictures_are_saved_as_they_are_shown(tmp_path):
    kept = Log(tmp_path / "log.csv", "whole", True, Work(1, 0, 0))
    strip = np.array([[[0.0, 0.5, 2.0]], [[-1, math.nan, 1]], [[0.1, 0.2, 0.31]]], np.float32)
    for _ in range(2):
        kept.picture(strip)
    found = imageio.imread(tmp_path / "samples/whole.png")
    assert found.tolist() == [[[0, 0, 26], [128, 0, 51], [255, 255, 79]]]


def test_tensorboard_has_the_same_numbers(clock, tmp_path):
    pytest.importorskip("tensorboard", reason="tensorboard is not installed")
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    kept = Log(tmp_path / "log.csv", "whole", True, Work(1, 0, 0))
    for step, loss in ((3, 1.0), (6, 0.5)):
        kept.add(torch.tensor(loss))
        clock.now += 1
        kept.write(step, 0.25, {"validation": 0.125})
    found = accumulator.EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    said = [(one.step, one.value) for one in found.Scalars("whole/training")]
    assert said == [(3, 1.0), (6, 0.5)]
    assert [one.value for one in found.Scalars("whole/validation")] == [0.125] * 2


def test_what_could_not_be_saved_is_said_behind_a_stage(tmp_path):
    with pytest.raises(TrainError, match="could not be saved"), writing.Writer() as writer:
        writer.put(tmp_path / "none/a.safetensors", {})
    assert writer.thread is None
    writer.put(tmp_path / "none/a.safetensors", {})
    with pytest.raises(TrainError, match="could not be saved"):
        writer.put(tmp_path / "b.safetensors", {})
    assert list(tmp_path.iterdir()) == []


# -- curves ----------------------------------------------------------------------------------------


def test_a_place_of_a_number():
    """From pixel 10 to 110; by logarithms a tenth lies half way to a hundredth."""
    plain, decades = curves.Axis(2, 6, 10, 110), curves.Axis(0.01, 1, 110, 10, True)
    assert [plain.at(x) for x in (2, 3, 6)] == [10, 35, 110]
    assert [decades.at(x) for x in (0.01, 0.1, 1)] == pytest.approx([110, 60, 10])
    assert curves.Axis(3, 3, 10, 110).at(3) == 60


class Drawn:
    """Takes down what is drawn."""

    def __init__(self):
        self.calls = []

    def __getattr__(self, name):
        return lambda *args, **words: self.calls.append((name, *args, words))


def test_a_panel_by_its_calls():
    """58 pixels left and 24 below are for numbers, 10 are left free at the right."""
    draw = Drawn()
    found = {"a": [(10, 1.0), (20, 0.01)], "b": [(30, 0.1)]}
    curves._panel(draw, (440, 240), "validation", found)
    black, gray = {"fill": (0, 0, 0)}, {"outline": (170, 170, 170)}
    blue, red = (31, 119, 180), (214, 39, 40)
    names, places = zip(*((call[0], call[1]) for call in draw.calls), strict=True)
    assert names == ("rectangle", *["text"] * 5, "line", "ellipse", "text", "ellipse", "text")
    assert draw.calls[0] == ("rectangle", (498, 264, 870, 456), gray)
    assert draw.calls[1:6] == [
        ("text", (442, 264), "1", black), ("text", (442, 446), "0.01", black),
        ("text", (498, 460), "10", black), ("text", (830, 460), "30", black),
        ("text", (498, 246), "validation", black),
    ]  # fmt: skip
    assert [*map(tuple, places[6])] == [pytest.approx((498, 264)), pytest.approx((684, 456))]
    assert draw.calls[6][2] == {"fill": blue, "width": 2}
    assert places[7] == pytest.approx((682, 454, 686, 458))
    assert draw.calls[8] == ("text", (608, 246), "a", {"fill": blue})
    assert places[9] == pytest.approx((868, 358, 872, 362)), "a tenth, half way"
    assert draw.calls[9][2] == {"fill": red}
    assert draw.calls[10] == ("text", (678, 246), "b", {"fill": red})


def test_colors_of_curves_are_told_apart():
    """Five of matplotlib's own, in an order of ours."""
    colors = pytest.importorskip("matplotlib.colors", reason="matplotlib is not installed")
    names = ("tab:blue", "tab:red", "tab:green", "tab:purple", "tab:orange")
    expected = [tuple(round(255 * x) for x in colors.to_rgb(name)) for name in names]
    assert [*curves.COLORS] == expected
    draw = Drawn()
    curves._panel(draw, (0, 0), "psnr", {str(n): [(n, n)] for n in range(6)})
    fills = [call[-1]["fill"] for call in draw.calls if call[0] == "ellipse"]
    assert fills == [*expected, expected[0]], "the sixth is the first one's again"


def test_panels_stand_two_a_row(tmp_path):
    path, picture = tmp_path / "log.csv", tmp_path / "history.png"
    lines = ["a,1,9,0.5,2,-3", "a,2,9,0.25,0,-1", "a,4,9,0.125,1,"]
    path.write_text("\n".join(["stage,step,seconds,training,mp_s,psnr", *lines]) + "\n")
    curves.drawn(path, picture)
    page = imageio.imread(picture)
    assert page.shape == (480, 880, 3)
    frames = (page == 170).all(2)
    for left, top, there in ((0, 0, True), (440, 0, True), (0, 240, True), (440, 240, False)):
        line = frames[top + 24, left + 58 : left + 431]
        assert line.sum() == (pytest.approx(line.size, abs=8) if there else 0), "but for points"
    assert (page[250:, 450:] == 255).all(), "no fourth panel, on white"
    assert [one.name for one in tmp_path.iterdir() if one.name.startswith(".")] == []
    found = rows(path)
    assert curves.curves_of(found, "psnr") == {"a": [(1, -3), (2, -1)]}
    assert curves.curves_of(found, "mp_s") == {"a": [(1, 2), (2, 0), (4, 1)]}, "0 has no logarithm"
    zero = [row | {"training": "0"} for row in found]
    assert curves.curves_of(zero, "training") == {}
    on = [*found, *({**row, "stage": "b"} for row in found), {**found[0], "stage": "c"}]
    assert [*curves.curves_of(on, "mp_s")] == ["a", "b", "c"]
    assert curves.curves_of(on, "mp_s")["b"] == [(5, 2), (6, 0), (8, 1)], "behind four steps"
    assert curves.curves_of(on, "mp_s")["c"] == [(9, 2)], "behind eight"
