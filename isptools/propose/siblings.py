"""Short and long exposures in two folders whose names say nothing, with files of one name."""

from collections.abc import Sequence
from itertools import permutations

from isptools.propose.look import Seen
from isptools.propose.words import PAUSE, Words, between

TWICE = 2.0  # as a truth is exposed at least, beside its inputs
MOST = 0.9  # of all raws lie in the two folders

Folder = dict[str, Seen]


def by_siblings(raws: Sequence[Seen]) -> Words:
    """A scene for each name that both folders have, if one of them is always exposed longer.

    Where files state no times only the user can tell: `doubt`. Where times lie apart, cameras
    merely counted from the start again: nothing.
    """
    folders: dict[str, Folder] = {}
    for one in raws:
        folders.setdefault(one.folder, {}).setdefault(one.stem, one)
    for short, long in permutations(sorted(folders), 2):
        common = sorted(folders[short].keys() & folders[long].keys())
        couples = [(folders[long][stem], folders[short][stem]) for stem in common]
        both = len(folders[short]) + len(folders[long])
        if 4 * len(common) >= both >= MOST * len(raws) and couples and all(map(_longer, couples)):
            return _told(short, long, couples)
    return Words([])


def _longer(couple: tuple[Seen, Seen]) -> bool:
    """Whether the first is exposed much longer, by the same camera."""
    truth, one = couple
    same = (one.camera, one.shape, one.mosaic) == (truth.camera, truth.shape, truth.mosaic)
    times = one.exposure_s, truth.exposure_s
    return same and None not in times and TWICE * (times[0] or 0) <= (times[1] or 0) * (1 + 1e-6)


def _told(short: str, long: str, couples: Sequence[tuple[Seen, Seen]]) -> Words:
    what = f"{short}/ and {long}/ have {len(couples)} names in common, {long}/ exposed longer"
    groups = [(truth.stem, [truth, one]) for truth, one in couples]
    timed = all(one.taken is not None for couple in couples for one in couple)
    if not timed:
        doubt = f"{what}, but files state no times; if they show the same: --kind exposures"
        return Words(groups, what, doubt)
    if all(between(*couple) <= PAUSE for couple in couples):
        return Words(groups, f"{what}, shot within seconds")
    return Words([])
