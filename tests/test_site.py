"""The site's source is assembled, names every public thing, and the notebooks run.

The site itself is made by `make docs`, where a warning is an error.
"""

import ast
import re
import runpy
import sys
from collections.abc import Iterator
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


def public(path: Path) -> Iterator[tuple[ast.ClassDef | ast.FunctionDef, list[str], str]]:
    """Public functions, classes and methods of a file, each with the bases of its class, and with
    all that is told around it."""
    tree = ast.parse(path.read_text("utf-8"))
    whole = ast.get_docstring(tree) or ""
    for node in tree.body:
        if not isinstance(node, ast.ClassDef | ast.FunctionDef) or node.name.startswith("_"):
            continue
        told = f"{whole}{ast.get_docstring(node)}"
        yield node, [], told
        bases = [ast.unparse(base) for base in node.bases] if isinstance(node, ast.ClassDef) else []
        for one in node.body if isinstance(node, ast.ClassDef) else ():
            if isinstance(one, ast.FunctionDef) and not one.name.startswith("_"):
                yield one, bases, f"{told}{ast.get_docstring(one)}"


def raised(node: ast.AST) -> Iterator[str]:
    """Errors that a function raises by itself, not in functions inside it."""
    for one in ast.iter_child_nodes(node):
        if isinstance(one, ast.Raise) and one.exc:
            error = one.exc.func if isinstance(one.exc, ast.Call) else one.exc
            yield ast.unparse(error).rpartition(".")[2]
        if not isinstance(one, ast.FunctionDef | ast.ClassDef | ast.Lambda):
            yield from raised(one)


LIBRARY = [path for path in sorted((ROOT / "isptools").rglob("*.py")) if "cli" not in path.parts]


def test_every_public_name_says_what_it_does_and_which_errors_it_raises() -> None:
    """The reference is made of docstrings: a name without one is not in it."""
    every = [(path, *one) for path in LIBRARY for one in public(path)]
    ours = {node.name for _, node, _, _ in every if isinstance(node, ast.ClassDef)}
    silent = [
        f"{path.name}: {node.name}"
        for path, node, bases, _ in every
        if not ast.get_docstring(node) and not ours & set(bases)  # or its base has one
    ]
    assert silent == []
    unsaid = [
        f"{path.name}: {node.name} raises {error}"
        for path, node, _, told in every if isinstance(node, ast.FunctionDef)
        for error in raised(node)
        if error.endswith(("Error", "Refusal")) and error != "AssertionError" and error not in told
    ]  # fmt: skip
    assert unsaid == []


SHOWN = """
class A:
    one: int  # pixels,
    # of the mosaic
    two: float = 0.5
    # DN, of the sensor
    three: str
    four: bytes = b""  # noqa: RUF009 - for a linter
    _five: int = 0  # of nobody
"""


def test_fields_come_with_their_comments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They say units and ranges, and docstrings do not repeat them."""
    told = runpy.run_path(str(SITE / "stated.py"))["stated"]
    (tmp_path / "shown.py").write_text(f"{SHOWN}\n\nFINE, COARSE = 1.0, 5.0  # sigmas\n")
    monkeypatch.syspath_prepend(tmp_path)
    module = __import__("shown")
    assert list(told(module.A)) == [
        ("one: int", "pixels, of the mosaic"), ("two: float", ""),
        ("three: str", "DN, of the sensor"), ("four: bytes", ""),
    ]  # fmt: skip
    assert list(told(module)) == [("FINE, COARSE = (1.0, 5.0)", "sigmas")]


@pytest.mark.long  # `make docs` runs them all, in CI too
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
