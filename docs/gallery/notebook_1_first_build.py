"""
First build
===========

From raw files to shards, and what a sample is. No photograph is needed: the miniature of
See-in-the-Dark is drawn by code, in the folders and under the names of the real one.
"""

# %%
# A data set of 5 scenes, as its own files
# ----------------------------------------
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import msgspec

from isptools import datasets, shards
from isptools.build import Options, build
from isptools.recipe import Recipe
from isptools.shards.check import check

folder = Path(tempfile.mkdtemp())
files = datasets.miniature("sid", folder / "raws")
print(len(files), "files, the first is", files[0].relative_to(folder))

# %%
# A recipe says what is made of them. With your own copy of the data set leave `in_small` and
# `sample` out; `isptools build sid --source /data/SID --out shards` does the same from a shell.
recipe = msgspec.structs.replace(Recipe.load("sid"), sample=True)
data_set = datasets.in_small(datasets.opened(recipe.source))
options = Options(data_set=data_set, splits=["val"])
summary = build(recipe, folder / "raws", folder / "shards", options)
for shard in summary.shards:
    print(shard.name, shard.rows, "inputs of", shard.scenes, "scene,", shard.bytes, "bytes")
print("not taken:", summary.refusals or "nothing")

# %%
# Is everything there, and are pairs pairs? An empty list says so.
print([str(problem) for problem in check(folder / "shards") if problem.sure])

# %%
# One sample
# ----------
# The input is the sensor's light, (DN - black) / (white - black), one color a pixel. Multiplied by
# the exposure ratio it is as bright as its truth.
with shards.open(folder / "shards", split="val") as data:
    sample = data[0]
print(sample.key, sample.input.shape, sample.restoration.shape, f"ratio {sample.facts.ratio:g}")

figure, (left, middle, right) = plt.subplots(1, 3, figsize=(11, 3))
left.imshow(sample.input, cmap="gray", vmin=0, vmax=0.02)
left.set_title("input, 50 times as bright")
middle.imshow(sample.restoration[1], cmap="gray", vmin=0, vmax=1)
middle.set_title("truth, Y of linear XYZ")
right.imshow(sample.enhancement.transpose(1, 2, 0))
right.set_title("truth, sRGB")
for axes in (left, middle, right):
    axes.set_axis_off()
figure.tight_layout()
