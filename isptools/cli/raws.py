"""Files of strangers for commands: decoded in a process of their own, which may die of one."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isptools.serving import Elsewhere

if TYPE_CHECKING:
    from isptools.frame import Array, Frame
    from isptools.raw.reading import Trust

RAWS = "isptools.decode.raws"


def read(path: Path, trust: "Trust" = "file", larger: bool = False) -> "Frame":
    """As `raw.read`. ValueError in one line, also where a decoder died, hung or took all memory."""
    frame: Frame = _decoded(Elsewhere(RAWS, "raw_file"), path, trust, larger)
    return frame


def looked(path: Path, whole: bool) -> "tuple[Frame | None, list[tuple[str, Any]]]":
    """The facts of a raw file, and its frame where it is wanted: else nothing that takes numbers
    is loaded here. ValueError as `read`."""
    if not whole:
        return None, _decoded(Elsewhere(RAWS, "raw_facts"), path)
    from isptools.decode.raws import facts

    frame = read(path, larger=True)
    return frame, list(facts(frame))


def upright(path: Path) -> "Array":
    """(H, W, 3) sRGB, upright: a raw file goes through the chain. ValueError in one line."""
    from isptools.build.pictures import developed
    from isptools.frame import Frame, UnsupportedError

    seen = _decoded(Elsewhere("isptools.decode.files", "side"), path)[1]
    try:
        return developed(seen) if isinstance(seen, Frame) else seen
    except UnsupportedError as error:
        raise ValueError(f"{path}: {error}") from None


def _decoded(function: Callable[..., Any], path: Path, *given: Any) -> Any:
    """What a function of a file and its name gives over there."""
    from isptools.apart import apart

    try:
        path.stat()  # a slip of the pen is not tried again
        return apart(function, path.absolute(), str(path), *given)
    except Exception as error:
        raise _said(error, path) from None


def _said(error: Exception, path: Path) -> Exception:
    """What went wrong over there, or on the way, in one line."""
    from isptools.decode.refusal import Refusal, judged

    try:
        if isinstance(error, OSError):
            raise error
        with judged(path, str(path)):
            raise error
    except Refusal as refusal:
        return ValueError(refusal.detail)
    except OSError as found:
        why = found.strerror or str(found)
        return ValueError(f"{path}: it can't be read ({why}); check the path")
