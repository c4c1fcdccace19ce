"""index.json and ledger.jsonl: what a folder of shards holds, from its journal alone."""

import hashlib
from pathlib import Path
from typing import Any

import msgspec

from isptools.build import cards, journal, ledger
from isptools.build.journal import Made
from isptools.datasets import Card
from isptools.datasets.listing import Line
from isptools.recipe import Recipe
from isptools.shards import disk, proof
from isptools.shards.schema import FORMAT

INDEX, LEDGER = "index.json", "ledger.jsonl"


def write(out: Path, recipe: Recipe, card: Card, versions: dict[str, str]) -> None:
    """Write ledger, cards, then index; the index says that the build is whole."""
    made = [entry for _, entry in sorted(journal.made(out).items())]
    lines = entries(out)
    text = ledger.lines(lines)
    disk.save(out / LEDGER, text)
    index = {
        "format": FORMAT,
        "data_set": _about(card),
        "recipe": {
            "name": recipe.name,
            "sha256": recipe.sha256,
            "json": recipe.to_json().decode(),
        },
        "sample": recipe.sample,
        "versions": versions,
        "shards": [entry.shard for entry in made if entry.shard],
        "counts": _counts(made),
        "planned": planned(out),
        "ledger": {"sha256": hashlib.sha256(text).hexdigest(), "lines": text.count(b"\n")},
        "refusals": ledger.counts(lines),
    }
    encoded = msgspec.json.encode(index, order="deterministic")
    cards.write(out, index, recipe, card)
    disk.save(out / INDEX, proof.proved(encoded, indent=1))


def remove(out: Path) -> None:
    """Before shards change: they no longer are what index and cards say."""
    (out / INDEX).unlink(missing_ok=True)
    cards.remove(out)


def entries(out: Path) -> list[Line]:
    """Every line of the ledger, from the journal."""
    return [
        line
        for noted in (journal.planned(out), journal.made(out))
        for entry in noted.values()
        for line in entry.ledger
    ]


def planned(out: Path) -> dict[str, dict[str, int]]:
    """By split, every scene that was listed, and how many inputs it has: `check` looks for each."""
    entries = journal.planned(out)
    return {split: entry.scenes for split, entry in sorted(entries.items()) if entry.scenes}


def _about(card: Card) -> dict[str, Any]:
    names = ("name", "title", "licence", "redistribution", "home")
    return {name: getattr(card, name) for name in names}


def _counts(made: list[Made]) -> dict[str, dict[str, int]]:
    counts: dict[str, dict[str, int]] = {}
    for entry in made:
        if entry.shard:
            split = counts.setdefault(entry.split, {"inputs": 0, "scenes": 0, "shards": 0})
            split["inputs"] += entry.shard.rows
            split["scenes"] += entry.shard.scenes
            split["shards"] += 1
    return counts
