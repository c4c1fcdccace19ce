"""Headers of files that were looked into before: a file of the same size and time is the same.

They stand in the output folder, so that a build that has nothing to do opens no file. One that is
damaged, or of other versions, is as none.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec

from isptools.build import journal
from isptools.raw import Header
from isptools.shards import disk, proof

NAME = "headers"  # in the journal's folder


class _Saved(msgspec.Struct, frozen=True):
    for_: str = msgspec.field(name="for")  # what is stated about all files, and versions
    headers: dict[str, Header]


@dataclass(slots=True)
class Headers:
    """What is known, by a digest of a file's place, size, time, and of all that is stated of it."""

    stated: str = ""  # a digest of what holds for all files
    known: dict[str, Header] = field(default_factory=dict)
    used: dict[str, Header] = field(default_factory=dict)  # of this build's files

    def of(self, *facts: Any, look: Callable[[], Header]) -> Header:
        """The header that was seen with these facts, or that of a look now, which may raise."""
        key = sha256(_text(facts)).hexdigest()[:32]
        found = self.known.get(key) or look()
        self.used[key] = found
        return found

    def save(self, out: Path) -> None:
        """Where there is more or less than was known."""
        if self.used.keys() == self.known.keys():
            return
        (out / journal.FOLDER).mkdir(exist_ok=True)
        encoded = msgspec.json.encode(_Saved(self.stated, self.used), order="deterministic")
        disk.save(out / journal.FOLDER / NAME, proof.proved(encoded))


def loaded(out: Path, *stated: Any) -> Headers:
    """Those of an output folder; none where anything that is stated of all files is another."""
    own = sha256(_text(stated)).hexdigest()
    path, fields = out / journal.FOLDER / NAME, _Saved.__struct_encode_fields__
    try:
        words = proof.proven(path.read_bytes(), fields)
        saved = msgspec.convert(words, _Saved)
    except (OSError, ValueError):  # also msgspec's
        return Headers(own)
    return Headers(own, saved.headers if saved.for_ == own else {})


def _text(facts: Any) -> bytes:
    return msgspec.json.encode(facts, order="deterministic", enc_hook=str)  # paths are texts
