"""The merge written down once more: float64, numpy's FFT, scipy's convolution, loops over tiles."""

import functools

import numpy as np
from scipy import interpolate, linalg, ndimage

PAD = 24  # cells
WINDOW = np.outer(*[0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(16) + 0.5) / 16)] * 2)


def fuse(frames, offsets, gains, read):
    """(H, W) DN above black: frame 0 and, laid onto it, the others by their offsets in cells.

    And the share of tiles that were looked at again. `offsets` is a list of (down, across, 2);
    `read` is the variance of a pixel.
    """
    burst = Burst(frames, offsets, gains, read)
    total, share = np.zeros(burst.mosaics[0].shape), np.zeros(burst.mosaics[0].shape)
    for k in range(1, len(frames)):
        for tile, d in burst.differences(k):
            kept = [factor(each, 2 * read) for each in d]
            for place, each, by in zip(burst.places(*tile), d, kept, strict=True):
                total[place] += WINDOW * times(each, by)
                share[place] += WINDOW * np.mean(kept)

    def lay(k, active, merged):
        out = np.zeros(total.shape)
        for tile, d in burst.residuals(k, active, merged):
            for place, each in zip(burst.places(*tile), d, strict=True):
                out[place] += WINDOW * times(each, factor(each, read * (1 + 1 / len(frames))))
        return out, 0

    out = burst.mosaics[0] + total / len(frames)
    return burst.inside(burst.looked_again(out, lay, share)), burst.fine


def robust(frames, offsets, gains, read):
    """The weighted mean of `method="truth"` as `fuse` gives it, and the weights' sum, 1 for one."""
    burst = Burst(frames, offsets, gains, read)
    total, share = np.zeros(burst.mosaics[0].shape), np.zeros(burst.mosaics[0].shape)
    loose = tolerance(burst.mosaics[0], read)
    for k in range(1, len(frames)):
        for tile, d in burst.differences(k):
            kept = WINDOW * biweight(burst, burst.mosaics[0], tile, d, loose, 2 * read)
            for place, each in zip(burst.places(*tile), d, strict=True):
                total[place] += kept * each
                share[place] += kept

    def lay(k, active, merged):
        out, more = np.zeros(total.shape), np.zeros(total.shape)
        for tile, d in burst.residuals(k, active, merged):
            variance = read * (1 + 1 / len(frames))
            kept = WINDOW * biweight(burst, merged, tile, d, loose, variance)
            for place, each in zip(burst.places(*tile), d, strict=True):
                out[place] += kept * each
                more[place] += kept
        return out, more

    out = burst.mosaics[0] + total / (1 + share)
    return burst.inside(burst.looked_again(out, lay, share)), burst.inside(1 + share)


def biweight(burst, under, tile, d, loose, variance):
    y, x = tile
    power = np.mean([each**2 for each in d], 0) / variance
    for place, each in zip(burst.places(y, x), d, strict=True):
        power[np.maximum(under[place], under[place] + each) >= 0.99 * burst.white] = np.inf
    around = np.pad(power, 1, "edge")
    mean = sum(around[r : r + 16, c : c + 16] for r in range(3) for c in range(3)) / 9
    kept = (1 - np.minimum(mean / loose[y : y + 16, x : x + 16], 1) ** 2) ** 2
    shift = [(kept * each).sum() ** 2 / ((kept**2).sum() * variance + 1e-9) for each in d]
    return kept / (1 + (np.mean(shift) / 8) ** 2)


class Burst:
    """Padded mosaics of DN above black and how the others lie on the first."""

    def __init__(self, frames, offsets, gains, read):
        self.mosaics = [padded(frame) for frame in frames]
        self.offsets, self.gains, self.read = [None, *offsets], gains, read
        self.cfa, self.shape = frames[0].capture.cfa, frames[0].pixels.shape
        self.white = frames[0].capture.white - np.array(frames[0].capture.black).max()

    def places(self, y, x):
        """A tile's pixels of the four planes."""
        corners = [(2 * y + p // 2, 2 * x + p % 2) for p in range(4)]
        return [(slice(a, a + 32, 2), slice(b, b + 32, 2)) for a, b in corners]

    def tiles(self, colors, offset):
        """Each tile's number, first cell, and what lies there by its offset, plane by plane."""
        for i, j in np.ndindex(offset.shape[:2]):
            y, x = PAD - 8 + 8 * i, PAD - 8 + 8 * j
            corners = [(2 * y + p // 2, 2 * x + p % 2) for p in range(4)]
            there = [
                sampled(colors["RGB".index(letter)], *corner, 2 * offset[i, j])
                for letter, corner in zip(self.cfa, corners, strict=True)
            ]
            yield (i, j), (y, x), there

    def differences(self, k):
        for _, tile, there in self.tiles(self.colors(self.mosaics[k]), self.offsets[k]):
            own = [self.mosaics[0][place] for place in self.places(*tile)]
            yield tile, [a - b for a, b in zip(there, own, strict=True)]

    def residuals(self, k, active, merged):
        """What `merged` leaves unexplained of a frame, laid onto the tiles that count."""
        explained = np.zeros(merged.shape)
        back = inverse(self.offsets[k])
        for _, tile, there in self.tiles(self.colors(merged), back):
            for place, each in zip(self.places(*tile), there, strict=True):
                explained[place] += WINDOW * each
        rest = self.bordered(self.mosaics[k] - explained)
        for number, tile, there in self.tiles(self.colors(rest), self.offsets[k]):
            if active[number]:
                yield tile, there

    def looked_again(self, out, lay, share):
        """What is more than noise, by frequency, of what the picture does not explain."""
        merged, count = self.bordered(out), len(self.mosaics)
        active = detailed(merged, self.read / count, self.offsets[1].shape[:2])
        self.fine = active.mean()
        laid, more = map(sum, zip(*(lay(k, active, merged) for k in range(1, count)), strict=True))
        weight = 1 + more if np.any(more) else count
        missing = self.bordered((self.mosaics[0] - merged + laid) / weight)
        result, worth = out.copy(), self.bordered(1 + share)
        for i, j in np.argwhere(active):
            places = self.places(PAD - 8 + 8 * i, PAD - 8 + 8 * j)
            variance = self.read / worth[places[0]].mean()
            power = np.mean([powers(missing[place]) for place in places], 0) / variance
            for place in places:
                kept = 1 - 0.4 / np.maximum(power, 0.4)
                result[place] += WINDOW * times(missing[place], kept)
        return result

    def inside(self, picture):
        return picture[2 * PAD : 2 * PAD + self.shape[0], 2 * PAD : 2 * PAD + self.shape[1]]

    def bordered(self, picture):
        """The cells inside, repeated at the border."""
        return repeated(self.inside(picture), picture.shape)

    def colors(self, mosaic):
        return colors(mosaic, self.cfa, self.gains)


def inverse(offset):
    """The offsets as seen from the frame's tiles: at p those of the tile that lies at p."""
    y, x = np.mgrid[: offset.shape[0], : offset.shape[1]].astype(float)
    axes = np.arange(offset.shape[0]), np.arange(offset.shape[1])
    field = interpolate.RegularGridInterpolator(axes, offset.astype(float))
    found = offset.astype(float)
    for _ in range(2):
        down = np.clip(y - found[..., 0] / 8, 0, y.max())
        right = np.clip(x - found[..., 1] / 8, 0, x.max())
        found = field(np.stack([down, right], -1))
    return np.rint(-found * 64) / 64  # to 1/32 pixel, as offsets are found


def detailed(merged, noise, shape):
    """Tiles whose second differences in each plane are far above the noise."""
    bend = np.array([[0, -1, 0], [-1, 4, -1], [0, -1, 0]])
    planes = [merged[y::2, x::2] for y, x in np.ndindex(2, 2)]
    power = np.mean([ndimage.convolve(plane, bend) ** 2 / (20 * noise) for plane in planes], 0)
    out = np.zeros(shape, bool)
    for i, j in np.ndindex(shape):
        y, x = PAD - 8 + 8 * i, PAD - 8 + 8 * j
        out[i, j] = power[y : y + 16, x : x + 16].mean() > 17
    return out


def tolerance(mosaic, read):
    """Per cell: 3, and more by half for each unit of detail over twice the noise; at most 6."""
    bend = np.array([[0, -1, 0], [-1, 4, -1], [0, -1, 0]])
    planes = [mosaic[y::2, x::2] for y, x in np.ndindex(2, 2)]
    power = [ndimage.convolve(plane, bend) ** 2 / (20 * read) for plane in planes]
    detail = ndimage.uniform_filter(np.mean(power, 0), 3)
    return 3 * (1 + 0.5 * np.clip((detail - 1) / 2, 0, 2))


def padded(frame):
    """The mosaic without black, its cells repeated at the border."""
    height, width = frame.pixels.shape
    tiles = [-(-(side // 2) // 8) + 1 for side in (height, width)]
    level = np.array(frame.capture.black).reshape(2, 2)
    light = frame.pixels - np.tile(level, (height // 2, width // 2))
    return repeated(light, [2 * (tile * 8 + 2 * PAD) for tile in tiles])


def repeated(picture, shape):
    """A picture within a border of its own cells."""
    out = np.zeros(shape)
    for y, x in np.ndindex(2, 2):
        plane = picture[y::2, x::2]
        after = [o // 2 - PAD - side for o, side in zip(shape, plane.shape, strict=True)]
        out[y::2, x::2] = np.pad(plane, [(PAD, after[0]), (PAD, after[1])], "edge")
    return out


def colors(mosaic, cfa, gains):
    """(3, H, W) by the linear weights of least error, on the balanced mosaic, balance undone."""
    gain = np.array([gains["RGB".index(letter)] for letter in cfa]).reshape(2, 2)
    mosaic = mosaic * np.tile(gain, [side // 2 for side in mosaic.shape])
    out = np.empty((3, *mosaic.shape))
    for k, wanted in enumerate("RGB"):
        for y, x in np.ndindex(2, 2):
            weights = np.ones((1, 1)) if cfa[2 * y + x] == wanted else kernel(cfa, y, x, wanted)
            found = ndimage.correlate(mosaic, weights, mode="nearest")
            out[k, y::2, x::2] = found[y::2, x::2] / gain.ravel()[cfa.index(wanted)]
    return out


@functools.cache
def light():
    """Covariance of two pixels by distance: the cosines of a spectrum f^-2.5 behind a lens."""
    f = np.arange(-64, 64) / 128
    square = f[:, None] ** 2 + f**2
    power = (1e-4 + square) ** -1.25 * np.exp(-((1.2 * np.pi) ** 2) * square)
    waves = np.cos(2 * np.pi * np.outer(np.arange(-8, 9), f))
    found = waves @ power @ waves.T  # sines cancel, as the spectrum is even
    return found / found[8, 8]


@functools.cache
def kernel(cfa, y, x, wanted):
    """Weights of the 9 x 9 pixels around for a color, from the normal equations on a basis.

    The sums over each color are fixed: one solution of that, and what may be added to it.
    """
    places = [(v, u) for v in range(-4, 5) for u in range(-4, 5)]
    letter = [cfa[(y + v) % 2 * 2 + (x + u) % 2] for v, u in places]
    known = np.array([
        [light()[8 + v - r, 8 + u - s] * (1 + 0.03 * (a == b)) for (r, s), b in
         zip(places, letter, strict=True)] for (v, u), a in zip(places, letter, strict=True)
    ]) + 3e-3 * np.eye(81)  # fmt: skip
    sought = [light()[8 + v, 8 + u] * (1 + 0.03 * (a == wanted))
              for (v, u), a in zip(places, letter, strict=True)]  # fmt: skip
    sums = np.array([[a == each for a in letter] for each in "RGB"], float)
    start = np.linalg.lstsq(sums, [float(each == wanted) for each in "RGB"], rcond=None)[0]
    free = linalg.null_space(sums)
    found = np.linalg.solve(free.T @ known @ free, free.T @ (sought - known @ start))
    return (start + free @ found).reshape(9, 9)


@functools.cache
def between(far):
    """Weights of six samples for the value `far` (in [0, 1)) behind the third."""
    f = (np.arange(4001)) / 1000
    power = (1e-4 + f**2) ** -0.75 * np.exp(-((1.2 * np.pi * f) ** 2))
    places = np.arange(-2, 4)

    def covariance(d):
        return (np.cos(2 * np.pi * f * d) * power).sum() / power.sum()

    known = np.array([[covariance(a - b) for a in places] for b in places])
    sought = np.array([covariance(a - far) for a in places])
    start, free = np.full(6, 1 / 6), linalg.null_space(np.ones((1, 6)))
    return start + free @ np.linalg.solve(free.T @ known @ free, free.T @ (sought - known @ start))


def sampled(color, y, x, offset):
    """16 x 16 samples two pixels apart from (y, x) + offset on, from six pixels each way."""
    out = color
    for axis, start in ((0, y), (1, x)):
        place = start + offset[axis]
        whole = int(np.floor(place))
        taps, weight = np.arange(-2, 4), between(float(place - whole))
        index = whole + 2 * np.arange(16)[:, None] + taps
        out = (np.take(out, index, axis) * (weight if axis else weight[:, None])).sum(axis + 1)
    return out


PARTNER = -np.arange(16) % 16
PARTNER[[0, 8]] = 8, 0  # the transform has no sine there: the mean goes with the alternating term


def powers(tile):
    """Power by frequency, the mean over both signs of both."""
    power = np.abs(np.fft.fft2(tile, norm="ortho")) ** 2
    power = (power + power[PARTNER]) / 2
    return (power + power[:, PARTNER]) / 2


def factor(difference, variance):
    """Hasinoff's shrinkage with both sides squared."""
    power = powers(difference) / variance
    part = np.clip((power.mean() - 1.15) / (2.5 - 1.15), 0, 1)
    c = 8 + (3 - 8) * part
    return c**2 / (power**2 + c**2)


def times(tile, by):
    return np.fft.ifft2(np.fft.fft2(tile, norm="ortho") * by, norm="ortho").real
