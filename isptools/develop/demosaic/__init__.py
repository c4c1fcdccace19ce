"""One demosaicing method a module: a balanced mosaic to camera RGB, with LibRaw's integers."""
