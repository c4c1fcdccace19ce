"""The versions that are stamped into every shard."""

from importlib.metadata import version

from isptools import raw
from isptools.shards import write
from isptools.shipped import DISTRIBUTION

NAMES = ("numba", "numpy", "opencv-contrib-python-headless", "pillow", "rawpy")


def of_libraries() -> dict[str, str]:
    """What is installed here and may change bytes."""
    own = {"isptools": version(DISTRIBUTION), **{name: version(name) for name in NAMES}}
    return {**own, "libraw": raw.libraw_version(), **write.versions()}
