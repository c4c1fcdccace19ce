"""What PyTorch finds on this machine, for `isptools doctor`."""

import torch


def threads() -> int:
    """How many threads PyTorch computes with."""
    return torch.get_num_threads()


def gpus() -> dict[str, str]:
    """Each GPU by its name, with its memory."""
    if not torch.cuda.is_available():
        return {"cuda": "none that PyTorch can use: training runs on the processor"}
    found = (torch.cuda.get_device_properties(i) for i in range(torch.cuda.device_count()))
    return {f"cuda:{i}": f"{one.name}, {one.total_memory / 1e9:.0f} GB"
            for i, one in enumerate(found)}  # fmt: skip


def multiplied() -> bool | None:
    """Whether the GPU gives the processor's product; None where there is none."""
    if not torch.cuda.is_available():
        return None
    numbers = torch.linspace(0, 1, 4096).reshape(64, 64)
    there = (numbers.cuda() @ numbers.cuda()).cpu()
    return bool(torch.allclose(there, numbers @ numbers, rtol=1e-2))
