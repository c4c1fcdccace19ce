"""The cards beside an index: a catalog's validator takes them, for every recipe."""

import hashlib
import json
from pathlib import Path

import msgspec
import pytest

from isptools import datasets, shipped
from isptools.build import cards
from isptools.build.journal import Shard
from isptools.datasets.card import Card
from isptools.recipe import Recipe, find
from tests.build import tiny as tinies
from tests.build.tiny import Tiny

# rdflib's own, which mlcroissant calls as it did before
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:rdflib.*")
RECIPES = sorted(path.stem for path in shipped.folder("recipes").glob("*.toml"))
SHARD = Shard("made-train-8x6-0000.h5", "0" * 64, 4711, 5, 2, "train", (8, 6), "bayer")
INDEX = {
    "versions": {"isptools": "0.1.0"}, "recipe": {"sha256": "ab" * 32}, "shards": [SHARD],
    "counts": {"train": {"inputs": 5, "scenes": 2, "shards": 1}},
    "refusals": {"refused": {"unreadable": 3}},
}  # fmt: skip


def validated(path: Path) -> list[str]:
    """What mlcroissant finds wrong, and what it misses, less the date, which bytes can't have."""
    croissant = pytest.importorskip("mlcroissant", reason="mlcroissant is not installed")
    issues = croissant.Dataset(jsonld=str(path)).metadata.ctx.issues
    return [*issues.errors, *(one for one in issues.warnings if "datePublished" not in one)]


def opened(name: str) -> tuple[Recipe, Card]:
    recipe = Recipe.load(name)
    return recipe, datasets.opened(recipe.source, find(name).parent).card


@pytest.mark.parametrize("name", RECIPES)
def test_a_card_of_every_recipe_is_valid_and_says_the_terms(name: str, tmp_path: Path) -> None:
    recipe, card = opened(name)
    cards.write(tmp_path, INDEX, recipe, card)
    assert validated(tmp_path / "croissant.json") == []
    words = json.loads((tmp_path / "croissant.json").read_text())
    assert words["conformsTo"][0] == "http://mlcommons.org/croissant/1.1"
    assert words["license"] == card.licence
    texts = [words["description"], words["conditionsOfAccess"]]
    texts += [words["rai:dataReleaseMaintenancePlan"]]
    texts += [(tmp_path / other).read_text() for other in ("README.md", "CITATION")]
    said = {"allowed": "may be passed on under", "forbidden": "MAY NOT BE PASSED ON",
            "unknown": "NOTHING IS STATED ABOUT PASSING"}[card.redistribution]  # fmt: skip
    for text in texts:
        assert said in text
    for text in texts[-2:]:
        assert card.licence in text
    assert card.citation.strip() in texts[-1]


def test_a_miniature_is_nobodys(tmp_path: Path) -> None:
    recipe, card = opened("msr")
    recipe = msgspec.structs.replace(recipe, sample=True)
    cards.write(tmp_path, INDEX, recipe, card)
    for name in cards.NAMES:
        text = (tmp_path / name).read_text()
        assert "made from code" in text
        assert "MAY NOT" not in text


def test_cards_of_a_build(tiny: Tiny) -> None:
    tiny.file("short/b2_0.dng").write_bytes(b"")
    tiny.build()
    assert validated(tiny.out / "croissant.json") == []
    words = json.loads((tiny.out / "croissant.json").read_text())
    index = json.loads((tiny.out / "index.json").read_text())
    assert {one["name"]: one["sha256"] for one in words["distribution"]} == {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in tiny.out.glob("*.h5")
    }
    page = (tiny.out / "README.md").read_text()
    for shard in index["shards"]:
        assert shard["sha256"] in page
    reason = next(iter(index["refusals"]["refused"]))
    assert f"refused ({reason} 1" in page
    assert f"({reason} 1" in " ".join(words["rai:dataLimitations"])


def test_a_catalog_reads_the_tables(tiny: Tiny) -> None:
    croissant = pytest.importorskip("mlcroissant", reason="mlcroissant is not installed")
    tiny.build()
    found = croissant.Dataset(jsonld=str(tiny.out / "croissant.json")).records("shards")
    rows = {one["shards/name"]: one["shards/rows"] for one in found}
    index = json.loads((tiny.out / "index.json").read_text())
    assert rows == {shard["name"]: shard["rows"] for shard in index["shards"]}


def test_cards_go_when_shards_change(tiny: Tiny, monkeypatch) -> None:
    """They would tell of shards that are no longer there."""
    tiny.build()
    tinies.write(tiny, "short/c3_1.dng", tinies.frame(2, 0.011))

    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("isptools.build.run.made", stopped)
    with pytest.raises(KeyboardInterrupt):
        tiny.build()
    assert not [name for name in cards.NAMES if (tiny.out / name).exists()]


def test_a_page_of_somebodys_own_stays(tiny: Tiny) -> None:
    tiny.out.mkdir()
    (tiny.out / "README.md").write_text("my notes on these shards")
    tiny.build()
    tinies.write(tiny, "short/c3_1.dng", tinies.frame(2, 0.011))
    tiny.build()
    assert (tiny.out / "README.md").read_text() == "my notes on these shards"
    assert (tiny.out / "CITATION").exists()


def test_a_data_set_without_a_home_has_a_card(tmp_path: Path) -> None:
    recipe, card = opened("sid")
    cards.write(tmp_path, INDEX, recipe, msgspec.structs.replace(card, home="", citation=""))
    assert [one for one in validated(tmp_path / "croissant.json") if '"url"' not in one
            and "schema.org/url" not in one] == []  # fmt: skip
