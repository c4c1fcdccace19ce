"""Raw photographs in, verified training shards out."""
