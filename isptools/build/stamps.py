"""The versions that are stamped into every shard."""

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version

from isptools import raw
from isptools.shards import write
from isptools.shipped import DISTRIBUTION

NAMES = ("numba", "numpy", "opencv-contrib-python-headless", "pillow", "rawpy")
MODULES = {"opencv-contrib-python-headless": "cv2", "pillow": "PIL"}  # that are called otherwise


def of_libraries() -> dict[str, str]:
    """What is installed here and may change bytes."""
    own = {"isptools": version(DISTRIBUTION), **{name: stated(name) for name in NAMES}}
    return {**own, "libraw": raw.libraw_version(), **write.versions()}


def stated(name: str) -> str:
    """A library's version by its package; where another one brought it (conda's, a system's), by
    itself."""
    try:
        return version(name)
    except PackageNotFoundError:
        return str(import_module(MODULES.get(name, name)).__version__)
