"""What a folder of captures is: raws, raw + JPEG, short and long exposures, bursts, pairs.

Each kind is a function that says which scenes it would make of the files, and why.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path, PurePosixPath

from isptools.apart import apart
from isptools.datasets.alike import fingerprint
from isptools.propose.couples import hinted, pairs, same_camera
from isptools.propose.look import Seen
from isptools.propose.proposal import By, Held, Proposal, Shot
from isptools.propose.siblings import by_siblings
from isptools.propose.words import Groups, by_words, is_long
from isptools.sources import ContentError

TWICE = 2.0  # a truth is exposed at least so many times as long as its inputs
SAME = 1.2  # exposure times of a burst differ by less
PAUSE, QUICK = 10.0, 2.0  # seconds between frames of a bracket or a burst's folder; of a flat burst
ALIKE = 10  # bits of 64 by which frames of a scene without times may differ from the first
RUN = 3  # frames that make a burst where no folder does


def proposals(root: Path, seen: Sequence[Seen], by: By | None = None) -> list[Proposal]:
    """Everything the folder may be, the most telling kind first; those with `sure` stand out.

    `by` is what the user says of names and times that contradict each other.
    """
    good = [one for one in seen if one.usable]
    main = mosaic(good)
    raws = tuple(one for one in good if one.kind == "raw" and one.mosaic == main)
    pictures = tuple(one for one in good if one.kind == "picture")
    held = Held(root, raws, pictures, (root / "pairs.csv").is_file(), by)
    two = pairs(held)
    named = bool(two.shots) and hinted(two.shots[0].inputs[0].folder, two.shots[0].truth.folder)
    named = named or bool(two.doubt)
    rest = [exposures(held), bursts(held), camera(held), plain(held)]
    ordered = [two, *rest] if named else [*rest[:2], two, *rest[2:]]
    return [
        replace(found, shots=_told_apart(found.shots))
        for found in ordered
        if found.shots or found.doubt
    ]


def of_folders(root: Path, seen: Sequence[Seen]) -> dict[str, Proposal]:
    """What each sub-folder that holds usable files is for itself, if it can be told."""
    parts: dict[str, list[Seen]] = {}
    for one in seen:
        first, _, rest = one.path.partition("/")
        if rest and one.usable:
            parts.setdefault(first, []).append(replace(one, path=rest))
    found = {name: chosen(proposals(root / name, those)) for name, those in parts.items()}
    return {name: proposal for name, proposal in found.items() if proposal}


def chosen(found: Sequence[Proposal]) -> Proposal | None:
    """The most telling kind; None where it is left to the user, or there is none."""
    first = next((one for one in found if one.sure or one.doubt), None)
    return None if first is None or first.doubt else first


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
    """Raws without a truth, each a scene of its own."""
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
    """By words in names and folders, else a folder a scene, else frames shot one after another,
    else two folders with names in common."""
    said = by_words(held.raws, held.by)
    if said.doubt:
        return Proposal("exposures", (), "", sure=False, doubt=said.doubt)
    for groups, how in (
        (said.groups, said.how),
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
    told = by_siblings(held.raws)
    shots = [Shot(name, truth, tuple(rest)) for name, (truth, *rest) in told.groups]
    if said.groups and not shots and not told.doubt:
        return _as_long(said.groups)
    return Proposal("exposures", tuple(shots), told.how, bool(shots), told.doubt)


def _as_long(groups: Groups) -> Proposal:
    """What names alone say: it is left to the user."""
    shots = [
        Shot(name, next(one for one in group if is_long(one.path)), inputs)
        for name, group in groups
        if (inputs := tuple(one for one in group if not is_long(one.path)))
    ]
    why = (
        f"names say short and long (scenes: {len(shots)}), but by EXIF none was exposed "
        f"{TWICE:g} times as long as another"
    )
    return Proposal("exposures", tuple(shots), why, sure=False)


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


def _named(files: Sequence[Seen]) -> Iterator[tuple[str, Seen]]:
    """Scenes called by their file's stem, or by its path where a stem comes twice."""
    stems = Counter(one.stem for one in files)
    for one in files:
        path = PurePosixPath(one.path)
        alone = stems[one.stem] == 1
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


def _bracket(name: str, group: Sequence[Seen]) -> Shot | None:
    """The longest exposure is the truth of the clearly shorter ones of its camera and size."""
    said = [one for one in group if is_long(one.path)]
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
