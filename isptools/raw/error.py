"""What `raw.read` says when a file is no raw photograph that can be used."""

from typing import Any


class RawError(ValueError):
    """A file that can't be read as a raw photograph.

    The message is one line: which file, what is wrong, what was expected, what to do.
    """

    def __init__(self, name: str, what: str, remedy: str) -> None:
        text = f"{name}: {what}; {remedy}"
        super().__init__("".join(c if c.isprintable() else "?" for c in text))

    def __reduce__(self) -> tuple[Any, ...]:
        """It travels between processes as it is."""
        return _again, (str(self),)


def _again(text: str) -> RawError:
    error = RawError.__new__(RawError)
    error.args = (text,)
    return error
