"""The merge written down once more: float64, numpy's FFT, scipy's convolution, loops over tiles."""

import numpy as np
from scipy import ndimage

PAD = 24  # cells
GREEN = np.array([[0, 0, -1, 0, 0], [0, 0, 2, 0, 0], [-1, 2, 4, 2, -1], [0, 0, 2, 0, 0],
                  [0, 0, -1, 0, 0]]) / 8  # fmt: skip
ROW = np.array([[0, 0, 0.5, 0, 0], [0, -1, 0, -1, 0], [-1, 4, 5, 4, -1], [0, -1, 0, -1, 0],
                [0, 0, 0.5, 0, 0]]) / 8  # fmt: skip
OTHER = np.array([[0, 0, -1.5, 0, 0], [0, 2, 0, 2, 0], [-1.5, 0, 6, 0, -1.5], [0, 2, 0, 2, 0],
                  [0, 0, -1.5, 0, 0]]) / 8  # fmt: skip


def fuse(frames, offsets, gains, read):
    """(H, W) DN above black: frame 0 and, laid onto it, the others by their offsets in cells.

    `offsets` is a list of (down, across, 2); `read` is the variance of a pixel.
    """
    mosaics = [padded(frame) for frame in frames]
    cfa = frames[0].capture.cfa
    out = mosaics[0].copy()
    window = np.outer(*[0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(16) + 0.5) / 16)] * 2)
    for mosaic, offset in zip(mosaics[1:], offsets, strict=True):
        colors = malvar(mosaic, cfa, gains)
        for i, j in np.ndindex(offset.shape[:2]):
            for p in range(4):
                y, x = 2 * (PAD - 8 + 8 * i) + p // 2, 2 * (PAD - 8 + 8 * j) + p % 2
                own = mosaics[0][y : y + 32 : 2, x : x + 32 : 2]
                there = sampled(colors["RGB".index(cfa[p])], y, x, 2 * offset[i, j])
                variance = 2 * read
                kept = shrunk(there - own, variance)
                out[y : y + 32 : 2, x : x + 32 : 2] += window * kept / len(mosaics)
    height, width = frames[0].pixels.shape
    return out[2 * PAD : 2 * PAD + height, 2 * PAD : 2 * PAD + width]


def padded(frame):
    """The mosaic without black, its cells repeated at the border."""
    height, width = frame.pixels.shape
    tiles = [-(-(side // 2) // 8) + 1 for side in (height, width)]
    level = np.array(frame.capture.black).reshape(2, 2)
    light = frame.pixels - np.tile(level, (height // 2, width // 2))
    out = np.zeros([2 * (tile * 8 + 2 * PAD) for tile in tiles])
    for y, x in np.ndindex(2, 2):
        plane = light[y::2, x::2]
        after = [o // 2 - PAD - side for o, side in zip(out.shape, plane.shape, strict=True)]
        out[y::2, x::2] = np.pad(plane, [(PAD, after[0]), (PAD, after[1])], "edge")
    return out


def malvar(mosaic, cfa, gains):
    """Malvar, He, Cutler 2004, on the balanced mosaic, balance undone: (3, H, W)."""
    gain = np.array([gains["RGB".index(letter)] for letter in cfa]).reshape(2, 2)
    mosaic = mosaic * np.tile(gain, [side // 2 for side in mosaic.shape])
    letter = np.tile(np.array(list(cfa)).reshape(2, 2), [side // 2 for side in mosaic.shape])
    green, row, column, other = (
        ndimage.convolve(mosaic, kernel, mode="nearest") for kernel in (GREEN, ROW, ROW.T, OTHER)
    )
    beside = np.roll(letter, 1, axis=1)
    out = np.empty((3, *mosaic.shape))
    out[1] = np.where(letter == "G", mosaic, green)
    for k, color in ((0, "R"), (2, "B")):
        at_green = np.where(beside == color, row, column)
        out[k] = np.where(letter == color, mosaic, np.where(letter == "G", at_green, other))
    return out / np.array(gains[:3])[:, None, None]


def sampled(color, y, x, offset):
    """16 x 16 samples two pixels apart from (y, x) + offset on, by a windowed sinc of 6 taps."""
    out = color
    for axis, start in ((0, y), (1, x)):
        place = start + offset[axis]
        whole = int(np.floor(place))
        taps = np.arange(-2, 4)
        far = taps - (place - whole)
        weight = np.sinc(far) * np.i0(2 * np.sqrt(np.maximum(1 - (far / 3) ** 2, 0)))
        weight /= weight.sum()
        index = whole + 2 * np.arange(16)[:, None] + taps
        out = (np.take(out, index, axis) * (weight if axis else weight[:, None])).sum(axis + 1)
    return out


def shrunk(difference, variance):
    """Hasinoff's shrinkage with both sides squared, power pooled over +- frequencies."""
    spectrum = np.fft.fft2(difference, norm="ortho")
    partner = (8 - np.arange(16)) * (np.arange(16) % 8 == 0) + (-np.arange(16)) * (
        np.arange(16) % 8 != 0
    )
    power = np.abs(spectrum) ** 2
    power = power + power[partner % 16]
    power = (power + power[:, partner % 16]) / (4 * variance)
    part = np.clip((power.mean() - 1.15) / (2.5 - 1.15), 0, 1)
    c = 8 + (3 - 8) * part
    return np.fft.ifft2(spectrum * c**2 / (power**2 + c**2), norm="ortho").real
