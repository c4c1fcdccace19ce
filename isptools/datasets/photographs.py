"""The room of photographs: every finished picture below a folder is a scene of its own."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import msgspec
import numpy as np
from numpy.random import PCG64, Generator, SeedSequence
from numpy.typing import NDArray

from isptools.datasets.card import Card, Split
from isptools.datasets.files import source_of
from isptools.datasets.listing import BuildError, Line, Listing, missing
from isptools.datasets.scene import Exposures, Named, Scene
from isptools.datasets.small import of_code
from isptools.datasets.splits import LISTED, NotBelow0, divided, expect_share, listed_splits
from isptools.picture import SUFFIXES
from isptools.synth import scenes
from isptools.synth.files import written

FEW = 3  # photographs from which on each split that is asked for has one


class Select(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How photographs are split."""

    shares: tuple[NotBelow0, NotBelow0, NotBelow0] = (8, 1, 1)  # train, val, test, by hash

    def __post_init__(self) -> None:
        expect_share(self.shares)


def find(card: Card, select: Select, place: Path) -> Listing:
    """A scene for each picture, named by its path without the extension.

    The user's `splits.tsv` says which is which, else the hash of the name does. A line for
    pictures of one name, of which none is taken. BuildError where there is no picture.
    """
    root = place / card.roots[0]
    named: dict[str, list[Path]] = {}
    for path in sorted(root.rglob("*")) if root.is_dir() else ():
        if path.suffix[1:].lower() in SUFFIXES and _is_seen(root, path):
            stem = path.relative_to(root).with_suffix("").as_posix()
            named.setdefault(stem.casefold(), []).append(path)
    if not named:
        raise BuildError(missing(card, place))
    lines = [_twice(root, paths) for paths in named.values() if len(paths) > 1]
    alone = {_name(root, paths[0]): paths[0] for paths in named.values() if len(paths) == 1}
    splits = _splits(root, list(alone), select)
    lines += [_not_listed(root, path) for name, path in alone.items() if name not in splits]
    found = [
        _scene(root, name, path, splits[name]) for name, path in alone.items() if name in splits
    ]
    return Listing(root, tuple(found), tuple(lines))


def _is_seen(root: Path, path: Path) -> bool:
    """Whether it is a file that people put there, not one that a system keeps for itself."""
    parts = path.relative_to(root).parts
    return path.is_file() and not any(part.startswith((".", "__MACOSX")) for part in parts)


def _name(root: Path, path: Path) -> str:
    return path.relative_to(root).with_suffix("").as_posix()


def _scene(root: Path, name: str, path: Path, split: Split) -> Scene:
    source = source_of(root, path)
    own = Named(source.path, at=source)
    return Scene(name, split, Exposures(own, (own,)))


def _twice(root: Path, paths: list[Path]) -> Line:
    names = ", ".join(path.relative_to(root).as_posix() for path in paths)
    detail = f"two files for one key, keep one: {names}"
    return Line("", "", paths[0].relative_to(root).as_posix(), "refused", "two-files", detail)


def _not_listed(root: Path, path: Path) -> Line:
    detail = f"{LISTED} does not name this scene"
    where = path.relative_to(root).as_posix()
    return Line("", _name(root, path), where, "excluded", "not-listed", detail)


def _splits(root: Path, names: list[str], select: Select) -> dict[str, Split]:
    """The user's own list, else shares of the number of photographs, in the order of hashes."""
    if (root / LISTED).is_file():
        return listed_splits(root / LISTED)
    count, total = len(names), sum(select.shares)
    val, test = (
        max(round(count * share / total), int(share > 0 and count >= FEW))
        for share in select.shares[1:]
    )
    return divided([[name] for name in names], (max(count - val - test, 0), val, test))


# -- the miniature ---------------------------------------------------------------------------------

CODE = 41  # part of every seed
SIZES = ((240, 320), (320, 240))  # of landscapes and of portraits
COUNT = 12


def small(card: Card) -> Card:
    """The facts of the miniature."""
    return of_code(card, f"{COUNT} pictures of 320 x 240 pixels, lying and upright")


def miniature(_card: Card, out: Path, seed: int = 0) -> list[Path]:
    """A user's folder of pictures, some in folders of their own."""
    return written(_files(seed), out)


def _files(seed: int) -> Iterator[tuple[str, bytes]]:
    for number in range(COUNT):
        rng = Generator(PCG64(SeedSequence((CODE, seed, number))))
        painted = scenes.paint(rng, *SIZES[number % 3 == 2])
        folder = "city/" if number % 2 else ""
        yield f"{folder}picture-{number:02d}.png", _png(_shown(painted))


def _shown(linear: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Linear light as a picture: a square root is a tone curve whose last bit is the same
    everywhere."""
    return np.asarray(np.rint(np.sqrt(np.clip(linear, 0, 1)) * 255), np.uint8)


def _png(picture: NDArray[np.uint8]) -> bytes:
    return np.asarray(cv2.imencode(".png", picture[..., ::-1])[1]).tobytes()
