"""How much pairs count, and truths that may move: answers that are known."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra `train` is not installed")
pytest.importorskip("lightning", reason="the extra `train` is not installed")

from isptools import shards  # noqa: E402 - behind the skip
from isptools.train import confidence, data, feed, networks  # noqa: E402 - behind the skip
from isptools.train.aligned import nearest  # noqa: E402 - behind the skip
from isptools.train.confidence import Confidence  # noqa: E402 - behind the skip
from isptools.train.intake import RGB  # noqa: E402 - behind the skip
from isptools.train.settings import Settings  # noqa: E402 - behind the skip
from isptools.train.task import Task  # noqa: E402 - behind the skip

WORDS = {"title": "", "network": {"name": "dped", "width": 2, "blocks": 1}, "patch": 24,
         "objective": {"loss": "l2"}, "stages": [{"train": "whole", "steps": 1}]}  # fmt: skip


def test_weights_are_those_of_least_squares(pictures_folder):
    """1 / (1 + noise over its reference) and 1 / (1 + (pixels over theirs)^2), mean 1."""
    with shards.open(pictures_folder, "train") as source:
        every = range(len(source))
        decibels = np.array([source.truth_facts(i).quality_db for i in every], np.float64)
        pixels = np.array([source.pair(i).residual_px for i in every], np.float64)
        noise, shift = 1 / (1 + 10 ** (4 - decibels / 10)), 1 / (1 + (pixels / 0.2) ** 2)
        for one in (noise, shift):  # what nobody knows counts as the mean of what is known
            one[np.isnan(one)] = np.nanmean(one)
        for words, wanted in (({"noise": 40}, noise), ({"shift": 0.2}, shift),
                              ({"noise": 40, "shift": 0.2}, noise * shift)):  # fmt: skip
            found = confidence.weights(source, Confidence(**words))
            np.testing.assert_allclose(found, wanted / wanted.mean(), rtol=1e-5)
            assert np.ptp(found) > 0.01


def test_one_camera_has_no_shift(shards_folder):
    with shards.open(shards_folder, "train") as source:
        assert source.pair(0) is None
        assert (confidence.weights(source, Confidence(shift=1)) == 1).all()


def test_a_pair_counts_by_its_weight(pictures_folder):
    """The loss of two items is half the sum of each by its weight."""
    settings = Settings.of(WORDS | {"confidence": {"noise": 40}})
    torch.manual_seed(0)
    task = Task(networks.built(settings.network)[0], settings, settings.stages[0])
    with data.open_shards(pictures_folder, "train", RGB, ("enhancement",)) as source:
        cuts = data.Cuts(source, 24, 0, ("enhancement",))
        cuts.confidence = confidence.weights(source, settings.confidence)
        (batch,) = feed.loader(cuts, range(1), feed.Feed(2))
        places = [cuts.item(n).place for n in range(2)]
    assert batch["confidence"].tolist() == cuts.confidence[places].tolist()
    alone = []
    for at in range(2):
        one = {k: x[at : at + 1] for k, x in batch.items() if k != "confidence"}
        alone.append(task(one))
    wanted = (alone[0] * batch["confidence"][0] + alone[1] * batch["confidence"][1]) / 2
    torch.testing.assert_close(task(batch), wanted)


def test_a_fused_pixel_counts_by_its_share():
    """L1 weighted by weight / 255: nothing at 0, twice as much at 254 as at 127."""
    words = {"title": "", "network": {"name": "srcnn"}, "patch": 32,
             "objective": {"loss": "l1-log"}, "stages": [{"train": "whole", "steps": 1}],
             "confidence": {"fused": True}}  # fmt: skip
    settings = Settings.of(words)
    task = Task(networks.built(settings.network)[0], settings, settings.stages[0])
    mask = torch.tensor([0, 127, 254]).repeat_interleave(4).expand(1, 12, 12).to(torch.uint8)
    truth = torch.zeros(1, 3, 12, 12)
    batch = {"enhancement": truth, "enhancement_scale": torch.ones(1), "mask": mask,
             "raw": torch.zeros(1, 12, 12)}  # fmt: skip
    picture = torch.zeros(1, 3, 12, 12)
    picture[..., 4:8], picture[..., 8:] = 0.3, 0.6
    picture[..., :4] = 9
    weights = mask.float() / 255
    wanted = (weights * picture[0].mean(0)).sum() / weights.sum()
    pair = task._pair("enhancement", picture, batch)
    loss = task.difference({"enhancement": pair})
    torch.testing.assert_close(loss, wanted)


@pytest.mark.parametrize("shift", [(0, 0), (1, -2), (-2, 2)])
def test_a_truth_that_lies_off_is_found(shift):
    """Truth (y + shift) shows what the picture shows at y: nothing is left of the difference."""
    torch.manual_seed(0)
    large = torch.rand(2, 3, 30, 32)
    down, right = shift
    picture = large[..., 4:-4, 4:-4]
    truth = large[..., 4 - down : 26 - down, 4 - right : 28 - right]
    moved, counts = nearest(picture, truth, 2)
    assert counts.shape == (2, 1, 22, 24)
    assert counts[:, :, 2:-2, 2:-2].all()
    assert not counts[:, :, :2].any()
    torch.testing.assert_close(moved[..., 2:-2, 2:-2], picture[..., 2:-2, 2:-2])


def test_each_item_moves_by_itself_and_untrusted_pixels_move_along():
    torch.manual_seed(1)
    large = torch.rand(2, 3, 20, 20)
    picture = large[..., 2:-2, 2:-2]
    truth = torch.stack([large[0, :, 3:-1, 2:-2], large[1, :, 2:-2, 1:-3]])
    trusted = torch.ones(2, 1, 16, 16, dtype=torch.bool)
    truth[0, :, 7, 7] = 5  # nonsense, and said so
    trusted[0, :, 7, 7] = False
    moved, counts = nearest(picture, truth, 1, trusted)
    assert not counts[0, 0, 8, 7]
    assert counts[:, :, 1:-1, 1:-1].sum() == 2 * 14 * 14 - 1
    differs = ((moved - picture).abs() > 1e-6).any(1, keepdim=True) & counts
    assert not differs.any()
    with pytest.raises(ValueError, match="can't be moved by 8 pixels"):
        nearest(picture, truth, 8)


def test_of_equal_places_the_nearest_is_taken():
    """Flat pictures fit at every shift: an untrusted pixel stays where it is."""
    flat, trusted = torch.full((1, 3, 12, 12), 0.5), torch.ones(1, 1, 12, 12, dtype=torch.bool)
    trusted[..., 5, 6] = False
    moved, counts = nearest(flat, flat, 2, trusted)
    assert torch.nonzero(~counts[0, 0, 2:-2, 2:-2]).tolist() == [[3, 4]]
    assert torch.equal(moved[..., 2:-2, 2:-2], flat[..., 2:-2, 2:-2])
    alone, all_count = nearest(flat, flat, 0)
    assert torch.equal(alone, flat)
    assert all_count.all()
    with pytest.raises(ValueError, match="a cut of 8 x 12 can't be moved by 4"):
        nearest(flat[..., :8, :], flat[..., :8, :], 4)
    assert nearest(flat[..., :9, :], flat[..., :9, :], 4)[1].sum() == 1 * 4


def test_a_task_compares_with_the_moved_truth():
    """A network that hands its picture on, a truth two pixels off: no loss, with `aligned`."""
    torch.manual_seed(0)
    large = torch.randint(0, 255, (1, 3, 28, 28)).to(torch.uint8)
    batch = {"raw": large[..., 2:-2, 2:-2], "black": torch.zeros(1, 3),
             "white": torch.full((1,), 255.0), "gain": torch.ones(1),
             "enhancement": large[..., 4:, 2:-2],
             "enhancement_scale": torch.full((1,), 1 / 255)}  # fmt: skip
    losses = {}
    for aligned in (0, 1, 2):
        settings = Settings.of(WORDS | {"aligned": aligned})
        task = Task(networks.built(settings.network)[0], settings, settings.stages[0])
        task.camera.nets[0].forward = lambda x: x
        losses[aligned] = task(batch).item()
    assert losses[2] < 1e-12
    assert min(losses[0], losses[1]) > 0.01
