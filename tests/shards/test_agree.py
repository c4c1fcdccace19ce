"""Agreement of inputs and truths on the miniature: every right pair against every wrong one."""

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from isptools import shards
from isptools.shards import agree
from isptools.shards.read import Sample
from tests.shards import made


def shown(sample: Sample, name: str) -> agree.Shown:
    planes = getattr(sample, name)
    space = {"restoration": "xyz", "enhancement": "srgb"}[name]
    luminance = agree.luminance(lambda channel: planes[channel], space)
    return agree.Shown(agree.truth_cells(luminance, sample.facts.cfa))


@pytest.mark.parametrize("name", ["restoration", "enhancement"])
@pytest.mark.parametrize("data_set", ["sony", "fuji"])
@pytest.mark.parametrize("noise", [0, 20])  # DN added to what the miniature has
def test_right_and_wrong_pairs_lie_apart(
    data_set: str, name: str, noise: int, request: pytest.FixtureRequest
) -> None:
    random = np.random.default_rng(0)
    with shards.open(request.getfixturevalue(data_set)) as opened:
        samples = list(opened)
    truths = {sample.facts.scene: shown(sample, name) for sample in samples}
    right, wrong = [], []
    for sample in samples:
        facts = sample.facts
        extra = random.normal(0, noise / (facts.white - facts.black[0]), sample.input.shape)
        inputs = agree.input_cells((sample.input + extra).astype(np.float32), facts)
        for scene, truth in truths.items():
            blocks = agree.Sight(inputs, facts).blocks(truth.middle)
            if blocks:
                found = agree.agreement(blocks, truth)
                (right if scene == facts.scene else wrong).append(found)
    assert len(right) >= 4
    assert min(right) > 0.9
    assert max(wrong) < agree.WRONG


def test_a_wrong_stated_ratio_is_no_wrong_pair(sony: Path) -> None:
    with shards.open(sony) as opened:
        sample = opened[0]
    truth = shown(sample, "restoration")
    facts = sample.facts
    for ratio in (None, 1.0, 5000.0):
        stated = type(facts)(**{f: getattr(facts, f) for f in facts.__slots__} | {"ratio": ratio})
        inputs = agree.input_cells(sample.input, stated)
        blocks = agree.Sight(inputs, stated).blocks(truth.middle)
        assert agree.agreement(blocks, truth) > 0.95


def test_correlation_is_pearsons() -> None:
    random = np.random.default_rng(0)
    one, other = random.normal(size=(20, 30)), random.normal(size=(20, 30))
    other += one
    assert agree.correlation(one, other) == pytest.approx(
        stats.pearsonr(one.ravel(), other.ravel()).statistic
    )
    assert agree.correlation(one, np.ones((20, 30))) == 0


def test_reliability_tells_picture_from_noise() -> None:
    """Half of the variance of the block means is noise: the halves' correlation must say so."""
    random = np.random.default_rng(0)
    side, blocks = 4, 200
    picture = np.kron(random.normal(size=(blocks, blocks)), np.ones((side, side)))
    noise = random.normal(size=picture.shape) * side  # block means: variance 1, as the picture
    found = agree._reliable(picture + noise, side)
    assert found == []
    found = agree._reliable(picture + noise / 2, side)
    assert found[0].reliability == pytest.approx(0.8, abs=0.02)
    agreement = agree.agreement(found, agree.Shown(picture))
    assert agreement == pytest.approx(1, abs=0.02)


def test_gains_and_matrix_make_neutral_luminance() -> None:
    """A gray light on the sensor gives the same luminance in every cell, whatever the gains."""
    gains = (2.0, 1.0, 1.6, 1.0)
    row = made.input_row("k", "s", as_shot=gains)
    light = np.empty((8, 8), np.float32)
    for i, letter in enumerate("RGGB"):
        light[i // 2 :: 2, i % 2 :: 2] = 0.25 / gains["RGB".index(letter)]
    assert agree.input_cells(light, row) == pytest.approx(np.full((4, 4), 0.25), rel=1e-6)
