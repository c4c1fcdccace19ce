"""A recipe in the notation before 0.2, written in today's."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

Words = dict[str, Any]
TOP = ("name", "title", "limit")
STORAGE = ("scenes_per_shard", "tile", "compression")
TRUTH = ("prepare", "black", "max_ratio")
SOURCE = ("pairs", "val", "exclude", "models", "results", "input", "parts")
RENAMED = {"input": "inputs"}
FROM = {"develop": "kept", "published": "published", "files": "own"}
RELEASED = ("patch", "black", "white", "cfa", "keep_flat")


def converted(text: str) -> str:
    """Today's notation of a recipe in the old one; comments before its first word stay.

    ValueError in one line for a text that is no such recipe.
    """
    try:
        old = msgspec.toml.decode(text)
    except msgspec.DecodeError as error:
        raise ValueError(str(error)) from None
    if "manifest" not in old or "source" in old:
        raise ValueError(
            "it is no recipe of the notation before 0.2: that one names its `manifest`"
        )
    head = []
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        head.append(line + "\n")
    return "".join(head) + "\n\n".join(_blocks(today(old))) + "\n"


def today(old: Words) -> Words:
    """The words of a recipe, moved to where they stand today."""
    pair = old.get("pair")
    new = {word: old[word] for word in TOP if word in old}
    new["source"] = _source(old)
    new["truth"] = _pair(old, pair) if pair else _develop(old)
    storage = {word: old[word] for word in STORAGE if word in old}
    return new | ({"storage": storage} if storage else {})


def _source(old: Words) -> Words:
    source = {"data_set": old["manifest"]}
    source |= {RENAMED.get(word, word): old[word] for word in SOURCE if word in old}
    scenes = old.get("scenes", {})
    source |= {RENAMED.get(word, word): value for word, value in scenes.items()}
    rules = old.get("pair", {}).get("rules")
    return source | ({"rules": rules} if rules else {})


def _develop(old: Words) -> Words:
    truth: Words = {"make": "develop"}
    if "develop" in old:
        truth["steps"] = old["develop"]
    truth |= {word: old[word] for word in TRUTH if word in old}
    if old.get("truth") == "fused":
        truth["fuse"] = old.get("fusion", "truth")
    for name in ("restoration", "enhancement"):
        if name in old:
            truth[name] = _picture(old[name], name)
    return truth


def _picture(old: Words, name: str) -> Words:
    source = old.get("source", "develop")
    if source == "published" and name == "restoration":
        return {"from": "as-it-comes", **{word: old[word] for word in ("note",) if word in old}}
    left_out = {"source"} if source == "develop" else {"source", "full_scale"}
    return {"from": FROM[source], **{k: value for k, value in old.items() if k not in left_out}}


def _pair(old: Words, pair: Words) -> Words:
    patches = pair["source"] == "patches"
    words = {word: value for word, value in pair.items() if word not in {"source", "rules"}}
    if patches:
        words = {word: value for word, value in words.items() if word in RELEASED}
    enhancement = _picture(old["enhancement"], "enhancement")
    return {"make": "released" if patches else "align", **words, "enhancement": enhancement}


def _blocks(new: Words) -> Iterator[str]:
    """The tables of a TOML, each a block of lines."""
    yield "\n".join(_lines({k: v for k, v in new.items() if not isinstance(v, dict)}))
    for name, table in new.items():
        if isinstance(table, dict):
            yield from _table(name, table)


def _table(name: str, table: Words) -> Iterator[str]:
    plain = {word: value for word, value in table.items() if not isinstance(value, dict)}
    yield "\n".join([f"[{name}]", *_lines(plain)])
    for word, value in table.items():
        if isinstance(value, dict):
            yield from _table(f"{name}.{word}", value)


def _lines(words: Mapping[str, Any]) -> Iterator[str]:
    for word, value in words.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            yield f"{word} = ["
            yield from (f"    {_value(one)}," for one in value)
            yield "]"
        else:
            yield f"{word} = {_value(value)}"


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{k} = {_value(one)}" for k, one in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    return json.dumps(value, ensure_ascii=False)
