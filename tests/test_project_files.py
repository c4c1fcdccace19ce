"""What people who join find: it parses, agrees with the package, and names what there is."""

import ast
import re
import tomllib
from itertools import chain
from pathlib import Path

import pytest
import yaml

from isptools.cli import main

ROOT = Path(__file__).resolve().parents[1]
FORMS = sorted((ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml"))
PAGES = [
    ROOT / "CONTRIBUTING.md",
    ROOT / "docs/releasing.md",
    ROOT / ".github/PULL_REQUEST_TEMPLATE.md",
    *FORMS,
]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
TARGETS = set(re.findall(r"^([\w-]+):(?!=)", (ROOT / "Makefile").read_text(), re.M))
FIELDS = {"input", "textarea", "checkboxes", "dropdown", "markdown"}
GROUPS = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"]
# made by somebody else's tool or by a command of the page, so no files of the repository
MADE = re.compile(r"^(ledger\.jsonl|dist/.*|/tmp/.*)$")


def text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def words(page: str) -> list[str]:
    """What stands in `backticks`, and every line of a fenced block."""
    fences = re.findall(r"^ *```[^\n]*\n(.*?)^ *```", page, re.M | re.S)
    inline = re.findall(r"`([^`\n]+)`", re.sub(r"^ *```.*?^ *```", "", page, flags=re.M | re.S))
    return [*inline, *(line.strip() for fence in fences for line in fence.splitlines())]


def missing(page: str) -> list[str]:
    """Targets of make, commands and options of isptools, and files that are named but not there."""
    found = []
    for word in words(page):
        first, *rest = word.split()[:2] if word.split() else [""]
        if first == "make" and rest:
            found += [rest[0]] if rest[0] not in TARGETS else []
        elif first == "isptools" and rest:
            found += [word] if main.get_command(None, rest[0]) is None else []  # type: ignore[arg-type]
        elif re.fullmatch(r"[\w./-]+\.(md|toml|txt|tsv|py|cff|jsonl)|[\w.-]+/[\w./-]*", word):
            there = (ROOT / word).exists() or MADE.match(word) or word.startswith("isptools/")
            found += [] if there else [word]
    return found


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_pages_name_what_there_is(path: Path) -> None:
    assert missing(text(path)) == []


@pytest.mark.parametrize(
    "page",
    ["`make tset`", "```\nmake tset\n```", "`isptools biuld`", "`docs/none.md`", "`tests/none/`"],
)
def test_a_page_that_names_what_is_not_there_is_found(page: str) -> None:
    assert len(missing(page)) == 1


def test_the_versions_agree() -> None:
    """Of the package, its citation, and the newest heading of the changelog."""
    citation = yaml.safe_load(text(ROOT / "CITATION.cff"))
    heading = re.compile(r"^## (\S+) \((unreleased|\d{4}-\d\d-\d\d)\)$", re.M)
    headings = heading.findall(text(ROOT / "CHANGELOG.md"))
    assert PROJECT["version"] == citation["version"] == headings[0][0]
    assert [when for _, when in headings[1:]].count("unreleased") == 0


def test_the_citation_says_what_the_package_says() -> None:
    citation = yaml.safe_load(text(ROOT / "CITATION.cff"))
    assert set(citation) == {
        "cff-version", "message", "title", "type", "abstract", "authors", "version", "license",
        "keywords",
    }  # fmt: skip
    assert citation["cff-version"] == "1.2.0"
    assert citation["title"] == "isptools"
    assert citation["authors"] == [{"name": "The isptools contributors"}]
    assert citation["license"] == PROJECT["license"] == "Apache-2.0"
    assert citation["abstract"].rstrip(".") == PROJECT["description"]
    assert citation["keywords"] == PROJECT["keywords"]


def test_the_changelog_groups_its_lines() -> None:
    page = text(ROOT / "CHANGELOG.md")
    assert len(re.findall(r"^## ", page, re.M)) == len(re.findall(r"^## \S+ \(\S+\)$", page, re.M))
    for version in re.split(r"^## ", page, flags=re.M)[1:]:
        head, *groups = re.split(r"^### (.+)\n", version, flags=re.M)
        assert "- " not in head
        names = groups[::2]
        assert names == sorted(set(names), key=GROUPS.index)
        for lines in groups[1::2]:
            assert re.match(r"\n- ", lines), "a group without a line"


def test_hooks_run_what_is_installed() -> None:
    """Nothing is fetched, and no hook is another linter than `make test` runs."""
    (repository,) = yaml.safe_load(text(ROOT / ".pre-commit-config.yaml"))["repos"]
    assert repository["repo"] == "local"
    recipe = text(ROOT / "Makefile").replace("$(BIN)", ".venv/bin")
    for hook in repository["hooks"]:
        assert hook["language"] == "system"
        tool, *rest = hook["entry"].split()
        command = " ".join([tool, *(word for word in rest if not word.startswith("-"))])
        assert re.search(rf"^\t{re.escape(command)}( |$)", recipe, re.M), command
    names = [hook["id"] for hook in repository["hooks"]]
    assert names == ["ruff-check", "ruff-format", "mypy"]


def test_every_form_is_there() -> None:
    names = {path.stem for path in FORMS}
    assert names == {"data-set-wanted", "file-refused", "truth-wrong"}


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_forms_are_forms(path: Path) -> None:
    form = yaml.safe_load(text(path))
    assert set(form) == {"name", "description", "title", "labels", "body"}
    ids = [field["id"] for field in form["body"]]
    assert len(ids) == len(set(ids))
    for field in form["body"]:
        assert field["type"] in FIELDS
        assert set(field) <= {"type", "id", "attributes", "validations"}
        assert set(field["attributes"]) <= {"label", "description", "render", "options"}
        assert field["attributes"]["label"]
        assert ("options" in field["attributes"]) == (field["type"] == "checkboxes")
        assert "render" not in field["attributes"] or field["type"] == "textarea"
    required = [field for field in form["body"] if field.get("validations", {}).get("required")]
    assert required


# the other project's name as pip takes it: not `isptools-raw`, a folder or a file
OTHERS = re.compile(r"(?:pip3? install|uv add|pipx install)[^\n`]*?[\s'\"]isptools(?![-\w./])")


def test_nobody_is_told_to_install_the_other_isptools() -> None:
    other = PROJECT["name"].removesuffix("-raw")  # not spelled out in a line that one could copy
    assert OTHERS.search(f"pip install {other}")
    assert OTHERS.search(f"pip install -U '{other}[train]'")
    assert not OTHERS.search(f"pip install {PROJECT['name']}")
    assert not OTHERS.search("in isptools' own folder, pip install '.[train]'")
    pages = [*(path for path in ROOT.glob("*.*") if path.is_file()), ROOT / "Makefile"]
    for folder in ("isptools", "docs", "benchmarks", "manifests", "recipes", "tests", ".github"):
        pages += [path for path in (ROOT / folder).rglob("*.*") if path.is_file()]
    told = [path for path in pages if path.suffix in {".py", ".md", ".toml", ".yml", ".cff", ""}
            and OTHERS.search(text(path))]  # fmt: skip
    assert told == []
    needs = [*PROJECT["dependencies"], *chain(*PROJECT["optional-dependencies"].values())]
    named = {re.split(r"[\[<>=~! ]", one)[0] for one in needs}
    assert "isptools" not in named
    assert PROJECT["name"] == "isptools-raw"


def _said(tree: ast.AST) -> list[str]:
    """Every text that code could show to people: no docstring."""
    docs = {
        id(node.body[0].value) for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and node.body
        and isinstance(node.body[0], ast.Expr)
    }  # fmt: skip
    return [node.value for node in ast.walk(tree)
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
            and id(node) not in docs]  # fmt: skip


def test_nobody_is_sent_to_a_page_that_an_installed_package_has_not() -> None:
    tree = ast.parse('"""See docs/a.md."""\ndef f():\n    "docs/b.md"\n    print("docs/c.md")')
    assert _said(tree) == ["docs/c.md"]
    for path in (ROOT / "isptools").rglob("*.py"):
        told = [one for one in _said(ast.parse(text(path))) if re.search(r"docs/\S*\.md", one)]
        assert told == [], path
