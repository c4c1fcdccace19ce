"""A folder of one's own captures: what it is, and the manifest and the recipe that build it."""
