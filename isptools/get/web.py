"""The only door to the network: fsspec's HTTP file system, with patience."""

import math
import threading
from collections.abc import Callable
from typing import Any, TypeVar

import aiohttp
from fsspec.implementations.http import HTTPFileSystem

AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})  # a server that may do it later
TRIES = 5  # without a byte of progress between them
MOST = 1 << 50  # bytes that a server may say a file has
LIST = 16 << 20  # bytes of one answer that is read as a whole
REDIRECTS = 5  # that are followed
LONGEST = 60.0  # seconds between two tries
T = TypeVar("T")

# what a connection can die of; ClientResponseError is an answer and looked at by its status
BROKEN = (
    aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, aiohttp.ServerTimeoutError,
    ConnectionError, TimeoutError,
)  # fmt: skip


class WebError(Exception):
    """An address that gives nothing; one line for people."""


class StoppedError(Exception):
    """Somebody asked to stop."""


class Web:
    """One file system for all threads, and how long to wait between tries."""

    def __init__(self, pause: float = 1.0) -> None:
        """`pause`: seconds before the second try; doubled for each further one."""
        self.pause = pause
        self.stop = threading.Event()
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=30, sock_read=60)
        self.files = HTTPFileSystem(
            encoded=True,
            skip_instance_cache=True,
            client_kwargs={"timeout": timeout, "trust_env": True},
            max_redirects=REDIRECTS,
            headers={"Accept-Encoding": "identity"},
        )

    def open(self, url: str, headers: dict[str, str]) -> Any:
        """A stream of the answer; `.r` is aiohttp's response. Raises as `tried` catches."""
        asked = {"Accept-Encoding": "identity", **headers}
        return self.files.open(url, block_size=0, size=1, headers=asked)

    def text(self, url: str) -> bytes:
        """A small answer as a whole. WebError."""

        def whole() -> bytes:
            stream = self.open(url, {})
            try:
                answer: bytes = stream.read(LIST + 1)
                while len(answer) <= LIST and (more := stream.read(LIST + 1 - len(answer))):
                    answer += more
                return answer
            finally:
                stream.close()

        found = self.tried(whole, url)
        if len(found) > LIST:
            raise WebError(f"{url}: the server's list has more than {LIST >> 20} MB")
        return found

    def size(self, url: str) -> int | None:
        """What a server says about the size of a file; None where it says nothing."""
        try:
            found: dict[str, Any] = self.tried(lambda: self.files.info(url), url)
        except WebError:
            return None
        size = found.get("size")
        return int(size) if size is not None and 0 <= int(size) <= MOST else None

    def tried(
        self, action: Callable[[], T], url: str, progress: Callable[[], int] = lambda: 0
    ) -> T:
        """Do it, again if the server or the line fails; `progress` says how far it came.

        WebError where it is of no use to try again, or was tried five times in vain.
        """
        failed, reached = 0, progress()
        while True:
            try:
                return action()
            except (*BROKEN, aiohttp.ClientError, FileNotFoundError, ValueError) as error:
                if getattr(error, "errno", None) is not None and _on_disk(error):
                    raise
                if not _passing(error):
                    raise WebError(f"{url}: {_why(error)}") from None
                failed = 1 if progress() > reached else failed + 1
                reached = max(reached, progress())
                if failed >= TRIES:
                    raise WebError(f"{url}: {_why(error)}, {TRIES} times") from None
                self.wait(_asked(error) or self.pause * 2.0 ** (failed - 1))

    def wait(self, seconds: float) -> None:
        """Wait, at most a minute; StoppedError if somebody asks to stop meanwhile."""
        if self.stop.wait(min(seconds, LONGEST)):
            raise StoppedError


def _on_disk(error: BaseException) -> bool:
    """fsspec says 404 by a FileNotFoundError without a number; one with it is the disk's."""
    return isinstance(error, FileNotFoundError)


def _passing(error: BaseException) -> bool:
    if isinstance(error, aiohttp.ClientResponseError):
        return error.status in AGAIN
    if isinstance(error, FileNotFoundError | aiohttp.ClientSSLError):
        return False
    return isinstance(error, BROKEN)


def _asked(error: BaseException) -> float:
    """Seconds after which the server wants to be asked again; 0 if it does not say."""
    headers = getattr(error, "headers", None) or {}
    try:
        seconds = float(headers.get("Retry-After", ""))
    except ValueError:
        return 0.0
    return max(seconds, 0.0) if math.isfinite(seconds) else LONGEST


def _why(error: BaseException) -> str:
    if isinstance(error, FileNotFoundError):
        return "the server has no such file (404)"
    if isinstance(error, aiohttp.TooManyRedirects):
        return f"the server sends on more than {REDIRECTS} times"
    if isinstance(error, aiohttp.ClientResponseError):
        login = " (a login?)" if error.status in {401, 403} else ""
        return f"the server answers {error.status} {error.message}{login}".rstrip()
    if isinstance(error, aiohttp.ClientPayloadError):
        return "the connection broke off"
    return " ".join(str(error).split()) or type(error).__name__
