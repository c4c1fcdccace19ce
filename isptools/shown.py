"""Text of strangers as people see it: nothing in it moves the cursor, breaks a line, or turns it.

File names, titles and EXIF may hold terminal escapes, newlines, marks that turn the direction of
writing, and bytes that are not UTF-8.
"""

from typing import IO, Any


def shown(text: str, keep: str = "") -> str:
    """With what can't be printed escaped as in Python's literals, but the characters of `keep`."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in keep else _escaped(c) for c in text)


def storable(text: str) -> bool:
    """Whether it can be written as UTF-8: a name of other bytes can't."""
    return not any("\ud800" <= c <= "\udfff" for c in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")


class Escaping:
    """A stream of text that shows what is written to it; lines and tabs stay."""

    def __init__(self, stream: IO[str]) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        """Write text with control characters escaped; gives its length."""
        self.stream.write(shown(text, "\n\t"))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)
