"""The light path on a GPU: steps of a recipe over tensors, with the integers of the processor's.

    from isptools import gpu
    picture = gpu.develop(mosaics, capture, steps)  # (N, H, W) to (N, H, W, 3), uint16

Needs the extra `train`, for torch; on a GPU also Triton, which torch for CUDA brings along.
"""

from isptools.gpu.chain import develop, walk

__all__ = ["develop", "walk"]
