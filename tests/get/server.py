"""A server that behaves as told: cuts lines, ignores ranges, is busy, lies."""

import json
import threading
from base64 import b64encode
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import md5
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit


@dataclass
class Site:
    """Files by path, and how each is to be treated."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    bucket: dict[str, bytes] = field(default_factory=dict)  # objects by name
    cut: dict[str, list[int]] = field(default_factory=dict)  # bytes after which the line is cut
    busy: dict[str, list[int]] = field(default_factory=dict)  # statuses to answer first
    ranges: bool = True
    tags: bool = True
    kind: str = "application/octet-stream"
    asked: list[tuple[str, str, str]] = field(default_factory=list)  # method, path, Range
    sent: Counter[str] = field(default_factory=Counter)  # bytes of bodies by path
    page: int = 2  # objects a page of the bucket's list

    def gets(self, path: str) -> list[str]:
        """The ranges that were asked of a path."""
        return [part for method, where, part in self.asked if (method, where) == ("GET", path)]


def _list(site: Site, query: dict[str, list[str]]) -> bytes:
    prefix, token = query["prefix"][0], int(query.get("pageToken", ["0"])[0])
    names = sorted(name for name in site.bucket if name.startswith(prefix))
    items = [
        {"name": name, "size": str(len(site.bucket[name])), "md5Hash": _md5(site.bucket[name])}
        for name in names[token : token + site.page]
    ]
    answer: dict[str, Any] = {"items": items}
    if token + site.page < len(names):
        answer["nextPageToken"] = str(token + site.page)
    return json.dumps(answer).encode()


def _md5(data: bytes) -> str:
    return b64encode(md5(data).digest()).decode()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    site: Site

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer(False)

    def do_GET(self) -> None:
        self._answer(True)

    def _answer(self, body: bool) -> None:
        site, split = self.site, urlsplit(self.path)
        path = unquote(split.path)
        asked = self.headers.get("Range", "")
        site.asked.append((self.command, path, asked))
        if site.busy.get(path):
            self._plain(site.busy[path].pop(0))
            return
        if path == "/storage/v1/b/box/o":
            data, kind = _list(site, parse_qs(split.query)), "application/json"
        elif path in site.files or path.removeprefix("/box/") in site.bucket:
            data, kind = site.files.get(path) or site.bucket[path.removeprefix("/box/")], site.kind
        else:
            self._plain(404)
            return
        tag = f'"{md5(data).hexdigest()}"'
        start = 0
        if asked and site.ranges and self.headers.get("If-Range", tag) == tag:
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
        if start and start >= len(data):
            self._plain(416, {"Content-Range": f"bytes */{len(data)}"})
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data) - start))
        if site.tags:
            self.send_header("ETag", tag)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.end_headers()
        if body:
            self._send(path, data[start:])

    def _send(self, path: str, data: bytes) -> None:
        cuts = self.site.cut.get(path)
        if cuts:
            data = data[: cuts.pop(0)]
            self.close_connection = True
        self.site.sent[path] += len(data)
        self.wfile.write(data)
        if self.close_connection:
            self.wfile.flush()
            self.connection.close()

    def _plain(self, status: int, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in ({"Retry-After": "0.01"} | (headers or {})).items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Clients that go away in the middle are what is tested."""


@contextmanager
def running() -> Iterator[Site]:
    site = Site()
    handler = type("Bound", (Handler,), {"site": site})
    server = Server(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    site.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield site
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
