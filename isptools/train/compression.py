"""The objective of Uhm et al. 2021: a network trained through what simulates a codec."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the usual name

from isptools.train.codecs import Codec, eight_bits
from isptools.train.objectives import Acn, Cas, Compressed, Pair, Turn
from isptools.train.simulators import ACN, CAS, DJS

SIMULATOR, COMPRESSED = "simulator", "compressed"  # the two stages that this objective adds


class Compression(nn.Module):
    """In the stage "simulator" L1 between what it makes of a truth and the truth's real JPEG.

    In "compressed" lambda_isp L1(f, y) + lambda_comp L1(g(f), g(y)); in "whole" L1(f, y).
    """

    def __init__(self, chosen: Compressed, stage: str) -> None:
        super().__init__()
        self.chosen, self.stage = chosen, stage
        self.learned = simulator(chosen)
        moves = stage == SIMULATOR or (stage == COMPRESSED and not chosen.frozen)
        self.learned.requires_grad_(moves)

    def turns(self, trained: Sequence[nn.Parameter]) -> tuple[Turn, ...]:
        """One; the simulator moves with the network where it is not frozen."""
        own = [p for p in self.learned.parameters() if p.requires_grad]
        return (Turn([*trained, *own], self.forward),)

    def forward(self, pairs: dict[str, Pair]) -> Tensor:
        """The stage's loss of pictures (N, 3, H, W) in [0, 1], a number."""
        if self.stage == SIMULATOR:
            return _l1(pairs[COMPRESSED])
        pair, weights = pairs["enhancement"], self.chosen
        if self.stage != COMPRESSED:
            return _l1(pair)
        loss = weights.isp * _l1(pair)
        if not weights.compressed:
            return loss
        ours, theirs = self.learned(pair.picture), self.learned(pair.truth)
        return loss + weights.compressed * F.l1_loss(ours, theirs) / pair.trusted


def simulator(chosen: Compressed) -> nn.Module:
    """A fresh one, for the objective's JPEG."""
    match chosen.simulator:
        case Cas() as cas:
            return CAS(cas.widths, cas.residual, cas.grid)
        case Acn() as acn:
            return ACN(acn.width, acn.blocks)
        case _:
            return DJS(chosen.quality, chosen.subsampling)


def real(truth: Tensor, chosen: Compressed) -> Tensor:
    """Pictures (N, 3, H, W) from 0 to 1 behind real JPEG files, uint8, where the pictures lie."""
    codec = Codec("jpeg", chosen.subsampling)
    pictures = [eight_bits(x) for x in truth.permute(0, 2, 3, 1).cpu().numpy()]
    with ThreadPoolExecutor() as threads:  # codecs let other threads work
        made = list(threads.map(lambda one: codec.through(one, chosen.quality)[0], pictures))
    return torch.from_numpy(np.stack(made)).permute(0, 3, 1, 2).contiguous().to(truth.device)


def _l1(pair: Pair) -> Tensor:
    return F.l1_loss(pair.picture, pair.truth) / pair.trusted
