"""The miniature of SID as shards, made once."""

import shutil
from pathlib import Path

import pytest

from isptools.datasets import miniature
from tests.recipes import changed, made


def _built(name: str, folder: Path) -> Path:
    miniature(name, folder / "raw")
    recipe = changed(name, sample=True, scenes_per_shard=2)
    made(recipe, folder / "raw", folder / "shards", small=True)
    return folder / "shards"


@pytest.fixture(scope="session")
def sony(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five Bayer scenes in four shards; not to be written on."""
    return _built("sid", tmp_path_factory.mktemp("sid"))


@pytest.fixture(scope="session")
def fuji(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five X-Trans scenes; not to be written on."""
    return _built("sid-fuji", tmp_path_factory.mktemp("fuji"))


@pytest.fixture
def copy(sony: Path, tmp_path: Path) -> Path:
    """A copy of the Bayer shards, to be spoiled."""
    return Path(shutil.copytree(sony, tmp_path / "copy"))
