"""Any system that fsspec knows goes the same way: one of memory that answers for gs://, and a web
server that shows its folders."""

import functools
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
from click.testing import CliRunner, Result
from fsspec.implementations.memory import MemoryFileSystem
from fsspec.registry import _registry, register_implementation

from isptools import shards
from isptools.cli import main
from isptools.storage import cache, shadow
from tests.build import tiny as tinies
from tests.build.tiny import Tiny


class Bucket(MemoryFileSystem):
    """Names, sizes and times as Google's store states them."""

    protocol = "gs"
    store: ClassVar[dict[str, Any]] = {}
    pseudo_dirs: ClassVar[list[str]] = [""]

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return "/" + str(path).removeprefix("gs://").strip("/")


@pytest.fixture(scope="module")
def gs() -> Iterator[Any]:
    register_implementation("gs", Bucket, clobber=True)
    yield Bucket()
    Bucket.store.clear()
    _registry.pop("gs")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    tiny = tinies.make(tmp_path_factory.mktemp("systems") / "tiny")
    tiny.build()
    return tiny


@pytest.fixture
def web(built: Tiny) -> Iterator[str]:
    """The address of a server that lists the raws, and states no sizes there."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    serve = functools.partial(Quiet, directory=str(built.source))
    with ThreadingHTTPServer(("127.0.0.1", 0), serve) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def call(tiny: Tiny, source: str, out: str) -> Result:
    line = ["build", str(tiny.folder / "recipe.toml"), "--source", source, "--out", out]
    return CliRunner().invoke(main, line)


def test_google_s_store(built: Tiny, gs, tmp_path: Path, monkeypatch) -> None:
    """From it, into it, and read there; a bucket of memory stands for it."""
    monkeypatch.setattr(shadow, "SMALL", 1000)  # so that raws of 10 kB count as large
    monkeypatch.setenv(cache.FOLDER, str(tmp_path / "cache"))
    gs.put(f"{built.source}/", "gs://bucket/raws/", recursive=True)
    done = call(built, "gs://bucket/raws", "gs://bucket/shards")
    assert done.exit_code == 0, done.output
    names = [name for name in gs.find("gs://bucket/shards") if "/." not in name]
    assert {name.rpartition("/")[2]: gs.cat_file(name) for name in names} == tinies.listing(
        built.out
    )
    with shards.open("gs://bucket/shards", split="val") as data, shards.open(built.out) as own:
        wanted = {one.key: one for one in own}
        assert [one.key for one in data] == ["tiny/c3/c3_0", "tiny/c3/c3_1"]
        assert all((one.input == wanted[one.key].input).all() for one in data)


def test_a_web_server(built: Tiny, web: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(shadow, "SMALL", 1000)
    (built.source / "a note, 100%.txt").write_text("of no scene")
    made = shadow.shadow(web, tmp_path / "shadow", 1 << 30)
    assert (made.root / "a note, 100%.txt").read_text() == "of no scene"
    done = call(built, web, str(tmp_path / "out"))
    assert done.exit_code == 0, done.output
    assert tinies.listing(tmp_path / "out") == tinies.listing(built.out)
