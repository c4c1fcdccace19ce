"""`isptools stats`: what a folder of shards holds, in numbers that can be compared."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from isptools.cli.output import now
from isptools.cli.target import Target, save

if TYPE_CHECKING:
    from isptools.shards.histogram import Bin
    from isptools.shards.stats import Stats

BAR = 30  # characters of the longest bar


@click.command(name="stats")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="As JSON, with all digits.")
@click.option("--plots", type=Target(), help="Draw it: .html, a page, or .svg, one picture.")
def command(folder: Path, as_json: bool, plots: Path | None) -> None:
    """Count and measure what FOLDER (of shards, or one shard) holds.

    Counts and sizes, histograms of ISO, exposure and noise, light of inputs and truths with clipped
    shares, colors, and whether the splits are alike. Every pixel is read once, a strip at a time.
    Neither times nor places are printed, so that two outputs can be compared with diff.
    """
    if plots is not None and plots.suffix.lower() not in {".html", ".svg"}:
        raise click.ClickException(f"{plots}: give a name that ends in .html or .svg")
    from isptools import shards as files
    from isptools.cli.progress import shown
    from isptools.shards.stats import stats

    try:
        with files.open(folder) as opened, shown() as show:
            found = stats(opened, lambda done, total: show("rows", done, total))
    except (ValueError, OSError) as error:
        raise click.ClickException(" ".join(str(error).split())) from None
    if plots is not None:
        from isptools.report.stats import written

        save(plots, written(found, plots.suffix.lower()))
        now().remark(f"{plots}: open it in a browser")
    if as_json:
        import msgspec

        encoded = msgspec.json.encode(found, order="deterministic")
        click.echo(msgspec.json.format(encoded, indent=1))
        return
    for line in lines(found):
        click.echo(line)


def lines(found: "Stats") -> Iterator[str]:
    """The text, a line at a time; the same for the same shards."""
    yield f"data set        {found.title}"
    yield f"licence         {found.licence}"
    yield f"redistribution  {found.redistribution}"
    yield f"recipe          {', '.join(found.recipes)}"
    yield from _counts(found)
    for title, histogram in found.histograms:
        yield from _histogram(title, histogram)
    yield from _qualities(found)
    yield from _inputs(found)
    for name in range(len(found.truths)):
        yield from _station(found, name)
    yield from _colors(found)
    yield from _balance(found)


def _counts(found: "Stats") -> Iterator[str]:
    yield ""
    yield "split      shards   inputs   scenes  of all scenes       MB"
    scenes = sum(count.scenes for count in found.counts)
    for count in found.counts:
        yield (
            f"{count.split:8} {count.shards:8} {count.inputs:8} {count.scenes:8} "
            f"{count.scenes / scenes:14.1%} {count.bytes / 1e6:8.1f}"
        )


def _histogram(title: str, histogram: "Sequence[Bin]") -> Iterator[str]:
    if not histogram:
        return
    yield ""
    yield title
    width = max(len(one.label) for one in histogram)
    most = max(one.count for one in histogram)
    for one in histogram:
        bar = "#" * -(-one.count * BAR // most)
        yield f"  {one.label:>{width}} {one.count:8}  {bar}".rstrip()


def _qualities(found: "Stats") -> Iterator[str]:
    yield ""
    yield "truth quality: 10 log10(1 / variance of the noise left), white is 1"
    for one in found.quality:
        yield (
            f"  {one.what} {one.mean:.1f} in the mean, from {one.lowest:.1f} to {one.highest:.1f} "
            f"({one.count} truths)"
        )
    for origin in found.quality_origins:
        yield f"  {origin.label:12} {origin.count:8}"


def _inputs(found: "Stats") -> Iterator[str]:
    yield ""
    yield "inputs: x = (DN - black) / (white - black)"
    yield "  color      mean  below black  at white or above"
    for one in found.inputs:
        yield f"  {one.color:5} {one.mean:9.5f} {one.below_black:12.3%} {one.at_white:18.3%}"


def _station(found: "Stats", number: int) -> Iterator[str]:
    from isptools.shards.stats import PERCENT

    one = found.truths[number]
    scale = f", {one.full_scale:g} at full scale" if one.dtype != "float32" else ""
    yield ""
    yield f"{one.name}: {one.truths} truths at {one.space}, {one.dtype}{scale}"
    yield "  channel    mean" + "".join(f"{p:>7} %" for p in PERCENT) + "       at 0    at full"
    for channel in one.channels:
        quantiles = "".join(f"{value:9.4f}" for value in channel.quantiles)
        yield (
            f"  {channel.channel:7} {channel.mean:7.4f}{quantiles} {channel.at_zero:10.3%} "
            f"{channel.at_full:10.3%}"
        )


def _colors(found: "Stats") -> Iterator[str]:
    if not found.colors:
        return
    yield ""
    width = max(len(color.what) for color in found.colors)
    yield f"{'colors':{width + 2}}   number     mean  deviation   lowest  highest"
    for one in found.colors:
        yield (
            f"  {one.what:{width}} {one.count:8} {one.mean:8.4f} {one.deviation:10.4f} "
            f"{one.lowest:8.4f} {one.highest:8.4f}"
        )


def _balance(found: "Stats") -> Iterator[str]:
    if not found.balance:
        return
    yield ""
    yield f"splits against {found.balance[0].against}, a value a scene (Kolmogorov-Smirnov)"
    yield "  measure     split   scenes    median    median there  distance  chance"
    for one in found.balance:
        here, there = one.medians
        yield (
            f"  {one.measure:11} {one.split:5} {one.scenes[0]:8} {here:9.4g} {there:15.4g} "
            f"{one.distance:9.3f} {one.chance:7.3f}  {one.verdict}"
        )
