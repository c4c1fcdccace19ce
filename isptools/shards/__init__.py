"""The data set on disk: one HDF5 file a shard, described in docs/shard-format.md."""

from isptools.shards.read import Sample, Shards, open  # noqa: A004 - `shards.open` is the name

__all__ = ["Sample", "Shards", "open"]
