"""What the documentation shows is run."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from isptools.cli import main
from isptools.datasets import miniature

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
RUN_ELSEWHERE = {"shard-format.md", "first-build.md"}  # tests/shards/test_document.py
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
    ("page", "number"), [("add-a-data-set.md", 3), ("own-captures.md", 5)]
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
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name}: {target}"


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
