"""What `isptools align` tells: one line, JSON, and a page with pictures."""

import base64
from collections import Counter
from dataclasses import asdict, dataclass
from html import escape
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

STYLE = """body{font:15px/1.5 sans-serif;max-width:1000px;margin:2em auto;padding:0 1em;color:#222}
img{max-width:100%;display:block}td,th{padding:.1em 1em .1em 0;text-align:left}
.pass{color:#0a7a2f}.fail{color:#b00020}.flicker{position:relative}
.flicker img+img{position:absolute;top:0;left:0;animation:f 1s steps(1) infinite}
@keyframes f{0%{opacity:1}50%{opacity:0}}"""


@dataclass(frozen=True, slots=True)
class Judged:
    """An alignment with its pair and patches, if there is any, and how it was judged."""

    files: tuple[Path, Path]
    shapes: tuple[tuple[int, ...], tuple[int, ...]]
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
    return Judged(files, shapes, found, limits, search, size, pair, verdicts, reasons)


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
        "phone": {"file": judged.files[0].name, "height": judged.shapes[0][0],
                  "width": judged.shapes[0][1]},
        "dslr": {"file": judged.files[1].name, "height": judged.shapes[1][0],
                 "width": judged.shapes[1][1]},
        "local_offsets": bool(found.mapping and found.mapping.field),
        "canvas": _canvas(judged.pair.canvas) if judged.pair else None,
        "numbers": {name: _number(value) for name, value in numbers.items()},
        "limits": asdict(judged.limits),
        "search": asdict(judged.search),
        "windows": [asdict(verdict) for verdict in judged.verdicts],
    }  # fmt: skip


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
    verdict = "pass" if judged.passed else "fail"
    parts = [
        f"<!doctype html><meta charset=utf-8><title>isptools align: {verdict}</title>",
        f"<style>{STYLE}</style><h1 class={verdict}>{verdict}</h1>",
        f"<p>{escape(judged.files[0].name)} and {escape(judged.files[1].name)}</p><ul>",
        *(f"<li>{escape(reason)}</li>" for reason in judged.reasons),
        "</ul>",
        _table(judged),
        *_pictures(judged),
    ]
    return "\n".join(parts).encode()


def _table(judged: Judged) -> str:
    numbers = dict(judged.found.numbers)
    counted = Counter(verdict.reason for verdict in judged.verdicts)
    numbers |= {f"patches {reason}": float(count) for reason, count in sorted(counted.items())}
    rows = "".join(
        f"<tr><th>{escape(name.replace('_', ' '))}<td>{value:.4g}</tr>"
        for name, value in numbers.items()
    )
    return f"<table>{rows}</table>"


def _pictures(judged: Judged) -> list[str]:
    if judged.pair is None:
        return []
    pair, found = judged.pair, judged.found
    phone, dslr = show.small(pair.phone), show.small(pair.dslr)
    scale = phone.shape[1] / pair.phone.shape[1]
    windows = show.correlation_map(phone, judged.verdicts, judged.size, scale, judged.search.least)
    return [
        "<h2>Flicker</h2><div class=flicker>", _img(phone), _img(dslr), "</div>",
        "<h2>Checkerboard</h2>", _img(show.checkerboard(phone, dslr)),
        "<h2>Shifts left at places that were not fitted, enlarged</h2>",
        _img(show.arrows(phone, _places(found, pair, scale), found.residual)),
        "<h2>Patches</h2><p>Green to yellow: kept, by correlation; red: low correlation; "
        "violet: beyond the search; gray: flat.</p>", _img(windows),
    ]  # fmt: skip


def _places(found: Alignment, pair: Pair, scale: float) -> Array:
    """Places of the phone's picture on the reduced pair."""
    on = pair.canvas
    own = found.places
    if on.reference == "dslr" and found.mapping is not None:
        own = found.mapping.to_dslr(own)
    step = np.array([on.size[1] / on.width, on.size[0] / on.height])
    placed: Array = ((own + 0.5 - (on.left, on.top)) * step) * scale - 0.5
    return placed


def _img(picture: Array) -> str:
    done, data = cv2.imencode(".jpg", picture[..., ::-1], (cv2.IMWRITE_JPEG_QUALITY, 88))
    if not done:
        raise ValueError("a picture of the report could not be made")
    return f'<img alt="" src="data:image/jpeg;base64,{base64.b64encode(data.tobytes()).decode()}">'
