"""`isptools ledger`: what a build left out, and why."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from isptools.shards.ledger import Group

KINDS = {
    "refused": "there, but could not be used",
    "missing": "listed, but not there",
    "excluded": "left out by a list, as the recipe asks",
    "unlisted": "there, but no list names it",
    "noted": "used, although it is odd",
    "kept": "windows of a pair that were kept",
}


@click.command(name="ledger")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--files", is_flag=True, help="Every file with what was found.")
@click.option("--reason", help="Only this reason, or this kind.")
@click.option("--json", "as_json", is_flag=True, help="As JSON; with --files every line.")
def command(folder: Path, files: bool, reason: str | None, as_json: bool) -> None:
    """Say what the build of FOLDER left out or found odd: by kind and reason, with an example."""
    from isptools.shards import ledger

    try:
        groups = ledger.groups(folder)
    except ValueError as error:
        raise click.ClickException(str(error)) from None
    if reason is not None:
        known = sorted({word for one in groups for word in (one.kind, one.reason)})
        groups = tuple(one for one in groups if reason in {one.kind, one.reason})
        if not groups:
            there = ", ".join(known) or "none"
            raise click.ClickException(f"{folder}: no reason {reason!r}; there are {there}")
    if as_json:
        import json

        click.echo(json.dumps([_words(one, files) for one in groups], indent=1))
        return
    for line in _text(folder, groups, files):
        click.echo(line)


def _words(group: "Group", files: bool) -> dict[str, Any]:
    import msgspec

    words = {"kind": group.kind, "reason": group.reason, "files": len(group.lines),
             "scenes": group.scenes}  # fmt: skip
    return words | ({"lines": msgspec.to_builtins(group.lines)} if files else {})


def _text(folder: Path, groups: "tuple[Group, ...]", files: bool) -> Iterator[str]:
    if not groups:
        yield f"{folder}: nothing was left out, and nothing odd was found"
    for kind, meaning in KINDS.items():
        of_kind = [one for one in groups if one.kind == kind]
        if of_kind:
            yield f"{kind}: {sum(len(one.lines) for one in of_kind)} ({meaning})"
        for one in of_kind:
            scenes = f" of {one.scenes} scene{'s' * (one.scenes != 1)}" if one.scenes else ""
            yield f"  {one.reason}: {len(one.lines)}{scenes}"
            for line in one.lines if files else one.lines[:1]:
                yield f"    {'' if files else 'as '}{line.file}: {line.detail}"
    if groups and not files:
        yield f"every file: isptools ledger {folder} --files"
