"""
The miniatures
==============

Each data set has a miniature, drawn by code in the folders and formats of the real one, so that
everything can be tried before anything is downloaded. Some of their raw files, as LibRaw's
integers show them.
"""

# %%
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from isptools import datasets, raw

folder = Path(tempfile.mkdtemp())
figure, axes = plt.subplots(1, 3, figsize=(12, 3.4))
for place, name in zip(axes, ("sid", "s7-isp", "fivek"), strict=True):
    files = [path for path in datasets.miniature(name, folder / name)
             if path.suffix.lower() in {".arw", ".dng"}]  # fmt: skip
    frame = raw.read(max(files, key=lambda path: path.stat().st_size))
    black = np.mean(frame.capture.black)
    light = (frame.pixels[0::2, 1::2] - black) / (frame.capture.white - black)
    place.imshow(np.sqrt(np.clip(light / np.quantile(light, 0.99), 0, 1)), cmap="gray")
    place.set_title(f"{name}: {frame.capture.cfa}, {frame.pixels.shape}")
    place.set_axis_off()
figure.tight_layout()
