"""The page on a loop of one's own, as it stands; then the network has learned, and is scored."""

import pytest

pytest.importorskip("torch", reason="the extra `train` is not installed")
pytest.importorskip("lightning", reason="the extra `train` is not installed")

from tests.test_docs import ROOT, blocks
from tests.train.test_guide_network import here

GUIDE = ROOT / "docs/guides/own-training-loop.md"


def test_a_loop_of_ones_own(shards_folder, tmp_path, monkeypatch, capsys):
    (tmp_path / "demo").symlink_to(shards_folder, target_is_directory=True)
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "example"}
    for language, _, text in blocks(GUIDE):
        if language == "python":
            exec(compile(text, str(GUIDE), "exec"), names)
            if "loss" in names:
                names.setdefault("first", names["loss"].item())
    assert capsys.readouterr().err == ""
    (command,) = [text for language, _, text in blocks(GUIDE) if language == "console"]
    code, said = here([*command.split(), "--no-baselines"], tmp_path)
    assert code == 0, said
    assert any(line.startswith("predictions ") for line in said.splitlines())
