"""What people and catalogs read beside the index: README.md, CITATION, croissant.json.

Made of the index alone, so that they state nothing that is not there, and the same bytes each time.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from isptools.build.journal import Shard
from isptools.datasets import Card
from isptools.recipe import Develop, Recipe
from isptools.shards import disk

CROISSANT, README, CITATION = "croissant.json", "README.md", "CITATION"
NAMES = (CROISSANT, README, CITATION)
CONFORMS = ["http://mlcommons.org/croissant/1.1", "http://mlcommons.org/croissant/RAI/1.0"]
CONTEXT = {
    "@language": "en", "@vocab": "https://schema.org/", "arrayShape": "cr:arrayShape",
    "citeAs": "cr:citeAs", "column": "cr:column", "conformsTo": "dct:conformsTo",
    "containedIn": "cr:containedIn", "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"}, "dct": "http://purl.org/dc/terms/",
    "description": {"@container": "@language"}, "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"}, "extract": "cr:extract",
    "field": "cr:field", "fileObject": "cr:fileObject", "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet", "format": "cr:format", "includes": "cr:includes",
    "isArray": "cr:isArray", "isLiveDataset": "cr:isLiveDataset", "jsonPath": "cr:jsonPath",
    "key": "cr:key", "md5": "cr:md5", "name": {"@container": "@language"},
    "parentField": "cr:parentField", "path": "cr:path", "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet", "references": "cr:references", "regex": "cr:regex",
    "repeated": "cr:repeated", "replace": "cr:replace", "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/", "separator": "cr:separator", "source": "cr:source",
    "subField": "cr:subField", "transform": "cr:transform",
}  # fmt: skip
TERMS = {
    "allowed": "These shards may be passed on under the licence of the data set.",
    "forbidden": "THESE SHARDS MAY NOT BE PASSED ON: its licence forbids it, derived data "
    "included. Keep them to yourself; pass on the recipe, from which others build them.",
    "unknown": "NOTHING IS STATED ABOUT PASSING THESE SHARDS ON: ask the owners of the data set "
    "first; pass on the recipe, from which others build them.",
}
MARK = b"isptools build"
HEAD = 1 << 16  # bytes in which it stands
OURS = "isptools build, The isptools contributors (Apache-2.0)"


def write(out: Path, index: Mapping[str, Any], recipe: Recipe, card: Card) -> None:
    """Write all three, but over nobody's own file. `index` is what index.json says."""
    words = croissant(index, recipe, card)
    texts = {
        README: readme(index, recipe, card),
        CITATION: citation(recipe, card),
        CROISSANT: json.dumps(words, indent=1, ensure_ascii=False, sort_keys=True) + "\n",
    }
    for name, text in texts.items():
        if _ours(out / name):
            disk.save(out / name, text.encode())


def remove(out: Path) -> None:
    """They would tell of shards that are no longer there."""
    for name in NAMES:
        if _ours(out / name):
            (out / name).unlink(missing_ok=True)


def _ours(path: Path) -> bool:
    """Whether a build may write there: nothing is there, or what a build wrote."""
    if path.is_symlink() or not path.is_file():
        return not path.is_symlink() and not path.exists()
    with path.open("rb") as file:
        return MARK in file.read(HEAD)


def citation(recipe: Recipe, card: Card) -> str:
    """Whom to cite: the authors of the data set as they ask for it, and what made the shards."""
    theirs = card.citation.strip() or f"{card.title}. {card.home}".strip()
    return (
        f"Cite the data set:\n\n{theirs}\n\nand what made these shards of it:\n\n{OURS}, "
        f"recipe {recipe.name}, {recipe.sha256}.\n\n{_terms(recipe, card)}\n"
        f"Licence: {card.licence}\n"
    )


def _terms(recipe: Recipe, card: Card) -> str:
    if recipe.sample:
        return "This is a miniature made from code. It may be passed on under Apache-2.0."
    return TERMS[card.redistribution]


def readme(index: Mapping[str, Any], recipe: Recipe, card: Card) -> str:
    """The page of the folder."""
    lines = [
        f"# {recipe.title}", "", f"Shards that `isptools build` made of {card.title}"
        + (f" (<{card.home}>)." if card.home else "."),
        "", f"**{_terms(recipe, card)}**", "", f"Licence: {card.licence}", "",
        "Whom to cite: `CITATION`. For catalogs: `croissant.json`. What was made: `index.json`. "
        "What was not taken, and why: `ledger.jsonl`.", "", "## What is here", "",
        "| split | shards | scenes | inputs |", "|---|---|---|---|",
        *(f"| {split} | {one['shards']} | {one['scenes']} | {one['inputs']} |"
          for split, one in index["counts"].items()), "",
        "| shard | rows | height x width | bytes | sha256 |", "|---|---|---|---|---|",
        *(f"| {one.name} | {one.rows} | {one.shape[0]} x {one.shape[1]} | {one.bytes} | "
          f"`{one.sha256}` |" for one in index["shards"]),
    ]  # fmt: skip
    if refused := list(_refused(index)):
        lines += ["", "Not taken: " + "; ".join(refused) + "."]
    lines += ["", "## What the truths are", "", *_truths(recipe)]
    lines += ["", "## What they do not show", "", *(f"- {one}" for one in _limits(index, recipe))]
    lines += [
        "", "## Read them", "", "```python", "from isptools import shards", "",
        'with shards.open(".") as data:', "    sample = data[0]", "```", "",
        "Without isptools: h5py with hdf5plugin; the attributes say what each number means.", "",
        "## Made with", "", f"Recipe `{recipe.name}`, {recipe.sha256}:", "", "```json",
        recipe.to_json().decode(), "```", "",
        ", ".join(f"{name} {text}" for name, text in index["versions"].items()),
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def _refused(index: Mapping[str, Any]) -> Iterator[str]:
    for kind, reasons in index["refusals"].items():
        yield f"{kind} ({', '.join(f'{reason} {n}' for reason, n in reasons.items())})"


def _truths(recipe: Recipe) -> list[str]:
    return [
        f"- {name}: at {kept.at}, {kept.dtype}" + (f". {kept.note}" if kept.note else "")
        for name, kept in recipe.truth.pictures
    ]


def _made(recipe: Recipe) -> str:
    if isinstance(recipe.truth, Develop):
        names = [str(step) for step in (*recipe.truth.prepare, *recipe.truth.steps)]
        walk = " > ".join(names) or "none, the data set's own picture as it comes"
        fused = " Truths are fused from bursts." if recipe.truth.fuse else ""
        return f"Inputs are the sensor's integers, unchanged. Steps of the truths: {walk}.{fused}"
    maker = type(recipe.truth).__struct_config__.tag
    return f"Inputs and truths by `{maker}` of the recipe: {recipe.to_json().decode()}"


def _limits(index: Mapping[str, Any], recipe: Recipe) -> Iterator[str]:
    """What we know that these data are not."""
    if recipe.sample:
        yield "They are drawn by code: scores on them say nothing about photographs."
    if recipe.limit:
        yield f"Only the first {recipe.limit} scenes of each split are here."
    if refused := list(_refused(index)):
        yield "Files were not taken: " + "; ".join(refused) + "; see ledger.jsonl."
    yield "Truths hold what their files hold: the noise that is left is stated row by row."
    yield "Nobody looked at what the pictures show, scene by scene."


def _rai(index: Mapping[str, Any], recipe: Recipe, card: Card) -> dict[str, Any]:
    """Croissant's words for responsible use: what can be said honestly, and nothing else."""
    cameras = ", ".join(card.cameras) or "as each row states"
    shown = (
        "None: the pictures are drawn by code."
        if recipe.sample
        else "Not examined: photographs may show people, faces and places. Of files' metadata only "
        "camera, exposure and geometry are kept; no place, no serial number, no name."
    )
    return {
        "rai:dataCollection": "Pictures drawn by code." if recipe.sample else
        f"By the data set's authors, described at {card.home or 'no stated place'}. "
        f"Cameras: {cameras}.",
        "rai:dataPreprocessingProtocol": [_made(recipe)],
        "rai:dataImputationProtocol": "Nothing is: what no file states is NaN, -1 or empty.",
        "rai:dataUseCases": ["Training and evaluating learned image signal processors: denoising, "
                             "demosaicking, color and tone. Not for statements about people."],
        "rai:dataLimitations": list(_limits(index, recipe)),
        "rai:dataBiases": [f"Scenes, light and cameras are those of the data set ({cameras}); "
                           "nothing was balanced."],
        "rai:personalSensitiveInformation": [shown],
        "rai:dataReleaseMaintenancePlan": f"{_terms(recipe, card)} The same recipe and versions "
        "give the same bytes; isptools publishes no shards.",
    }  # fmt: skip


def croissant(index: Mapping[str, Any], recipe: Recipe, card: Card) -> dict[str, Any]:
    """Croissant 1.1 as JSON-LD: files with their hashes, splits and shards as tables, RAI."""
    shards: Sequence[Shard] = index["shards"]
    about = f"{recipe.title}. Shards made by isptools build of {card.title}. {_terms(recipe, card)}"
    found = {
        "@context": CONTEXT, "@type": "sc:Dataset", "conformsTo": CONFORMS,
        "name": recipe.name, "description": about, "license": card.licence,
        "conditionsOfAccess": _terms(recipe, card), "url": card.home or "https://example.org/none",
        "citeAs": card.citation.strip() or card.title, "version": _version(index),
        "isLiveDataset": False, "keywords": ["raw", "image signal processor", card.name],
        "distribution": [_file(one) for one in shards],
        "recordSet": [_splits(index), _shards(shards)] if shards else [],
        **_rai(index, recipe, card),
    }  # fmt: skip
    if not card.home:
        del found["url"]
    return found


def _version(index: Mapping[str, Any]) -> str:
    return f"{index['versions']['isptools']}+{index['recipe']['sha256'][:12]}"


def _file(shard: Shard) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject", "@id": shard.name, "name": shard.name,
        "description": f"{shard.rows} inputs of {shard.scenes} scenes, split {shard.split}, "
        f"{shard.shape[0]} x {shard.shape[1]} pixels, {shard.kind}",
        "contentUrl": shard.name, "contentSize": f"{shard.bytes} B",
        "encodingFormat": "application/x-hdf5", "sha256": shard.sha256,
    }  # fmt: skip


def _splits(index: Mapping[str, Any]) -> dict[str, Any]:
    rows = [{"splits/name": name} for name in index["counts"]]
    return _table("splits", {"name": "sc:Text"}, rows) | {"dataType": "cr:Split"}


def _shards(shards: Sequence[Shard]) -> dict[str, Any]:
    kinds = {
        "name": "sc:Text", "split": "sc:Text", "rows": "sc:Integer", "scenes": "sc:Integer",
        "height": "sc:Integer", "width": "sc:Integer", "kind": "sc:Text",
    }  # fmt: skip
    rows = [
        {"shards/name": one.name, "shards/split": one.split, "shards/rows": one.rows,
         "shards/scenes": one.scenes, "shards/height": one.shape[0], "shards/width": one.shape[1],
         "shards/kind": one.kind}
        for one in shards
    ]  # fmt: skip
    return _table("shards", kinds, rows)


def _table(name: str, kinds: Mapping[str, str], rows: list[dict[str, Any]]) -> dict[str, Any]:
    """A record set whose rows stand in it."""
    return {
        "@type": "cr:RecordSet", "@id": name, "name": name, "key": {"@id": f"{name}/name"},
        "field": [
            {"@type": "cr:Field", "@id": f"{name}/{word}", "name": f"{name}/{word}",
             "dataType": kind}
            for word, kind in kinds.items()
        ],
        "data": rows,
    }  # fmt: skip
