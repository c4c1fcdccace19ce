"""The data set on disk: one HDF5 file a shard, described in docs/shard-format.md."""

from isptools.shards.read import open  # noqa: A004 - `shards.open` is the name people look for

__all__ = ["open"]
