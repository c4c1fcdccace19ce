"""What a network takes of a mosaic, or of a finished picture: an `Intake` a kind.

And the arithmetic from digital numbers.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the usual name

from isptools.train.single import single

Batch = dict[str, Tensor]
PERIODS = {"bayer": 2, "xtrans": 6, "rgb": 1}  # a side, of the color filters
# X-Trans packing of Chen et al. 2018: per 6x6 cell four pixels a plane for planes 0 to 3 (mixed
# rows are as its authors have them), then G at fixed places of each 3x3
XTRANS_QUADS = (
    ((0, 0), (0, 4), (3, 1), (3, 3)), ((0, 2), (0, 5), (3, 2), (3, 5)),
    ((0, 1), (0, 3), (3, 0), (3, 4)), ((1, 2), (2, 5), (5, 2), (4, 5)),
    ((2, 2), (1, 5), (4, 2), (5, 5)),
)  # fmt: skip
XTRANS_GREENS = ((1, 0), (1, 1), (2, 0), (2, 1))


def named(kind: str) -> str:
    """What a shard or a file of this kind holds, for people."""
    return "finished pictures (RGB)" if kind == "rgb" else f"{kind} mosaics"


@dataclass(frozen=True, slots=True)
class Intake:
    """How a mosaic enters a network, and which shards can teach one that takes it."""

    kind: str  # of the mosaic: "bayer" or "xtrans"; "rgb" for finished pictures
    channels: int
    side: int  # pixels of the mosaic per pixel of the input, a side
    # (N, 1, H, W) from 0 to 1 ((N, 3, H, W) of finished pictures), and facts -> channels
    planes: Callable[[Tensor, Batch], Tensor]
    stations: Mapping[str, frozenset[str]]  # where its truths may stand
    noise: bool = False  # the noise level as one more plane (CameraNet v2, eq. 2)
    clip: bool = True  # at 1 behind the gain

    @property
    def inputs(self) -> int:
        """Channels, the noise level's among them."""
        return self.channels + self.noise

    @property
    def positions(self) -> int:
        """Of the color filters, or channels of a finished picture."""
        return 3 if self.kind == "rgb" else self.period**2

    @property
    def period(self) -> int:
        """Rows after which the mosaics it takes repeat."""
        return PERIODS[self.kind]

    def prepared(self, batch: Batch) -> Tensor:
        """The network's input (N, C, h, w), on the batch's device: normalized, gained, packed or
        demosaicked."""
        with single(batch["raw"]):
            x = self.planes(_normalized(batch, self.clip), batch)
            if not self.noise:
                return x
            return torch.cat([x, self._noise_plane(batch, x)], 1)

    def _noise_plane(self, batch: Batch, x: Tensor) -> Tensor:
        """Shot plus squared read noise (CameraNet v2, under eq. 2), after the exposure gain.

        Shards hold variance = shot * x + read, so `read` is the square already. Gains that undo
        shading raise noise as the exposure's do.
        """
        shot, read = (batch[name].mean(1).view(-1, 1, 1, 1) for name in ("shot", "read"))
        gain = batch["gain"].view(-1, 1, 1, 1)
        if "shading" in batch:
            gain = gain * F.avg_pool2d(batch["shading"][:, None], self.side)
        return (gain * shot + gain**2 * read).expand(-1, 1, *x.shape[2:])


def _normalized(batch: Batch, clip: bool) -> Tensor:
    """(N, 1, H, W), black 0 and white 1 before the gain; (N, 3, H, W) of finished pictures.

    Behind the gain `clip` cuts it at 1, where the longer exposure of the truth was saturated (as
    Chen et al. 2018 do); below 0 nothing is cut.
    """
    raw = batch["raw"].to(torch.float32)
    if raw.ndim == 4:  # a level a channel, and no exposure to be made up for
        black = batch["black"][:, :, None, None]
        return (raw - black) / (batch["white"].view(-1, 1, 1, 1) - black)
    every = int(batch["black"].shape[1] ** 0.5)
    black = batch["black"].view(-1, every, every)
    black = black.repeat(1, *(-(-side // every) for side in raw.shape[1:]))
    black = black[:, : raw.shape[1], : raw.shape[2]]
    gain = batch["gain"].view(-1, 1, 1)
    if "shading" in batch:
        gain = gain * batch["shading"]
    x = (raw - black) / (batch["white"].view(-1, 1, 1) - black) * gain
    return (x.clamp(max=1) if clip else x)[:, None]


def bilinear(x: Tensor) -> Tensor:
    """(N, 1, H, W) RGGB mosaic to (N, 3, H, W): means of the nearest samples of each color."""
    masks = x.new_zeros(3, *x.shape[2:])
    masks[0, ::2, ::2] = masks[1, ::2, 1::2] = masks[1, 1::2, ::2] = masks[2, 1::2, 1::2] = 1
    sums = by_shifts if x.is_cuda else by_convolution
    return sums(x * masks) / sums(masks[None])


CROSS = ((0, 1, 0), (1, 4, 1), (0, 1, 0))
SQUARE = ((1, 2, 1), (2, 4, 2), (1, 2, 1))


def by_convolution(x: Tensor) -> Tensor:
    """(N, 3, H, W): sums over the 3 x 3 pixels around each, weighted for R, G and B."""
    kernel = torch.stack([x.new_tensor(one) for one in (SQUARE, CROSS, SQUARE)])[:, None]
    return F.conv2d(x, kernel, padding=1, groups=3)


def by_shifts(x: Tensor) -> Tensor:
    """The same, (N, 3, H, W), without a tensor of weights, which would be sent to a GPU at every
    call."""
    height, width = x.shape[2:]
    padded = F.pad(x, (1, 1, 1, 1))

    def total(channel: int, weights: tuple[tuple[int, ...], ...]) -> Tensor:
        parts = [
            weight * padded[:, channel, row : row + height, column : column + width]
            for row, line in enumerate(weights)
            for column, weight in enumerate(line)
            if weight
        ]
        return sum(parts[1:], parts[0])

    return torch.stack([total(c, one) for c, one in enumerate((SQUARE, CROSS, SQUARE))], 1)


def nine_planes(x: Tensor) -> Tensor:
    """(N, 1, H, W) X-Trans mosaic, sides multiples of 6, to (N, 9, H / 3, W / 3)."""
    out = x.new_empty(x.shape[0], 9, x.shape[2] // 3, x.shape[3] // 3)
    for plane, quad in enumerate(XTRANS_QUADS):
        for k, (row, column) in enumerate(quad):
            out[:, plane, k // 2 :: 2, k % 2 :: 2] = x[:, 0, row::6, column::6]
    for plane, (row, column) in enumerate(XTRANS_GREENS, 5):
        out[:, plane] = x[:, 0, row::3, column::3]
    return out


def _xyz(x: Tensor, batch: Batch) -> Tensor:
    matrix, rgb = batch["xyz_from_camera"], bilinear(x)
    if rgb.is_cuda:
        return by_matrices(matrix, rgb)
    return torch.einsum("nck,nkhw->nchw", matrix, rgb)


def by_matrices(matrices: Tensor, x: Tensor) -> Tensor:
    """(N, 3, H, W) by a (3, 3) matrix each, in the type of both whatever products are cast to."""
    return (matrices[:, :, :, None, None] * x[:, None]).sum(2)


XYZ_SRGB = {"restoration": frozenset({"xyz"}), "enhancement": frozenset({"srgb"})}
# a network on bilinear camera RGB has no Enhance-Net behind it that would take its output for XYZ
ANY_LINEAR = XYZ_SRGB | {"restoration": frozenset({"xyz", "camera"})}
MOSAIC = Intake("bayer", 1, 1, lambda x, _: x, XYZ_SRGB)
PACKED = Intake("bayer", 4, 2, lambda x, _: F.pixel_unshuffle(x, 2), XYZ_SRGB)
XTRANS = Intake("xtrans", 9, 3, lambda x, _: nine_planes(x), XYZ_SRGB)
BILINEAR = Intake("bayer", 3, 1, lambda x, _: bilinear(x), ANY_LINEAR)
XYZ = Intake("bayer", 3, 1, _xyz, XYZ_SRGB)
RGB = Intake("rgb", 3, 1, lambda x, _: x, XYZ_SRGB)
