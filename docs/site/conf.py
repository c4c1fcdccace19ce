"""Sphinx: pages in Markdown as the repository has them, a reference of docstrings, a gallery."""

import re
import sys
from functools import cache
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from stated import stated

project = "isptools"
author = "The isptools contributors"
release = version = version_of("isptools-raw")
copyright = author  # noqa: A001 - Sphinx's word
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx_gallery.gen_gallery"]
html_theme = "furo"
html_title = f"isptools {release}"
exclude_patterns = ["scripts", "benchmarks", "isptools", "README.md"]
myst_heading_anchors = 4
myst_links_external_new_tab = False
myst_enable_extensions: list[str] = []
suppress_warnings = [
    "myst.header",  # pages of data sets begin where the repository's index leaves off
    "misc.highlighting_failure",  # blocks named `toml FILE`
    "config.cache",  # the gallery's order is a function
]
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
# named where nothing is imported that a listing of networks need not load
autodoc_type_aliases = {"Camera": "isptools.train.camera.Camera"}
autodoc_mock_imports = ["triton"]  # kernels of a GPU, which a site needs none of
sphinx_gallery_conf = {
    "examples_dirs": "scripts",
    "gallery_dirs": "gallery",
    "filename_pattern": r"\.py$",
    "abort_on_example_error": True,
    "remove_config_comments": True,
    "show_memory": False,
    "write_computation_times": False,
    "download_all_examples": False,
    "plot_gallery": "True",
}


_stated = cache(lambda found: tuple(stated(found)))  # the same one is asked for again and again


def plain(_app: Any, what: str, _name: str, found: Any, _options: Any, lines: list[str]) -> None:
    """Docstrings are English with `names`: paragraphs and lists, nothing that reST would turn.

    Behind those of classes and modules stand fields and constants, with their comments.
    """
    out: list[str] = []
    names = _stated(found) if what in {"class", "module"} else ()
    listed = [f"- `{one}`{about and f': {about}'}" for one, about in names]
    for block in "\n".join([*lines, "", *listed]).split("\n\n"):
        rows = [row.strip() for row in block.splitlines() if row.strip()]
        if any(row.startswith("- ") for row in rows):
            out += [*_listed(rows), ""]
        elif rows:
            out += [_escaped(" ".join(rows)), ""]
    lines[:] = out


def _listed(rows: list[str]) -> list[str]:
    """Entries on one line each."""
    found: list[str] = []
    for row in rows:
        if row.startswith("- ") or not found or not found[-1].startswith("- "):
            found.append(row)
        else:
            found[-1] += " " + row
    out = []
    for row in found:
        dash, text = ("- ", row[2:]) if row.startswith("- ") else ("", row)
        out += [dash + _escaped(text)] if dash else [_escaped(text), ""]
    return out


def _escaped(text: str) -> str:
    """`names` as literals, everything else as it stands."""
    parts = re.split(r"`+([^`]+)`+", text)
    return "".join(
        f"\\ ``{part}``\\ " if i % 2 else re.sub(r"([*_|\\`<>:\[\]])", r"\\\1", part)
        for i, part in enumerate(parts)
    )


def shallow(_app: Any, _page: str, _template: str, context: dict[str, Any], _tree: Any) -> None:
    """The list of pages beside each page goes no deeper than pages: what stands in them would be
    copied for every page, and dropped."""
    whole = context.get("toctree")
    if whole:
        context["toctree"] = lambda **how: whole(**how | {"maxdepth": 2})


def setup(app: Any) -> None:
    app.connect("autodoc-process-docstring", plain)
    app.connect("html-page-context", shallow, priority=100)  # before the theme asks for it
