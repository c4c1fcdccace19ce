"""The versions in shards, also where a library came by another package."""

from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed

import cv2
import numpy as np
import PIL
import pytest

from isptools.build import stamps


def test_libraries_of_another_package_state_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    before = stamps.of_libraries()

    def version(name: str) -> str:
        if name in stamps.NAMES:
            raise PackageNotFoundError(name)
        return installed(name)

    monkeypatch.setattr(stamps, "version", version)
    after = stamps.of_libraries()
    assert after["opencv-contrib-python-headless"] == cv2.__version__
    assert after["pillow"] == PIL.__version__ == before["pillow"]
    assert after["numpy"] == np.__version__ == before["numpy"]
    assert after.keys() == before.keys()
