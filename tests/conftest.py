"""Where the real files lie that some tests use; they are not part of the repository."""

import os
from pathlib import Path

import pytest

SHARED = Path(
    os.environ.get("ISPTOOLS_DATA", Path(__file__).resolve().parents[2] / "shared" / "data")
)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    if not SHARED.is_dir():
        pytest.skip(f"no real raws: {SHARED} is not there (set ISPTOOLS_DATA)")
    return SHARED
