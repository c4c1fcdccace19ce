"""What `raw.read` says when a file is no raw photograph that can be used."""


class RawError(ValueError):
    """A file that can't be read as a raw photograph.

    The message is one line: which file, what is wrong, what was expected, what to do.
    """

    def __init__(self, name: str, what: str, remedy: str) -> None:
        text = f"{name}: {what}; {remedy}"
        super().__init__("".join(c if c.isprintable() else "?" for c in text))
