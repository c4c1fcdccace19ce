"""Which scenes of a listing are made: splits are settled, then the first of each are taken."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from isptools.apart import apart
from isptools.build.headers import Headers
from isptools.build.lookup import Order, file_of
from isptools.datasets.alike import grouped, joined
from isptools.datasets.listing import BuildError, Line
from isptools.datasets.scene import SPLITS, Couple, Exposures, Scene, Split
from isptools.datasets.splits import by_names, hashed
from isptools.decode.refusal import Refusal
from isptools.decode.told import FILES
from isptools.recipe import Align, Released
from isptools.serving import Elsewhere
from isptools.sources import ContentError

Groups = dict[str, str]  # a scene's name to that of the group whose split it shares


@dataclass(frozen=True, slots=True)
class Choice:
    """What is asked of a plan beside the recipe."""

    splits: Sequence[Split] = SPLITS
    pictures: Path | None = None  # folder of the user's own enhancement truths
    progress: Callable[[int, int], None] = lambda _done, _total: None  # scenes looked at, of all
    headers: Headers = field(default_factory=Headers)  # of files that were looked into before


def chosen_scenes(
    scenes: Sequence[Scene], order: Order, choice: Choice
) -> tuple[list[Scene], list[Line]]:
    """The scenes that are made, each with its split; and a line for each that looks like another.

    Near-duplicates among photographs that are to be aligned are looked for, small. BuildError if
    scenes are not what the recipe makes, or a group is to stand in two splits.
    """
    paired = isinstance(order.truth, Align | Released)
    fitting = list(_couples(scenes)) if paired else scenes
    if isinstance(order.truth, Align):
        groups, alike = _alike(fitting, order.truth.alike, order, choice)
    else:  # released patches are of unknown scenes: each is its own
        groups, alike = {scene.name: scene.group or scene.name for scene in scenes}, {}
    done = settled(fitting, groups)
    lines = [_noted(scene, alike[scene.name], order) for scene in done if scene.name in alike]
    here = limited(done, order.limit)
    return [scene for scene in here if scene.split in choice.splits], lines


def _couples(scenes: Iterable[Scene]) -> Iterator[Scene]:
    """Each input of a scene with the scene's truth."""
    for scene in scenes:
        if isinstance(scene.shot, Exposures) and scene.shot.truth:
            truth = scene.shot.truth
            yield from (replace(scene, shot=Couple(one, truth)) for one in scene.shot.inputs)
        else:
            yield scene


def _alike(
    scenes: Sequence[Scene], most: int, order: Order, choice: Choice
) -> tuple[Groups, dict[str, str]]:
    """The group of each scene, and which scene one looks like, where there is one.

    Photographs are alike that differ in at most `most` bits.
    """
    prints: list[tuple[str, int | None]] = []
    for done, scene in enumerate(scenes):
        choice.progress(done, len(scenes))
        path = _dslr(scene, order)
        seen = _print(order.folder.root.absolute() / path, path) if path else None
        prints.append((scene.name, seen))
    choice.progress(len(scenes), len(scenes))
    alike = grouped(prints, most)
    first: dict[str, str] = {}
    links = [(name, group.name) for name, group in alike.items()]
    links += [
        (scene.name, first.setdefault(scene.group, scene.name)) for scene in scenes if scene.group
    ]
    groups = {name: members[0] for members in joined(alike, links) for name in members}
    return groups, {name: one.like for name, one in alike.items() if one.like}


def _dslr(scene: Scene, order: Order) -> str:
    """The path of a pair's second picture; "" where the scene is none, or it is not there."""
    source = file_of(scene.shot.dslr, order).source if isinstance(scene.shot, Couple) else None
    return source.path if source else ""


def _noted(scene: Scene, like: str, order: Order) -> Line:
    detail = f"looks like scene {like}; they stay in one split"
    file = _dslr(scene, order)
    return Line(scene.split or "", scene.name, file, "noted", "near-duplicate", detail)


def _print(path: Path, name: str) -> int | None:
    try:
        found: int = apart(Elsewhere(FILES, "print_of"), path, name)
    except (Refusal, ContentError):
        return None  # the build itself says why
    return found


def settled(scenes: Iterable[Scene], groups: Groups) -> list[Scene]:
    """Scenes with their split: that of their group, given or by names; where any is given, the
    others stand where the hash of their group's name puts them. BuildError where a group is to
    stand in two splits."""
    scenes = list(scenes)
    given: dict[str, Split] = {}
    members: dict[str, dict[str, None]] = {}
    for scene in scenes:
        group = groups[scene.name]
        members.setdefault(group, {group: None})[scene.name] = None
        if scene.split and given.setdefault(group, scene.split) != scene.split:
            raise BuildError(
                f"scene {scene.name} and a near-duplicate or another picture of it are to stand "
                f"in two splits, {given[group]} and {scene.split}"
            )
    if not given:
        given = by_names([list(names) for names in members.values()])
    return [
        replace(scene, split=given.get(group) or hashed(group))
        for scene in scenes
        for group in [groups[scene.name]]
    ]


def limited(scenes: Iterable[Scene], limit: int | None) -> Iterator[Scene]:
    """The first scenes of each split, with all that is of them."""
    taken: dict[str, set[str]] = {}
    for scene in scenes:
        names = taken.setdefault(scene.split or "", set())
        if limit is None or scene.name in names or len(names) < limit:
            names.add(scene.name)
            yield scene
