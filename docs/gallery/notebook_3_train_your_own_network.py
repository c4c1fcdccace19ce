"""
Train your own network
======================

A network is one file of your own. It is trained, scored against the plain chain, and used, without
a change to isptools; *Add a network* explains each word.
"""

# %%
# Shards of the miniature
# -----------------------
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import msgspec
import torch

from isptools import datasets, shards
from isptools.build import Options, build
from isptools.recipe import Recipe
from isptools.train.place import Place
from isptools.train.run import Job, train
from isptools.train.settings import Settings

folder = Path(tempfile.mkdtemp())
datasets.miniature("sid", folder / "raws")
recipe = msgspec.structs.replace(Recipe.load("sid"), sample=True)
data_set = datasets.in_small(datasets.opened(recipe.source))
build(recipe, folder / "raws", folder / "shards",
      Options(data_set=data_set, splits=["train", "val"]))  # fmt: skip

# %%
# The network and its settings
# ----------------------------
# The file says what it takes (`BILINEAR`: demosaicked camera RGB) and how far it looks.
NETWORK = """
import msgspec
from torch import nn

from isptools.train.camera import Camera, Net
from isptools.train.intake import BILINEAR


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    width: int = 12


def network(options: Options) -> Camera:
    body = nn.Sequential(
        nn.Conv2d(3, options.width, 3, padding=1), nn.ReLU(),
        nn.Conv2d(options.width, 3, 3, padding=1),
    )
    return Camera([Net(module=body, reach=2)], BILINEAR, enhanced=0)
"""
SETTINGS = """
title = "Own, tiny"
patch = 64
batch = 2
log_every = 10
objective = { loss = "l2" }
stages = [{ train = "whole", steps = 60, rate = 5e-3 }]

[network]
name = "own_isp:network"
"""
(folder / "own_isp.py").write_text(NETWORK)
(folder / "own.toml").write_text(SETTINGS)

# %%
# Train
# -----
losses = []


def show(_stage, step, _of, loss):
    if loss is not None:
        losses.append((step, loss))


settings = Settings.load(folder / "own.toml", {})
job = Job(folder / "shards", folder / "run", Place("cpu"), show=show, code=folder)
run = train(settings, job)
print("the run is in", run.name, "- loss", " > ".join(f"{loss:.3f}" for _, loss in losses[::2]))

figure, axes = plt.subplots(figsize=(5, 3))
axes.plot(*zip(*losses, strict=True))
axes.set_xlabel("step")
axes.set_ylabel("loss")
figure.tight_layout()
assert losses[-1][1] < losses[0][1]

# %%
# From here `isptools eval`, `develop` and `export` take the run, with `--code` and the folder of
# the file. What the network takes of a sample can be looked at as well:
with shards.open(folder / "shards", split="val") as data:
    print(data[0].key, torch.from_numpy(data[0].input).shape)
