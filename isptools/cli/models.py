"""`isptools models`."""

import click


@click.command()
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def command(as_json: bool) -> None:
    """List the networks: parameters and GFLOP for a frame of 4032 x 3024."""
    from isptools.cli.extra import expect_train

    expect_train()
    from isptools.train.models import listing

    rows = listing()
    if as_json:
        import json

        click.echo(json.dumps(rows, indent=2))
        return
    click.echo(f"{'name':<24}{'parameters':>12}{'GFLOP':>12}{'as the papers count':>22}")
    for row in rows:
        click.echo(
            f"{row['name']:<24}{row['parameters']:>12,}{row['gflops']:>12,.2f}"
            f"{row['gflops_paper_way']:>22,.2f}"
        )
