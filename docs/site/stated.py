"""What a class or a module states beside its docstring: its names, with the comments that hold
their units."""

import ast
import inspect
import io
import re
import textwrap
import tokenize
from collections.abc import Iterator
from typing import Any

SHORT = 40  # characters of a value that is shown


def stated(found: Any) -> Iterator[tuple[str, str]]:
    """Every public field of a class, "name: type", or constant of a module, "NAME = value", and
    what its comment says; "" for none."""
    try:
        text = textwrap.dedent(inspect.getsource(found))
    except (OSError, TypeError):  # made by code
        return
    body = ast.parse(text).body
    body = body if inspect.ismodule(found) else body[0].body  # type: ignore[attr-defined] # a class
    names = [(one, label) for one in body if (label := _label(one))]
    behind, alone = _comments(text)
    for (one, label), after in zip(names, [*names, None][1:], strict=True):
        last = one.end_lineno or 0
        own = behind.get(last, "")
        # what stands between two names goes on with the first one's comment where that is cut
        # off, or the second has another; else it is the second's
        words = [own] if own else [_run(alone, one.lineno - 1, -1)]
        if own.endswith(",") or after is None or behind.get(after[0].end_lineno or 0):
            words.append(_run(alone, last + 1, 1))
        yield label, " ".join(filter(None, words))


def _label(one: ast.stmt) -> str:
    """How a statement's name is shown; "" where it is not public, or names nothing."""
    if isinstance(one, ast.AnnAssign):
        name = ast.unparse(one.target)
        return "" if name.startswith("_") else f"{name}: {ast.unparse(one.annotation)}"
    if not isinstance(one, ast.Assign) or not isinstance(one.targets[0], ast.Name | ast.Tuple):
        return ""
    name, value = ast.unparse(one.targets[0]).strip("()"), ast.unparse(one.value)
    if name.startswith("_"):
        return ""
    return f"{name} = {value}" if len(value) <= SHORT else name


def _comments(text: str) -> tuple[dict[int, str], dict[int, str]]:
    """By line: comments behind something, and those that stand alone; linters' are left out."""
    behind: dict[int, str] = {}
    alone: dict[int, str] = {}
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            said = re.split(r"#? *\b(?:noqa|type|fmt): ", token.string[1:])[0]
            lone = not token.line[: token.start[1]].strip()
            (alone if lone else behind)[token.start[0]] = said.strip("# ")
    return behind, alone


def _run(alone: dict[int, str], line: int, way: int) -> str:
    """Comments that stand alone from a line on, or up to it, once."""
    found: list[str] = []
    while line in alone:
        found.append(alone.pop(line))
        line += way
    return " ".join(found[::way])
