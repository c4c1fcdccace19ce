"""`isptools fuse`."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import click

from isptools.cli.codes import LOOK
from isptools.cli.target import Target, expect_apart, save

if TYPE_CHECKING:
    from isptools.burst import Fused, Noted, Refused
    from isptools.develop.noise import Noise
    from isptools.frame import Frame

FILE = Target()


@click.command(name="fuse")
@click.argument("frames", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--out", type=FILE, required=True, help="The fused raw, a 16-bit .dng.")
@click.option("--onto", "reference", type=click.IntRange(min=0), help="Number of the frame to lay "
              "the others onto, from 0; the sharpest of the first three if left out.")  # fmt: skip
@click.option("--truth", is_flag=True, help="A weighted mean with a weight for every pixel, "
              "instead of the merge for the eye.")  # fmt: skip
@click.option("--weights", type=FILE, help="Weight of every pixel as float .tif.")
@click.option("--report", type=FILE, help="What was done, as .json.")
@click.option("--image", type=FILE, help="Picture of the offsets and the weights, as .png.")
@click.option("--json", "as_json", is_flag=True, help="Print what --report holds.")
def command(
    frames: tuple[Path, ...], out: Path, reference: int | None, truth: bool,
    weights: Path | None, report: Path | None, image: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Align the raw FRAMES of a burst (files, or their folder) and fuse them into one raw.

    Exit code 3 if a frame was refused; the others are fused.
    """
    _expect_suffixes({".dng": out, ".tif": weights, ".json": report, ".png": image})
    from isptools.burst import BurstError, Options, fuse
    from isptools.cli.progress import shown
    from isptools.raw import write_dng

    frames = tuple(one for path in frames for one in _raws(path))
    expect_apart(out, frames)  # a folder's too
    try:
        with shown() as show:
            step = partial(show, "frames")
            options = Options(reference, "truth" if truth else "view", progress=step)
            fused = fuse(Files(frames), options)
        write_dng(out, fused.frame)
    except BurstError as error:
        raise click.ClickException(str(error)) from None
    except ValueError as error:
        raise click.ClickException(f"{out}: {error}") from None
    except OSError as error:
        raise click.ClickException(f"{out}: could not be written ({error.strerror})") from None
    for path, encoded in ((weights, _weights), (report, _report), (image, _image)):
        if path is not None:
            save(path, encoded(fused, frames))
    if as_json:
        click.echo(_facts(fused, frames), nl=False)
    else:
        _tell(fused, frames, out)
    if fused.refused:
        raise click.exceptions.Exit(LOOK)


def _raws(path: Path) -> Sequence[Path]:
    """A file itself; of a folder its raws by name."""
    if not path.is_dir():
        return (path,)
    from isptools.raw import SUFFIXES

    found = sorted(one for one in path.iterdir() if one.suffix.lower()[1:] in SUFFIXES)
    if not found:
        raise click.ClickException(f"{path}: there is no raw file in it")
    return found


class Files(Sequence["Frame"]):
    """Raw files that are read when they are asked for."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths = paths

    def __len__(self) -> int:
        return len(self.paths)

    @overload
    def __getitem__(self, index: int) -> "Frame": ...
    @overload
    def __getitem__(self, index: slice) -> Sequence["Frame"]: ...
    def __getitem__(self, index: int | slice) -> "Frame | Sequence[Frame]":
        from isptools.cli.raws import read

        return Files(self.paths[index]) if isinstance(index, slice) else read(self.paths[index])


def _expect_suffixes(files: dict[str, Path | None]) -> None:
    for suffix, path in files.items():
        if path is not None and path.suffix.lower() not in {suffix, suffix.replace("tif", "tiff")}:
            raise click.ClickException(f"{path}: give a name that ends in {suffix}")


def _weights(fused: "Fused", _frames: Sequence[Path]) -> bytes:
    from isptools.cli.target import tif

    return tif(fused.weight, photometric="minisblack")


def _image(fused: "Fused", _frames: Sequence[Path]) -> bytes:
    from isptools.cli.flow import picture
    from isptools.cli.target import png

    return png(picture(fused))


def _report(fused: "Fused", frames: Sequence[Path]) -> bytes:
    return _facts(fused, frames).encode()


def _facts(fused: "Fused", frames: Sequence[Path]) -> str:
    import json

    report = {
        "reference": fused.reference,
        "frames": [str(frame) for frame in frames],
        "offsets_px": [None if each is None else list(each) for each in fused.offsets_px],
        "shares": [round(share, 4) for share in fused.shares],
        "effective_frames": fused.effective_frames,
        "scale": fused.scale,
        "noise": {"before": _noise(fused.noise_before), "after": _noise(fused.noise_after)},
        "brightness": [None if each is None else [round(color, 5) for color in each]
                       for each in fused.brightness],
        "refused": [_told(each, frames) for each in fused.refused],
        "noted": [_told(each, frames) for each in fused.noted],
    }  # fmt: skip
    return json.dumps(report, indent=1) + "\n"


def _told(each: "Refused | Noted", frames: Sequence[Path]) -> dict[str, Any]:
    return {"frame": each.frame, "file": str(frames[each.frame]), "reason": each.reason,
            "detail": each.detail, "number": each.number}  # fmt: skip


def _noise(noise: "Noise") -> dict[str, Any]:
    return {"shot": list(noise.shot), "read": list(noise.read), "origin": noise.origin}


def _tell(fused: "Fused", frames: Sequence[Path], out: Path) -> None:
    used = sum(share > 0 for share in fused.shares)
    click.echo(
        f"{out}: {used} of {len(frames)} frames onto frame {fused.reference}, "
        f"as little noise as {fused.effective_frames:.2f} frames like that one, "
        f"{fused.scale} steps a digital number"
    )
    for each in fused.refused:
        click.echo(f"  refused {frames[each.frame]}: {each.detail}")
    for odd in fused.noted:
        click.echo(f"  {frames[odd.frame]}: {odd.detail}")
