"""Find the files of a scene and look into their headers; no pixel is decoded."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from isptools import raw
from isptools.apart import apart
from isptools.build import enhanced
from isptools.build.headers import Headers
from isptools.build.task import File, Task, Wait
from isptools.datasets import Card
from isptools.datasets.files import Folder, Found
from isptools.datasets.listing import BuildError, Line, LineKind
from isptools.datasets.scene import Couple, Exposures, Named, Scene, Source
from isptools.decode.refusal import Refusal, judged
from isptools.decode.told import FILES, Told
from isptools.develop.binning import SIDES
from isptools.frame import Kind
from isptools.recipe import Align, Develop, Maker, Published, Unprocess
from isptools.serving import Elsewhere

MOSAICS = ("bayer", "xtrans")


@dataclass(frozen=True, slots=True)
class Order:
    """Where files are looked for, and what the recipe wants of them."""

    card: Card  # without its tables: it travels to decoders
    folder: Folder
    pictures: Sequence[Source] | None  # the user's own enhancement truths
    truth: Maker
    limit: int | None = None  # scenes a split
    headers: Headers = field(default_factory=Headers)

    @property
    def walk(self) -> Develop:
        """Of scenes that are developed. BuildError for a recipe of another kind."""
        if not isinstance(self.truth, Develop):
            raise BuildError(f"{self.card.name}: its scenes are no pairs of two cameras")
        return self.truth

    @property
    def unmaking(self) -> Unprocess:
        """Of finished pictures that are made raw. BuildError for a recipe of another kind."""
        if not isinstance(self.truth, Unprocess):
            raise BuildError(f"{self.card.name}: its scenes are no pictures to be made raw")
        return self.truth


@dataclass(frozen=True, slots=True)
class PlannedScene:
    """A scene that can be made, with the kind and shape of its inputs; or why not."""

    scene: Scene
    lines: tuple[Line, ...]
    task: Task | None = None
    kind: Kind = "bayer"
    shape: tuple[int, int] = (0, 0)
    wait: Wait | None = None  # where the machine failed


@dataclass(frozen=True, slots=True)
class LookedUp:
    """One file as its header shows it; without a header it can't be used, and lines say why."""

    lines: tuple[Line, ...]
    file: File | None = None
    header: raw.Header | None = None
    lacks: tuple[str, str] | None = None  # reason and detail: a sidecar that it needs is missing


def planned_exposures(scene: Scene, shot: Exposures[Named], order: Order) -> PlannedScene:
    """The scene as a task; without one where its truth or all of its inputs can't be used."""
    wanted = _walked(scene, shot, order)
    own = looked_up(scene, wanted, order, _mark(shot, wanted, order))
    if own.lacks:
        return _dropped(scene, shot, order, own.lines, own.lacks)
    if own.file is None or own.header is None:
        why = f"its truth {wanted.path} can't be used ({own.lines[-1].reason})"
        return _dropped(scene, shot, order, own.lines, ("truth-missing", why), wanted.path)
    picture = _picture(scene, shot, order)
    if picture and picture.source is None:
        return _dropped(scene, shot, order, own.lines, (picture.reason, picture.detail))
    all_seen = [_input(scene, one, order, own) for one in shot.inputs]
    lines = (*own.lines, *(line for one in all_seen for line in one.lines))
    inputs = tuple(one.file for one in all_seen if one.file and one.header)
    if not inputs:
        return PlannedScene(scene, lines)
    merged = tuple(_frames(shot, order)) if order.walk.fuse else ()
    final = picture and picture.source and File("", Named(picture.source.path), picture.source)
    task = Task(scene.name, Exposures(own.file, inputs, merged, final or None))
    return PlannedScene(scene, lines, task, own.header.kind, (own.header.height, own.header.width))


def _walked(scene: Scene, shot: Exposures[Named], order: Order) -> Named:
    """The file whose frame the truth's walk begins at."""
    if order.walk.fuse:
        if not shot.frames:
            raise BuildError(f"{order.card.name}: scene {scene.name} is no burst: leave out `fuse`")
        return shot.frames[0]
    if shot.truth is None:
        what = "has no truth of its own but its burst"
        raise BuildError(f'{order.card.name}: scene {scene.name} {what}: write fuse = "truth"')
    return shot.truth


def _mark(shot: Exposures[Named], wanted: Named, order: Order) -> str:
    """What tells the key of a truth from that of an input of the same file, or of its name."""
    if order.walk.fuse:
        return "-fused"
    if not order.walk.linear and wanted.path in {one.path for one in shot.inputs}:
        return "-developed"
    return "-truth" if order.walk.linear or stem_of(wanted) in map(stem_of, shot.inputs) else ""


def looked_up(scene: Scene, named: Named, order: Order, mark: str = "") -> LookedUp:
    """A file of a scene: found, with its sidecars, and fit to be a mosaic."""
    file, lines = _file(scene, named, order, mark)
    if file is None:
        return LookedUp(lines)
    file, lacks = _with_sidecars(file, order)
    if lacks:
        return LookedUp(lines, file, None, lacks)
    header, more = _header(scene, file, order)
    return LookedUp((*lines, *more), file, header)


def _file(
    scene: Scene, named: Named, order: Order, mark: str = ""
) -> tuple[File | None, tuple[Line, ...]]:
    found = file_of(named, order)
    if found.source is None:
        kind: LineKind = "missing" if found.reason == "missing" else "refused"
        return None, (_line(scene, named.path, kind, found.reason, found.detail),)
    file = File(f"{order.card.name}/{scene.name}/{stem_of(named)}{mark}", named, found.source)
    if not found.reason:
        return file, ()
    return file, (_line(scene, named.path, "noted", found.reason, found.detail),)


def file_of(named: Named, order: Order) -> Found:
    """The file of a name: where the room found it, else looked for in the folder. FaultError."""
    return Found(named.at) if named.at else order.folder.find(named.path)


def _with_sidecars(file: File, order: Order) -> tuple[File, tuple[str, str] | None]:
    """With what stands beside it, as far as the walk needs it; or which is missing."""
    steps = {type(step).__struct_config__.tag for step in order.walk.steps}
    there = []
    for one in file.named.beside:
        if one.step and one.step not in steps:
            continue
        found = order.folder.find(one.path)
        if found.source:
            there.append((one.kind, found.source))
        elif one.needed:
            return file, (f"{one.kind}-missing", f"{one.path} can't be used ({found.reason})")
    return replace(file, beside=tuple(there)), None


def _header(scene: Scene, file: File, order: Order) -> tuple[raw.Header | None, tuple[Line, ...]]:
    name, root = file.source.path, order.folder.root.absolute()
    beside = {kind: root / source.path for kind, source in file.beside}
    look = Elsewhere(FILES, "header")
    told = Told(name, file.named, order.card, file.source.size)
    try:
        with judged(root / name, name, file.source.size):
            header = order.headers.of(
                str(root), file.source, file.named, file.beside, order.walk.bins,
                look=lambda: apart(look, root / name, told, beside, order.walk.bins),
            )  # fmt: skip
    except Refusal as why:
        return None, (_line(scene, name, "refused", why.reason, why.detail, why.number),)
    lines = []
    camera = f"{header.make} {header.model}".strip()
    if order.card.cameras and camera not in order.card.cameras:
        named = ", ".join(order.card.cameras)
        detail = f"taken with {camera or 'an unnamed camera'}, the data set names {named}"
        lines.append(_line(scene, name, "noted", "other-camera", detail))
    if header.kind in MOSAICS:
        return header, tuple(lines)
    detail = f"a {header.kind} file has no mosaic; only Bayer and X-Trans files can be inputs"
    if header.kind in SIDES:
        detail = (
            f"its color filters are a {header.kind} Bayer array; the recipe makes Bayer of it with "
            'prepare = [{ step = "bin" }]'
        )
    return None, (*lines, _line(scene, name, "refused", header.kind, detail))


def _input(scene: Scene, named: Named, order: Order, own: LookedUp) -> LookedUp:
    found = looked_up(scene, named, order)
    if found.lacks:
        return replace(found, file=None, lines=(
            *found.lines, _line(scene, named.path, "refused", *found.lacks)))  # fmt: skip
    if found.header is None or own.header is None:
        return found
    reason, detail = difference(found.header, own.header)
    if not reason:
        return found
    return LookedUp((*found.lines, _line(scene, named.path, "refused", reason, detail)))


def difference(header: raw.Header, truth: raw.Header) -> tuple[str, str]:
    """Why an input does not fit its truth (reason, detail); two empty texts if it does."""
    cameras = [
        f"{each.make} {each.model}".strip() or "an unnamed camera" for each in (header, truth)
    ]
    if cameras[0] != cameras[1]:
        return "wrong-camera", f"taken with {cameras[0]}, its truth with {cameras[1]}"
    if (header.height, header.width) != (truth.height, truth.width):
        sizes = [f"{each.height} x {each.width}" for each in (header, truth)]
        return "wrong-size", f"{sizes[0]}, its truth {sizes[1]} (height x width)"
    if (header.kind, header.cfa) != (truth.kind, truth.cfa):
        return "wrong-cfa", f"color filters {header.cfa}, its truth {truth.cfa}"
    return "", ""


def _picture(scene: Scene, shot: Exposures[Named], order: Order) -> Found | None:
    """The enhanced picture, where the recipe or the user asks for one."""
    if order.pictures is not None:
        named = shot.frames[0] if order.walk.fuse else shot.truth
        return enhanced.match(order.pictures, scene.name, stem_of(named) if named else "")
    if not isinstance(order.walk.enhancement, Published):
        return None
    if shot.final is None:
        return Found(None, "final-missing", "the data set has no picture of this scene")
    found = order.folder.find(shot.final.path, picture=True)
    why = f"its picture {shot.final.path} can't be used ({found.reason})"
    return found if found.source else Found(None, "final-missing", why)


def _frames(shot: Exposures[Named], order: Order) -> Iterator[File]:
    """What a truth is fused from; a frame that is not there is left out."""
    for one in shot.frames:
        source = file_of(one, order).source
        if source:
            yield File("", one, source)


def _dropped(
    scene: Scene,
    shot: Exposures[Named],
    order: Order,
    lines: tuple[Line, ...],
    why: tuple[str, str],
    but: str = "",
) -> PlannedScene:
    """A scene that can't be made: a line for each of its inputs (`but` the one that has one)."""
    told = list(lines)
    for one in shot.inputs:
        if one.path != but:
            file, more = _file(scene, one, order)
            told += more
            told += [_line(scene, one.path, "refused", *why)] if file else []
    return PlannedScene(scene, tuple(told))


def planned_picture(scene: Scene, shot: Exposures[Named], order: Order) -> PlannedScene:
    """A finished picture that is made raw as a task, without one where it can't be used."""
    named = shot.inputs[0]
    found = Found(named.at) if named.at else order.folder.find(named.path, picture=True)
    if found.source is None:
        lines = (_line(scene, named.path, "missing", found.reason, found.detail),)
        return PlannedScene(scene, lines)
    name = found.source.path
    path = order.folder.root.absolute() / name
    try:
        with judged(path, name, found.source.size):
            height, width = apart(Elsewhere(FILES, "size"), path, name)
    except Refusal as why:
        line = _line(scene, name, "refused", why.reason, why.detail, why.number)
        return PlannedScene(scene, (line,))
    if min(height, width) < order.unmaking.least:
        detail = (
            f"{height} x {width} pixels, the recipe takes {order.unmaking.least} a side and more"
        )
        line = _line(scene, name, "excluded", "too-small", detail, min(height, width))
        return PlannedScene(scene, (line,))
    key = f"{order.card.name}/{scene.name}"
    own, truth = (File(key + mark, named, found.source) for mark in ("", "-finished"))
    task = Task(scene.name, Exposures(truth, (own,)))
    return PlannedScene(scene, (), task, "bayer", (height, width))


def planned_couple(scene: Scene, couple: Couple[Named], order: Order) -> PlannedScene:
    """The scene as a task; without one where a side is not there."""
    found = [(one, file_of(one, order)) for one in (couple.phone, couple.dslr)]
    lines = []
    for one, file in found:
        if file.source is None:
            kind: LineKind = "missing" if file.reason == "missing" else "refused"
            detail = f"{file.detail}: the pair is left out"
            lines.append(_line(scene, one.path, kind, file.reason, detail))
    phone, dslr = (file.source for _, file in found)
    if phone is None or dslr is None:
        return PlannedScene(scene, tuple(lines))
    key, name = f"{order.card.name}/{scene.name}", Path(phone.path).stem
    key = key if key.endswith(f"/{name}") else f"{key}/{name}"
    both = Couple(File(key, couple.phone, phone), File(f"{key}:dslr", couple.dslr, dslr))
    return PlannedScene(scene, (), Task(scene.name, both), *_patches(order))


def _patches(order: Order) -> tuple[Kind, tuple[int, int]]:
    """What inputs of pairs are, and their height and width."""
    how = order.truth
    if isinstance(how, Develop | Unprocess):
        what = 'are pairs of two cameras: make = "align" or "released"'
        raise BuildError(f"{order.card.name}: its scenes {what}")
    raw_patches = how.mosaic if isinstance(how, Align) else bool(how.white)
    return ("bayer" if raw_patches else "rgb"), (how.patch, how.patch)


def stem_of(named: Named) -> str:
    """A file's name without folder and extension."""
    return PurePosixPath(named.path).stem


def _line(
    scene: Scene, file: str, kind: LineKind, reason: str, detail: str, number: float | None = None
) -> Line:
    return Line(scene.split or "", scene.name, file, kind, reason, detail, number)
