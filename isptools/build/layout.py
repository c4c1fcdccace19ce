"""Data sets whose files are listed by their folders: bursts, one folder each."""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import msgspec

from isptools import raw
from isptools.build import layout_fivek, layout_msr, layout_s7, layout_sidd
from isptools.build.folder import BuildError
from isptools.build.ledger import Line
from isptools.build.source import RAW, missing
from isptools.build.splits import LISTED, by_hash, own
from isptools.burst.reference import FIRST, sharpness
from isptools.develop.steps import Shading
from isptools.frame import UnsupportedError
from isptools.manifest import DataSet, Entry, Manifest, Split
from isptools.recipe import Recipe

PAYLOAD = re.compile(r"payload_N(\d+)\.dng", re.IGNORECASE)
RESULTS = ("results_20171023", "results_20161014")  # later ones first
INDEXED = {"fivek": layout_fivek.listed, "s7-isp": layout_s7.listed}  # these take [scenes]
OTHERS = {"msr": layout_msr.listed, "sidd": layout_sidd.listed}
STOPS_FROM = 50.0  # ISO: strata of the split are octaves from here


@dataclass(slots=True)
class Burst:
    """One burst as its folder shows it; paths below the root."""

    scene: str
    frames: list[str]
    reference: int = 0
    truth: str = ""  # published raw
    final: str = ""
    shading: str = ""  # map of the reference
    matrix: str = ""
    camera: str = ""
    iso: float | None = None


@dataclass(slots=True)
class Listing:
    """The bursts below a root, and what was left out before any was looked into further."""

    root: Path
    bursts: list[Burst] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)

    def leave_out(self, burst: Burst, reason: str, detail: str) -> None:
        file = burst.frames[0] if burst.frames else burst.scene
        self.lines.append(Line("", burst.scene, file, "excluded", reason, detail))


def listed(recipe: Recipe, manifest: Manifest, place: Path) -> tuple[Manifest, list[Line]]:
    """The manifest with an entry for each file of the bursts below `place` that a recipe takes.

    Splits come from the user's `splits.tsv` at the root; else scenes are put in strata by octave
    of their ISO, ordered in each by the hash of their name, and the first of them, as many as the
    manifest's share says, are test scenes. Other manifests pass as they are.
    """
    data_set = manifest.data_set
    if data_set.layout in INDEXED:
        found, left_out = INDEXED[data_set.layout](manifest, recipe, place)
        return msgspec.structs.replace(manifest, entries=found), left_out
    if recipe.scenes:
        raise BuildError(f"recipe {recipe.name}: {data_set.name} is not divided by [scenes]")
    if data_set.layout == "files":
        return manifest, []
    if data_set.layout in OTHERS:
        found, lines = OTHERS[data_set.layout](data_set, recipe, place)
        return msgspec.structs.replace(manifest, entries=found), lines
    find = _hdrplus if data_set.layout == "hdrplus" else _folders
    listing = find(data_set, recipe, place)
    taken = [burst for burst in listing.bursts if _wanted(listing, burst, recipe)]
    splits = _splits(listing.root, taken, data_set.test_share)
    entries = [
        entry
        for burst in taken
        if burst.scene in splits
        for entry in _entries(burst, splits[burst.scene], recipe)
    ]
    for burst in taken:
        if burst.scene not in splits:
            listing.leave_out(burst, "not-listed", f"{LISTED} does not name this scene")
    if not entries and not listing.lines:
        raise BuildError(missing(data_set, place))
    return msgspec.structs.replace(manifest, entries=tuple(entries)), listing.lines


def _entries(burst: Burst, split: Split, recipe: Recipe) -> Iterator[Entry]:
    own = burst.frames[burst.reference]
    truth = own if recipe.truth == "fused" else burst.truth
    yield Entry(split, burst.scene, "truth", truth, iso=burst.iso or None)
    for frame in burst.frames if recipe.input == "burst" else [own]:
        yield Entry(split, burst.scene, "input", frame, iso=burst.iso or None)
    if recipe.truth == "fused":
        for frame in (own, *(frame for frame in burst.frames if frame != own)):
            yield Entry(split, burst.scene, "frame", frame)
        if burst.shading and any(isinstance(step, Shading) for step in recipe.develop):
            yield Entry(split, burst.scene, "shading", burst.shading)
    if burst.matrix:
        yield Entry(split, burst.scene, "matrix", burst.matrix)
    if burst.final:
        yield Entry(split, burst.scene, "final", burst.final)


def _hdrplus(data_set: DataSet, recipe: Recipe, place: Path) -> Listing:
    """The bucket's layout: bursts/<id>/payload_N*.dng and results_*/<id>/."""
    root = _root(data_set, place, "bursts/*/payload_N*.dng")
    listing = Listing(root)
    for folder in sorted(path for path in (root / "bursts").iterdir() if path.is_dir()):
        names = sorted(path.name for path in folder.iterdir() if PAYLOAD.fullmatch(path.name))
        burst = Burst(folder.name, [f"bursts/{folder.name}/{name}" for name in names])
        results = [recipe.results] if recipe.results else RESULTS
        result = next((root / r / folder.name for r in results
                       if (root / r / folder.name).is_dir()), None)  # fmt: skip
        if not names:
            listing.leave_out(burst, "no-frames", "the folder holds no payload_N*.dng")
        elif result is None:
            listing.leave_out(burst, "no-results", f"there is no {' or '.join(results)} for it")
        elif problem := _results(burst, result, root):
            listing.leave_out(burst, "bad-reference", problem)
        else:
            listing.bursts.append(burst)
    return listing


def _results(burst: Burst, folder: Path, root: Path) -> str:
    """Fill in the published results; what is wrong with them, or an empty text."""
    try:
        text = (folder / "reference_frame.txt").read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return "reference_frame.txt can't be read"
    wanted = [i for i, path in enumerate(burst.frames) if _number(path) == text]
    if not wanted:
        return f"reference_frame.txt says {text[:20]!r}, which is none of its frames"
    burst.reference = wanted[0]
    base = folder.relative_to(root).as_posix()
    burst.truth = f"{base}/merged.dng"
    burst.final = f"{base}/final.jpg" if (folder / "final.jpg").is_file() else ""
    frame = PurePosixPath(burst.frames[burst.reference])
    burst.shading = str(frame.with_name(PAYLOAD.sub(r"lens_shading_map_N\1.tiff", frame.name)))
    matrix = frame.with_name("rgb2rgb.txt")
    burst.matrix = str(matrix) if (root / matrix).is_file() else ""
    return ""


def _number(path: str) -> str:
    found = PAYLOAD.search(path)
    return str(int(found[1])) if found else ""


def _folders(data_set: DataSet, recipe: Recipe, place: Path) -> Listing:
    """One sub-folder a burst; its raw files in the order of their names."""
    if recipe.truth != "fused":
        raise BuildError(f'recipe {recipe.name}: plain folders have no truth but truth = "fused"')
    root = _root(data_set, place, "*/*")
    listing = Listing(root)
    for folder in sorted(path for path in root.iterdir() if path.is_dir()):
        names = sorted(path.name for path in folder.iterdir() if path.suffix[1:].lower() in RAW)
        burst = Burst(folder.name, [f"{folder.name}/{name}" for name in names])
        if len(names) < 2:
            count = f"a burst needs at least two raw files, the folder holds {len(names)}"
            listing.leave_out(burst, "no-burst", count)
            continue
        burst.reference = sharpest([root / path for path in burst.frames])
        listing.bursts.append(burst)
    return listing


def sharpest(paths: Sequence[Path]) -> int:
    """Of the first frames; one that can't be used is passed over."""
    scores: dict[int, float] = {}
    for index, path in enumerate(paths[:FIRST]):
        try:
            frame = raw.read(path)
        except (raw.RawError, UnsupportedError, OSError):
            continue
        if frame.capture.kind == "bayer":
            scores[index] = sharpness(frame)
    return max(scores, key=lambda index: scores[index], default=0)


def _root(data_set: DataSet, place: Path, pattern: str) -> Path:
    for name in data_set.roots:
        if next((place / name).glob(pattern), None):
            return place / name
    raise BuildError(missing(data_set, place))


def _wanted(listing: Listing, burst: Burst, recipe: Recipe) -> bool:
    """Look into the reference's header: is it of a camera the recipe asks for?"""
    try:
        header = raw.header(listing.root / burst.frames[burst.reference])
    except (raw.RawError, OSError):
        return True  # the plan says why it can't be read
    burst.camera, burst.iso = f"{header.make} {header.model}".strip(), header.iso
    name = burst.camera.casefold()
    if not recipe.models or any(model.casefold() in name for model in recipe.models):
        return True
    reason = "other-camera" if name else "untagged"
    asked = ", ".join(recipe.models)
    detail = f"{burst.camera or 'no camera'} is stated, the recipe asks for {asked}"
    listing.leave_out(burst, reason, detail)
    return False


def _splits(root: Path, bursts: Sequence[Burst], share: float) -> dict[str, Split]:
    if (root / LISTED).is_file():
        return own(root / LISTED)
    strata: dict[int, list[str]] = {}
    for burst in bursts:
        stop = math.floor(math.log2(burst.iso / STOPS_FROM) + 0.5) if burst.iso else -99
        strata.setdefault(stop, []).append(burst.scene)
    splits: dict[str, Split] = {burst.scene: "train" for burst in bursts}
    for scenes in strata.values():
        for scene in by_hash(scenes)[: round(len(scenes) * share)]:
            splits[scene] = "test"
    return splits
