"""`--split a,b`: names of splits, with commas."""

from typing import Any

import click

SPLITS = ("train", "val", "test")


def several(_context: click.Context, _option: click.Parameter, text: Any) -> tuple[str, ...] | None:
    """The names of --split, in their order; UsageError for one that no data set has."""
    if text is None:
        return None
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",")))
    wrong = [name for name in names if name not in SPLITS]
    if wrong:
        raise click.UsageError(f"no split {wrong[0]!r}; there are {', '.join(SPLITS)}")
    return names
