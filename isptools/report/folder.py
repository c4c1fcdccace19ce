"""What the page of a folder of shards says: a verdict, five numbers, all that is behind them."""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from isptools.datasets.alike import earlier
from isptools.report import plots
from isptools.report.facts import Fact, uri
from isptools.report.left import Left, Look, left
from isptools.report.samples import EDGES, Shown, gathered, large
from isptools.shards import ledger, read
from isptools.shards.check import INDEX, LEDGER, Problem, examined
from isptools.shards.made import made_by
from isptools.shards.read import Shards

LAYERS = 24  # samples, the worst, that can be looked at closely, while their pictures have no more
HEAVY = 4_000_000  # bytes
SPLITS = ("train", "val", "test")
FLOWS = 12  # pictures whose patches' shifts are drawn
CAMERAS = 24  # whose histograms are drawn, those of most inputs
ALIKE = 6  # bits of 64 in which near-duplicates may differ, as `isptools init` takes them


@dataclass(frozen=True, slots=True)
class Page:
    """All that the template shows."""

    title: str
    sample: bool  # made from code
    verdict: str  # "ship", "look" or "stop"
    sentence: str
    facts: tuple[Fact, ...]
    problems: tuple[Problem, ...]
    places: tuple[int | None, ...]  # of each problem: that of its first sample in `samples`
    samples: tuple[Shown, ...]
    skip: int  # so many are left out of the gallery, the worst
    layers: dict[int, dict[str, str]]  # place in `samples` -> layer -> data URI
    strips: tuple[plots.Strip, ...]
    histograms: tuple[tuple[str, plots.Curves], ...]  # camera
    twins: tuple[tuple[Shown, Shown], ...]  # alike, in two splits
    pairs: plots.Scatter | None  # of two cameras
    flows: tuple[plots.Arrows, ...]  # of their patches, a picture each
    left: tuple[Left, ...]  # what the build left out or noted
    looked: bool  # whether files were looked at for it
    provenance: tuple[tuple[str, str], ...]


def page(
    folder: Path, progress: Callable[[str, int, int], None], look: Look | None = None,
    skip: int = 0, jobs: int = 1,
) -> Page:  # fmt: skip
    """Look at everything. ValueError in one line where there is nothing to show.

    `look` gives pictures of what the ledger names; the gallery begins behind the `skip` worst.
    `jobs` counts processes that measure.
    """
    found = examined(folder, lambda done, total: progress("shards", done, total), jobs)
    problems = found.problems
    with read.open(folder) as shards:
        samples = gathered(shards, found.seen, lambda done, total: progress("rows", done, total))
        if skip and skip >= len(samples):
            raise ValueError(f"{folder}: there are {len(samples)} samples, none behind {skip}")
        odd, twins = list(_odd_lines(samples)), _twins(samples)
        problems = sorted([*problems, *odd], key=lambda one: not one.sure)
        named = [*_add(problems, samples), *(one.index for one, _ in twins)]
        problems += _told(twins)  # no fault of either
        samples.sort(key=lambda one: (-one.worst, one.index))
        at = {one.index: place for place, one in enumerate(samples)}
        pictures = dict(_layers(shards, samples, skip))
        attrs = shards.tables[0].attrs
        verdict, sentence = _verdict(problems, len(odd), len(twins), len(samples))
        return Page(
            title=str(attrs["title"]), sample=bool(attrs["sample"]), verdict=verdict,
            sentence=sentence, facts=tuple(_facts(shards, samples)), problems=tuple(problems),
            places=tuple(None if index is None else at[index] for index in named),
            samples=tuple(samples), skip=skip, layers=pictures, strips=tuple(_strips(samples)),
            histograms=tuple(_histograms(samples)), twins=twins, pairs=_pairs(samples),
            flows=tuple(_flows(shards)), left=_left(folder, samples, look),
            looked=look is not None,
            provenance=tuple(_provenance(folder, shards)),
        )  # fmt: skip


def numbers(made: Page) -> bytes:
    """report.json: every number of the page, without its pictures."""
    out = {
        "title": made.title,
        "sample": made.sample,
        "verdict": made.verdict,
        "sentence": made.sentence,
        "facts": [asdict(fact) for fact in made.facts],
        "problems": [asdict(problem) for problem in made.problems],
        "samples": [
            {
                "key": one.key, "scene": one.scene, "split": one.split, "shard": one.shard,
                "worst": one.worst, "problems": one.problems, "correlation": one.correlation,
                "residual_px": one.residual_px,
                "measured": [asdict(each) for each in one.measured],
            }
            for one in made.samples
        ],
        "histograms": {
            camera: {color: each.tolist() for color, each in counts.items()}
            for camera, counts in _counted(made.samples).items()
        },
        "histogram_edges": EDGES.tolist(),
        "twins": [[one.key, other.key] for one, other in made.twins],
        "ledger": [
            {"kind": one.kind, "reason": one.reason, "files": one.count, "scenes": one.scenes}
            for one in made.left
        ],
        "provenance": dict(made.provenance),
    }  # fmt: skip
    return json.dumps(out, indent=1, ensure_ascii=False, sort_keys=True).encode() + b"\n"


def _layers(
    shards: Shards, samples: Sequence[Shown], skip: int
) -> Iterator[tuple[int, dict[str, str]]]:
    """Of the worst behind `skip`, until they are too heavy for a page."""
    left = HEAVY
    for place, one in enumerate(samples[skip : skip + LAYERS], skip):
        pictures = dict(large(shards, one))
        left -= sum(map(len, pictures.values()))
        if left < 0 and place > skip:
            return
        yield place, {name: uri(data, "jpeg") for name, data in pictures.items()}


def _add(problems: Sequence[Problem], samples: Sequence[Shown]) -> list[int | None]:
    """A problem that names a sample stands beside it, once a kind: it may be of both truths.

    Gives each problem's first sample, by its index.
    """
    places: dict[str, list[int]] = {}
    for place, one in enumerate(samples):
        places.setdefault(one.key, []).append(place)
    first: list[int | None] = []
    for problem in problems:
        named = {place for key in _named(problem.detail) for place in places.get(key, ())}
        of_it = [samples[place] for place in sorted(named)]
        first.append(of_it[0].index if of_it else None)
        for one in of_it:
            if not any(told.startswith(f"{problem.what}: ") for told in one.problems):
                rest = problem.detail.removeprefix(one.key).lstrip(" ,:")
                one.problems.append(f"{problem.what}: {rest}")
    return first


def _named(text: str) -> set[str]:
    """All that may be a key in a text: it begins with a word, and one of these marks ends it."""
    begins = [0, *(mark.end() for mark in re.finditer(r"[ (]", text))]
    ends = [len(text), *(mark.start() for mark in re.finditer(r"[ ,:)]", text))]
    return {text[begin:end] for begin in begins for end in ends if begin < end}


def _odd_lines(samples: Sequence[Shown]) -> Iterator[Problem]:
    """A look at the raw finds them; `check` does not, as some sensors have such a line."""
    for one in samples:
        if one.lines:
            told = ", ".join(f"{name} {at} ({abs(off):.0%} of it)" for name, at, off in one.lines)
            what = "hot pixels in a line" if one.lines[0][2] > 0 else "dark pixels in a line"
            detail = f"{one.key}: {told} stands out of the input, and not of its truth"
            yield Problem(one.shard, what, detail, sure=False)


def _told(twins: Sequence[tuple[Shown, Shown]]) -> Iterator[Problem]:
    for one, other in twins:
        detail = f"{one.key} of {one.split} looks like {other.key} of {other.split}"
        yield Problem(
            "", "alike", f"{detail}: one scene in two splits makes a test too easy", False
        )


def _verdict(problems: Sequence[Problem], odd: int, twins: int, count: int) -> tuple[str, str]:
    sure, unsure = (sum(one.sure is each for one in problems) for each in (True, False))
    unsure -= odd + twins
    parts = [f"{_many(unsure, 'pair')} too dark or too plain to be told"] * bool(unsure)
    parts += [f"{_many(odd, 'input')} with a line that stands out"] * bool(odd)
    parts += [f"{_many(twins, 'pair')} of splits' scenes alike"] * bool(twins)
    look = " and ".join(parts)
    if sure:
        said = f"Do not train on this yet: {_many(sure, 'thing')} wrong."
        return "stop", f"{said} Look at these too: {look}." if look else said
    if look:
        return "look", f"Nothing is known to be wrong, but look at these: {look}."
    return "ship", f"Ship it: all that was looked at in {_many(count, 'input')} is as it should be."


def _many(count: int, what: str) -> str:
    verb = {"thing": (" is", "s are")}.get(what, ("", "s"))
    return f"{count} {what}{verb[count != 1]}"


def _facts(shards: Shards, samples: Sequence[Shown]) -> list[Fact]:
    scenes = {(one.split, one.scene) for one in samples}
    size = sum(np.prod(shards.shape(i)) for i in range(len(shards))) / 1e6
    counted = Counter(split for split, _ in scenes)
    splits = ", ".join(f"{name} {counted[name]}" for name in SPLITS if counted[name])
    return [
        Fact("scenes", str(len(scenes)), "", splits, "whole scenes stand in one split"),
        Fact("light", f"{size:.1f}", "megapixels", f"{len(samples)} inputs", "of all inputs"),
        _shift(samples),
        _of_kind(samples, "noise", "noise", "the inputs' noise beside the stated model"),
        _quality(samples),
    ]  # fmt: skip


def _shift(samples: Sequence[Shown]) -> Fact:
    meaning = "how far inputs lie off their truths, at most in 95 % of the pairs"
    left = [one.residual_px for one in samples if one.residual_px is not None]
    if left:
        return Fact("shift", f"{np.percentile(left, 95):.2f}", "px", "residual", meaning)
    return _of_kind(samples, "place", "shift", meaning)


def _of_kind(samples: Sequence[Shown], kind: str, name: str, meaning: str) -> Fact:
    found = [each for one in samples for each in one.measured if each.kind == kind]
    if not found:
        return Fact(name, "not measured", "", "", meaning)
    if any(each.told for each in found):
        one = max((each for each in found if each.told), key=lambda each: each.value / each.limit)
        limit = f"at most {one.limit:.3g}"
        return Fact(name, f"{one.value:.3g}", one.unit, limit, f"{meaning}; the worst pair", True)
    value = float(np.percentile([each.value for each in found], 95))
    most = float(np.median([each.limit for each in found]))
    return Fact(name, f"{value:.3g}", found[0].unit, f"at most {most:.3g}", meaning)


def _quality(samples: Sequence[Shown]) -> Fact:
    """By scene, where shards state it."""
    meaning = "how far above its noise a truth's white lies; the worst scene"
    stated = [getattr(one.truth, "quality_db", None) for one in samples]
    known = [value for value in stated if value is not None]
    if not known:
        return Fact("truth quality", "not stated", "", "", meaning)
    return Fact("truth quality", f"{min(known):.1f}", "dB", f"median {np.median(known):.1f}", meaning)  # noqa: E501  # fmt: skip


def _strips(samples: Sequence[Shown]) -> list[plots.Strip]:
    kinds: dict[str, list[plots.Dot]] = {}
    for place, one in enumerate(samples):
        for each in one.measured:
            label = f"{one.key}, {each.name}: {each.value:.3g} {each.unit}".strip()
            dot = plots.Dot(place, each.value / each.limit, f"{label} of {each.limit:.3g}")
            kinds.setdefault(each.kind, []).append(dot)
    found = [plots.strip(kind, dots) for kind, dots in kinds.items()]
    return sorted(found, key=lambda one: (-one.wrong, -one.most, one.kind))


def _counted(samples: Sequence[Shown]) -> dict[str, dict[str, Any]]:
    """Counts by camera and color; the camera of most inputs first."""
    named = [f"{one.row.make} {one.row.model}".strip() or "camera not stated" for one in samples]
    cameras: dict[str, dict[str, Any]] = {name: {} for name, _ in Counter(named).most_common()}
    for name, one in zip(named, samples, strict=True):
        for color, counts in one.histogram.items():
            cameras[name][color] = cameras[name].get(color, 0) + counts.astype(np.int64)
    return cameras


def _histograms(samples: Sequence[Shown]) -> list[tuple[str, plots.Curves]]:
    cameras = list(_counted(samples).items())[:CAMERAS]
    return [(name, plots.histogram(counts, EDGES)) for name, counts in sorted(cameras)]


def _twins(samples: Sequence[Shown]) -> tuple[tuple[Shown, Shown], ...]:
    """Scenes that look the same as one of another split."""
    first = list({f"{one.split}/{one.scene}": one for one in reversed(samples)}.values())
    found = earlier([(one.split, one.bits) for one in first], ALIKE)
    return tuple((one, first[at]) for one, at in zip(first, found, strict=True) if at is not None)


def _left(folder: Path, samples: Sequence[Shown], look: Look | None) -> tuple[Left, ...]:
    """None where the build did not end."""
    if not (folder / LEDGER).is_file():
        return ()
    places = {one.row.source: place for place, one in reversed(list(enumerate(samples)))}
    return left(ledger.groups(folder), places, look)


def _pairs(samples: Sequence[Shown]) -> plots.Scatter | None:
    """Correlation against the shift that is left, of pairs of two cameras."""
    known = [(place, one) for place, one in enumerate(samples) if one.correlation is not None]
    dots = [
        plots.Dot(place, one.correlation or 0.0, f"{one.key}: correlation {one.correlation:.3f}"
                  + ("" if one.residual_px is None else f", {one.residual_px:.2f} px left"))
        for place, one in known
    ]  # fmt: skip
    left = [one.residual_px for _, one in known]
    return plots.scatter(dots, left) if dots else None


def _flows(shards: Shards) -> Iterator[plots.Arrows]:
    """How far patches were shifted to lie on their truths, where they lie in their picture."""
    found: dict[str, list[plots.Arrow]] = {}
    for table in shards.tables:
        for pair in table.pairs:
            name, _, window = pair.key.rpartition("@")
            parts = window.split(",")
            if name and len(parts) == 4 and all(part.isdigit() for part in parts):
                top, left, height, width = map(int, parts)
                middle = left + width / 2, top + height / 2
                found.setdefault(name, []).append((*middle, pair.dx, pair.dy))
    for name, arrows in list(found.items())[:FLOWS]:
        yield plots.arrows(name, arrows)


def _provenance(folder: Path, shards: Shards) -> list[tuple[str, str]]:
    attrs, recipe = shards.tables[0].attrs, made_by(shards.tables[0].attrs)
    said = ("data_set", "licence", "redistribution", "citation", "recipe_sha256")
    rows = [("folder", folder.name), ("recipe", f"{recipe.name}: {recipe.title}")]
    rows += [(name.replace("_", " "), " ".join(str(attrs[name]).split())) for name in said]
    versions = json.loads(str(attrs["versions"]))
    rows.append(("made with", ", ".join(f"{name} {text}" for name, text in versions.items())))
    for part, steps in json.loads(str(attrs["steps"])).items():
        rows.append((part, " > ".join(str(step["step"]) for step in steps) or "nothing"))
    rows.append(("index", "whole" if (folder / INDEX).is_file() else "missing"))
    return rows
