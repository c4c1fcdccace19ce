"""Names of options as they were: still taken for one version, with a line on stderr."""

from collections.abc import Iterator, Sequence

PLACE = ""  # what was an option is the last argument now
FORMER: dict[str, dict[str, str]] = {
    "align": {"--limit": "--threshold"},
    "compare": {"--shards": PLACE},
    "eval": {"--shards": PLACE},
    "fuse": {"--reference": "--onto"},  # that of align is a side, not a number
    "get": {"--connections": "--jobs"},
    "init": {"--force": "--overwrite"},
    "manifest": {"--force": "--overwrite"},
    "train": {"--shards": PLACE, "--workers": "--jobs"},
}


def renamed(command: str, words: Sequence[str]) -> tuple[list[str], list[str]]:
    """The words of a command line as they are today, and a line for each that was not."""
    former = FORMER.get(command, {})
    kept: list[str] = []
    places: list[str] = []
    lines: list[str] = []
    rest: Iterator[str] = iter(words)
    for word in rest:
        name, joint, value = word.partition("=")
        if word == "--":
            kept += [word, *rest]
        elif name not in former:
            kept.append(word)
        elif former[name] == PLACE:
            places += [value] if joint else [each for each in [next(rest, None)] if each]
            lines.append(_line(command, name, "FOLDER, without an option"))
        else:
            kept.append(former[name] + joint + value)
            lines.append(_line(command, name, former[name]))
    return kept + places, lines


def _line(command: str, name: str, today: str) -> str:
    return f"isptools {command}: {name} is now {today}; the old name goes with the next version"
