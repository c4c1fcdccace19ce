"""Whatever is written, `check` accepts; and what `check` refuses can't be written."""

import math
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from isptools.frame import Array
from isptools.recipe import Recipe
from isptools.shards import write
from isptools.shards.read import load
from isptools.shards.schema import InputRow, TruthRow
from tests.raw.mosaics import capture

odd = st.one_of(
    st.floats(),
    st.sampled_from(
        [0.0, -1.0, 1.0, 512.0, 65535.0, 65536.0, 1e300, math.inf, -math.inf, math.nan]
    ),
)
four = st.tuples(odd, odd, odd, odd)
calm = st.floats(0, 1)
levels = st.one_of(four, st.just((64.0, 65.0, 66.0, 67.0)))
noises = st.one_of(four, st.tuples(calm, calm, calm, calm))
matrices = st.one_of(
    st.none(),
    st.just(((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))),
    st.tuples(*[st.tuples(odd, odd, odd)] * 3),
)
maybe = st.one_of(st.none(), odd)
texts = st.one_of(st.just("a"), st.text(max_size=5), st.text(st.characters(codec=None), max_size=3))
inputs = st.fixed_dictionaries(
    {
        "cfa": st.one_of(st.sampled_from(["RGGB", "GBRG", "RGGR", "", "RGB"]), st.text(max_size=4)),
        "black": levels, "white": st.one_of(odd, st.just(4095.0)), "shot": noises, "read": noises,
        "as_shot": st.one_of(four, st.just((2.0, 1.0, 1.5, 0.0))),
        "camera_to_srgb": matrices, "xyz_to_camera": matrices,
        "exposure_s": maybe, "iso": maybe, "aperture": maybe, "ratio": maybe,
        "make": texts, "scene": st.just("s"), "source": texts,
    }
)  # fmt: skip


def row(**given: object) -> InputRow:
    plain = {
        "key": "set/s/a", "restoration": 0, "enhancement": -1, "daylight": (1.0, 1.0, 1.0, 0.0),
        "noise_origin": "", "ratio_origin": "", "orientation": 1, "flip": 0, "model": "m",
        "visible_origin": (0, 0), "active_area": None, "default_crop": None, "source_sha256": "0",
    }  # fmt: skip
    return InputRow(**(plain | given))  # type: ignore[arg-type]


def truth(**given: object) -> TruthRow:
    plain = {
        "key": "set/s/t", "scene": "s", "gains": None, "white": 4031.0, "restoration_low": 0,
        "restoration_high": 0, "enhancement_low": 0, "enhancement_high": 0, "exposure_s": None,
        "iso": None, "aperture": None, "orientation": 1, "flip": 0, "make": "", "model": "",
        "source": "t", "source_sha256": "1", "enhanced": "", "enhanced_sha256": "",
        "enhanced_turned": 0,
    }  # fmt: skip
    return TruthRow(**(plain | given))  # type: ignore[arg-type]


@settings(
    max_examples=150, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip
@given(inputs, st.fixed_dictionaries({"white": odd, "gains": st.one_of(st.none(), four)}))
def test_what_is_written_is_accepted(tmp_path: Path, of_input: dict, of_truth: dict) -> None:
    picture: Array = np.zeros((8, 8, 3), np.float32)
    attrs = dict.fromkeys(("data_set", "title", "licence", "redistribution", "citation"), "")
    spec = write.Spec(
        "a.h5", (8, 8), 4, 8, "none",
        {"restoration": write_picture()}, {**attrs, "split": "train", "sample": True,
        "recipe": "{}", "recipe_sha256": "", "versions": "{}", "steps": "{}"},
    )  # fmt: skip
    try:
        with write.shard(tmp_path, spec) as shard:
            shard.truth(truth(**of_truth), {"restoration": picture}, capture(), ())
            shard.input(row(**of_input), np.zeros((8, 8), np.uint16), capture(), ())
    except ValueError:
        assert not (tmp_path / "a.h5").exists()
        return
    load(tmp_path / "a.h5")  # the strict reader judges every row
    (tmp_path / "a.h5").unlink()


def write_picture():
    from isptools.shards.schema import Picture  # noqa: PLC0415 - beside its use

    return Picture("xyz", "float32", 1.0, "", "develop")


@pytest.mark.parametrize("value", ["inf", "nan", "-1.0", "1e300"])
@pytest.mark.parametrize("name", ["max_ratio", "black"])
def test_a_recipe_of_no_number_is_refused(tmp_path: Path, name: str, value: str) -> None:
    text = Path("recipes/sid.toml").read_text()
    path = tmp_path / "a.toml"
    path.write_text(text.replace("[truth]\n", f"[truth]\n{name} = {value}\n", 1))
    with pytest.raises(ValueError, match=name):
        Recipe.load(path)


def test_deep_and_odd_toml_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    for data in (b"a = " + b"[" * 5000, b"\xff\xfe", b"a = \x00", b"x = " + b"{a=" * 3000):
        path.write_bytes(data)
        with pytest.raises(ValueError, match=r"a\.toml") as caught:
            Recipe.load(path)
        assert "\n" not in str(caught.value)


def test_finite_numbers_only() -> None:
    """msgspec's bounds are comparisons: NaN must not pass them."""
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"x": math.nan}, dict[str, __import__("isptools.recipe").recipe.Above0])
