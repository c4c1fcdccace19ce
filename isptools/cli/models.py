"""`isptools models`."""

from pathlib import Path

import click


@click.command(name="models")
@click.argument("names", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def command(names: tuple[str, ...], as_json: bool) -> None:
    """List networks: parameters and GFLOP for a frame of 4032 x 3024.

    All that ship, or those of NAMES; your own as module:callable.
    """
    from isptools.cli.extra import expect_train

    expect_train()
    from isptools.train.listing import listing

    try:
        rows = listing(names, Path.cwd())
    except ValueError as error:
        raise click.ClickException(str(error)) from None
    if as_json:
        import json

        click.echo(json.dumps(rows, indent=2))
        return
    click.echo(f"{'name':<24}{'parameters':>12}{'GFLOP':>12}{'as the papers count':>22}")
    for row in rows:
        plain, paper = (
            "-" if row[name] is None else f"{row[name]:,.2f}"
            for name in ("gflops", "gflops_paper_way")
        )
        click.echo(f"{row['name']:<24}{row['parameters']:>12,}{plain:>12}{paper:>22}")
