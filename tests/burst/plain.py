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
WINDOW = np.outer(*[0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(16) + 0.5) / 16)] * 2)


def fuse(frames, offsets, gains, read):
    """(H, W) DN above black: frame 0 and, laid onto it, the others by their offsets in cells.

    `offsets` is a list of (down, across, 2); `read` is the variance of a pixel.
    """
    mosaics = [padded(frame) for frame in frames]
    out = mosaics[0].copy()
    for mosaic, offset in zip(mosaics[1:], offsets, strict=True):
        for _, _, places, d in tiles(mosaics[0], mosaic, offset, frames[0].capture.cfa, gains):
            for place, difference in zip(places, d, strict=True):
                out[place] += WINDOW * shrunk(difference, 2 * read) / len(mosaics)
    return inside(out, frames[0].pixels.shape)


def robust(frames, offsets, gains, read):
    """The weighted mean of `method="truth"` as `fuse` gives it, and the weights' sum, 1 for one."""
    mosaics = [padded(frame) for frame in frames]
    total, weight = np.zeros(mosaics[0].shape), np.ones(mosaics[0].shape)
    loose = tolerance(mosaics[0], read)
    white = frames[0].capture.white - np.array(frames[0].capture.black).max()
    for mosaic, offset in zip(mosaics[1:], offsets, strict=True):
        for y, x, places, d in tiles(mosaics[0], mosaic, offset, frames[0].capture.cfa, gains):
            power = np.mean([each**2 for each in d], 0) / (2 * read)
            for place, each in zip(places, d, strict=True):
                own = mosaics[0][place]
                power[np.maximum(own, own + each) >= 0.99 * white] = np.inf
            around = np.pad(power, 1, "edge")
            mean = sum(around[r : r + 16, c : c + 16] for r in range(3) for c in range(3)) / 9
            part = np.minimum(mean / loose[y : y + 16, x : x + 16], 1)
            kept = WINDOW * (1 - part**2) ** 2
            for place, each in zip(places, d, strict=True):
                total[place] += kept * each
                weight[place] += kept
    shape = frames[0].pixels.shape
    return inside(mosaics[0] + total / weight, shape), inside(weight, shape)


def tolerance(mosaic, read):
    """Per cell: 3, and more by half for each unit of detail over twice the noise; at most 6."""
    bend = np.array([[0, -1, 0], [-1, 4, -1], [0, -1, 0]])
    planes = [mosaic[y::2, x::2] for y, x in np.ndindex(2, 2)]
    power = [ndimage.convolve(plane, bend) ** 2 / (20 * read) for plane in planes]
    detail = ndimage.uniform_filter(np.mean(power, 0), 3)
    return 3 * (1 + 0.5 * np.clip((detail - 1) / 2, 0, 2))


def tiles(reference, mosaic, offset, cfa, gains):
    """Each tile's first cell, its places in the four planes, and the differences there."""
    colors = malvar(mosaic, cfa, gains)
    for i, j in np.ndindex(offset.shape[:2]):
        y, x = PAD - 8 + 8 * i, PAD - 8 + 8 * j
        places, found = [], []
        for p in range(4):
            top, left = 2 * y + p // 2, 2 * x + p % 2
            places.append((slice(top, top + 32, 2), slice(left, left + 32, 2)))
            there = sampled(colors["RGB".index(cfa[p])], top, left, 2 * offset[i, j])
            found.append(there - reference[places[-1]])
        yield y, x, places, found


def inside(picture, shape):
    return picture[2 * PAD : 2 * PAD + shape[0], 2 * PAD : 2 * PAD + shape[1]]


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
