"""Keep what LibRaw's C code writes to standard error, instead of showing it to people."""

import os
import re
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

STDERR = 2
# What LibRaw and the JPEG decoder in it say about missing or broken pixels.
COMPLAINT = re.compile(
    rb"Unexpected end of file|data corrupted at|Corrupt JPEG data|Premature end of JPEG"
)
_one_at_a_time = threading.RLock()


@contextmanager
def captured_stderr() -> Iterator[list[str]]:
    """Collect LibRaw's complaints about a file in the list that is given; filled at the end.

    File descriptor 2 of the whole process goes to a temporary file meanwhile (a file and no pipe:
    it can't fill up and block). Everything else that was written is passed on afterwards. Threads
    take turns; a process started by another thread meanwhile would inherit the temporary file.
    """
    said: list[str] = []
    with _one_at_a_time:
        try:
            own = os.dup(STDERR)
        except OSError:  # a service without a standard error: nothing to keep quiet
            yield said
            return
        with suppress(AttributeError, ValueError):  # sys.stderr is None or closed
            sys.stderr.flush()
        with tempfile.TemporaryFile() as sink:
            os.dup2(sink.fileno(), STDERR)
            try:
                yield said
            finally:
                os.dup2(own, STDERR)
                os.close(own)
                sink.seek(0)
                _sort_out(sink.readlines(), said)


def _sort_out(lines: list[bytes], said: list[str]) -> None:
    for line in lines:
        if COMPLAINT.search(line):
            said.append(line.decode(errors="replace").strip())
        else:
            os.write(STDERR, line)
