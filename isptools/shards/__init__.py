"""The data set on disk: one HDF5 file a shard, described in docs/shard-format.md."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from isptools.shards.read import Sample, Shards, open  # noqa: A004 - `shards.open` is the name

__all__ = ["Sample", "Shards", "open"]


def __getattr__(name: str) -> Any:
    """Loaded by who reads shards: HDF5 takes longer to load than a build with nothing to do."""
    if name in __all__:
        return getattr(import_module("isptools.shards.read"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
