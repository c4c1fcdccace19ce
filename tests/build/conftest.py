"""A tiny data set for each test."""

from pathlib import Path

import pytest

from tests.build.tiny import Tiny, make


@pytest.fixture
def tiny(tmp_path: Path) -> Tiny:
    return make(tmp_path / "tiny")
