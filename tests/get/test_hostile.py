"""Servers that mean harm: never more bytes than stated, no endless list, nothing outside."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from isptools.datasets.card import Part
from isptools.get import wanted as lists
from isptools.get import web as nets
from isptools.get.download import download
from isptools.get.wanted import PartError, Wanted
from isptools.get.web import Web, WebError

Answer = Callable[[BaseHTTPRequestHandler], None]


@contextmanager
def serving(answer: Answer) -> Iterator[str]:
    def get(self: BaseHTTPRequestHandler) -> None:
        try:
            answer(self)
        except OSError:
            self.close_connection = True

    names = {"do_GET": get, "do_HEAD": get, "log_message": lambda *_: None}
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("H", (BaseHTTPRequestHandler,), names))
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign] # clients go away
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def endless(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.end_headers()
    while True:
        handler.wfile.write(bytes(1 << 16))


def test_never_more_bytes_than_stated(tmp_path: Path) -> None:
    with serving(endless) as url:
        (failed,) = download([Wanted(f"{url}/a", "a", 1000)], tmp_path, Web(pause=0.01))
    assert "more bytes arrive than the 1000 that are stated" in failed.why
    assert list(tmp_path.iterdir()) == []


def test_an_endless_list_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nets, "LIST", 1 << 20)
    with serving(endless) as url, pytest.raises(WebError, match="more than 1 MB"):
        Web(pause=0.01).text(f"{url}/list")


def listing(**answer: object) -> Answer:
    def send(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        data = json.dumps(answer).encode()
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)

    return send


def files(url: str) -> list[Wanted]:
    part = Part("p", "", url, "in/", "box", "x/")
    return list(lists._bucket(part, Web(pause=0.01)))


def test_a_list_that_leads_to_itself_is_refused() -> None:
    answer = listing(items=[], nextPageToken="again")
    with serving(answer) as url, pytest.raises(PartError, match="does not end"):
        files(url)


@pytest.mark.parametrize(
    "item",
    [
        {"name": 7, "size": "1"},
        {"name": "x/a"},
        {"name": "x/a", "size": "-5"},
        {"name": "x/a", "size": "much"},
        {"name": "x/a", "size": "1", "md5Hash": "no base64!"},
        {"name": "x/a", "size": str(10**30)},
        "x/a",
        None,
    ],
)
def test_an_item_that_is_none_is_one_line(item: object) -> None:
    answer = listing(items=[item])
    with serving(answer) as url, pytest.raises(PartError, match="no list of a buck") as caught:
        files(url)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "path",
    ["/etc/a", "../a", "a/../../b", "a\\b", "a\nb", "a\x1b[2Jb", "a\u202eb", "a//b", "./a", ".",
     "a.part", "a/.", ""],
)  # fmt: skip
def test_a_name_that_leaves_or_deceives_is_refused(path: str) -> None:
    with pytest.raises(PartError, match="no place below the output folder") as caught:
        lists._expect_below(path, Part("p", "", "http://x"))
    assert str(caught.value).isprintable()


def test_redirects_are_counted(tmp_path: Path) -> None:
    asked: list[str] = []

    def away(handler: BaseHTTPRequestHandler) -> None:
        asked.append(handler.path)
        handler.send_response(302)
        handler.send_header("Location", f"{handler.path}x")
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    with serving(away) as url:
        (failed,) = download([Wanted(f"{url}/a", "a", 10)], tmp_path, Web(pause=0.01))
    assert "sends on more than" in failed.why
    assert len(asked) <= nets.REDIRECTS + 1


def test_a_redirect_to_the_disk_is_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("mine")

    def away(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(302)
        handler.send_header("Location", f"file://{secret}")
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    with serving(away) as url:
        (failed,) = download([Wanted(f"{url}/a", "a", 4)], tmp_path / "out", Web(pause=0.01))
    assert failed.path == "a"
    assert "Traceback" not in failed.why
    assert not (tmp_path / "out" / "a").exists()


def test_a_planted_link_is_not_written_through(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    out = tmp_path / "out"
    out.mkdir()
    for name in ("a.part", "a.part.tag"):
        (out / name).symlink_to(victim)

    def send(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "4")
        handler.end_headers()
        handler.wfile.write(b"data")

    with serving(send) as url:
        assert download([Wanted(f"{url}/a", "a", 4)], out, Web(pause=0.01)) == []
    assert (out / "a").read_bytes() == b"data"
    assert victim.read_text() == "mine"
    assert [path.name for path in out.iterdir()] == ["a"]


@pytest.mark.parametrize("value", ["nan", "inf", "-1", "1e99", "soon"])
def test_odd_pauses_that_a_server_asks_for(value: str) -> None:
    error = type("E", (Exception,), {"headers": {"Retry-After": value}})()
    assert 0 <= nets._asked(error) <= 1e99
