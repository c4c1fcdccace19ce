"""What every room of a data set promises. AssertionError says which promise is not kept."""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

import msgspec

from isptools import datasets, shards
from isptools.build import Options, build, listed
from isptools.datasets import Listing, Opened
from isptools.datasets.card import Card
from isptools.datasets.scene import SPLITS, Couple, Named, Scene
from isptools.recipe import Recipe, find
from isptools.shards.check import check

STRANGE = "no_such_word"


def room(recipe: str | Path, source: Path | None = None, build_twice: bool = True) -> None:
    """Check what a room promises, by building a recipe of its data set twice.

    Without `build_twice` only what it lists is checked.

    `recipe` is one that ships or a .toml file; `source` holds files of the data set, a few scenes
    are enough. Without it the data set's miniature is drawn. Raises AssertionError where a promise
    is not kept, ValueError where recipe or data set can't be loaded.
    """
    chosen = Recipe.load(recipe)
    opened = datasets.opened(chosen.source, find(recipe).parent)
    with TemporaryDirectory() as folder:
        if source is None:
            source = Path(folder) / "source"
            datasets.miniature(opened.card.name, source)
            opened, chosen = datasets.in_small(opened), msgspec.structs.replace(chosen, sample=True)
        _expect_strict_words(opened.card, chosen)
        listing = listed(opened, source)
        _expect_the_same_twice(listing, listed(opened, source))
        _expect_paths_below_the_root(listing)
        _expect_one_split_a_group(listing.scenes)
        if build_twice:
            _expect_the_same_shards(chosen, opened, source, Path(folder))


def _expect_strict_words(card: Card, recipe: Recipe) -> None:
    words = {word: value for word, value in recipe.source.items() if word != "data_set"}
    said = ""
    try:
        datasets.selected(card, words | {STRANGE: 1})
    except ValueError as error:
        said = str(error)
    assert said, "Select takes unknown words: add forbid_unknown_fields=True"
    assert STRANGE in said, f"the refusal of an unknown word does not name it: {said}"


def _expect_the_same_twice(one: Listing, two: Listing) -> None:
    """Nothing but the files decides: no order of a folder, no clock, no chance."""
    assert one.scenes, "find lists no scene"
    assert one == two, "find lists the same folder differently the second time"


def _expect_paths_below_the_root(listing: Listing) -> None:
    for scene in listing.scenes:
        for named in _files(scene):
            for path in (named.path, *(one.path for one in named.beside)):
                pure = PurePosixPath(path)
                leaves = pure.is_absolute() or ".." in pure.parts or "\\" in path or not path
                assert not leaves, f"{path!r} is no path below the root"


def _files(scene: Scene) -> Iterator[Named]:
    shot = scene.shot
    if isinstance(shot, Couple):
        yield from (shot.phone, shot.dslr)
        return
    yield from (one for one in (shot.truth, *shot.inputs, *shot.frames, shot.final) if one)


def _expect_one_split_a_group(scenes: tuple[Scene, ...]) -> None:
    splits: dict[str, str] = {}
    for scene in scenes:
        assert scene.split is None or scene.split in SPLITS, f"{scene.name}: split {scene.split!r}"
        for name in {scene.name, scene.group} - {""}:
            before = splits.setdefault(name, scene.split or "")
            assert before == (scene.split or ""), f"{name} stands in {before} and {scene.split}"


def _expect_the_same_shards(recipe: Recipe, opened: Opened, source: Path, folder: Path) -> None:
    """One and two workers, and files that lie elsewhere: the same bytes, and sound ones."""
    elsewhere = folder / "elsewhere"
    elsewhere.symlink_to(source.absolute(), target_is_directory=True)
    made = {1: folder / "one", 2: folder / "two"}
    for jobs, place in ((1, source), (2, elsewhere)):
        build(recipe, place, made[jobs], Options(jobs=jobs, data_set=opened))
    one, two = (_bytes(out) for out in made.values())
    assert any(name.endswith(".h5") for name in one), "no shard was made: see the ledger"
    assert one == two, f"{_first_difference(one, two)} differs with two workers or another place"
    wrong = [problem for problem in check(made[1]) if problem.sure]
    assert not wrong, f"check says: {wrong[0]}"
    with shards.open(made[1]) as opened_shards:
        keys = [opened_shards.facts(i).key for i in range(len(opened_shards))]
    strange = [key for key in keys if not key.startswith(f"{opened.card.name}/")]
    assert not strange, f"the key {strange[:1]} does not begin with the data set's name"


def _bytes(out: Path) -> dict[str, bytes]:
    files = [path for path in out.iterdir() if path.is_file() and not path.name.startswith(".")]
    return {path.name: path.read_bytes() for path in files}


def _first_difference(one: dict[str, bytes], two: dict[str, bytes]) -> str:
    return next(name for name in sorted({*one, *two}) if one.get(name) != two.get(name))
