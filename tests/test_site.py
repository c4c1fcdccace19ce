"""The site's source is assembled, names every public thing, and the notebooks run.

The site itself is made by `make docs`, where a warning is an error.
"""

import re
import runpy
import sys
from pathlib import Path

import pytest

from tests import links

ROOT = Path(__file__).resolve().parents[1]
SITE = ROOT / "docs/site"
NOTEBOOKS = sorted((ROOT / "docs/gallery").glob("notebook_*.py"))


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("site") / "source"
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sys, "argv", ["assemble.py", str(target)])
        runpy.run_path(str(SITE / "assemble.py"), run_name="__main__")
    return target


def test_every_page_is_in_the_contents(source: Path) -> None:
    """Of the top page; a page that no list names is found by nobody."""
    named = []
    for block in re.findall(r"```\{toctree\}\n(.*?)```", (source / "index.md").read_text(), re.S):
        named += [line for line in block.splitlines() if line and not line.startswith(":")]
    found = {path for name in named for path in source.glob(f"{name}.md")}
    pages = set(source.rglob("*.md")) - {source / "index.md", source / "README.md"}
    assert {str(path.relative_to(source)) for path in pages - found} == set()
    for name in named:
        there = list(source.glob(f"{name}.*")) or name == "gallery/index"
        assert there, f"the contents name {name}, which is not there"


def test_links_hold_in_the_site_as_they_do_here(source: Path) -> None:
    for page in source.rglob("*.md"):
        assert links.broken(page) == [], page


def test_the_reference_has_every_public_name(source: Path) -> None:
    """Functions and classes; of cli, what people see are commands."""
    told = "\n".join(path.read_text() for path in (source / "reference").glob("*.rst"))
    for path in (ROOT / "isptools").rglob("*.py"):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        public = re.search(r"^(def|class) [a-zA-Z]", path.read_text("utf-8"), re.M)
        if public and not name.startswith("isptools.cli") and "._" not in name:
            assert f".. automodule:: {name}\n" in told


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_run(path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    plots = pytest.importorskip("matplotlib", reason="needs the extra `docs`")
    if "train" in path.stem:
        pytest.importorskip("torch", reason="needs the extra `train`")
    plots.use("agg")
    monkeypatch.setattr(sys, "path", [*sys.path])
    runpy.run_path(str(path))
    sys.modules["matplotlib.pyplot"].close("all")
    assert "Traceback" not in capsys.readouterr().out


def test_there_are_three_notebooks() -> None:
    assert len(NOTEBOOKS) == 3
