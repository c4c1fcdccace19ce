"""
Four ways to demosaic
=====================

scikit-image's astronaut as a mosaic, and what LibRaw's four methods make of it, with the same
integers. Left to right: the picture, `linear`, `ppg`, `ahd`; all are the same 60 x 60 pixels.
"""

# %%
import matplotlib.pyplot as plt
import numpy as np
from skimage import data

from isptools.develop.chain import develop
from isptools.develop.steps import Balance, Demosaic, Levels
from isptools.frame import Capture, Frame, Space

picture = data.astronaut()[:400, :400]
mosaic = np.empty(picture.shape[:2], np.uint16)
for row in (0, 1):
    for column in (0, 1):
        mosaic[row::2, column::2] = picture[row::2, column::2, row + column].astype(np.uint16) * 16

facts = Capture("bayer", "RGGB", (0.0,) * 4, (0,) * 4, 4095, (1.0,) * 4, (1.0,) * 4)
frame = Frame(mosaic, Space.SENSOR, facts)

# %%
# The eye of the astronaut, where bilinear interpolation makes colored steps.
window = slice(100, 160), slice(180, 240)
figure, axes = plt.subplots(1, 4, figsize=(12, 3.3))
axes[0].imshow(picture[window])
axes[0].set_title("picture")
for place, method in zip(axes[1:], ("linear", "ppg", "ahd"), strict=True):
    walked = develop(frame, (Levels(), Balance(by="camera"), Demosaic(method=method)))
    seen = np.clip(np.asarray(walked.pixels, np.float64) / 65535 * 4095 / 16 / 255, 0, 1)
    error = np.abs(seen[window] - picture[window] / 255).mean()
    place.imshow(seen[window])
    place.set_title(f"{method}: mean error {error:.3f}")
for place in axes:
    place.set_axis_off()
figure.tight_layout()
