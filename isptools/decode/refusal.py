"""Why a file can't be used; and what of all that may be raised on the way is the file's doing."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from isptools import raw
from isptools.datasets.listing import BuildError, StatedError
from isptools.frame import UnsupportedError
from isptools.sources import ContentError, FaultError, fault, is_fault


class Refusal(Exception):  # noqa: N818 - it ends one file, not the build
    """Why a file or a scene can't be used: reason, detail, and a number where one was measured."""

    def __init__(self, reason: str, detail: str, number: float | None = None) -> None:
        super().__init__(detail)
        self.reason, self.detail, self.number = reason, detail, number

    def __reduce__(self) -> tuple[Any, ...]:
        """It travels between processes."""
        return Refusal, (self.reason, self.detail, self.number)


@contextmanager
def judged(path: Path, name: str, size: int | None = None) -> Iterator[None]:
    """Turn what reading a file raises into a Refusal; FaultError where the machine failed.

    `name` stands for the path in the ledger, which knows no place.
    """
    try:
        yield
    except (Refusal, FaultError):
        raise
    except StatedError as error:
        raise Refusal("beside", one_line(error), error.number) from None
    except ContentError as error:
        raise Refusal("unreadable", f"{name}: {one_line(error)}", size) from None
    except (raw.RawError, UnsupportedError) as error:
        raise Refusal("unreadable", one_line(error).replace(str(path), name), size) from None
    except OSError as error:
        if is_fault(error):
            raise fault(error, path) from error
        raise Refusal("unreadable", one_line(error).replace(str(path), name), size) from None
    except MemoryError:
        raise Refusal("unreadable", f"{name}: it takes more memory than a file may", size) from None
    except Exception as error:
        raise unexpected(error, name) from error


@contextmanager
def foreseen(name: str) -> Iterator[None]:
    """Turn what nobody foresaw of a file's numbers into a Refusal. What is wrong with the recipe
    (BuildError) and with the machine (OSError, MemoryError) passes."""
    try:
        yield
    except (Refusal, BuildError, OSError, MemoryError):
        raise
    except Exception as error:
        raise unexpected(error, name) from error


def unexpected(error: Exception, name: str) -> Refusal:
    """Of a file that made code raise what nobody foresaw: it ends that file, and is told."""
    return Refusal("unexpected", f"{name}: {type(error).__name__}: {one_line(error)}")


def one_line(error: Exception) -> str:
    """What an error says, on one line; its type where it says nothing."""
    return " ".join(str(error).split()) or type(error).__name__
