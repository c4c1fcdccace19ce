"""The page of a folder of shards."""

from typing import Any

from isptools.report.facts import Top, uri
from isptools.report.folder import Page
from isptools.report.meanings import MEANINGS
from isptools.report.plots import BOTTOM, HEIGHT, LEFT, QUIET, RIGHT, TOP, WIDTH
from isptools.report.samples import Measured
from isptools.report.template import rendered

SIZES = {"WIDTH": WIDTH, "HEIGHT": HEIGHT, "LEFT": LEFT, "RIGHT": RIGHT, "TOP": TOP,
         "BOTTOM": BOTTOM, "QUIET": QUIET}  # fmt: skip


def html(made: Page) -> bytes:
    """Everything that comes from files, names and EXIF is escaped."""
    top = Top(made.title, made.verdict, made.sentence, made.facts, made.sample)
    thumbnails = [uri(one.thumbnail, "webp") for one in made.samples]
    places = {one.index: place for place, one in enumerate(made.samples)}
    words = {"page": made, "thumbnails": thumbnails, "places": places, "meanings": MEANINGS}
    return rendered("page.html.j2", top, _viewer(made), words | SIZES)


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
