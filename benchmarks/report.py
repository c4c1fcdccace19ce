"""How large and how quick the page of many samples is.

    python benchmarks/report.py SHARDS --samples 5000 --out OUT

SHARDS is a folder with restoration and enhancement, as `isptools build unprocess --source PHOTOS
--out SHARDS` makes one. Cuts of it become OUT/shards, each of another place or turned, and a scene
of its own; the first ones are large, and their inputs lie off their truths, so that the page shows
them as layers. The page OUT/report.html is made of them, and opened in headless Chromium (chromium
and chromedriver on the path, and selenium), where a script looks at every frame whether a picture
is there.
"""

import argparse
import json
import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from isptools import shards
from isptools.cli import main
from isptools.shards import write
from isptools.shards.schema import Picture, Spec

SIDE = (96, 128)
LARGE, WORST = (480, 640), 32  # so many
EACH = 500  # scenes of a shard
SEEN = """
const seen = () => {
  const one = document.querySelector('#gallery img');
  if (one && one.complete && one.naturalWidth) { window.__seen = performance.now(); return; }
  requestAnimationFrame(seen);
};
requestAnimationFrame(seen);
"""


def cuts(source: shards.Shards, number: int, out: Path) -> None:
    """`number` inputs in shards of EACH scenes."""
    table = source.tables[0]
    pictures = {name: Picture(one.space, one.dtype, one.full_scale, one.note, one.source)
                for name, one in table.pictures.items()}  # fmt: skip
    attrs = {name: value for name, value in table.attrs.items() if name not in {"format", "kind"}}
    for first, last, side in ((0, WORST, LARGE), *(
        (at, min(at + EACH, number), SIDE) for at in range(WORST, number, EACH)
    )):  # fmt: skip
        spec = Spec(f"cuts-{first:05d}.h5", side, 4, max(side), "bitshuffle-lz4", pictures, attrs)
        if (out / spec.name).is_file():  # of a run before
            continue
        fits = [i for i in range(len(source)) if min(np.subtract(source.shape(i), side)) >= 0]
        with write.shard(out, spec) as shard:
            for scene in range(first, last):
                _scene(shard, source, scene, (fits[scene % len(fits)], side))
        print(f"{spec.name} written", flush=True)


def _scene(shard: Any, source: shards.Shards, scene: int, of: tuple[int, tuple[int, int]]) -> None:
    i, side = of
    random = np.random.default_rng(scene)
    facts, sample = source.facts(i), source[i]
    window = tuple(_span(random, *each) for each in zip(source.shape(i), side, strict=True))
    xyz = np.ascontiguousarray(sample.restoration[:, *window].transpose(1, 2, 0))
    shown = np.rint(sample.enhancement[:, *window].transpose(1, 2, 0) * 65535).astype(np.uint16)
    name, capture = f"cut/{scene:05d}", source.capture(i)
    truth = replace(source.truth_facts(i), key=f"{name}-truth", scene=name)
    at = shard.truth(truth, {"restoration": xyz, "enhancement": shown}, capture, ())
    row = replace(facts, key=f"{name}/0", scene=name, restoration=at, enhancement=at)
    off = 8 if side == LARGE else 0
    shard.input(row, np.roll(source.raw(i)[window], (off, off), (0, 1)), capture, ())


def _span(random: np.random.Generator, have: int, want: int) -> slice:
    """Cells of a cut; half of them from the last one to the first, which keeps the CFA's phase."""
    first = int(random.integers(0, (have - want) // 2 + 1)) * 2
    if first + want < have and random.integers(2):
        return slice(first + want, first, -1)
    return slice(first, first + want)


def opened(page: Path) -> dict[str, Any]:
    """Milliseconds until the first picture, and until everything is there."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = str(shutil.which("chromium"))
    for word in ("--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1280,900"):
        options.add_argument(word)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.chrome.service.Service(str(shutil.which("chromedriver")))
    driver = webdriver.Chrome(options=options, service=service)
    try:
        driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": SEEN})
        driver.get(page.absolute().as_uri())
        first = driver.execute_script("return window.__seen")
        whole = driver.execute_script(
            "return performance.getEntriesByType('navigation')[0].loadEventEnd"
        )
        return {"first_picture_ms": first, "loaded_ms": whole,
                "console": driver.get_log("browser")}  # fmt: skip
    finally:
        driver.quit()


def run() -> None:
    words = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    words.add_argument("shards", type=Path)
    words.add_argument("--samples", type=int, default=5000)
    words.add_argument("--out", type=Path, required=True)
    given = words.parse_args()
    folder, page = given.out / "shards", given.out / "report.html"
    folder.mkdir(parents=True, exist_ok=True)
    with shards.open(given.shards) as source:
        cuts(source, given.samples, folder)
    began = time.perf_counter()
    main(["report", str(folder), "--out", str(page)], standalone_mode=False)
    seconds = time.perf_counter() - began
    size = page.stat().st_size
    told = {"samples": given.samples, "made_s": round(seconds, 1), "page_mb": round(size / 1e6, 2),
            "json_mb": round(page.with_suffix(".json").stat().st_size / 1e6, 2)}  # fmt: skip
    print(json.dumps(told | opened(page), indent=1))


if __name__ == "__main__":
    run()
