"""The page of a folder of shards."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from isptools.report.facts import Top, uri
from isptools.report.folder import Page
from isptools.report.meanings import MEANINGS
from isptools.report.plots import BOTTOM, HEIGHT, LEFT, QUIET, RIGHT, TOP, WIDTH
from isptools.report.samples import Measured
from isptools.report.template import rendered
from isptools.shards.check import Problem

SIZES = {"WIDTH": WIDTH, "HEIGHT": HEIGHT, "LEFT": LEFT, "RIGHT": RIGHT, "TOP": TOP,
         "BOTTOM": BOTTOM, "QUIET": QUIET}  # fmt: skip


MOST = 20_000_000  # bytes of a page
GALLERY = 11_000_000  # of its gallery, about
SAMPLES, CARD = 5000, 700  # in it at most; bytes of one beside its picture and words
FIRST, PROBLEMS, TWINS = 12, 300, 24  # that are listed, the first of problems unfolded


def html(made: Page) -> bytes:
    """Everything that comes from files, names and EXIF is escaped.

    The gallery ends where the page would be too large.
    """
    room = GALLERY
    page = _html(made, _fitting(made, room))
    if len(page) > MOST:  # by long names, or much beside the gallery
        page = _html(made, _fitting(made, room - (len(page) - MOST)))
    return page


def _html(made: Page, end: int) -> bytes:
    """With the gallery up to a sample."""
    top = Top(made.title, made.verdict, made.sentence, made.facts, made.sample)
    words = {
        "page": made, "end": end, "meanings": MEANINGS, "FIRST": FIRST,
        "PROBLEMS": PROBLEMS, "TWINS": TWINS, "kinds": _kinds(made.problems[FIRST:]),
        "thumbnail": lambda place: uri(made.samples[place].thumbnail, "webp"),
        "places": {one.index: place for place, one in enumerate(made.samples)},
    }  # fmt: skip
    return rendered("page.html.j2", top, _viewer(made), words | SIZES)


def _kinds(problems: Sequence[Problem]) -> list[str]:
    """How many there are of each kind, the most first."""
    counted = Counter(problem.what for problem in problems)
    return [f"{kind} {count}" for kind, count in counted.most_common()]


def _fitting(made: Page, room: int) -> int:
    """The last sample of the gallery, and one."""
    end = min(len(made.samples), made.skip + SAMPLES)
    for place in range(made.skip, end):
        one = made.samples[place]
        words = 3 * len(one.key) + 2 * sum(map(len, one.problems))
        room -= CARD + words + len(one.thumbnail) * 4 // 3
        if room < 0 and place >= made.skip + len(made.layers):
            return place
    return end


def _share(one: Measured) -> float:
    """Of what is allowed."""
    return one.value / one.limit if one.limit > 0 else 0.0


def _viewer(made: Page) -> dict[str, Any]:
    """What the script knows of each sample."""
    return {
        str(place): {
            "key": made.samples[place].key,
            "layers": pictures,
            "numbers": [
                [each.kind, each.name, each.value, each.limit, each.unit, bool(each.told)]
                for each in sorted(made.samples[place].measured, key=_share, reverse=True)
            ],
            "problems": made.samples[place].problems,
        }
        for place, pictures in made.layers.items()
    }
