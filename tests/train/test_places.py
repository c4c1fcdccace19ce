"""Where a training runs and what memory it may take, by stand-ins for a GPU and for Fabric."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra `train` is not installed")
pytest.importorskip("lightning", reason="the extra `train` is not installed")

from isptools.train import feed, memory, place, resident  # noqa: E402 - behind the skip
from isptools.train.checkpoint import TrainError  # noqa: E402 - behind the skip
from isptools.train.place import Place  # noqa: E402 - behind the skip

# -- memory ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("free", "fits"), [(2001, True), (2000, False)])
def test_shards_may_take_half_of_what_is_free(free, fits, monkeypatch):
    monkeypatch.setattr(resident, "needed", lambda _: 1000)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (free, 10**9))
    assert resident.fits(None, torch.device("cuda")) == fits
    assert not resident.fits(None, torch.device("cpu"))


class Rooms:
    """Cuts of 100 x 100 pixels of a mosaic of two bytes and three planes of one."""

    def rooms(self):
        return {"raw": ((100, 100), np.dtype(np.uint16)), "a": ((3, 100, 100), np.dtype(np.uint8))}


@pytest.mark.parametrize(("short", "there"), [(0, True), (1, False)])
def test_readers_share_memory_that_is_free(short, there, monkeypatch, tmp_path):
    """Two readers of three batches of four cuts, 50,000 bytes each."""
    needed = 2 * 3 * 4 * 50_000
    free = SimpleNamespace(free=needed - short)
    monkeypatch.setattr(feed, "SHARED", tmp_path)
    monkeypatch.setattr(feed.shutil, "disk_usage", lambda _: free)
    assert feed.shareable(Rooms(), 4, 2) == there
    if there:
        feed._expect_shared(needed)
    else:
        with pytest.raises(ValueError, match=r"1 MB are free, reading ahead takes 2 MB: take"):
            feed._expect_shared(needed)
    monkeypatch.setattr(feed, "SHARED", tmp_path / "none")
    assert feed.shareable(Rooms(), 4, 2), "where nothing tells"
    feed._expect_shared(needed)


def test_each_reader_has_a_batch_more_than_it_is_ahead(monkeypatch):
    monkeypatch.setattr(feed, "SHARED", Path("/none"))
    counts = [len(feed.Slots(Rooms(), 4, workers).pixels["raw"]) for workers in (0, 1, 3)]
    assert counts == [1, 3, 9]
    asked = []
    monkeypatch.setattr(feed, "_expect_shared", asked.append)
    slots = feed.Slots(Rooms(), 4, 3)
    assert asked == [9 * 4 * 50_000]
    assert slots.pixels["a"].shape == (9, 4, 3, 100, 100)
    assert slots.pixels["a"].is_shared()
    assert not feed.Slots(Rooms(), 4, 0).pixels["a"].is_shared()


def test_the_patch_that_fits_is_a_multiple_of_48_from_64_on():
    tried = []

    class Greedy(torch.nn.Module):
        def forward(self, batch):
            tried.append({name: tuple(x.shape) for name, x in batch.items()})
            raise torch.cuda.OutOfMemoryError

    batch = {"raw": torch.zeros(1, 1024, 1024), "a": torch.zeros(1, 3, 1024, 1024),
             "black": torch.zeros(1, 4), "matrix": torch.zeros(1, 3, 3)}  # fmt: skip
    assert memory.fitting_patch(Greedy(), batch, 1024) == 0
    assert [one["raw"][1:] for one in tried] == [(480, 480), (240, 240), (96, 96)]
    assert tried[0]["a"] == (1, 3, 480, 480)
    assert (tried[0]["black"], tried[0]["matrix"]) == ((1, 4), (1, 3, 3)), "facts stay"
    tried.clear()
    assert memory.fitting_patch(Greedy(), batch, 1024, least=1) == 0
    assert tried[-1]["raw"] == (1, 48, 48)


# -- launches --------------------------------------------------------------------------------------


@pytest.fixture
def launches(monkeypatch):
    asked = []

    class Fabric:
        def __init__(self, **words):
            asked.append(words)

        def launch(self):
            asked[-1]["launched"] = True

    monkeypatch.setattr(place, "Fabric", Fabric)
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)
    return asked


def test_fabric_is_asked_for_the_devices(launches, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    place.launched(Place("cpu"), "fp32")
    assert launches[-1] == {
        "accelerator": "cpu", "devices": 1, "num_nodes": 1, "precision": "32-true",
        "strategy": "auto", "launched": True,
    }  # fmt: skip
    place.launched(Place("cuda:1"), "bf16")
    assert (launches[-1]["devices"], launches[-1]["precision"]) == ([1], "bf16-mixed")
    place.launched(Place("cuda", devices=2), "tf32")
    assert (launches[-1]["devices"], launches[-1]["strategy"]) == (2, "ddp")
    place.launched(Place("cuda", nodes=3), "fp16", turns=True)
    assert launches[-1]["num_nodes"] == 3
    assert launches[-1]["precision"] == "16-mixed"
    assert launches[-1]["strategy"] == "ddp_find_unused_parameters_true"
    monkeypatch.setenv("WORLD_SIZE", "8")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    place.launched(Place("cuda"), "fp32")
    assert (launches[-1]["devices"], launches[-1]["num_nodes"]) == (4, 2)
    monkeypatch.setenv("WORLD_SIZE", "1")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "1")
    place.launched(Place("cpu"), "fp32")
    assert (launches[-1]["num_nodes"], launches[-1]["strategy"]) == (1, "auto")


@pytest.mark.usefixtures("launches")
def test_halves_need_a_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for device, precision in (("auto", "fp16"), ("cuda", "tf32")):
        with pytest.raises(TrainError, match=f"{precision} needs a GPU"):
            place.launched(Place(device), precision)
    place.launched(Place("auto"), "bf16")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    with pytest.raises(TrainError, match="fp16 needs a GPU"):
        place.launched(Place("cpu"), "fp16")
    place.launched(Place("auto"), "fp16")


@pytest.mark.parametrize(
    ("device", "there", "cuda"),
    [("auto", True, True), ("auto", False, False), ("cpu", True, False), ("cuda:1", False, True)],
)
def test_a_place_knows_whether_it_is_a_gpu(device, there, cuda, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there)
    assert Place(device).cuda == cuda


def test_where_a_training_runs_if_nothing_is_said():
    assert Place() == Place("auto", devices=1, nodes=1, workers=0, threads=0, data="auto")
