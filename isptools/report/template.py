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
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        loader=FunctionLoader(_text),
    )  # fmt: skip
    shown = {name: getattr(top, name) for name in Top.__dataclass_fields__}
    return environment.get_template(template).render(
        style=Markup(_text("style.css")), script=Markup(_text("viewer.js")),
        data=Markup(_safe(viewer)), **shown, **words,
    ).encode()  # fmt: skip


def _safe(value: Any) -> str:
    """JSON that can stand in a script element: no tag begins or ends in it."""
    text = json.dumps(value, ensure_ascii=True)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _text(name: str) -> str:
    return (PLACE / name).read_text(encoding="utf-8")
