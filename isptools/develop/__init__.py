"""The light path: from sensor values to a picture, with LibRaw's own integers."""
