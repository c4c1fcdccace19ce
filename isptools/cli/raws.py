"""Files of strangers for commands: decoded in a process of their own, which may die of one."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from isptools.frame import Array, Frame
    from isptools.raw.reading import Trust


def read(path: Path, trust: "Trust" = "file", larger: bool = False) -> "Frame":
    """As `raw.read`. ValueError in one line, also where a decoder died, hung or took all memory."""
    from isptools.decode import files

    frame: Frame = _decoded(files.raw_file, path, trust, larger)
    return frame


def upright(path: Path) -> "Array":
    """(H, W, 3) sRGB, upright: a raw file goes through the chain. ValueError in one line."""
    from isptools.build.pictures import developed
    from isptools.decode import files
    from isptools.frame import Frame, UnsupportedError

    seen = _decoded(files.side, path)[1]
    try:
        return developed(seen) if isinstance(seen, Frame) else seen
    except UnsupportedError as error:
        raise ValueError(f"{path}: {error}") from None


def _decoded(function: Callable[..., Any], path: Path, *given: Any) -> Any:
    """What a function of a file and its name gives over there."""
    from isptools.apart import apart
    from isptools.decode.refusal import Refusal, judged

    try:
        path.stat()  # a slip of the pen is not tried again
        with judged(path, str(path)):
            return apart(function, path.absolute(), str(path), *given)
    except Refusal as refusal:
        raise ValueError(refusal.detail) from None
    except OSError as error:
        why = error.strerror or str(error)
        raise ValueError(f"{path}: it can't be read ({why}); check the path") from None
