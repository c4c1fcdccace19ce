"""A data set from its miniature with one worker and with two."""

import hashlib
from pathlib import Path

from click.testing import CliRunner

from isptools.cli import main
from tests.recipes import changed, made


def expect(name: str, source: Path, out: Path) -> None:
    """The command builds what it should, checks, and two workers give the same bytes.

    `source` holds the miniature of the recipe's data set.
    """
    done = CliRunner().invoke(main, ["build", name, "--sample", "--out", str(out / "one")])
    assert done.exit_code == 0, done.output
    done = CliRunner().invoke(main, ["check", str(out / "one")])
    assert done.exit_code == 0, done.output
    assert "not sure" not in done.output
    made(changed(name, sample=True), source, out / "two", small=True, jobs=2)
    assert digests(out / "one") == digests(out / "two")


def digests(folder: Path) -> dict[str, str]:
    files = [path for path in folder.iterdir() if path.is_file() and path.name != ".lock"]
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
