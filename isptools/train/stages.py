"""The names of a training's stages, for whoever reads settings without PyTorch."""

from typing import Literal

# fit: solved for, not descended; the last two are those of the objective "compressed"
Train = Literal["restore", "enhance", "joint", "whole", "fit", "simulator", "compressed"]
