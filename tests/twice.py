"""A data set from its miniature with one worker and with two."""

import hashlib
from pathlib import Path

import msgspec
from click.testing import CliRunner

from isptools import manifest, sample
from isptools.build import Options, build
from isptools.cli import main
from isptools.recipe import Recipe


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


def digests(folder: Path) -> dict[str, str]:
    files = [path for path in folder.iterdir() if path.is_file() and path.name != ".lock"]
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
