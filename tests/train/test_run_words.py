"""What a run decides and says between its steps, by stand-ins for all that computes."""

from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra `train` is not installed")
pytest.importorskip("lightning", reason="the extra `train` is not installed")

from isptools.shards import sums  # noqa: E402 - behind the skip
from isptools.train import (  # noqa: E402 - behind the skip
    Form,
    Patches,
    claim,
    data,
    resident,
    run,
    speed,
)
from isptools.train.checkpoint import TrainError  # noqa: E402 - behind the skip
from isptools.train.intake import PACKED  # noqa: E402 - behind the skip
from isptools.train.place import Place  # noqa: E402 - behind the skip
from isptools.train.settings import Settings  # noqa: E402 - behind the skip
from tests.shards import made  # noqa: E402 - behind the skip
from tests.train.test_sides import by_hand, shaded  # noqa: E402 - behind the skip


def settings(**changes):
    stages = [{"train": "restore", "steps": 3}, {"train": "joint", "steps": 1}]
    words = {"title": "t", "network": {"name": "cameranet", "widths": [4, 6]}, "patch": 32,
             "batch": 2, "stages": stages}  # fmt: skip
    return Settings.of(words | changes)


# -- stages that are done --------------------------------------------------------------------------


class Folder:
    """Of a run, where the files of some stages stand."""

    def __init__(self, chosen, there=()):
        self.settings, self.there = chosen, there

    def file(self, stage):
        name = f"{stage.train}.safetensors"
        return SimpleNamespace(exists=lambda: stage.train in self.there, __str__=lambda _: name)


def finished(now, length, state, there=()):
    """Of the first stage, where a checkpoint of three steps stands."""
    before = {"settings": settings().to_json(), "step": 3, "done": True}
    return run._finished(Folder(now, there), now.stages[0], before | state, length)


def stages(*first):
    return [{"train": "restore", **dict(first)}, {"train": "joint", "steps": 1}]


def test_a_stage_is_done_as_long_as_it_is_the_same():
    assert finished(settings(), 3, {})
    assert not finished(settings(), 3, {"step": 2, "done": False})
    longer = settings(stages=stages(("steps", 5)))
    assert not finished(longer, 5, {}), "it goes on"
    in_epochs = settings(stages=stages(("epochs", 1)))
    assert finished(in_epochs, 3, {}), "the same steps in other words"
    assert not finished(in_epochs, 3, {"done": False})
    with pytest.raises(TrainError, match="stands at step 3 of restore: 2 are too few"):
        finished(settings(stages=stages(("steps", 2))), 2, {})
    with pytest.raises(TrainError, match="joint has begun from it: its steps stay 3"):
        finished(longer, 5, {}, ("restore", "joint"))
    assert not finished(longer, 5, {}, ("restore",)), "no other has begun from it"
    assert finished(in_epochs, 3, {}, ("restore", "joint"))


def test_what_a_run_began_with_where_it_is_not_known(tmp_path):
    assert claim.recorded(tmp_path) is None
    assert claim.Record() == claim.Record(processes=0, threads=0, start="")
    (tmp_path / "run.json").write_text("[")
    with pytest.raises(TrainError, match=r"run\.json: can't be read"):
        claim.recorded(tmp_path)


@pytest.mark.parametrize(
    ("asked", "began", "expected"),
    [(3, 0, 3), (3, 5, 3), ("auto", 5, 5), ("auto", 0, 2), (0, 0, 1)],
)
def test_torch_gets_the_threads_that_are_asked_for_or_free(
    asked, began, expected, monkeypatch, tmp_path
):
    """4 free cores of 6 for two processes; 0 leaves what torch has."""
    monkeypatch.setattr(claim, "recorded", lambda _: claim.Record(threads=began))
    monkeypatch.setattr(claim.threads, "allowed", lambda: 6)
    monkeypatch.setattr(claim.threads, "free", lambda: 4)
    told = []
    job = SimpleNamespace(place=Place("cpu", threads=asked), out=tmp_path, tell=told.append)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        claim._set_threads(job, SimpleNamespace(world_size=2, is_global_zero=True))
        assert torch.get_num_threads() == expected
    finally:
        torch.set_num_threads(before)
    assert told == {
        ("auto", 5): ["threads: 5 of 6 cores, as this run began (--threads)"],
        ("auto", 0): ["threads: 2 of 6 cores, the others are busy (--threads)"],
    }.get((asked, began), [])


# -- what does not fit -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fits", "batch", "turns", "said"),
    [(48, 1, 1, "a patch of 32 pixels does not fit into this GPU's memory; 48 does (--set "
      "patch=48)"),
     (0, 2, 1, "a patch of 32 pixels does not fit 2 times into this GPU's memory; no smaller one "
      "that suits it does"),
     (48, 2, 2, "2 cuts of 32 pixels do not fit into this GPU's memory: take fewer")],
)  # fmt: skip
def test_what_does_not_fit_says_what_does(fits, batch, turns, said, monkeypatch):
    asked = []
    monkeypatch.setattr(run, "fitting_patch", lambda *words: asked.append(words[2:]) or fits)
    monkeypatch.setattr(run, "least", lambda _: 7)
    fabric = SimpleNamespace(autocast=torch.no_grad)
    going = SimpleNamespace(settings=settings(), fabric=fabric, camera=None)
    task = SimpleNamespace(batch=batch, turns=(0,) * turns)
    assert run._too_large(going, task, {}) == said
    assert asked == ([(32, 7)] if turns == 1 else [])


@pytest.mark.parametrize(("peak", "operations"), [(1e12, 3 * 2 * 4 * 7), (0.0, 0)])
def test_work_is_that_of_all_processes(peak, operations, monkeypatch):
    """Three cuts in each of two micro-steps of four processes, each of seven operations."""
    monkeypatch.setattr(speed, "peak", lambda _: peak)
    monkeypatch.setattr(run, "of_step", lambda _, positions, patch: positions + patch - 29)
    fabric = SimpleNamespace(device=torch.device("cpu"), world_size=4)
    camera = SimpleNamespace(intake=PACKED)
    going = SimpleNamespace(settings=settings(accumulate=2), fabric=fabric, camera=camera)
    work = run._work(going, SimpleNamespace(batch=3))
    assert (work.pixels, work.operations) == (3 * 2 * 4 * 32 * 32, operations)
    assert work.peak == 4 * peak


# -- where batches come from -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "fits", "kind", "compiled", "taken"),
    [("resident", False, "cpu", True, ("held", False)),
     ("auto", True, "cpu", False, ("held", False)),
     ("auto", False, "cpu", False, "read"), ("read", True, "cpu", False, "read"),
     ("auto", True, "cuda", True, ("held", True)), ("auto", True, "cuda", False, ("held", False)),
     ("read", True, "cuda", False, "carried")],
)  # fmt: skip
def test_shards_are_read_or_held(asked, fits, kind, compiled, taken, monkeypatch):
    """Steps 2 and 3 of two micro-steps are the batches 4 to 7, for the process that asks."""
    seen = []

    class Held:
        def __init__(self, _cuts, _device, compiled):
            seen.append(("held", compiled))

        def batches(self, micros, ahead):
            seen.append((micros, ahead))
            return "batches"

    def read(_, micros, ahead):
        seen.append((micros, ahead))
        return [1, 2]

    monkeypatch.setattr(run, "_cuts", lambda *_: "cuts")
    monkeypatch.setattr(resident, "fits", lambda *_: fits)
    monkeypatch.setattr(resident, "Held", Held)
    monkeypatch.setattr(run.feed, "batches", read)
    monkeypatch.setattr(run, "carried", lambda *_: seen.append("carried"))
    fabric = SimpleNamespace(
        device=torch.device(kind), global_rank=1, world_size=2,
        to_device=lambda batch: seen.append("read") or batch,
    )  # fmt: skip
    job = SimpleNamespace(place=Place(data=asked))
    chosen = settings(accumulate=2, compile=compiled)
    going = SimpleNamespace(settings=chosen, fabric=fabric, job=job)
    found = run._loader(going, SimpleNamespace(batch=3), None, range(2, 4), 5)
    if taken == "read":
        assert list(found) == [1, 2]
    assert taken in seen
    (micros, ahead) = next(one for one in seen if isinstance(one[0], range))
    assert micros == range(4, 8)
    assert (ahead.batch, ahead.workers, ahead.rank, ahead.world) == (3, 5, 1, 2)
    assert ahead.pin == (kind == "cuda")


def test_cuts_are_taken_by_a_compiled_kernel_where_that_is_asked_for(monkeypatch, tmp_path):
    made.shard(tmp_path)
    source = data.open_shards(tmp_path, "train", PACKED, ("restoration",))
    cuts = data.Cuts(source, 16, 1, ("restoration",))
    monkeypatch.setattr(torch, "compile", lambda function: ("compiled", function))
    where = torch.device("cpu")
    assert resident.Held(cuts, where).take is resident.gathered
    assert resident.Held(cuts, where, True).take == ("compiled", resident.gathered)

    def full(*_):
        raise torch.cuda.OutOfMemoryError

    monkeypatch.setattr(resident.Held, "_filled", full)
    monkeypatch.setattr(resident, "needed", lambda _: 3 << 20)
    with pytest.raises(ValueError, match="these shards take 3 MB, which do not fit"):
        resident.Held(cuts, where)


@pytest.mark.parametrize("undone", [True, False])
def test_a_whole_frame_comes_with_its_gains(undone, tmp_path):
    """The first input's gains, which the truth has undone; what is beyond it is mirrored."""
    with h5py.File(shaded(tmp_path), "a") as file:
        sums.seal(file)
    form = Form(size=16, truths=("restoration",), packing="mosaic", clip=False, undone=undone)
    patches = Patches(tmp_path, form=form)
    x, (top, left, height, width) = patches.frame(0, multiple=8)
    source = patches.cuts.source
    facts, pixels = source.facts(0), source.raw(0).astype(np.float64)
    rows, columns = np.indices(pixels.shape)
    black = np.reshape(facts.black, (2, 2))[rows % 2, columns % 2]
    expected = (pixels - black) / (facts.white - black) * facts.ratio
    expected = expected * by_hand(height, width) if undone else expected
    np.testing.assert_allclose(x[0, top : top + height, left : left + width], expected, rtol=1e-5)
    np.testing.assert_allclose(x[0, height, :width], expected[height - 2], rtol=1e-5)
    assert Path(source.path(0)).name == "a.h5"
