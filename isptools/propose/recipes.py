"""The texts of a proposed recipe and of its manifest."""

import json
import re
from collections.abc import Sequence
from pathlib import Path

from isptools.propose.look import Seen
from isptools.propose.proposal import NAMES, Kind, Proposal
from isptools.propose.table import Table, files_of

WALK = """
[truth]
make = "develop"{fuse}
# The walk of the truth frame from the sensor on; `isptools show {name}.toml` prints its stations.
steps = [
    {{ step = "levels", adjust_maximum = 0.0 }}, # the camera's own white level
    {{ step = "opcodes" }}, # what a DNG states of lens shading and the like; nothing for other raws
    # as shot; or "daylight", "auto". `else` is for files that state none; or "daylight", "refuse"
    {{ step = "balance", by = "camera", else = "gray-world" }},
    {{ step = "demosaic", method = "{demosaic}" }},
    {{ step = "xyz" }},{tone}
]
"""
RESTORATION = """
[truth.restoration] # linear light
from = "kept"
at = "xyz"
dtype = "uint16"
full_scale = 1.25 # the Z of a white is 1.09
note = "{note}"
"""
AUTO = """
[truth.enhancement] # as on a screen; your own pictures instead: build with --enhanced DIR
from = "kept"
at = "srgb"
dtype = "uint8"
note = "isptools' open auto-tone rendering"
"""
CAMERA = """
[truth.enhancement] # the camera's own picture; leave this part out to keep only the restoration
from = "published"
at = "srgb"
dtype = "uint8"
within = 1.5 # pixels; cameras straighten what the lens bends
reach = 64 # pixels that a picture may be moved by, for cameras cut them out of the sensor somewhere
note = "the camera's own picture, moved onto the sensor; one that does not line up is refused"
"""
PAIR = """
[truth] # the page "Pairs of two cameras" has every word
make = "align"
patch = {patch} # pixels; each window is shifted and turned to where the two correlate best
shift_px = 4
turn_deg = 1.0
least = 0.9 # correlation above which a window is kept
{mosaic}
[truth.enhancement] # the other camera's picture
from = "own"
at = "srgb"
dtype = "uint8"
note = "the other camera's picture, aligned"

[storage]
scenes_per_shard = 8
"""
MOSAIC = """reference = "phone" # its raw mosaic stays as it was shot
mosaic = true
"""
SELF = "CIE XYZ (D65), linear, developed from the input's own file: it carries the input's noise"
NOTES: dict[Kind, str] = {
    "raws": SELF,
    "camera": SELF,
    "exposures": "CIE XYZ (D65), linear, of the longest exposure of the scene",
    "bursts": "CIE XYZ (D65), linear, of the burst fused by isptools (robust weighted mean)",
    "pairs": "",
}
TITLES: dict[Kind, str] = {
    "raws": "raw files to linear XYZ and toned sRGB",
    "camera": "raw files to linear XYZ and the camera's own picture",
    "exposures": "short exposures to the long one in linear XYZ and toned sRGB",
    "bursts": "bursts, the sharpest frame to the fused burst in linear XYZ",
    "pairs": "one camera's picture to the other's",
}


def slug(folder: Path) -> str:
    """A folder's name as a recipe may be called."""
    return re.sub(r"[^\w.-]+", "-", folder.resolve().name).strip("-.") or "captures"


def recipe(name: str, found: Proposal) -> str:
    """A recipe with comments that builds the proposal."""
    head = (
        f"# Proposed by `isptools init`: {NAMES[found.kind]}.\n# {found.why}.\n"
        f'name = "{name}"\ntitle = {_quoted(f"{name}: {TITLES[found.kind]}")}\n'
        f'\n[source]\ndata_set = "{name}-manifest" # the folder beside this file: files, splits\n'
    )
    if found.kind == "pairs":
        raws = all(one.mosaic == "bayer" for shot in found.shots for one in shot.inputs)
        return head + PAIR.format(patch=448 if raws else 100, mosaic=MOSAIC if raws else "")
    fuse = (
        '\nfuse = "truth" # the walk begins at the burst, merged' if found.kind == "bursts" else ""
    )
    tone = (
        '\n    { step = "auto-tone" }, # to sRGB: black, white and middle from the picture itself'
    )
    xtrans = found.shots[0].truth.mosaic == "xtrans"
    demosaic = "libraw-xtrans-3pass" if xtrans else "ahd"
    toned = found.kind in {"raws", "exposures"}
    walk = WALK.format(name=name, demosaic=demosaic, tone=tone if toned else "", fuse=fuse)
    parts = [head, walk, RESTORATION.format(note=NOTES[found.kind])]
    parts += [AUTO] if toned else [CAMERA] if found.kind == "camera" else []
    return "".join(parts)


def data_set(name: str, found: Proposal, table: Table, folder: Path) -> str:
    """dataset.toml."""
    files = {one.path: one.size for shot in found.shots for one in files_of(shot)}
    cameras = sorted({shot.truth.camera for shot in found.shots} - {""})
    stated = found.kind != "pairs" and cameras
    size = f"{len(files)} files, {sum(files.values()) / 1e6:.1f} MB"
    lines = [
        f"# Proposed by `isptools init`; files.tsv lists {len(table.entries)} roles of the files.",
        f'name = "{name}"',
        f"title = {_quoted(f'{folder.resolve().name}: {NAMES[found.kind]}')}",
        'licence = "yours" # what you allow others to do with shards made of them',
        'redistribution = "unknown" # allowed, forbidden or unknown',
        'home = "your own captures"',
        "downloads = []",
        f"size = {_quoted(size)}",
        f"place = {_quoted(f'the folder {folder.resolve().name}, as --source')}",
        'roots = ["."]',
    ]
    if stated:
        lines.append(f"cameras = [{', '.join(map(_quoted, cameras))}] # others are noted")
    return "\n".join(lines) + "\n"


def readme(found: Proposal, table: Table, unused: Sequence[Seen]) -> str:
    """README.md: where the table comes from."""
    lines = [
        f"Made by `isptools init`: {NAMES[found.kind]}; {found.why}.",
        "",
        "Scenes, exposure times and ISO come from names and from what the files state; splits from",
        "the hash of the scenes' names, about 8 : 1 : 1. These scenes look alike, share a file or",
        "were shot within seconds, and stand in one split:",
        "",
        *(f"- {', '.join(group)}" for group in table.together or (("none",),)),
        "",
        "Not used:",
        "",
        *(f"- `{one.path}`{': ' + one.wrong if one.wrong else ''}" for one in unused),
        *(["- nothing"] if not unused else []),
    ]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
