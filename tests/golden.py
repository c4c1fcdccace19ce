"""What a folder of shards holds, as a text that a person can diff; numbers to four digits."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
from click.testing import CliRunner

from isptools import manifest, sample, shards
from isptools.build import Options, build
from isptools.cli import main
from isptools.recipe import Recipe

HERE = Path(__file__).with_name("golden")


def expect(name: str, source: Path, out: Path) -> None:
    """The command builds what it should, checks, and two workers give the same bytes.

    `source` holds the miniature of the recipe's data set.
    """
    done = CliRunner().invoke(main, ["build", name, "--sample", "--out", str(out / "one")])
    assert done.exit_code == 0, done.output
    done = CliRunner().invoke(main, ["check", str(out / "one")])
    assert done.exit_code == 0, done.output
    assert "not sure" not in done.output
    recipe = msgspec.structs.replace(Recipe.load(name), sample=True)
    official = manifest.load(recipe.manifest)
    small = sample.manifest(official.data_set.name, official)
    build(recipe, source, out / "two", Options(jobs=2, manifest=small))
    assert digests(out / "one") == digests(out / "two")
    assert text(out / "one") == (HERE / f"{name}.txt").read_text(encoding="utf-8")


def digests(folder: Path) -> dict[str, str]:
    files = [path for path in folder.iterdir() if path.is_file() and path.name != ".lock"]
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def text(folder: Path) -> str:
    return "".join(f"{line}\n" for line in _lines(folder))


def _lines(folder: Path) -> Iterator[str]:
    for path in sorted(folder.glob("*.h5")):
        with shards.open(path) as opened:
            table = opened.tables[0]
            stated = ("data_set", "split", "kind", "licence", "redistribution")
            yield f"{path.name}: " + ", ".join(str(table.attrs[name]) for name in stated)
            for name, picture in table.pictures.items():
                yield f"  {name}: {picture.space}, {picture.dtype}, 1 is {1 / picture.scale:.0f}"
            for sample in opened:
                yield from _sample(sample)


def _sample(sample: shards.Sample) -> Iterator[str]:
    facts = sample.facts
    yield f"  {sample.key}"
    exposure = f"{facts.exposure_s or 0:.4g} s, ISO {facts.iso or 0:g}, ratio {facts.ratio or 0:g}"
    yield f"    {facts.make} {facts.model}, {facts.cfa}, turn {facts.orientation}, {exposure}"
    yield f"    black {facts.black[0]:g}, white {facts.white:g}, gains {_four(facts.as_shot)}"
    yield f"    shot {facts.shot[0]:.2g}, read {facts.read[0]:.2g} ({facts.noise_origin})"
    light = sample.input
    yield f"    input mean {light.mean():.4f}, clipped {np.mean(light >= 1):.4f}"
    for name in ("restoration", "enhancement"):
        picture = getattr(sample, name)
        if picture is not None:
            means = _four(picture.mean((1, 2), dtype=np.float64))
            yield f"    {name} means {means}, deviations {_four(picture.std((1, 2)))}"


def _four(values) -> str:
    return " ".join(f"{value:.4f}" for value in values)
