"""The exposure ratio against the exposure equation, and through a build."""

import numpy as np
import pytest

import isptools.shards
from isptools.measure.exposure import Shot, ratio
from tests.build.tiny import Tiny, frame, make, write


@pytest.mark.parametrize(
    ("own", "its", "light", "time"),
    [
        (Shot(0.1, 200), Shot(10, 200), 100, 100),
        (Shot(1 / 32, 1600), Shot(1, 100), 2, 32),  # five stops less time, four more gain
        (Shot(0.1, 200, 4.0), Shot(0.1, 200, 2.0), 4, 1),  # two stops wider
        (Shot(0.1, 400, 2.8), Shot(0.4, 100, 2.8), 1, 4),
        (Shot(0.1, None, 4.0), Shot(1, 100, 4.0), 10, 10),  # only one states its ISO
        (Shot(0.1, 200), Shot(None, 200), None, None),
        (Shot(0.0, 200), Shot(1, 200), None, None),
    ],
)
def test_the_exposure_equation(own, its, light, time) -> None:
    assert ratio(own, its) == pytest.approx(light)
    assert ratio(own, its, "time") == pytest.approx(time)


@pytest.fixture
def traded(tmp_path) -> Tiny:
    """Time traded for ISO and aperture: half the light x gain although 1/64 of the time."""
    tiny = make(tmp_path / "tiny")
    for number, scene in enumerate(("a1", "b2", "c3", "d4")):
        write(
            tiny, f"long/{scene}_long.dng", frame(number, exposure_s=1.0, iso=100.0, aperture=4.0)
        )
        for k in range(2):
            made = frame(number, 0.5, exposure_s=1 / 64, iso=800.0, aperture=2.0)
            write(tiny, f"short/{scene}_{k}.dng", made)
    return tiny


TABLES = {"exif": ("", ""), "manifest": ("1\t100", "0.015625\t800")}


@pytest.mark.parametrize("origin", TABLES)
@pytest.mark.parametrize(("law", "expected"), [("light", 2.0), ("time", 64.0)])
def test_in_shards_the_ratio_takes_input_onto_truth(traded, origin, law, expected) -> None:
    path = traded.folder / "manifest/files.tsv"
    head, *rows = path.read_text().splitlines()
    long, short = (one or "\t" for one in TABLES[origin])
    lines = [
        "\t".join(row.split("\t")[:4]) + "\t" + (long if "truth" in row else short) for row in rows
    ]
    path.write_text("\n".join([head, *lines]) + "\n")
    facts = traded.folder / "manifest/dataset.toml"
    if law == "time":
        facts.write_text(facts.read_text() + 'ratio = "time"\n')
    traded.build()
    with isptools.shards.open(traded.out) as opened:
        for i in range(len(opened)):
            sample = opened[i]
            assert sample.facts.ratio == pytest.approx(expected)
            assert sample.facts.ratio_origin == origin
            if law == "light":  # brought to one exposure, input and truth's raw are as bright
                number = ["a1", "b2", "c3", "d4"].index(sample.facts.scene)
                long = (frame(number).pixels - 65.5) / (4095 - 65.5)
                assert np.mean(sample.input) * sample.facts.ratio == pytest.approx(
                    np.mean(long), rel=0.02
                )
