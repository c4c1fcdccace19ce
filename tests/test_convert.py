"""Recipes of before 0.2 in today's notation: each kind, against the same recipe as it ships."""

import msgspec
import pytest
from click.testing import CliRunner

from isptools import recipe as recipes
from isptools.cli import main
from isptools.convert import converted
from isptools.recipe import Recipe
from isptools.train.settings import Settings

HEAD = "# Two lines that people wrote\n# stay in front.\n"
# as they stood in recipes/ at dbbbe3a, notes left out
STEPS = """
develop = [
    { step = "levels", adjust_maximum = 0.0 },
    { step = "balance", by = "camera" },
    { step = "demosaic", method = "ahd" },
    { step = "xyz" },%s
]
"""
XYZ = '[restoration]\nat = "xyz"\ndtype = "uint16"\nfull_scale = 1.25\n'
SRGB = '[enhancement]\nat = "srgb"\ndtype = "uint8"\n'
TONED = STEPS % '\n    { step = "auto-tone" },'
SHADED = STEPS.replace('"camera" },', '"camera" },\n    { step = "shading" },') % ""
OLD = {
    "sid-cameranet": 'manifest = "sid"\npairs = "one-per-scene"\nval = "train"\nexclude = []\n'
        "max_ratio = 300.0\n" + TONED + XYZ + SRGB,
    "fivek": 'manifest = "fivek"\n' + STEPS % "" + '[scenes]\ncameras = ["Nikon D700"]\n'
        'expert = "c"\nshares = [500, 0, 150]\n' + XYZ + SRGB + 'source = "published"\n',
    "s7-isp": 'manifest = "s7-isp"\n' + STEPS % "" + '[scenes]\ninput = "short"\n'
        'published = "curl"\n' + XYZ + SRGB + 'source = "published"\n',
    "hdrplus-fused": 'manifest = "hdrplus"\ninput = "burst"\ntruth = "fused"\nfusion = "truth"\n'
        'models = ["Nexus 6P", "angler"]\n' + SHADED + XYZ,
    "msr-canon": 'manifest = "msr"\nparts = ["canon"]\nscenes_per_shard = 128\n[restoration]\n'
        'at = "camera"\ndtype = "uint16"\nsource = "published"\n',
    "dped": 'manifest = "dped"\nscenes_per_shard = 4096\n' + SRGB + 'source = "files"\n'
        '[pair]\nsource = "patches"\npatch = 100\nrules = ["iphone-train", "iphone-test"]\n',
    "zurich": 'manifest = "zurich"\nscenes_per_shard = 512\n' + SRGB + 'source = "files"\n[pair]\n'
        'source = "patches"\npatch = 448\nblack = 63.0\nwhite = 1020.0\ncfa = "RGGB"\n',
    "dped-originals": 'manifest = "dped-originals"\nscenes_per_shard = 16\n' + SRGB
        + 'source = "files"\n[pair]\nsource = "photographs"\npatch = 100\nsize = [800, 1080]\n'
        "shift_px = 4\nturn_deg = 1.0\nleast = 0.9\n",
}  # fmt: skip


def without_notes(recipe: Recipe) -> Recipe:
    kept = {name: msgspec.structs.replace(one, note="") for name, one in recipe.truth.pictures}
    if getattr(recipe.truth, "prepare", ()):  # bad pixels are repaired since
        kept["prepare"] = ()
    truth = msgspec.structs.replace(recipe.truth, **kept)
    source = {word: value for word, value in recipe.source.items() if value not in ("short", [])}
    return msgspec.structs.replace(recipe, truth=truth, source=source)


@pytest.mark.parametrize("name", OLD)
def test_an_earlier_recipe_becomes_the_one_that_ships(name: str, tmp_path) -> None:
    shipped = without_notes(Recipe.load(name))
    text = f'{HEAD}name = "{name}"\ntitle = {msgspec.json.encode(shipped.title).decode()}\n'
    path = tmp_path / "old.toml"
    path.write_text(text + OLD[name])
    with pytest.raises(ValueError, match=r"isptools recipes --convert .*old\.toml") as caught:
        Recipe.load(path)
    assert "\n" not in str(caught.value)
    done = CliRunner().invoke(main, ["recipes", "--convert", str(path)])
    assert done.exit_code == 0, done.output
    assert done.output.startswith(HEAD)
    assert without_notes(msgspec.toml.decode(done.output, type=Recipe)) == shipped


@pytest.mark.parametrize(
    ("text", "message"),
    [("name = ", "Invalid value"), ('name = "x"\n', "names its `manifest`")],
)
def test_what_is_no_earlier_recipe_is_one_line(text: str, message: str, tmp_path) -> None:
    (tmp_path / "x.toml").write_text(text)
    done = CliRunner().invoke(main, ["recipes", "--convert", str(tmp_path / "x.toml")])
    assert done.exit_code == 1
    assert message in done.output
    assert done.output.count("\n") == 1
    with pytest.raises(ValueError, match=message):
        converted(text)


def test_notations_stay_small() -> None:
    """What a recipe may state, and the settings of a network."""

    def fields(*kinds: type[msgspec.Struct]) -> int:
        return sum(len(kind.__struct_fields__) for kind in kinds)

    whole = (recipes.Recipe, recipes.Storage)
    developed = (recipes.Develop, recipes.Kept, recipes.Published)
    assert fields(*whole, *developed) <= 30
    assert fields(*whole, recipes.Align, recipes.Own) <= 30
    assert fields(*whole, recipes.Released, recipes.Own) <= 30
    assert fields(Settings) <= 23


def test_a_scale_of_floats_does_nothing_and_is_refused() -> None:
    words = {"from": "kept", "at": "xyz", "dtype": "float32", "full_scale": 1.25}
    with pytest.raises(ValueError, match="`full_scale` is of integers"):
        msgspec.convert(words, recipes.Kept)
