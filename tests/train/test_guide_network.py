"""The pages on training are followed word by word, in a folder that is not the repository's."""

import contextlib
import subprocess
import sys

import pytest
from click.testing import CliRunner

pytest.importorskip("torch", reason="the extra `train` is not installed")
pytest.importorskip("lightning", reason="the extra `train` is not installed")

from isptools.cli import main
from isptools.datasets import miniature
from isptools.train import networks
from isptools.train.settings import Settings, Stage
from tests.test_docs import ROOT, blocks

GUIDE = ROOT / "docs/guides/add-a-network.md"
PAGE = ROOT / "docs/train.md"
OURS = ("isptools", "recipes", "manifests")


def alone(words, folder):
    """A command in a process of its own, as somebody types it in a folder."""
    module = ["-m", "isptools.cli"] if words[0] == "isptools" else []
    done = subprocess.run(
        [sys.executable, *module, *words[1:]], cwd=folder, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def here(words, folder):
    """The same in this process, which has torch already."""
    with contextlib.chdir(folder):
        done = CliRunner().invoke(main, words[1:])
    return done.exit_code, done.output


def follow(page, folder, run):
    """Named blocks become files, then every command is run as it stands; what each said."""
    said = {}
    commands = []
    for language, name, text in blocks(page):
        if name:
            (folder / name).write_text(text, encoding="utf-8")
        elif language == "console":
            commands += text.strip().splitlines()
    for command in commands:
        status, said[command] = run(command.split(), folder)
        assert status == 0, f"{command}: {said[command]}"
    return said


def state_of_the_repository():
    return {
        path: path.stat().st_mtime_ns
        for top in OURS
        for path in (ROOT / top).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


@pytest.mark.long  # a notebook of `make docs` trains a stranger's, in CI too
def test_a_stranger_adds_a_network(tmp_path):
    assert not tmp_path.is_relative_to(ROOT)
    before = state_of_the_repository()
    said = follow(GUIDE, tmp_path, alone)
    assert len(said) == 7
    assert said["python check.py"] == "all kept\n"
    assert "mine:network" in said["isptools models mine:network"]
    assert (tmp_path / "run/eval-test.csv").exists()
    assert (tmp_path / "developed.png").exists()
    assert state_of_the_repository() == before


@pytest.mark.long
def test_the_page_on_training_runs(tmp_path, monkeypatch):
    """As it stands, but for the number of steps."""
    monkeypatch.setattr(Stage, "length", lambda *_: 10)
    pytest.importorskip("onnxscript", reason="the extra `onnx` is not installed")
    (tmp_path / "photos").mkdir()
    miniature("sid", tmp_path / "raws")[0].rename(tmp_path / "photos/IMG_0001.ARW")
    said = follow(PAGE, tmp_path, here)
    assert len(said) == 7
    assert (tmp_path / "x.png").exists()


def test_settings_that_pages_show_are_settings(tmp_path):
    shown = [text for page in (PAGE, GUIDE) for kind, _, text in blocks(page) if kind == "toml"]
    assert len(shown) == 2
    for text in shown:
        path = tmp_path / "x.toml"
        path.write_text(text, encoding="utf-8")
        settings = Settings.load(path)
        if ":" not in settings.network["name"]:
            networks.built(settings.network)
    every = Settings.__struct_fields__
    assert all(f"`{word}`" in PAGE.read_text(encoding="utf-8") for word in every)
