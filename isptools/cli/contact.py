"""A folder of captures at a glance: a line a file, and a sheet of all of them with captions."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isptools.cli.output import now
from isptools.shown import shown as escaped

if TYPE_CHECKING:
    from isptools.frame import Array
    from isptools.propose.look import Seen
    from isptools.report.sheet import Captioned

SHEET = 200  # files that are shown
COLUMNS = 4
LARGE = 720  # pixels: no picture is kept larger than this


@dataclass(frozen=True, slots=True)
class Told:
    """One raw or picture, as far as its head says."""

    seen: "Seen"

    @property
    def unknown(self) -> bool:
        """A raw without a mosaic has its facts, and is of no use to `isptools init` alone."""
        return self.seen.shape == (0, 0)

    def words(self) -> dict[str, Any]:
        one = self.seen
        if self.unknown:
            return {"file": one.path, "wrong": one.wrong}
        height, width = one.shape
        return {"file": one.path, "camera": one.camera, "exposure_s": one.exposure_s,
                "iso": one.iso, "width": width, "height": height}  # fmt: skip

    def exposed(self) -> str:
        """Camera, exposure, ISO and size, as photographers write them."""
        one = self.seen
        seconds = one.exposure_s or 0.0
        time = f"{seconds:.3g} s" if seconds >= 0.3 else f"1/{1 / seconds:.0f} s" if seconds else ""
        iso = f"ISO {one.iso:.0f}" if one.iso else ""
        size = f"{one.shape[1]} x {one.shape[0]}"
        return ", ".join(part for part in (one.camera, time, iso, size) if part)


def told(place: Path) -> list[Told]:
    """Every raw and picture below a folder, by path. ValueError in one line where there is none."""
    from isptools.cli.progress import shown
    from isptools.propose.look import seen_files

    with shown() as show:
        seen = seen_files(place, lambda done, total: show("headers", done, total))
    found = [Told(one) for one in seen if one.kind != "other"]
    if found:
        return found
    if any(one.path.endswith(".h5") for one in seen):
        raise ValueError(
            f"{place}: a folder of shards; give one of them, or look at all with isptools stats "
            "or isptools report"
        )
    raise ValueError(
        f"{place}: there is no raw file and no picture; give one, a folder of them, or a shard"
    )


def lines(found: Sequence[Told]) -> Iterator[str]:
    for one in found[:SHEET]:
        yield f"{one.seen.path}: {one.seen.wrong if one.unknown else one.exposed()}"
    if len(found) > SHEET:
        yield f"... and {len(found) - SHEET} more"


def pictures(place: Path, found: Sequence[Told]) -> Any:
    """A sheet of them, dark ones brightened. ValueError in one line where none can be read."""
    from isptools.cli.progress import shown
    from isptools.report.sheet import sheet

    cells = []
    with shown() as show:
        for number, one in enumerate(found[:SHEET]):
            show("pictures", number, min(len(found), SHEET))
            try:
                cells.append(_cell(place, one))
            except ValueError as error:
                now().remark(f"{one.seen.path}: not on the sheet: {escaped(str(error))}")
    if not cells:
        raise ValueError(f"{place}: none of its files can be read")
    return sheet(cells, COLUMNS)


def _cell(place: Path, one: Told) -> "Captioned":
    from isptools.report.sheet import Captioned, brightened, said

    picture, stops = brightened(small(place / one.seen.path))
    return Captioned(picture, (one.seen.path, one.exposed(), *said(stops)))


def small(path: Path) -> "Array":
    """(h, w, 3) uint8, upright, of a raw or a picture. ValueError in one line."""
    import numpy as np

    from isptools.cli import raws
    from isptools.raw import SUFFIXES
    from isptools.report.pictures import fit, of_raw

    if path.suffix[1:].lower() in SUFFIXES:
        return of_raw(raws.read(path, larger=True))
    picture = raws.upright(path)
    whole = picture if picture.dtype == np.uint8 else (picture >> 8).astype(np.uint8)
    return fit(whole, min(LARGE, whole.shape[1]))
