"""Functions from somebody else's module, `module:callable`: code runs only where a user says so."""

import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any


def imported(name: str, folder: Path | None) -> Callable[..., Any]:
    """What `module:callable` names, from `folder` or among what is installed.

    The current folder counts only where it is `folder`: a run may come from somebody else, and so
    may the files that lie beside it. ValueError in one line.
    """
    module, _, attribute = name.partition(":")
    if not all(word.isidentifier() for word in (*module.split("."), attribute)):
        raise ValueError(f"{name}: expected module:callable")
    with _search(module.partition(".")[0], folder):
        found = _module(name, module, folder)
    made = getattr(found, attribute, None)
    if not callable(made):
        raise ValueError(f"{name}: {found.__file__} has no function {attribute}")
    return made  # type: ignore[no-any-return] # it is callable


def _module(name: str, module: str, folder: Path | None) -> Any:
    try:
        return importlib.import_module(module)
    except Exception as error:  # whatever a stranger's module raises
        missing = getattr(error, "name", None)
        if isinstance(error, ModuleNotFoundError) and f"{module}.".startswith(f"{missing}."):
            place = f"in {folder} or " if folder else ""
            how = "" if folder else "; name its folder with --code"
            raise ValueError(f"{name}: no module {missing} {place}installed{how}") from None
        said = " ".join(str(error).split())
        raise ValueError(f"{name}: can't be imported: {type(error).__name__}: {said}") from None


@contextmanager
def _search(top: str, folder: Path | None) -> Iterator[None]:
    """Meanwhile modules are looked for among what is installed, then in `folder`, nowhere else.

    In this order a `joblib.py` that lies in the folder is not taken for joblib.
    """
    before = sys.path
    own = [str(folder.resolve())] if folder else []
    left_out = {Path.cwd().resolve(), *map(Path, own)}
    installed = [entry for entry in before if entry and Path(entry).resolve() not in left_out]
    importlib.invalidate_caches()
    if folder and PathFinder.find_spec(top, own):
        _expect_one(top, installed, folder)
    elif top in sys.stdlib_module_names:
        raise ValueError(f"{top}: a module of Python itself, which holds no network")
    sys.path = [*installed, *own]
    try:
        yield
    finally:
        sys.path = before


def _expect_one(top: str, installed: list[str], folder: Path) -> None:
    """ValueError where a module of this name is there without the folder's."""
    loaded = getattr(sys.modules.get(top), "__file__", None)
    elsewhere = loaded and not Path(loaded).resolve().is_relative_to(folder.resolve())
    known = top in sys.stdlib_module_names or PathFinder.find_spec(top, installed)
    if elsewhere or known:
        raise ValueError(f"{folder / top}: another module has this name; give yours another")
