"""Ten faults in one folder of shards, as a bad build and bad raws would leave them."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
from click.testing import CliRunner
from scipy.ndimage import gaussian_filter

from isptools.cli import main
from isptools.datasets import miniature
from tests.shards.made import changed, relist
from tests.shards.planted import noisy

SCENE, OTHER, VAL, TEST = "sid/00001", "sid/00102", "sid/20007", "sid/10003"
# what a person should learn from the page: the word for it, and of which input or scene
WRONG = {
    "wrong pair": ("pairing", f"{SCENE}/00001_00_0.04s"),
    "the other wrong pair": ("pairing", f"{OTHER}/00102_00_0.1s"),
    "shifted": ("place", f"{SCENE}/00001_00_0.1s"),
    "blurred truth": ("sharpness", f"{VAL}/20007_00_0.1s"),
    "other white": ("white", f"{OTHER}/00102_01_0.1s"),
    "clipped": ("clipping", f"{SCENE}/00001_01_0.1s"),
    "row of hot pixels": ("hot pixels in a line", f"{TEST}/10003_00_0.04s"),
    "noise mismatch": ("noise", f"{SCENE}/00001_01_0.1s"),
}
TWINS = {VAL, TEST}
REFUSED = ("unreadable", "Sony/long/00179_00_10s.ARW")


def made(folder: Path) -> Path:
    """The shards; of each fault the index knows nothing."""
    raws, out = folder / "raws", folder / "sid"
    miniature("sid", raws)
    (raws / REFUSED[1]).write_bytes(b"no raw at all")
    words = ["build", "sid", "--source", str(raws), "--out", str(out)]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 3, done.output
    for split, spoil in (("train", _train), ("val", _val), ("test", _test)):
        (path,) = out.glob(f"sid-{split}-*.h5")
        with changed(path) as file:
            spoil(file, out)
        relist(out, path.name)
    return out


def _rows(file: h5py.File) -> dict[str, int]:
    return {row["key"].decode().rpartition("/")[2]: i for i, row in enumerate(file["meta"][:])}


def _train(file: h5py.File, _out: Path) -> None:
    at, data = _rows(file), file["input"]
    one, other = at["00001_00_0.04s"], at["00102_00_0.1s"]
    first, second = data[one], data[other]
    data[one], data[other] = second, first
    shifted = at["00001_00_0.1s"]
    data[shifted] = np.roll(data[shifted], (6, 4), (0, 1))
    _light(file, at["00001_01_0.1s"], noisy)
    _other_white(file, 1)
    truth = file["restoration"]
    most = 0.4 / (truth.attrs["full_scale"] / np.iinfo(truth.dtype).max)
    truth[0] = np.minimum(truth[0], round(most)).astype(truth.dtype)


def _val(file: h5py.File, out: Path) -> None:
    """Truths and inputs of the test scene, under the names of its own; the truth blurred."""
    (path,) = out.glob("sid-test-*.h5")
    with h5py.File(path) as test:
        for name in ("restoration", "enhancement"):
            file[name][0] = test[name][0]
        rows, own = file["meta"][:], test["meta"][:]
        kept = {
            "key",
            "scene",
            "source",
            "source_sha256",
            "restoration",
            "enhancement",
            "make",
            "model",
        }
        for i in range(len(rows)):
            j = min(i, len(own) - 1)
            file["input"][i] = test["input"][j]
            for word in set(rows.dtype.names) - kept:
                rows[word][i] = own[word][j]
        file["meta"][...] = rows
        truths, theirs = file["truth_meta"][:], test["truth_meta"][:]
        for word in set(truths.dtype.names) - kept:
            truths[word][0] = theirs[word][0]
        file["truth_meta"][...] = truths
    file["restoration"][0] = np.rint(
        gaussian_filter(file["restoration"][0].astype(float), (0, 2.5, 2.5))
    )


def _test(file: h5py.File, _out: Path) -> None:
    def streak(light: Any, row: Any) -> Any:
        hot = light.copy()
        hot[100] += 0.35 * (row["white"] - row["black"][0])
        return hot

    _light(file, _rows(file)["10003_00_0.04s"], streak)


def _light(file: h5py.File, i: int, change: Any) -> None:
    """Change an input above its black."""
    row, data = file["meta"][i], file["input"]
    black = float(row["black"][0])
    data[i] = np.clip(np.rint(change(data[i] - black, row) + black), 0, 65535).astype(np.uint16)


def _other_white(file: h5py.File, truth: int) -> None:
    """Mix one XYZ truth in balanced camera RGB."""
    to_xyz = np.linalg.inv(
        np.array([[3.2404542, -1.5371385, -0.4985314], [-0.9692660, 1.8760108, 0.0415560],
                  [0.0556434, -0.2040259, 1.0572252]])
    ) @ file["meta"]["camera_to_srgb"][0]  # fmt: skip
    mixed = to_xyz @ np.diag([1.3, 1, 0.75]) @ np.linalg.inv(to_xyz)
    new = np.tensordot(mixed, file["restoration"][truth].astype(float), 1)
    file["restoration"][truth] = np.clip(np.rint(new), 0, 65535).astype(np.uint16)
