"""`isptools render`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from isptools.cli.target import Target, png, save, tif

if TYPE_CHECKING:
    from isptools.develop.steps import Step
    from isptools.frame import Array, Frame

# what LibRaw does with an X-Trans file when it is asked for these
XTRANS = {"ppg": "libraw-xtrans-1pass", "ahd": "libraw-xtrans-3pass"}
SPACES = ("raw", "srgb", "adobe", "prophoto", "xyz", "p3", "rec2020")
BALANCE = "camera, daylight, auto, or four gains R,G,B,G2 as in 2.1,1,1.5,1 (G2 0 means G)"


@click.command(name="render")
@click.argument("raw", type=click.Path(path_type=Path))
@click.option("--out", type=Target(), required=True,
              help=".tif for the 16-bit integers, .png for 8 bit to look at.")  # fmt: skip
@click.option("--demosaic", default="ahd", show_default=True,
              type=click.Choice(["half", "linear", "ppg", "ahd"]))  # fmt: skip
@click.option("--balance", default="camera", show_default=True, help=BALANCE + ".")
@click.option("--space", default="srgb", show_default=True, type=click.Choice(SPACES))
@click.option("--gamma", default="libraw", show_default=True,
              type=click.Choice(["linear", "libraw", "srgb"]))  # fmt: skip
@click.option("--highlights", default="clip", show_default=True,
              type=click.Choice(["clip", "unclipped", "blend"]))  # fmt: skip
@click.option("--fixed-white/--adjust-maximum", default=True, show_default=True,
              help="The camera's white, or LibRaw's guess from the picture (0.75).")  # fmt: skip
@click.option("--trust", default="libraw", show_default=True,
              type=click.Choice(["libraw", "file"]),
              help="Whose levels, filters and white, where LibRaw departs.")  # fmt: skip
@click.option("--auto-bright", is_flag=True, help="Brighten until 1 % of the pixels are white.")
@click.option("--json", "as_json", is_flag=True, help="What was written, as JSON.")
def command(
    raw: Path, out: Path, demosaic: str, balance: str, space: str, gamma: str, highlights: str,
    fixed_white: bool, trust: Literal["libraw", "file"], auto_bright: bool, as_json: bool,
) -> None:  # fmt: skip
    """Develop one RAW file with the integers that LibRaw gives for the same choices.

    A line says where LibRaw's numbers are not those that the file states.
    """
    from isptools.cli.progress import busy
    from isptools.cli.raws import read
    from isptools.compiled import load_ahead
    from isptools.develop.chain import develop

    _expect_suffix(out)
    names = {"method": demosaic, "balance": balance, "space": space, "gamma": gamma}
    options = (highlights, 0.0 if fixed_white else 0.75, auto_bright)
    _gains(balance)  # complain before the file is read
    try:
        with busy("developing"):
            load_ahead()  # another process decodes
            frame = read(raw, trust)
            if frame.capture.kind == "xtrans":
                names["method"] = XTRANS.get(demosaic, demosaic)
            steps = _steps(names, *options)
            developed = develop(frame, steps)
            picture = developed.pixels
    except ValueError as error:
        text = str(error)
        raise click.ClickException(text if str(raw) in text else f"{raw}: {text}") from None
    save(out, encoded(out, picture))
    if as_json:
        told = {"raw": str(raw), "out": str(out), "height": picture.shape[0],
                "width": picture.shape[1], "space": space, "gamma": gamma,
                "balance": developed.balance_origin, "trust": trust,
                "departures": frame.capture.departures}  # fmt: skip
        click.echo(json.dumps(told))
        return
    click.echo(f"{out}: {picture.shape[1]} x {picture.shape[0]}, {space}, {gamma} gamma")
    said = _departures(frame, trust)
    if balance == "camera" and developed.balance_origin == "gray_world":
        said.append("no usable white balance was read: gray world was taken")
    if said:
        click.echo(f"{raw}: {'; '.join(said)}")


def _departures(frame: "Frame", trust: str) -> list[str]:
    """What LibRaw has otherwise than the file, and whose numbers this picture has."""
    told = [text.rpartition("; ")[0] or text for text in frame.capture.departures]
    if told:
        taken = "LibRaw's were taken (--trust file: the file's)"
        told.append(taken if trust == "libraw" else "the file's were taken")
    return told


def _expect_suffix(out: Path) -> None:
    if out.suffix.lower() not in {".tif", ".tiff", ".png"}:
        raise click.ClickException(f"{out}: give a name that ends in .tif, .tiff or .png")


def _steps(
    names: dict[str, str], highlights: str, adjust: float, auto_bright: bool
) -> "tuple[Step, ...]":
    from isptools.develop.steps import (
        Balance,
        Blend,
        Demosaic,
        Encode,
        Levels,
        Orient,
        ToSpace,
    )

    by, gains = _gains(names["balance"])
    keep = "clip" if highlights == "clip" else "keep"
    blend = (Blend(),) if highlights == "blend" else ()
    # LibRaw does not brighten a picture whose highlights stay unclipped
    brighten = auto_bright and highlights != "unclipped"
    return (
        Levels(adjust),
        Balance(by, gains, keep),  # type: ignore[arg-type]  # click has checked the names
        Demosaic(names["method"]),  # type: ignore[arg-type]
        *blend,
        ToSpace(names["space"]),  # type: ignore[arg-type]
        Encode(names["gamma"], auto_bright=brighten),  # type: ignore[arg-type]
        Orient(),
    )


def _gains(text: str) -> tuple[str, tuple[float, float, float, float] | None]:
    if text in {"camera", "daylight", "auto"}:
        return text, None
    try:
        r, g, b, g2 = (float(part) for part in text.split(","))
    except ValueError:
        raise click.ClickException(f"--balance {text}: expected {BALANCE}") from None
    if min(r, g, b) <= 0 or g2 < 0:
        raise click.ClickException(f"--balance {text}: gains must be above 0")
    return "user", (r, g, b, g2)


def encoded(out: Path, picture: "Array") -> bytes:
    """A file of (H, W, 3) uint16: its suffix says which."""
    if out.suffix.lower() == ".png":
        return png((picture >> 8).astype("uint8"))
    return tif(picture, photometric="rgb", compression=None)
