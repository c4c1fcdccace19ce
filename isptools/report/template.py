"""A page: one file that needs no other, and no network."""

import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from isptools.report.facts import Top

PLACE = files("isptools.report") / "page"


def rendered(template: str, top: Top, viewer: Mapping[str, Any], words: Mapping[str, Any]) -> bytes:
    """Everything that comes from files, names and EXIF is escaped.

    `viewer` is what the script knows of each sample: key, layers, numbers, problems.
    """
    shown = {name: getattr(top, name) for name in Top.__dataclass_fields__}
    return drawn(
        template, {"style": Markup(_text("style.css")), "script": Markup(_text("viewer.js")),
                   "data": Markup(_safe(viewer)), **shown, **words},
    )  # fmt: skip


def drawn(template: str, words: Mapping[str, Any]) -> bytes:
    """A file of markup, whatever stands in `words` escaped."""
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        loader=FunctionLoader(_text),
    )  # fmt: skip
    return environment.get_template(template).render(**words).encode()


def _safe(value: Any) -> str:
    """JSON that can stand in a script element: no tag begins or ends in it."""
    text = json.dumps(value, ensure_ascii=True)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _text(name: str) -> str:
    return (PLACE / name).read_text(encoding="utf-8")
