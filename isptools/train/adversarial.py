"""The objective of DPED (Ignatov et al. 2017): four losses, one of them a discriminator's.

Paper and code agree in what is compared and differ in how it is summed, so that their weights can't
be exchanged: `form` takes whole sets. In both the discriminator sees gray pictures and takes turns
with the network on the same cuts. Every loss is a mean over the pictures of a batch.
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F  # noqa: N812 - the usual name

from isptools.train.discriminator import Discriminator
from isptools.train.objectives import Enhanced, Pair, Turn, gaussian
from isptools.train.perceptual import Perceptual

LAYERS = {"relu5_2": 31, "relu5_4": 35}  # torchvision's numbers
SIGMA = 3.0  # pixels, of the paper's Gaussian; its height makes the kernel's sum
HEIGHT = 0.053
CODE_SIGMA = 3.0 * 2**0.5  # the code takes the root of a Gaussian, and normalizes it
CODE_BATCH = 50  # the code sums texture over its batch
GRAY = (0.2989, 0.587, 0.114)


class Enhancement(nn.Module):
    """Color, texture, content and variation at work, for cuts of `patch` pixels a side.

    `right` counts what the discriminator judged, of how many, since `judged` was last asked for.
    """

    right: Tensor

    def __init__(self, chosen: Enhanced, patch: int) -> None:
        super().__init__()
        self.chosen = chosen
        both = chosen.form == "paper"  # it compares two pictures; the code's judges one
        self.learned: nn.Module = nn.Identity()
        if chosen.texture:
            self.learned = Discriminator(patch, 2 if both else 1)
        self.vgg = Perceptual(Path(chosen.vgg), (LAYERS[chosen.layer],)) if chosen.content else None
        self.register_buffer("right", torch.zeros(2, dtype=torch.int64), persistent=False)

    def turns(self, trained: Sequence[nn.Parameter]) -> tuple[Turn, ...]:
        """The network's, then the discriminator's."""
        own = Turn(trained, self.forward)
        if not self.chosen.texture:
            return (own,)
        judges = list(self.learned.parameters())
        return own, Turn(judges, self.judge, still=True, times=self.chosen.judge)

    def forward(self, pairs: dict[str, Pair]) -> Tensor:
        """The weighted sum of the losses of pictures (N, 3, H, W) in [0, 1], a number."""
        pair, weights = pairs["enhancement"], self.chosen
        terms = (
            (weights.color, self.color), (weights.texture, self.texture),
            (weights.content, self.content), (weights.mse, self.squares),
            (weights.variation, lambda x, _: variation(x, weights.form)),
        )  # fmt: skip
        losses = [weight * loss(pair.picture, pair.truth) for weight, loss in terms if weight]
        return torch.stack(losses).sum() / pair.trusted

    def color(self, picture: Tensor, truth: Tensor) -> Tensor:
        """Squares behind a 21 x 21 Gaussian (eqs. 2 to 4), 0 beyond the edges."""
        blurred = [blur(x, self.chosen.form) for x in (picture, truth)]
        return self.squares(*blurred)

    def squares(self, picture: Tensor, truth: Tensor) -> Tensor:
        """Sum over a picture (3, H, W), the mean over pictures; the code has half of it."""
        total = ((picture - truth) ** 2).sum((1, 2, 3)).mean()
        return total if self.chosen.form == "paper" else total / 2

    def texture(self, picture: Tensor, truth: Tensor) -> Tensor:
        """Paper (eq. 5): -log of how sure the discriminator is that the first one is real.

        Code: minus the discriminator's own loss, summed over a batch of 50.
        """
        weights = {name: p.detach() for name, p in self.learned.named_parameters()}
        if self.chosen.form == "paper":
            shown = torch.cat([gray(picture), gray(truth)], 1)
            logits = functional_call(self.learned, weights, (shown,))
            return F.cross_entropy(logits, _labels(picture, True))
        logits = functional_call(self.learned, weights, (gray(picture),))
        return -CODE_BATCH * F.cross_entropy(logits, _labels(picture, False))

    def content(self, picture: Tensor, truth: Tensor) -> Tensor:
        """VGG-19 on (N, 3, H, W): paper (eq. 6) the distance over the number; code mean squares."""
        assert self.vgg is not None  # a weight asks for it
        ours, theirs = (self.vgg.seen(x)[0] for x in (picture, truth))
        if self.chosen.form == "code":
            return F.mse_loss(ours, theirs)
        return distance(ours - theirs).mean() / ours[0].numel()

    def judge(self, pairs: dict[str, Pair]) -> Tensor:
        """The discriminator's cross-entropy, with either picture first by chance."""
        pair = pairs["enhancement"]
        made, real = gray(pair.picture.detach()), gray(pair.truth)
        first = _chance(made) if self.training else _evenly(made)
        shown = torch.where(first, real, made)
        if self.chosen.form == "paper":
            shown = torch.cat([shown, torch.where(first, made, real)], 1)
        logits, labels = self.learned(shown), first.flatten().long()
        if self.training:
            hits = (logits.detach().argmax(1) == labels).sum()
            self.right += torch.stack([hits, torch.full_like(hits, len(labels))])
        return F.cross_entropy(logits, labels)

    def noted(self) -> dict[str, float]:
        """The discriminator's accuracy since this was last asked."""
        if not self.chosen.texture:
            return {}
        hits, count = self.right.tolist()
        self.right.zero_()
        return {"accuracy": hits / max(count, 1)}


def blur(picture: Tensor, form: str) -> Tensor:
    """(N, 3, H, W) behind the Gaussian: the paper's has a sum of 3, the code's of 1."""
    if form == "code":
        kernel = gaussian(picture, CODE_SIGMA)
    else:
        kernel = gaussian(picture, SIGMA)
        kernel = kernel * (HEIGHT / kernel[0, 0, 10, 10])
    return F.conv2d(picture, kernel, padding=10, groups=3)


def variation(picture: Tensor, form: str) -> Tensor:
    """Paper (eq. 7): the length of the sum of both differences over C H W; code: mean squares."""
    down, right = picture.diff(dim=2), picture.diff(dim=3)
    if form == "code":
        return (down**2).mean() + (right**2).mean()
    both = down[..., :-1] + right[..., :-1, :]
    return distance(both).mean() / picture[0].numel()


def distance(x: Tensor) -> Tensor:
    """The length of each item of (N, C, H, W), (N,); its slope is finite at 0."""
    return ((x**2).sum((1, 2, 3)) + 1e-12).sqrt()


def gray(picture: Tensor) -> Tensor:
    """(N, 1, H, W): luma."""
    red, green, blue = picture.split(1, 1)  # type: ignore[no-untyped-call] # torch's
    luma: Tensor = GRAY[0] * red + GRAY[1] * green + GRAY[2] * blue
    return luma


def _labels(picture: Tensor, real: bool) -> Tensor:
    return torch.full((len(picture),), int(real), device=picture.device)


def _chance(x: Tensor) -> Tensor:
    return torch.rand(len(x), 1, 1, 1, device=x.device) < 0.5


def _evenly(x: Tensor) -> Tensor:
    return (torch.arange(len(x), device=x.device) % 2 == 0).view(-1, 1, 1, 1)
