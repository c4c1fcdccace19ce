"""Pairs of two cameras: two folders with names in common, or shot at the same times."""

import re
from collections.abc import Sequence
from itertools import combinations, permutations

from isptools.propose.look import Seen
from isptools.propose.proposal import Held, Proposal, Shot

PHONES = r"phone|mobile|pixel|huawei|samsung|galaxy|xperia|blackberry"
DSLRS = r"dslr|canon|nikon|sony|fuji|leica|mirrorless|camera"
PHONE, DSLR = re.compile(PHONES, re.I), re.compile(DSLRS, re.I)
SIDES = re.compile(f"{PHONES}|input", re.I), re.compile(f"{DSLRS}|truth|target", re.I)
MOST = 0.9  # of all files lie in the two folders of pairs
FEW = 3  # pairs from which on steady clocks tell where no name does
STEADY = 5.0  # seconds by which two cameras' clocks may drift apart over a folder

Folder = dict[str, Seen]


def pairs(held: Held) -> Proposal:
    """Two folders with names in common, by two cameras; where no name is, by EXIF times.

    By folders that are called phone and dslr but don't say what belongs together, or say one
    camera, only the user can tell: `doubt`.
    """
    if held.table:
        return Proposal("pairs", (), "")  # `isptools build pairs` reads pairs.csv as it is
    folders: dict[str, Folder] = {}
    for one in (*held.raws, *held.pictures):
        folders.setdefault(one.folder, {}).setdefault(one.stem, one)
    count = sum(map(len, folders.values()))  # a raw and its picture are one
    common, first, second = _by_names(folders, count)
    if common:
        return _named(folders, first, second, common)
    return _by_times(folders, count)


def hinted(phone: str, dslr: str) -> bool:
    """Whether folders are called as two sides are, of whatever cameras."""
    return bool(SIDES[0].search(phone) and SIDES[1].search(dslr))


def _of_cameras(first: str, second: str) -> bool:
    """Whether folders are called as two cameras' are."""
    return any(PHONE.search(a) and DSLR.search(b) for a, b in ((first, second), (second, first)))


def same_camera(one: str, other: str) -> bool:
    """Whether two names may be of one camera; one that is not stated may be any."""
    words = [set(re.findall(r"\w+", name.casefold())) for name in (one, other)]
    return words[0] <= words[1] or words[1] <= words[0]


def _by_names(folders: dict[str, Folder], count: int) -> tuple[list[str], str, str]:
    """The two folders with most names in common, and those names."""
    best: tuple[list[str], str, str] = [], "", ""
    for first, second in combinations(sorted(folders), 2):
        common = sorted(folders[first].keys() & folders[second].keys())
        both = len(folders[first]) + len(folders[second])
        if 4 * len(common) >= both >= MOST * count and len(common) > len(best[0]):
            best = common, first, second
    return best


def _named(folders: dict[str, Folder], first: str, second: str, common: Sequence[str]) -> Proposal:
    one, other = folders[first][common[0]], folders[second][common[0]]
    called = hinted(first, second) or hinted(second, first)
    alike = bool(one.camera and other.camera) and same_camera(one.camera, other.camera)
    if _phone_comes_second(folders, first, second, common[0]):
        first, second = second, first
    shots = tuple(Shot(stem, folders[second][stem], (folders[first][stem],)) for stem in common)
    why = f"{first}/ and {second}/ have {len(common)} names in common"
    taken = f"{first}/ is taken as the phone's"
    if alike:
        reason = f"{why}, but by EXIF both are of one camera, {one.camera}"
        ask = f"{reason}; if they are pairs all the same: --kind pairs"
        doubt = ask if _of_cameras(first, second) else ""
        return Proposal("pairs", shots, reason, sure=False, doubt=doubt)
    if called or (one.camera and other.camera):
        return Proposal("pairs", shots, f"{why}, by two cameras; {taken}")
    reason = f"{why}, but neither EXIF nor the folders' names say that two cameras took them"
    return Proposal("pairs", shots, reason, sure=False)


def _by_times(folders: dict[str, Folder], count: int) -> Proposal:
    ways = permutations(sorted(folders), 2)
    for phone, dslr in sorted(ways, key=lambda names: not hinted(*names)):
        files = [list(folders[name].values()) for name in (phone, dslr)]
        if len(files[0]) + len(files[1]) >= MOST * count:
            called = hinted(phone, dslr)
            found = _in_order(phone, dslr, *files)
            if called or (found.shots and _two_cameras(*files) and _is_smaller(*files)):
                return found
    return Proposal("pairs", (), "", sure=False)


def _two_cameras(files: Sequence[Seen], others: Sequence[Seen]) -> bool:
    """Whether each folder is of one camera, and not of the same."""
    names = [{one.camera for one in each} for each in (files, others)]
    if any(len(each) != 1 or "" in each for each in names) or len(files) < FEW:
        return False
    return not same_camera(*names[0], *names[1])


def _is_smaller(files: Sequence[Seen], others: Sequence[Seen]) -> bool:
    """Where nothing else tells, the phone's picture is the smaller one."""
    one, other = (each[0].shape[0] * each[0].shape[1] for each in (files, others))
    return one <= other


def _in_order(phone: str, dslr: str, inputs: list[Seen], truths: list[Seen]) -> Proposal:
    """One by one as they were shot, if the two clocks stay as far apart as they are."""
    for files in (inputs, truths):
        files.sort(key=lambda one: (one.taken or 0, one.path))
    apart = [
        (truth.taken or 0) - (one.taken or 0) for one, truth in zip(inputs, truths, strict=False)
    ]
    timed = all(one.taken is not None for one in (*inputs, *truths))
    if len(inputs) == len(truths) and timed and max(apart) - min(apart) <= STEADY:
        shots = tuple(
            Shot(truth.stem, truth, (one,)) for one, truth in zip(inputs, truths, strict=True)
        )
        why = f"{phone}/ and {dslr}/ hold {len(shots)} files each, shot at the same times by EXIF"
        return Proposal("pairs", shots, f"{why}; {phone}/ is taken as the phone's")
    return Proposal(
        "pairs", (), "", sure=False,
        doubt=f"{phone}/ ({len(inputs)} files) and {dslr}/ ({len(truths)}) are called as two "
        "cameras' folders are, but have too few names in common, and EXIF times don't say which "
        "belong together",
    )  # fmt: skip


def _phone_comes_second(folders: dict[str, Folder], first: str, second: str, stem: str) -> bool:
    """By the folders' names, else the phone's picture is the smaller one."""
    inputs, truths = SIDES
    if bool(inputs.search(first)) != bool(inputs.search(second)):
        return bool(inputs.search(second))
    if bool(truths.search(first)) != bool(truths.search(second)):
        return bool(truths.search(first))
    sizes = [folders[folder][stem].shape for folder in (first, second)]
    return sizes[1][0] * sizes[1][1] < sizes[0][0] * sizes[0][1]
