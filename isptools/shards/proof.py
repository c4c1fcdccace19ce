"""Small JSON files and lines that prove themselves: the last word is a hash of all other bytes."""

import re
from collections.abc import Collection
from hashlib import sha256
from typing import Any

import msgspec

WORD = "proof"
BLANK = b"0" * 16
LAST = re.compile(rb'"proof": ?"([0-9a-f]{16})"\n?\}\n\Z')  # 64 bits of sha256


def proved(encoded: bytes, indent: int = -1) -> bytes:
    """A JSON object with its proof behind its other words, on one line or indented. ValueError for
    bytes that are none."""
    joint = b"," if len(encoded) > len(b"{}") else b""
    data = encoded[:-1] + joint + b'"proof":"' + BLANK + b'"}'
    data = (msgspec.json.format(data, indent=indent) if indent >= 0 else data) + b"\n"
    found = LAST.search(data)
    if not found:
        raise ValueError("no JSON object")
    return _with(data, found, _proof(data, found))


def proven(data: bytes, known: Collection[str]) -> dict[str, Any]:
    """The object without its proof. ValueError in one line where a byte of it is another.

    One without a proof, from an earlier version, has no words but the `known` ones.
    """
    found = LAST.search(data)
    if found and _proof(data, found) != found[1]:
        raise ValueError("it is damaged: its proof is not that of its bytes")
    try:
        words = msgspec.json.decode(data, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        said = " ".join(str(error).split())[:80]
        raise ValueError(f"it is damaged: {said}") from None
    words.pop(WORD if found else "", None)
    if not found and set(words) - set(known):
        raise ValueError("it is damaged: it has words that nobody wrote")
    return words


def is_proven(data: bytes) -> bool:
    """Whether it has a proof, and it is that of its bytes."""
    found = LAST.search(data)
    return found is not None and _proof(data, found) == found[1]


def _proof(data: bytes, found: "re.Match[bytes]") -> bytes:
    return sha256(_with(data, found, BLANK)).hexdigest()[: len(BLANK)].encode()


def _with(data: bytes, found: "re.Match[bytes]", proof: bytes) -> bytes:
    return data[: found.start(1)] + proof + data[found.end(1) :]
