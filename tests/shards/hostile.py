"""Shards as somebody who means harm would make them: by name, what is done to a sound one.

Each function changes an open file. Its seals go first, as nobody could make it agree otherwise;
`WHOLE` names those whose pixels are still what they were.
"""

import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import h5py
import hdf5plugin
import numpy as np

from tests.shards.made import earlier

Change = Callable[[h5py.File, Path], None]  # and a file of somebody else's, whose bytes are secret
SECRET = b"\x5a\xa5" * 40_000
READABLE = ("recipe with another type",)  # right pixels, although the shard contradicts itself
WHOLE = (
    "nothing",
    "extra dataset",
    "extra group",
    "loop",
    "odd attribute",
    "hard link",
    "long name",
)


def again(file: h5py.File, name: str, **how: object) -> h5py.Dataset:
    """The dataset made anew in another way, with its attributes."""
    attrs, shape, kind = dict(file[name].attrs), file[name].shape, file[name].dtype
    data = how.pop("data", file[name][:] if "external" not in how else None)
    del file[name]
    words: dict[str, object] = {"shape": shape, "dtype": kind, **how}
    if data is not None:
        words = {"data": data, **how}
    made = file.create_dataset(name, **words)
    for key, value in attrs.items():
        made.attrs[key] = value
    return made


def external(name: str) -> Change:
    def change(file: h5py.File, other: Path) -> None:
        again(file, name, external=[(str(other), 0, h5py.h5f.UNLIMITED)])

    return change


def virtual(file: h5py.File, other: Path) -> None:
    shape, kind, attrs = file["input"].shape, file["input"].dtype, dict(file["input"].attrs)
    layout = h5py.VirtualLayout(shape, kind)
    layout[:] = h5py.VirtualSource(str(other.with_suffix(".h5")), "input", shape)
    del file["input"]
    file.create_virtual_dataset("input", layout)
    file["input"].attrs.update(attrs)


def link(kind: str, name: str) -> Change:
    def change(file: h5py.File, other: Path) -> None:
        file.move(name, "hidden")
        soft = h5py.SoftLink("/hidden")
        file[name] = soft if kind == "soft" else h5py.ExternalLink(other.with_suffix(".h5"), name)

    return change


def attribute(place: str, name: str, value: object) -> Change:
    def change(file: h5py.File, _: Path) -> None:
        (file[place] if place else file).attrs[name] = value

    return change


def fact(table: str, column: str, value: object) -> Change:
    def change(file: h5py.File, _: Path) -> None:
        rows = file[table][:]
        rows[column][0] = value
        file[table][...] = rows

    return change


def stored(name: str, change_bytes: Callable[[bytes], bytes], mask: int = 0) -> Change:
    """The first tile as it lies on the disk."""

    def change(file: h5py.File, _: Path) -> None:
        dataset = file[name]
        place = (0,) * dataset.ndim
        data = change_bytes(dataset.id.read_direct_chunk(place)[1])
        dataset.id.write_direct_chunk(place, data, filter_mask=mask)

    return change


def recipe(change_words: Callable[[str], str]) -> Change:
    def change(file: h5py.File, _: Path) -> None:
        text = change_words(str(file.attrs["recipe"]))
        file.attrs["recipe"] = text
        file.attrs["recipe_sha256"] = sha256(text.encode()).hexdigest()

    return change


def unallocated(name: str, shape: tuple[int, ...], chunks: tuple[int, ...] | None) -> Change:
    def change(file: h5py.File, _: Path) -> None:
        kind, attrs = file[name].dtype, dict(file[name].attrs)
        del file[name]
        file.create_dataset(name, shape, kind, chunks=chunks)
        file[name].attrs.update(attrs)

    return change


def bomb(file: h5py.File, _: Path) -> None:
    """A gigabyte of zeros a frame in little space."""
    attrs = dict(file["input"].attrs)
    del file["input"]
    side, tile = 32_000, 8_000
    made = file.create_dataset("input", (1, side, side), "u2", chunks=(1, tile, tile),
                               **hdf5plugin.Bitshuffle(cname="lz4"))  # fmt: skip
    for y in range(0, side, tile):
        for x in range(0, side, tile):
            made[0, y : y + tile, x : x + tile] = np.zeros((tile, tile), np.uint16)
    made.attrs.update(attrs)


def references(file: h5py.File, _: Path) -> None:
    again(file, "meta", data=np.array([file["input"].ref] * len(file["meta"]), h5py.ref_dtype))


def nested(file: h5py.File, _: Path) -> None:
    file.attrs["steps"] = "[" * 200_000


def loop(file: h5py.File, _: Path) -> None:
    file["self"] = file["/"]


def hard_link(file: h5py.File, _: Path) -> None:
    file["twice"] = file["input"]


def many(file: h5py.File, _: Path) -> None:
    for number in range(200):
        file[f"x{number}"] = 0


CHANGES: dict[str, Change] = {
    "nothing": lambda _file, _other: None,
    "external input": external("input"),
    "external restoration": external("restoration"),
    "external meta": external("meta"),
    "virtual input": virtual,
    "soft link": link("soft", "restoration"),
    "external link": link("external", "input"),
    "external link to a table": link("external", "meta"),
    "gzip": lambda f, _: again(f, "input", chunks=(1, 24, 24), compression="gzip") and None,
    "zstd": lambda f, _: again(
        f, "input", chunks=(1, 24, 24), **hdf5plugin.Bitshuffle(cname="zstd")) and None,
    "three planes a tile": lambda f, _: again(f, "restoration", chunks=(1, 3, 24, 24)) and None,
    "references": references,
    "floats as input": lambda f, _: again(f, "input", data=f["input"][:].astype("f8")) and None,
    "big endian": lambda f, _: again(f, "restoration", data=f["restoration"][:].astype(">u2"))
    and None,
    "no tiles there": unallocated("input", (4, 50, 70), (1, 24, 24)),
    "a million frames": unallocated("input", (1_000_000, 4000, 6000), (1, 252, 252)),
    "a huge table": unallocated("meta", (1 << 24,), None),
    "a frame of 2^31 pixels a side": unallocated("input", (1, 1 << 31, 1 << 31), (1, 999, 999)),
    "zeros that unpack": bomb,
    "full_scale NaN": attribute("restoration", "full_scale", np.nan),
    "full_scale infinite": attribute("restoration", "full_scale", np.inf),
    "full_scale -1": attribute("restoration", "full_scale", -1.0),
    "full_scale a list": attribute("restoration", "full_scale", np.ones(5)),
    "no such station": attribute("restoration", "space", "moon"),
    "format 99": attribute("", "format", 99),
    "format a text": attribute("", "format", "2"),
    "kind unknown": attribute("", "kind", "foveon"),
    "steps no JSON": attribute("", "steps", "["),
    "steps nested": nested,
    "recipe no JSON": recipe(lambda _: "{"),
    "recipe with another type": recipe(lambda text: text.replace('"uint16"', '"float32"')),
    "white below black": fact("meta", "white", 10.0),
    "black NaN": fact("meta", "black", np.nan),
    "row out of range": fact("meta", "restoration", 1 << 30),
    "row negative": fact("meta", "enhancement", -7),
    "cfa of another length": fact("meta", "cfa", b"RG"),
    "matrix of zeros": fact("meta", "xyz_to_camera", np.zeros((3, 3))),
    "noise negative": fact("meta", "shot", -1.0),
    "ratio infinite": fact("meta", "ratio", np.inf),
    "text that is none": fact("meta", "key", b"\xff\xfe"),
    "tile of no blocks": stored("input", lambda data: data[:8] + bytes(4) + data[12:]),
    "block beyond the tile": stored("input", lambda data: data[:12] + b"\x7f" * 4 + data[16:]),
    "tile of another size": stored("input", lambda data: b"\xff" * 8 + data[8:]),
    "tile cut": stored("input", lambda data: data[: len(data) // 2]),
    "tile longer": stored("input", lambda data: data + bytes(9)),
    "tile empty": stored("restoration", lambda _: b"\0"),
    "tile said to be unpacked": stored("input", lambda data: data + bytes(1), mask=1),
    "many members": many,
    "extra dataset": lambda f, _: f.create_dataset("mine", data=np.zeros(3)) and None,
    "extra group": lambda f, _: f.create_group("mine/yours") and None,
    "loop": loop,
    "odd attribute": attribute("", "mine", 3),
    "hard link": hard_link,
    "long name": attribute("", "n" * 5000, "x"),
}  # fmt: skip


def crafted(sound: Path, folder: Path, name: str) -> Path:
    """A folder with the one shard that `name` says, made of a sound one, and an index for it.

    Beside it lie a secret file and another shard that it may point at.
    """
    place = folder / "shards"
    place.mkdir(parents=True)
    target = place / sound.name
    target.write_bytes(sound.read_bytes())
    other = folder / "secret.bin"
    other.write_bytes(SECRET)
    other.with_suffix(".h5").write_bytes(sound.read_bytes())
    with h5py.File(target, "r+") as file:
        file.attrs.pop("seals", None)
        if "checksums" in file:
            del file["checksums"]
        CHANGES[name](file, other)
    index = json.loads((sound.parent / "index.json").read_text())
    data = target.read_bytes()
    listed = [one for one in index["shards"] if one["name"] == sound.name]
    listed[0] |= {"sha256": sha256(data).hexdigest(), "bytes": len(data)}
    split = listed[0]
    counts = {"inputs": split["rows"], "scenes": split["scenes"], "shards": 1}
    index |= {"shards": listed, "counts": {split["split"]: counts}}
    (place / "index.json").write_bytes(earlier(index))
    (place / "ledger.jsonl").write_bytes((sound.parent / "ledger.jsonl").read_bytes())
    return target
