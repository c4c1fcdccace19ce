"""One page that shows what a folder of shards holds and how good it is."""
