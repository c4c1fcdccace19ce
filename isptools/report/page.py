"""The page itself: one file that needs no other, and no network."""

import json
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from isptools.report.folder import Page, uri
from isptools.report.plots import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH

PLACE = files("isptools.report") / "page"
SIZES = {"WIDTH": WIDTH, "HEIGHT": HEIGHT, "LEFT": LEFT, "RIGHT": RIGHT, "TOP": TOP,
         "BOTTOM": BOTTOM}  # fmt: skip


def html(made: Page) -> bytes:
    """Everything that comes from files, names and EXIF is escaped."""
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.from_string(_text("page.html.j2"))
    return template.render(
        page=made, style=Markup(_text("style.css")), script=Markup(_text("viewer.js")),
        data=Markup(_safe(_viewer(made))),
        thumbnails=[uri(one.thumbnail, "webp") for one in made.samples], **SIZES,
    ).encode()  # fmt: skip


def _viewer(made: Page) -> dict[str, Any]:
    """What the script knows of each sample."""
    return {
        str(place): {
            "key": made.samples[place].key,
            "layers": pictures,
            "numbers": [
                [each.kind, each.name, each.value, each.limit, each.unit, bool(each.told)]
                for each in made.samples[place].measured
            ],
            "problems": made.samples[place].problems,
        }
        for place, pictures in made.layers.items()
    }


def _safe(value: Any) -> str:
    """JSON that can stand in a script element: no tag begins or ends in it."""
    text = json.dumps(value, ensure_ascii=True)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _text(name: str) -> str:
    return (PLACE / name).read_text(encoding="utf-8")
