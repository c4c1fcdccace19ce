"""`isptools show`."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from isptools.datasets import Opened
    from isptools.recipe import Align, Develop, Picture, Recipe, Released, Unprocess


@click.command(name="show")
@click.argument("recipe")
@click.option("--json", "as_json", is_flag=True, help="The whole recipe as JSON, all words stated.")
def command(recipe: str, as_json: bool) -> None:
    """Print what a RECIPE selects, the stations it passes, what it keeps as truth, and its hash.

    RECIPE is one that ships (see `isptools recipes`) or a .toml file.
    """
    import msgspec

    from isptools import datasets
    from isptools.recipe import Develop, Recipe, find

    try:
        plan = Recipe.load(recipe)
        source = datasets.opened(plan.source, find(recipe).parent)
        plan = msgspec.structs.replace(plan, source=source.source(plan.data_set))
    except ValueError as error:
        raise click.ClickException(str(error)) from None
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(plan), indent=1).decode())
        return
    click.echo(f"{plan.name}  {plan.sha256}")
    click.echo(plan.title)
    truth = plan.truth
    for line in _source(plan, source):
        click.echo(line)
    lines = _developed(truth) if isinstance(truth, Develop) else _words(truth)
    for line in lines:
        click.echo(line)
    for name, picture in truth.pictures:
        click.echo(f"{name}: {_kept(picture)}")
        if picture.note:
            click.echo(f"  note: {picture.note}")


def _source(plan: "Recipe", source: "Opened") -> Iterator[str]:
    """The data set, and what is chosen otherwise than by default."""
    yield f"\ninput: of {source.card.name}, {source.card.title}"
    default = type(source.select)()
    for word in source.select.__struct_fields__:
        value = getattr(source.select, word)
        if value != getattr(default, word):
            yield f"  {word}: {_text(value)}"
    if plan.limit:
        yield f"  limit: {plan.limit} scenes a split"


def _text(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _developed(truth: "Develop") -> Iterator[str]:
    from isptools.develop.chain import stations

    if truth.fuse:
        yield f"the truth is fused from all frames of a burst ({truth.fuse})"
        yield "weight: how far each pixel of the truth can be trusted, as uint8"
    if truth.black is not None:
        yield f"black level: {truth.black:g} DN, in place of the files' own"
    if truth.linear:
        yield "\nthe truth is the data set's own linear picture, as it comes"
        return
    yield "\nthe truth frame walks"
    steps = (*truth.prepare, *truth.steps)
    passed = stations(steps)
    kept = {picture.at for _, picture in truth.pictures if _is_of_walk(picture)}
    for step, start, end in zip(steps, passed, passed[1:], strict=False):
        mark = "  <- truth" if end in kept else ""
        yield f"  {start:>12} -> {end:<12} {step}{mark}"


def _words(truth: "Align | Released | Unprocess") -> Iterator[str]:
    """The words of a maker that walks through no steps, in the order of its type."""
    from isptools.recipe import Unprocess

    raws = isinstance(truth, Unprocess)
    yield "\nfinished pictures, made raw" if raws else "\ntwo cameras' pictures"
    for word in truth.__struct_fields__:
        if word not in {"restoration", "enhancement"}:
            yield f"  {word}: {_text(getattr(truth, word))}"


def _is_of_walk(picture: "Picture") -> bool:
    from isptools.recipe import Kept

    return isinstance(picture, Kept)


def _kept(picture: "Picture") -> str:
    from isptools.recipe import Own

    source = "your own files, matched by scene" if isinstance(picture, Own) else picture.at
    scale = f", {picture.full_scale} at full scale" if picture.dtype != "float32" else ""
    return f"{source} as {picture.dtype}{scale}"
