"""`isptools show`."""

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from isptools.recipe import Recipe, Scenes, Truth


@click.command()
@click.argument("recipe")
def command(recipe: str) -> None:
    """Print the stations a RECIPE passes, what it keeps as truth, and its hash.

    RECIPE is one that ships (see `isptools recipes`) or a .toml file.
    """
    from isptools.recipe import Recipe

    try:
        plan = Recipe.load(recipe)
    except ValueError as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"{plan.name}  {plan.sha256}")
    click.echo(plan.title)
    click.echo(f"\ninput: the sensor's own integers ({plan.manifest}, pairs: {plan.pairs})")
    if plan.truth == "fused":
        frames = "every frame" if plan.input == "burst" else "the reference frame"
        click.echo(f"of a burst {frames}; the truth is fused from all ({plan.fusion})")
        click.echo("weight: how far each pixel of the truth can be trusted, as uint8")
    if plan.scenes:
        click.echo(f"scenes: {_differs(plan.scenes)}")
    if plan.black is not None:
        click.echo(f"black level: {plan.black:g} DN, in place of the files' own")
    if plan.parts:
        click.echo(f"of the data set only: {', '.join(plan.parts)}")
    if plan.exclude:
        click.echo(f"left out: scenes on the list {', '.join(plan.exclude)}")
    if plan.published:
        click.echo("\nthe truth is the data set's own linear picture, as it comes")
    else:
        _walk(plan)
    for name, truth in (("restoration", plan.restoration), ("enhancement", plan.enhancement)):
        if truth is not None:
            click.echo(f"{name}: {_kept(truth)}")
            if truth.note:
                click.echo(f"  note: {truth.note}")


def _differs(scenes: "Scenes") -> str:
    """What is chosen otherwise than by default."""
    default = type(scenes)()
    chosen = {name: getattr(scenes, name) for name in scenes.__struct_fields__}
    return ", ".join(
        f"{name} {value}" for name, value in chosen.items() if value != getattr(default, name)
    )


def _walk(plan: "Recipe") -> None:
    from isptools.develop.chain import stations

    click.echo("\nthe truth frame walks")
    steps = (*plan.prepare, *plan.develop)
    passed = stations(steps)
    kept = {t.at for t in (plan.restoration, plan.enhancement) if t and t.source == "develop"}
    for step, start, end in zip(steps, passed, passed[1:], strict=False):
        mark = "  <- truth" if end in kept else ""
        click.echo(f"  {start:>12} -> {end:<12} {step}{mark}")


def _kept(truth: "Truth") -> str:
    source = "your own files, matched by scene" if truth.source == "files" else truth.at
    scale = f", {truth.full_scale} at full scale" if truth.dtype != "float32" else ""
    return f"{source} as {truth.dtype}{scale}"
