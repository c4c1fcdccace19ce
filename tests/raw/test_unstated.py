"""Tags that are there and say nothing, and ISO of more than 16 bits; DNGs by tifffile."""

import io

import numpy as np
import pytest

from isptools import raw
from tests.raw.mosaics import dng

PIXELS = np.random.default_rng(3).integers(64, 1000, (48, 64)).astype(np.uint16)
TIME, APERTURE, ISO = 33434, 33437, 34855
TYPE, STANDARD, RECOMMENDED, SPEED = 34864, 34865, 34866, 34867


def file(*tags: tuple[int, int, int, object]) -> bytes:
    return dng(PIXELS, extra=[(*tag, True) for tag in tags])


@pytest.mark.parametrize(
    ("value", "known"),
    [((1, 100), 0.01), ((1, 0), None), ((0, 10), None), ((0, 0), None)],
    ids=["1/100", "1/0", "0/10", "0/0"],
)
def test_a_rational_without_a_value_states_nothing(value, known, tmp_path) -> None:
    """LibRaw makes 1 s of them."""
    data = file((TIME, 5, 1, value), (APERTURE, 5, 1, value))
    facts = raw.read_bytes(data, "a.dng").capture
    assert (facts.exposure_s, facts.aperture) == (known, known)
    (tmp_path / "a.dng").write_bytes(data)
    assert raw.header(tmp_path / "a.dng").exposure_s == known


@pytest.mark.parametrize(
    ("tags", "iso", "title"),
    [
        ({ISO: 400}, 400, "ISOSpeedRatings"),
        ({ISO: 400, TYPE: 2, RECOMMENDED: 500}, 400, "ISOSpeedRatings"),
        # EXIF 2.3, table of SensitivityType: 1 standard, 2 recommended, 3 speed, 4 to 7 several
        ({ISO: 65535, TYPE: 1, STANDARD: 204800}, 204800, "StandardOutputSensitivity"),
        ({ISO: 65535, TYPE: 2, RECOMMENDED: 102400}, 102400, "RecommendedExposureIndex"),
        ({ISO: 65535, TYPE: 3, SPEED: 409600}, 409600, "ISOSpeed"),
        ({ISO: 65535, TYPE: 5, STANDARD: 204800, SPEED: 1}, 204800, "StandardOutputSensitivity"),
        ({ISO: 65535, TYPE: 1, RECOMMENDED: 102400}, 65535, "ISOSpeedRatings"),
        ({ISO: 65535, RECOMMENDED: 102400}, 102400, "RecommendedExposureIndex"),
        ({ISO: 65535}, 65535, "ISOSpeedRatings"),
    ],
)
def test_iso_stands_where_sensitivity_type_says(tags, iso, title) -> None:
    kinds = {ISO: 3, TYPE: 3}
    data = file(*((tag, kinds.get(tag, 4), 1, value) for tag, value in tags.items()))
    facts = raw.read_bytes(data, "a.dng").capture
    assert facts.iso == iso
    assert dict(facts.origins)["iso"] == f"tag {title}"


@pytest.mark.parametrize(("value", "known"), [((0, 0), False), ((1, 0), False), ((8, 1), True)])
def test_a_crop_without_a_value_is_none(value, known) -> None:
    size = (*value, *value)
    found = raw.read_bytes(file((50719, 5, 2, size), (50720, 5, 2, size)), "a.dng")
    assert (found.capture.default_crop is not None) == known
    raw.write_dng(io.BytesIO(), found)  # it refused numbers that are none
