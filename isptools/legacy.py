"""Today's recipe as shards of format 1 state it; goes with format 2."""

from typing import Any

import msgspec

from isptools import recipe as new


class Truth(msgspec.Struct):
    at: Any
    dtype: str = "uint16"
    full_scale: float = 1.0
    source: str = "develop"
    note: str = ""
    within: float = 1.0
    reach: int = 0


class Pairing(msgspec.Struct):
    source: str
    patch: int = 100
    rules: tuple[str, ...] = ()
    size: tuple[int, int] | None = None
    reference: str = "coarser"
    mosaic: bool = False
    offsets: bool = True
    shift_px: int = 4
    turn_deg: float = 1.0
    least: float = 0.9
    keep_flat: bool = False
    alike: int = 6
    black: float = 0.0
    white: float = 0.0
    cfa: str = "RGGB"


class Scenes(msgspec.Struct):
    cameras: tuple[str, ...] = ()
    published: str = ""
    shares: tuple[float, float, float] = (1, 0, 0)
    each: int | None = None
    expert: str = "c"
    input: str = "short"


class Recipe(msgspec.Struct):
    name: str
    title: str
    manifest: str
    develop: Any = ()
    restoration: Truth | None = None
    enhancement: Truth | None = None
    prepare: Any = ()
    pairs: str = "all"
    input: str = "reference"
    truth: str = "file"
    fusion: str = "truth"
    results: str = ""
    black: float | None = None
    scenes: Scenes | None = None
    parts: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    val: str = "own"
    exclude: tuple[str, ...] = ()
    max_ratio: float = 300.0
    scenes_per_shard: int = 4
    tile: int = 252
    compression: str = "bitshuffle-lz4"
    limit: int | None = None
    pair: Pairing | None = None
    sample: bool = False


SOURCES: Any = {
    new.Kept: "develop",
    new.Published: "published",
    new.AsItComes: "published",
    new.Own: "files",
}


def _truth(one: Any) -> Truth | None:
    if one is None:
        return None
    return Truth(
        one.at,
        one.dtype,
        one.full_scale,
        SOURCES[type(one)],
        one.note,
        getattr(one, "within", 1.0),
        getattr(one, "reach", 0),
    )


def legacy(n: Any) -> Recipe:
    s, t = dict(n.source), n.truth
    kw: dict[str, Any] = {}
    if n.data_set in ("fivek", "s7-isp"):
        words = {k: s[k] for k in ("cameras", "published", "shares", "each", "expert") if k in s}
        if "shares" in words:
            words["shares"] = tuple(
                float(x) if not isinstance(x, int) else x for x in words["shares"]
            )
        if n.data_set == "s7-isp" and "inputs" in s:
            words["input"] = s["inputs"]
        kw["scenes"] = msgspec.convert(words, Scenes)
    else:
        names = {"inputs": "input", "phones": "parts"}
        for k in ("pairs", "val", "exclude", "models", "results", "inputs", "parts", "phones"):
            if k in s:
                kw[names.get(k, k)] = s[k]
    if isinstance(t, new.Develop):
        kw |= dict(
            develop=t.steps,
            prepare=t.prepare,
            restoration=_truth(t.restoration),
            enhancement=_truth(t.enhancement),
            black=t.black,
            max_ratio=t.max_ratio,
        )
        if t.fuse:
            kw |= dict(truth="fused", fusion=t.fuse)
    else:
        p = {f: getattr(t, f) for f in t.__struct_fields__ if f != "enhancement"}
        kind = "patches" if isinstance(t, new.Released) else "photographs"
        kw |= dict(
            enhancement=_truth(t.enhancement),
            pair=Pairing(kind, rules=tuple(s.get("rules", ())), **p),
        )
    st = n.storage
    return Recipe(
        n.name,
        n.title,
        n.data_set,
        scenes_per_shard=st.scenes_per_shard,
        tile=st.tile,
        compression=st.compression,
        limit=n.limit,
        sample=n.sample,
        **kw,
    )
