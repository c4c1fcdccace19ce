"""What the documentation shows is run."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from isptools import shipped
from isptools.cli import main
from isptools.datasets import miniature
from tests import links

ROOT = Path(__file__).resolve().parents[1]
# every page of the repository, the data sets' in manifests/ among them
FOLDERS = (".github", "benchmarks", "docs", "isptools", "manifests", "recipes", "tests")
PAGES = [
    *sorted(ROOT.glob("*.md")),
    *(path for name in FOLDERS for path in sorted((ROOT / name).rglob("*.md"))),
]
# in tests/shards/test_document.py and tests/train/test_guide_loop.py
RUN_ELSEWHERE = {"shard-format.md", "first-build.md", "own-training-loop.md"}
FENCE = re.compile(r"^```([^\n`]*)\n(.*?)^```", re.M | re.S)


def blocks(path: Path) -> list[tuple[str, str, str]]:
    """(language, file name or "", text) of every fenced block."""
    found = []
    for info, text in FENCE.findall(path.read_text(encoding="utf-8")):
        language, _, name = info.strip().partition(" ")
        found.append((language, name, text))
    return found


@pytest.fixture(scope="session")
def demo(tmp_path_factory):
    """A folder in which `make demo` has put its shards, and a raw file lies."""
    folder = tmp_path_factory.mktemp("docs")
    made = CliRunner().invoke(main, ["build", "sid", "--sample", "--out", str(folder / "demo")])
    assert made.exit_code == 0, made.output
    raw = miniature("sid", folder / "photos")[0]
    raw.rename(folder / "IMG_0001.ARW")
    return folder


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_python_examples_run(page, demo, monkeypatch, capsys):
    scripts = [text for language, name, text in blocks(page) if language == "python" and not name]
    if not scripts or page.name in RUN_ELSEWHERE:
        return
    monkeypatch.chdir(demo)
    names: dict[str, object] = {"__name__": "example"}
    for text in scripts:
        exec(compile(text, str(page), "exec"), names)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("page", "number"), [("add-a-data-set.md", 6), ("own-captures.md", 5)]
)  # fmt: skip
def test_guides_that_build(page, number, tmp_path):
    """Every named block becomes a file, then the commands are run as they stand."""
    commands = []
    for language, name, text in blocks(ROOT / "docs/guides" / page):
        if name:
            target = tmp_path / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
        elif language == "console":
            commands += text.strip().splitlines()
    assert len(commands) == number
    for command in commands:
        program, *arguments = command.split()
        module = ["-m", "isptools.cli"] if program == "isptools" else []
        done = subprocess.run(
            [sys.executable, *module, *arguments], cwd=tmp_path, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    assert links.broken(page) == []


@pytest.mark.parametrize(
    ("link", "good"),
    [
        ("[a](there.md)", True),
        ("[a](there.md#where-filestsv-comes-from)", True),
        ("[a](there.md#twice-1)", True),
        ("[a](#here)", True),
        ("[a](folder/)", True),
        ("[a](https://example.org/none.md#none)", True),
        ("`[a](none.md)`", True),
        ("[a]: there.md", True),
        ("[a](none.md)", False),
        ("[a](none.md 'title')", False),
        ("[a](there.md#none)", False),
        ("[a](there.md#twice-2)", False),
        ("[a](there.md#no-heading)", False),
        ("[a](#none)", False),
        ("[a]: none.md", False),
    ],
)
def test_a_link_that_leads_nowhere_is_found(link, good, tmp_path):
    there = "# A\n## Where `files.tsv` comes from\n## Twice\n## Twice\n```\n# no heading\n```\n"
    (tmp_path / "there.md").write_text(there)
    (tmp_path / "folder").mkdir()
    (tmp_path / "page.md").write_text(f"# Here\n\n{link}\n")
    assert (links.broken(tmp_path / "page.md") == []) == good


def test_every_page_is_read():
    """A folder of pages that the list above forgets."""
    told = subprocess.run(
        ["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if told.returncode:
        pytest.skip("no clone")
    kept = {ROOT / line for line in told.stdout.splitlines()}
    assert {path for path in kept if path.exists()} <= set(PAGES)


def test_every_data_set_has_one_page_and_the_index_names_it():
    """The page lies with the facts; the index links to it and names the data set's recipes."""
    index = ROOT / "docs/datasets/README.md"
    assert [path.name for path in index.parent.iterdir()] == ["README.md"]
    linked = re.findall(r"\]\(\.\./\.\./manifests/([^/)]+)/README\.md\)", index.read_text())
    assert sorted(linked) == sorted(path.name for path in (ROOT / "manifests").iterdir())
    named = set(re.findall(r"`([^`]+)`", "".join(
        line for line in index.read_text().splitlines() if line.startswith("| [")
    )))  # fmt: skip
    assert named == {path.stem for path in shipped.folder("recipes").glob("*.toml")}


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_in_pages_exist(page):
    """Names and options of every `isptools ...` line."""
    for language, _, text in blocks(page):
        if language not in {"console", "bash", "sh"}:
            continue
        for line in text.splitlines():
            words = line.split("#")[0].split()
            if words[:1] != ["isptools"]:
                continue
            command = main.get_command(None, words[1])
            assert command is not None, line
            known = {
                option for one in command.params for option in [*one.opts, *one.secondary_opts]
            }
            assert {word for word in words[2:] if word.startswith("--")} <= known, line
