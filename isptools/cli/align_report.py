"""What `isptools align` tells: one line, JSON, and a page with pictures."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np

from isptools import patches
from isptools.frame import Array
from isptools.pair import show, warp
from isptools.pair.accept import Search, Verdict, accept
from isptools.pair.align import Alignment, Limits
from isptools.pair.light import gray
from isptools.pair.warp import Canvas, Choice, Pair
from isptools.report import pair as page_of_pair
from isptools.report.facts import Fact, Top

SIDES = ("phone", "dslr")
# what a number of the verdict is called, its unit, its limit, and what it means
NUMBERS = {
    "inliers": ("matches", "", "at least inliers", "points found in both that one plane explains"),
    "spread": ("spread of the matches", "", "", "part of the picture that they cover; 1: all"),
    "heldout_rmse_px": ("error of held-out matches", "px", "",
                        "of single points, which are found to a few pixels only"),
    "heldout_share": ("held-out matches that agree", "", "at least heldout_share",
                      "matches that were kept back from the fit, and are explained by it"),
    "agree": ("held-out windows that agree", "", "at least agree", "the same of whole windows"),
    "residual_median_px": ("shift left, median", "px", "at most median_px",
                           "how far the two lie apart at places that were not fitted"),
    "residual_p95_px": ("shift left, at most in 95 %", "px", "at most p95_px",
                        "the same, nearly the worst"),
    "plane_median_px": ("shift left by the plane alone", "px", "at most plane_px",
                        "before local offsets: parallax, lens distortion"),
    "corner_px": ("deviation of the worst corner", "px", "at most corner_px",
                  "predicted by the fit, where matches are few"),
    "overlap": ("phone's picture that is covered", "", "at least overlap", "1: all of it"),
    "shared": ("content in common", "", "", "part of the overlap that shows the same"),
    "frame": ("frame that shows the same", "", "at least frame", "1: all of the frame"),
    "repeats": ("fits elsewhere as well", "", "at most repeats",
                "another place's correlation over the best one's: repeated texture"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Judged:
    """An alignment with its pair and patches, if there is any, and how it was judged."""

    files: tuple[Path, Path]
    pictures: tuple[Array, Array]
    found: Alignment
    limits: Limits
    search: Search
    size: int  # of the patches
    pair: Pair | None
    verdicts: tuple[Verdict, ...]
    reasons: tuple[str, ...]

    @property
    def passed(self) -> bool:
        return not self.reasons


def judge(
    files: tuple[Path, Path], pictures: tuple[Array, Array], found: Alignment, limits: Limits,
    choice: Choice, search: Search, size: int,
) -> Judged:  # fmt: skip
    """Warp the pair where there is a mapping, and judge its patches."""
    shapes = pictures[0].shape, pictures[1].shape
    pair: Pair | None = None
    verdicts: tuple[Verdict, ...] = ()
    reasons = found.reasons
    if found.mapping is not None:
        try:
            on = warp.canvas(found.mapping, *shapes, choice)
            pair = warp.warp(*pictures, found.mapping, on)
            verdicts = _patches(pair, size, search)
        except ValueError as error:
            reasons = (*reasons, str(error))
    return Judged(files, pictures, found, limits, search, size, pair, verdicts, reasons)


def _patches(pair: Pair, size: int, search: Search) -> tuple[Verdict, ...]:
    """The side that is not the reference moves."""
    sides = gray(pair.phone), gray(pair.dslr)
    still, moving = sides if pair.canvas.reference == "phone" else sides[::-1]
    if min(still.shape) < size:
        return ()
    places = [window[:2] for window in patches.grid(still.shape, size, 1)]
    return tuple(accept(still, moving, places, size, search))


def line(judged: Judged) -> str:
    """For the terminal."""
    if not judged.passed:
        return f"fail: {'; '.join(judged.reasons)}"
    kept = sum(verdict.kept for verdict in judged.verdicts)
    numbers = judged.found.numbers
    return (
        f"pass: {numbers['inliers']:.0f} matches, residual shift "
        f"{numbers['residual_median_px']:.2f} px (median) {numbers['residual_p95_px']:.2f} px "
        f"(95 %), {kept} of {len(judged.verdicts)} patches kept"
    )


def json(judged: Judged) -> bytes:
    return msgspec.json.format(msgspec.json.encode(facts(judged)), indent=1) + b"\n"


def facts(judged: Judged) -> dict[str, Any]:
    """The report: see docs/pair.md."""
    found, numbers = judged.found, judged.found.numbers
    kept = sum(verdict.kept for verdict in judged.verdicts)
    h = found.mapping.h.tolist() if found.mapping else None
    return {
        "verdict": "pass" if judged.passed else "fail",
        "reasons": judged.reasons,
        "homography": h,
        "inliers": int(numbers.get("inliers", 0)),
        "heldout_rmse_px": _number(numbers.get("heldout_rmse_px")),
        "residual_shift_px": {
            "median": _number(numbers.get("residual_median_px")),
            "p95": _number(numbers.get("residual_p95_px")),
        },
        "patches": {
            "kept": kept,
            "refused": len(judged.verdicts) - kept,
            "reasons": dict(Counter(v.reason for v in judged.verdicts if not v.kept)),
            "size": judged.size,
        },
        **{side: _side(*each) for side, each in zip(SIDES, zip(judged.files, judged.pictures,
                                                               strict=True), strict=True)},
        "local_offsets": bool(found.mapping and found.mapping.field),
        "canvas": _canvas(judged.pair.canvas) if judged.pair else None,
        "numbers": {name: _number(value) for name, value in numbers.items()},
        "limits": asdict(judged.limits),
        "search": asdict(judged.search),
        "windows": [asdict(verdict) for verdict in judged.verdicts],
    }  # fmt: skip


def _side(file: Path, picture: Array) -> dict[str, Any]:
    height, width = picture.shape[:2]
    return {"file": file.name, "path": str(file.absolute()), "height": height, "width": width}


def _canvas(on: Canvas) -> dict[str, Any]:
    return asdict(on)


def _number(value: float | None) -> float | None:
    return float(value) if value is not None and np.isfinite(value) else None


def png(picture: Array) -> bytes:
    done, data = cv2.imencode(".png", picture[..., ::-1] if picture.ndim == 3 else picture)
    if not done:
        raise ValueError("the picture could not be written as PNG")
    return data.tobytes()


def html(judged: Judged) -> bytes:
    """One page that needs nothing else."""
    told = msgspec.json.decode(json(judged))
    sides = (judged.pair.phone, judged.pair.dslr) if judged.pair else None
    return page_of_pair.html(_page(told, judged.pictures, sides))


def of_folder(folder: Path) -> tuple[bytes, bytes, str, str]:
    """The page, its numbers, verdict and sentence, of a folder that `isptools align` wrote.

    Both photographs are shown where they still lie. ValueError in one line for another report.
    """
    path = folder / "report.json"
    try:
        data = path.read_bytes()
        told = msgspec.json.decode(data, type=dict[str, Any])
        sides = tuple(_read(folder / f"{side}.png") for side in SIDES)
        taken = tuple(_read(Path(told[side].get("path", ""))) for side in SIDES)
        whole = (sides[0], sides[1]) if sides[0] is not None and sides[1] is not None else None
        made = _page(told, taken, whole)
    except (OSError, ValueError, RecursionError, KeyError, TypeError, AttributeError) as error:
        said = f"{type(error).__name__}: {error}"
        raise ValueError(f"{path}: no report of isptools align ({said})") from None
    return page_of_pair.html(made), data, made.top.verdict, made.top.sentence


def _read(path: Path) -> Array | None:
    """A picture as RGB; None where there is none any more."""
    if not path.is_file():
        return None
    from isptools.cli.raws import upright

    try:
        return upright(path)
    except (ValueError, OSError):
        return None


def _page(
    told: dict[str, Any], taken: Sequence[Array | None], sides: tuple[Array, Array] | None
) -> page_of_pair.PairPage:
    layers: dict[str, Array] = {}
    if sides:
        layers = dict(zip(SIDES, map(show.small, sides), strict=True))
        layers["checkerboard"] = show.checkerboard(layers["phone"], layers["dslr"])
    verdicts = [Verdict(**each) for each in told["windows"]]
    size, scale = told["patches"]["size"], 1.0
    if sides:
        scale = layers["phone"].shape[1] / sides[0].shape[1]
        least = told["search"]["least"]
        layers["patches"] = show.correlation_map(layers["phone"], verdicts, size, scale, least)
    kept = [one for one in verdicts if one.kept]
    places = [((one.left + size / 2) * scale, (one.top + size / 2) * scale) for one in kept]
    names = [f"{side}: {told[side]['file']}" for side in SIDES]
    return page_of_pair.PairPage(
        _top(told), tuple(told["reasons"]), tuple(_rows(told)),
        tuple((name, show.small(each)) for name, each in zip(names, taken, strict=True)
              if each is not None),
        tuple(layers.items()), np.array(places, np.float64).reshape(-1, 2),
        np.array([(one.dx, one.dy) for one in kept], np.float64).reshape(-1, 2),
        tuple(sorted(Counter(one.reason for one in verdicts).items())),
    )  # fmt: skip


def _top(told: dict[str, Any]) -> Top:
    """The verdict in a sentence, and five numbers."""
    passed, patches = told["verdict"] == "pass", told["patches"]
    count = patches["kept"] + patches["refused"]
    p95 = told["residual_shift_px"]["p95"]
    sentence = (
        f"Use it: the two lie on each other within {p95:.2f} px at 95 % of the places; "
        f"{patches['kept']} of {count} patches are kept." if passed
        else f"Do not use this pair: {told['reasons'][0]}."
    )  # fmt: skip
    rows = {row.name: row for row in _rows(told)}
    shown = [rows[NUMBERS[name][0]] for name in
             ("inliers", "residual_median_px", "residual_p95_px", "frame")
             if NUMBERS[name][0] in rows]  # fmt: skip
    facts = [Fact(row.name, row.value, "", row.limit, row.meaning, row.wrong) for row in shown]
    facts.append(
        Fact(
            "patches kept",
            str(patches["kept"]),
            f"of {count}",
            f"correlation above {told['search']['least']:g}",
            "windows to train on",
        )
    )
    title = " and ".join(told[side]["file"] for side in SIDES)
    return Top(title, "ship" if passed else "stop", sentence, tuple(facts))


def _rows(told: dict[str, Any]) -> Iterator[page_of_pair.Row]:
    for name, value in told["numbers"].items():
        label, unit, held, meaning = NUMBERS.get(name, (name.replace("_", " "), "", "", ""))
        words, _, attribute = held.rpartition(" ")
        limit = told["limits"].get(attribute) if attribute else None
        wrong = limit is not None and (
            value is None or (value < limit if words == "at least" else value > limit)
        )
        shown = "none" if value is None else f"{value:.4g} {unit}".strip()
        stated = "" if limit is None else f"{words} {limit:g}"
        yield page_of_pair.Row(label, shown, stated, meaning, wrong)
