"""The table of facts no file states stands last: it fills gaps and changes nothing else."""

from dataclasses import replace

import pytest

from isptools import raw
from isptools.raw import cameras
from tests.raw.mosaics import capture


def test_levels_are_found_by_camera_and_convention() -> None:
    sony = raw.levels("SONY", "ilce-7sm2", "sid")
    assert sony is not None
    assert (sony.black, sony.white) == (512, 16383)
    sensor = raw.levels("Sony", "ILCE-7SM2")
    assert sensor is not None
    assert sensor.white == 16300
    assert raw.levels("Sony", "ILCE-7SM3") is None


def test_every_entry_is_named_once_and_says_where_it_comes_from() -> None:
    keys = [(entry.make, entry.model, entry.convention) for entry in cameras.table()]
    assert len(set(keys)) == len(keys)
    assert all(entry.source for entry in cameras.table())


def test_a_missing_black_is_filled_in_and_recorded() -> None:
    facts = capture(make="Sony", model="ILCE-7SM2", black=(0.0,) * 4)
    filled = cameras.fill_in(facts)
    assert filled.black == (512.0,) * 4
    assert filled.origins == (("black", "cameras.toml: darktable-org/rawspeed data/cameras.xml"),)
    assert replace(filled, black=facts.black, origins=()) == facts  # white, black_libraw: as before


@pytest.mark.parametrize(
    "facts",
    [
        {"make": "Sony", "model": "ILCE-7SM2", "black": (510.0,) * 4},
        {"make": "Sony", "model": "ILCE-7SM2", "black": (0.0,) * 4, "black_libraw": (1,) * 4},
        {"make": "Kodak", "model": "DC50", "black": (0.0,) * 4},
        {"make": "Nikon", "model": "D700", "black": (0.0,) * 4},
    ],
)
def test_nothing_else_is_touched(facts: dict[str, object]) -> None:
    libraw = facts.pop("black_libraw", None)
    made = capture(**facts)
    made = made if libraw is None else replace(made, black_libraw=libraw)
    assert cameras.fill_in(made) is made


def test_a_black_of_zero_that_the_file_states_is_kept() -> None:
    made = capture(make="Sony", model="ILCE-7SM2", black=(0.0,) * 4)
    made = replace(made, origins=(("black", "tag BlackLevel"),))
    assert cameras.fill_in(made) is made


@pytest.mark.parametrize(("black", "noted"), [(510.0, True), (512.5, False), (0.0, False)])
def test_a_table_that_says_otherwise_is_noted(black: float, noted: bool) -> None:
    made = capture(make="Sony", model="ILCE-7SM2", black=(black,) * 4)
    told = cameras.compared(made)
    assert told.black == made.black
    assert bool(told.origins) == noted
    if noted:
        assert "cameras.toml has 512" in told.origins[0][1]
