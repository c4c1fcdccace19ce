"""What is said of a device that can't be used."""

import torch

NAMES = {"auto", "cpu", "cuda"}
MOST = 150  # characters of what somebody else says


def unusable(name: str, error: Exception) -> str:
    """One line for people: why, and what to give instead."""
    kind, _, index = name.partition(":")
    if kind not in NAMES:
        why = "there are auto, cpu, cuda and cuda:N"
    elif kind == "cuda" and not torch.cuda.is_available():
        why = "PyTorch finds no GPU; leave --device out, or give cpu"
    elif kind == "cuda" and index.isdecimal() and int(index) >= torch.cuda.device_count():
        why = f"the last GPU is cuda:{torch.cuda.device_count() - 1}"
    else:
        why = " ".join(str(error).split())[:MOST]
    return f"--device {name}: can't be used here ({why})"
