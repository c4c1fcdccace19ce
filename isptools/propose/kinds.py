"""What a folder of captures is: raws, raw + JPEG, short and long exposures, bursts, pairs.

Each kind is a function that says which scenes it would make of the files, and why.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import Literal, get_args

from isptools.apart import apart
from isptools.datasets.alike import fingerprint
from isptools.propose.look import Seen
from isptools.sources import ContentError

Kind = Literal["pairs", "exposures", "bursts", "camera", "raws"]  # the most telling first
KINDS: tuple[Kind, ...] = get_args(Kind)
NAMES: dict[Kind, str] = {
    "pairs": "pairs of two cameras",
    "exposures": "short and long exposures of the same scenes",
    "bursts": "bursts",
    "camera": "raws with the camera's own picture beside them",
    "raws": "raw files, each for itself",
}
SHORT, LONG = ("short", "noisy", "dark", "input"), ("long", "clean", "gt", "truth")
PHONE = re.compile(r"phone|mobile|pixel|huawei|samsung|galaxy|xperia|blackberry|input", re.I)
DSLR = re.compile(r"dslr|canon|nikon|sony|fuji|leica|mirrorless|camera|truth|target", re.I)
TWICE = 2.0  # a truth is exposed at least so many times as long as its inputs
SAME = 1.2  # exposure times of a burst differ by less
PAUSE, QUICK = 10.0, 2.0  # seconds between frames of a bracket or a burst's folder; of a flat burst
ALIKE = 10  # bits of 64 by which frames of a scene without times may differ from the first
MOST = 0.9  # of all files lie in the two folders of pairs
RUN = 3  # frames that make a burst where no folder does


@dataclass(frozen=True, slots=True)
class Shot:
    """One scene: files below the folder, in the order they are to be listed."""

    name: str
    truth: Seen
    inputs: tuple[Seen, ...]
    frames: tuple[Seen, ...] = ()  # the reference first
    final: Seen | None = None


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a folder may be."""

    kind: Kind
    shots: tuple[Shot, ...]
    why: str
    sure: bool = True  # False: only if somebody says so


@dataclass(frozen=True, slots=True)
class Held:
    """The usable files of a folder."""

    root: Path
    raws: tuple[Seen, ...]
    pictures: tuple[Seen, ...]
    table: bool  # there is a pairs.csv

    @property
    def count(self) -> int:
        return len(self.raws) + len(self.pictures)


def proposals(root: Path, seen: Sequence[Seen]) -> list[Proposal]:
    """Everything the folder may be, the most telling kind first; those with `sure` stand out."""
    good = [one for one in seen if one.usable]
    main = mosaic(good)
    raws = tuple(one for one in good if one.kind == "raw" and one.mosaic == main)
    pictures = tuple(one for one in good if one.kind == "picture")
    held = Held(root, raws, pictures, (root / "pairs.csv").is_file())
    two = pairs(held)
    named = bool(two.shots) and _hinted(two.shots[0].inputs[0].folder, two.shots[0].truth.folder)
    rest = [exposures(held), bursts(held), camera(held), plain(held)]
    ordered = [two, *rest] if named else [*rest[:2], two, *rest[2:]]
    return [replace(found, shots=_told_apart(found.shots)) for found in ordered if found.shots]


def _told_apart(shots: Sequence[Shot]) -> tuple[Shot, ...]:
    """No two scenes of one name, no two inputs of a scene whose files have one name."""
    names: Counter[str] = Counter()
    out = []
    for shot in shots:
        names[shot.name] += 1
        count = names[shot.name]
        inputs = tuple({one.stem: one for one in reversed(shot.inputs)}.values())[::-1]
        name = shot.name if count == 1 else f"{shot.name}-{count}"
        out.append(replace(shot, name=name, inputs=inputs))
    return tuple(out)


def mosaic(seen: Sequence[Seen]) -> str:
    """The color filter array of most raws: a recipe has one demosaicking method."""
    counted = Counter(one.mosaic for one in seen if one.usable and one.mosaic)
    return max(sorted(counted), key=counted.__getitem__, default="")


def plain(held: Held) -> Proposal:
    shots = [Shot(name, one, (one,)) for name, one in _named(held.raws)]
    lone = "there are raws, and nothing says that some belong together"
    return Proposal("raws", tuple(shots), lone)


def camera(held: Held) -> Proposal:
    """A picture of the same name, by the same camera where both say which."""
    beside: dict[str, list[Seen]] = {}
    for picture in held.pictures:
        beside.setdefault(picture.stem, []).append(picture)
    shots = []
    for name, one in _named(held.raws):
        named = beside.get(one.stem, [])
        fitting = [picture for picture in named if same_camera(one.camera, picture.camera)]
        fitting.sort(key=lambda picture: (picture.folder != one.folder, picture.path))
        if fitting:
            shots.append(Shot(name, one, (one,), (), fitting[0]))
            named.remove(fitting[0])
    why = f"{len(shots)} of {len(held.raws)} raws have a picture of the same name"
    return Proposal("camera", tuple(shots), why, 2 * len(shots) >= max(1, len(held.raws)))


def exposures(held: Held) -> Proposal:
    """By words in names and folders, else a folder a scene, else frames shot one after another."""
    for groups, how in (
        (_by_words(held.raws), "names or folders say short and long"),
        (
            [
                (name, group)
                for name, group in _by_folder(held.raws)
                if _one_scene(held.root, group)
            ],
            "in a sub-folder exposure times differ by 2 times or more",
        ),
        (_by_time(held.raws, PAUSE), "frames shot within seconds differ in exposure time"),
    ):
        shots = [shot for name, group in groups if (shot := _bracket(name, group))]
        used = sum(1 + len(shot.inputs) for shot in shots)
        if shots and 2 * used >= len(held.raws):
            why = f"{how} (scenes: {len(shots)}, inputs: {used - len(shots)})"
            return Proposal("exposures", tuple(shots), why)
    return Proposal("exposures", (), "", False)


def bursts(held: Held) -> Proposal:
    """A folder a burst, else frames shot one right after another."""
    for groups, least, how in (
        (_by_folder(held.raws), 2, "sub-folders hold frames alike, of one exposure time"),
        (_by_time(held.raws, QUICK), RUN, f"{RUN} or more frames within {QUICK:g} s of each other"),
    ):
        shots = []
        for name, group in groups:
            if len(group) >= least and _is_burst(held.root, group):
                shots.append(Shot(name, group[0], (group[0],), tuple(group)))
        used = sum(len(shot.frames) for shot in shots)
        if shots and 2 * used >= len(held.raws):
            why = f"{how} (bursts: {len(shots)}, frames: {used})"
            return Proposal("bursts", tuple(shots), why)
    return Proposal("bursts", (), "", False)


def pairs(held: Held) -> Proposal:
    """Two folders with names in common, by two cameras."""
    if held.table:
        return Proposal("pairs", (), "")  # `isptools build pairs` reads pairs.csv as it is
    folders: dict[str, dict[str, Seen]] = {}
    for one in (*held.raws, *held.pictures):
        folders.setdefault(one.folder, {}).setdefault(one.stem, one)
    best: tuple[list[str], str, str] = [], "", ""
    for first in sorted(folders):
        for second in sorted(folders):
            common = sorted(folders[first].keys() & folders[second].keys())
            both = len(folders[first]) + len(folders[second])
            enough = 4 * len(common) >= both >= MOST * held.count
            if first < second and enough and len(common) > len(best[0]):
                best = common, first, second
    common, first, second = best
    if not common or not _two_cameras(folders[first], folders[second], common):
        return Proposal("pairs", (), "")
    if _phone_comes_second(folders, first, second, common[0]):
        first, second = second, first
    shots = [Shot(stem, folders[second][stem], (folders[first][stem],)) for stem in common]
    why = f"{first}/ and {second}/ have {len(common)} names in common, by two cameras"
    return Proposal("pairs", tuple(shots), f"{why}; {first}/ is taken as the phone's")


def same_camera(one: str, other: str) -> bool:
    """Whether two names may be of one camera; one that is not stated may be any."""
    words = [set(re.findall(r"\w+", name.casefold())) for name in (one, other)]
    return words[0] <= words[1] or words[1] <= words[0]


def _two_cameras(one: dict[str, Seen], other: dict[str, Seen], common: Sequence[str]) -> bool:
    a, b = one[common[0]], other[common[0]]
    if a.camera and b.camera:
        return not same_camera(a.camera, b.camera)
    return _hinted(a.folder, b.folder) or _hinted(b.folder, a.folder)


def _hinted(phone: str, dslr: str) -> bool:
    return bool(PHONE.search(phone) and DSLR.search(dslr))


def _phone_comes_second(
    folders: dict[str, dict[str, Seen]], first: str, second: str, stem: str
) -> bool:
    """By the folders' names, else the phone's picture is the smaller one."""
    if bool(PHONE.search(first)) != bool(PHONE.search(second)):
        return bool(PHONE.search(second))
    if bool(DSLR.search(first)) != bool(DSLR.search(second)):
        return bool(DSLR.search(first))
    sizes = [folders[folder][stem].shape for folder in (first, second)]
    return sizes[1][0] * sizes[1][1] < sizes[0][0] * sizes[0][1]


def _named(files: Sequence[Seen]) -> Iterator[tuple[str, Seen]]:
    """Scenes called by their file's stem, or by its path where a stem comes twice."""
    stems = [one.stem for one in files]
    for one in files:
        path = PurePosixPath(one.path)
        alone = stems.count(one.stem) == 1
        yield (path.stem if alone else path.as_posix().replace("/", "-")), one


def _by_folder(raws: Sequence[Seen]) -> list[tuple[str, list[Seen]]]:
    groups: dict[str, list[Seen]] = {}
    for one in raws:
        if one.folder != ".":
            groups.setdefault(one.folder, []).append(one)
    return [(folder.replace("/", "-"), group) for folder, group in groups.items()]


def _by_time(raws: Sequence[Seen], pause: float) -> list[tuple[str, list[Seen]]]:
    """Runs of frames of one camera and folder that follow each other closely."""
    timed = [one for one in raws if one.taken is not None]
    timed.sort(key=lambda one: (one.folder, one.camera, one.shape, one.taken or 0, one.path))
    runs: list[list[Seen]] = []
    for one in timed:
        if runs and _follows(one, runs[-1][-1], pause):
            runs[-1].append(one)
        else:
            runs.append([one])
    return [(PurePosixPath(run[0].path).stem, run) for run in runs if len(run) > 1]


def _follows(one: Seen, last: Seen, pause: float) -> bool:
    same = (last.folder, last.camera, last.shape) == (one.folder, one.camera, one.shape)
    return same and (one.taken or 0) - (last.taken or 0) <= pause + (last.exposure_s or 0)


def _by_words(raws: Sequence[Seen]) -> list[tuple[str, list[Seen]]]:
    """Files with one name but for a word that says what they are."""
    words = "|".join((*SHORT, *LONG))
    pattern = re.compile(rf"(?<![a-z])({words})(?![a-z])", re.IGNORECASE)
    whole: dict[str, list[Seen]] = {}
    token: dict[str, list[Seen]] = {}
    for one in raws:
        if pattern.search(one.path):
            name = pattern.sub("", PurePosixPath(one.path).with_suffix("").as_posix())
            bare = re.sub(r"[\W_]*\d*$", "", name).strip("/_- ")
            whole.setdefault(bare or "scene", []).append(one)
            token.setdefault(re.split(r"[\W_]", PurePosixPath(name).name)[0], []).append(one)
    for groups in (whole, token):
        found = [(name.replace("/", "-"), group) for name, group in groups.items()]
        if found and all(_words_differ(group) for _, group in found):
            return found
    return []


def _words_differ(group: Sequence[Seen]) -> bool:
    return len({_is_long(one.path) for one in group}) == 2


def _is_long(path: str) -> bool:
    return bool(re.search(rf"(?<![a-z])({'|'.join(LONG)})(?![a-z])", path, re.IGNORECASE))


def _bracket(name: str, group: Sequence[Seen]) -> Shot | None:
    """The longest exposure is the truth of the clearly shorter ones of its camera and size."""
    said = [one for one in group if _is_long(one.path)]
    timed = [one for one in group if one.exposure_s]
    if said and len(said) < len(group) and len(timed) < len(group):
        truth = said[0]  # names alone
        return Shot(name, truth, tuple(one for one in group if one not in said))
    if len(timed) < 2:
        return None
    truth = max(timed, key=lambda one: one.exposure_s or 0)
    inputs = [
        one
        for one in timed
        if (one.camera, one.shape, one.mosaic) == (truth.camera, truth.shape, truth.mosaic)
        and TWICE * (one.exposure_s or 0) <= (truth.exposure_s or 0) * (1 + 1e-6)
    ]
    return Shot(name, truth, tuple(inputs)) if inputs else None


def _is_burst(root: Path, group: Sequence[Seen]) -> bool:
    """One camera, size and exposure; shot at one go, or, where that is not known, alike."""
    if len({(one.camera, one.shape, one.mosaic) for one in group}) > 1:
        return False
    times = [one.exposure_s for one in group if one.exposure_s]
    if times and max(times) > SAME * min(times):
        return False
    return _one_scene(root, group)


def _one_scene(root: Path, group: Sequence[Seen]) -> bool:
    """Shot at one go, or, where times are not known or far apart, alike."""
    timed = sorted((one.taken, one.exposure_s or 0) for one in group if one.taken is not None)
    if len(timed) == len(group) and all(b[0] - a[0] <= PAUSE + a[1] for a, b in pairwise(timed)):
        return True
    prints = [_print(root / one.path) for one in group]
    first = prints[0]
    return first is not None and all(
        each is not None and (each ^ first).bit_count() <= ALIKE for each in prints
    )


def _print(path: Path) -> int | None:
    try:
        return apart(fingerprint, path.absolute())
    except ContentError:
        return None
