"""Command line: names, options, messages. A command is imported when it is asked for."""

from difflib import get_close_matches
from errno import EPIPE
from importlib import import_module
from typing import Any

import click

from isptools.cli import output
from isptools.cli.codes import EPILOG
from isptools.cli.former import renamed
from isptools.cli.target import guarded
from isptools.shipped import DISTRIBUTION

COMMANDS = {
    "align": "Align two pictures of one scene and judge the pair.",
    "bad-pixels": "Find hot and dead pixels of a camera.",
    "build": "Build a data set's shards from raw files.",
    "check": "Verify a folder of shards.",
    "compare": "Train and score the methods of a table, of a paper's or your own.",
    "convert": "Write shards as files of other tools.",
    "develop": "Develop raw files with a trained network.",
    "doctor": "Look whether everything that isptools needs works here.",
    "eval": "Score a trained network on a split of shards.",
    "export": "Write a trained network as ONNX and check it.",
    "fuse": "Fuse the frames of a burst into one raw.",
    "get": "Say where a data set is to be had, and download it.",
    "init": "Propose a recipe and a manifest for your own captures.",
    "inspect": "Show the facts of a raw file or a shard.",
    "ledger": "Say what a build left out, and why.",
    "manifest": "List a folder's files: hashes, scenes, splits.",
    "models": "List the networks that can be trained.",
    "recipes": "List the recipes that ship.",
    "render": "Develop one raw file with LibRaw's integers.",
    "report": "Make one page of a folder of shards, to look at.",
    "sample": "Write the miniature of a data set.",
    "show": "Print the stations and truths of a recipe.",
    "stats": "Count and measure what shards hold.",
    "train": "Train a network from shards.",
}


class Lazy(click.Group):
    """Loads `isptools.cli.<name>.command` when `<name>` is called; the list of names is static."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        alike = get_close_matches(args[0], COMMANDS, 1)
        if args[0] not in COMMANDS and alike:
            ctx.fail(f"No such command {args[0]!r}. Did you mean {alike[0]!r}?")
        words, lines = renamed(args[0], args[1:])
        output.now().name = args[0]
        for line in () if ctx.resilient_parsing else lines:
            click.echo(line, err=True)
        return super().resolve_command(ctx, [args[0], *words])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        if cmd_name not in COMMANDS:
            return None
        module = cmd_name.replace("-", "_")
        command: click.Command = import_module(f"isptools.cli.{module}").command
        if command.epilog is None:  # the first time
            command.callback = guarded(command)
            command.params += output.options()
            command.epilog = EPILOG
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """What strangers wrote is shown, and moves no cursor; see `output`."""
        with output.opened():
            try:
                return super().invoke(ctx)
            except OSError as error:  # nobody foresaw it: a disk that took no more of the output
                if error.errno == EPIPE:  # who reads it has seen enough; click's
                    raise
                where = error.filename or "the output"
                raise click.ClickException(f"{where}: {error.strerror or error}") from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.command(cls=Lazy)
@click.version_option(package_name=DISTRIBUTION, prog_name="isptools")
def main() -> None:
    """Turn raw photographs into verified training shards for learned image signal processors."""
