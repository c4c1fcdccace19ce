"""
Look at a data set
==================

What should be known before anything is trained: how much light there is, how noisy it is, which
splits are alike, and what was refused.
"""

# %%
# Two splits of the miniature of See-in-the-Dark. With shards of your own, begin at `stats`.
import json
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import msgspec
import numpy as np

from isptools import datasets, shards
from isptools.build import Options, build
from isptools.recipe import Recipe
from isptools.shards.stats import stats

folder = Path(tempfile.mkdtemp())
datasets.miniature("sid", folder / "raws")
recipe = msgspec.structs.replace(Recipe.load("sid"), sample=True)
data_set = datasets.in_small(datasets.opened(recipe.source))
options = Options(data_set=data_set, splits=["val", "test"])
build(recipe, folder / "raws", folder / "shards", options)

# %%
# Counts and light
# ----------------
data = shards.open(folder / "shards")
found = stats(data)
for count in found.counts:
    print(f"{count.split}: {count.inputs} inputs of {count.scenes} scenes")
for light in found.inputs:
    print(f"{light.color}: mean {light.mean:.5f} of white, {light.below_black:.1%} below black")

# %%
# The noise that each row states
# ------------------------------
# The variance of x is shot * x + read. Dots: the noise of a nearly black input, measured between
# neighbors of one color, against the statement at its mean.
figure, axes = plt.subplots(figsize=(5, 4))
for i in range(len(data)):
    facts, plane = data.facts(i), data[i].input[0::2, 0::2]
    measured = np.median(np.abs(np.diff(plane, axis=1))) / 0.954  # of normal noise: its sigma
    stated = np.sqrt(facts.shot[0] * max(plane.mean(), 0) + facts.read[0])
    axes.loglog(stated, measured, "o", label=facts.key.split("/")[-1])
axes.axline((1e-3, 1e-3), (1e-2, 1e-2), color="gray")
axes.set_xlabel("stated")
axes.set_ylabel("measured")
axes.legend(fontsize=6)
figure.tight_layout()

# %%
# What was refused, and what may be done with it
# ----------------------------------------------
index = json.loads((folder / "shards" / "index.json").read_text())
print("refused and left out:", index["refusals"])
print("licence:", index["data_set"]["licence"])
print((folder / "shards" / "README.md").read_text().split("\n\n")[2])
data.close()
