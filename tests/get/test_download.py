"""Downloads from a local server that cuts lines, is busy, ignores ranges, and lies."""

import errno
import random
from collections.abc import Iterator
from hashlib import md5, sha256
from pathlib import Path

import pytest

from isptools.get import download as module
from isptools.get.download import download
from isptools.get.wanted import Wanted
from isptools.get.web import TRIES, Web
from tests.get.server import Site, running

DATA = random.Random(1).randbytes(6_000_000)


@pytest.fixture
def site() -> Iterator[Site]:
    with running() as found:
        found.files["/a.bin"] = DATA
        yield found


def one(site: Site, **known: object) -> Wanted:
    return Wanted(f"{site.url}/a.bin", "sub/a.bin", **known)  # type: ignore[arg-type]


def fetched(files: list[Wanted], out: Path, **how: int) -> list[str]:
    return [failed.why for failed in download(files, out, Web(pause=0.01), **how)]


def whole(out: Path) -> None:
    """The file is there, and nothing else."""
    assert (out / "sub/a.bin").read_bytes() == DATA
    assert [path.name for path in (out / "sub").iterdir()] == ["a.bin"]


def test_a_file_arrives(site: Site, tmp_path: Path) -> None:
    seen: list[int] = []
    known = {"size": len(DATA), "md5": md5(DATA).hexdigest(), "sha256": sha256(DATA).hexdigest()}
    assert not download([one(site, **known)], tmp_path, Web(), progress=seen.append)
    whole(tmp_path)
    assert seen[-1] == len(DATA)
    assert fetched([one(site, **known)], tmp_path) == []
    assert len(site.asked) == 1  # what is there is not asked for


def test_a_cut_line_goes_on_where_it_broke(site: Site, tmp_path: Path) -> None:
    site.cut["/a.bin"] = [1_000_000, 700_000, 1]
    assert fetched([one(site)], tmp_path) == []
    whole(tmp_path)
    starts = [int(asked[6:-1]) for asked in site.gets("/a.bin") if asked]
    assert len(starts) == 3
    assert starts == sorted(starts)
    assert starts[0] > 0
    assert site.sent["/a.bin"] <= len(DATA) + 1_700_001 - starts[-1] + 1  # hardly anything twice


def test_more_cuts_than_tries_are_no_matter_while_it_goes_on(site: Site, tmp_path: Path) -> None:
    site.cut["/a.bin"] = [800_000] * (TRIES + 2)  # what aiohttp had not handed on is lost each time
    assert fetched([one(site)], tmp_path) == []
    whole(tmp_path)


def test_a_later_run_goes_on(site: Site, tmp_path: Path) -> None:
    site.cut["/a.bin"] = [1_000_000, *[0] * 99]
    assert "the connection broke off, 5 times" in fetched([one(site)], tmp_path)[0]
    part = tmp_path / "sub/a.bin.part"
    have = part.stat().st_size
    assert 0 < have <= 1_000_000
    assert not (tmp_path / "sub/a.bin").exists()
    site.cut.clear()
    site.asked.clear()
    assert fetched([one(site)], tmp_path) == []
    whole(tmp_path)
    assert site.gets("/a.bin") == [f"bytes={have}-"]


def test_a_file_that_changed_meanwhile_is_fetched_anew(site: Site, tmp_path: Path) -> None:
    site.files["/a.bin"] = DATA[::-1]
    site.cut["/a.bin"] = [1_000_000, *[0] * 99]
    assert fetched([one(site)], tmp_path)
    site.cut.clear()
    site.files["/a.bin"] = DATA
    assert fetched([one(site)], tmp_path) == []
    whole(tmp_path)


@pytest.mark.parametrize(("ranges", "tags"), [(False, True), (True, False), (False, False)])
def test_without_ranges_or_versions_it_begins_again(
    site: Site, tmp_path: Path, ranges: bool, tags: bool
) -> None:
    site.ranges, site.tags = ranges, tags
    site.cut["/a.bin"] = [1_000_000, 2_000_000]
    assert fetched([one(site)], tmp_path) == []
    whole(tmp_path)


def test_with_a_checksum_no_version_is_needed(site: Site, tmp_path: Path) -> None:
    site.tags = False
    site.cut["/a.bin"] = [1_000_000]
    assert fetched([one(site, md5=md5(DATA).hexdigest())], tmp_path) == []
    whole(tmp_path)
    assert len([asked for asked in site.gets("/a.bin") if asked]) == 1


def test_a_part_that_is_whole_already_is_only_named(site: Site, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/a.bin.part").write_bytes(DATA)
    (tmp_path / "sub/a.bin.part.tag").write_text(f'"{md5(DATA).hexdigest()}"')
    assert fetched([one(site)], tmp_path) == []
    whole(tmp_path)
    assert site.sent["/a.bin"] == 0


def test_a_part_that_is_too_long_is_thrown_away(site: Site, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/a.bin.part").write_bytes(DATA + b"more")
    (tmp_path / "sub/a.bin.part.tag").write_text(f'"{md5(DATA).hexdigest()}"')
    assert fetched([one(site)], tmp_path) == []
    whole(tmp_path)


@pytest.mark.parametrize("known", [{"md5": "0" * 32}, {"sha256": "0" * 64}, {"size": 5}])
def test_a_wrong_checksum_is_tried_twice_and_never_kept(
    site: Site, tmp_path: Path, known: dict[str, object]
) -> None:
    (why,) = fetched([one(site, **known)], tmp_path)
    assert "stated, twice" in why
    assert len(site.gets("/a.bin")) == 2
    assert not [path for path in tmp_path.rglob("*") if path.name in {"a.bin", "a.bin.part"}]


def test_a_damaged_part_is_noticed_and_fetched_anew(site: Site, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/a.bin.part").write_bytes(b"x" * 1000)
    assert fetched([one(site, md5=md5(DATA).hexdigest())], tmp_path) == []
    whole(tmp_path)


def test_a_busy_server_is_asked_again(site: Site, tmp_path: Path) -> None:
    site.busy["/a.bin"] = [503, 429, 500]
    assert fetched([one(site)], tmp_path) == []
    whole(tmp_path)
    assert len(site.asked) == 4


@pytest.mark.parametrize(
    ("status", "why"),
    [(404, "no such file"), (403, "a login?"), (401, "a login?"), (410, "410")],
)
def test_what_is_not_there_is_not_asked_for_again(
    site: Site, tmp_path: Path, status: int, why: str
) -> None:
    site.busy["/a.bin"] = [status] * 9
    (told,) = fetched([one(site)], tmp_path)
    assert why in told
    assert "\n" not in told
    assert len(site.asked) == 1


def test_a_server_that_stays_busy_is_given_up(site: Site, tmp_path: Path) -> None:
    site.busy["/a.bin"] = [503] * 99
    (why,) = fetched([one(site)], tmp_path)
    assert "503" in why
    assert len(site.asked) == TRIES


def test_nobody_answers(tmp_path: Path) -> None:
    with running() as gone:
        pass
    (why,) = fetched([Wanted(f"{gone.url}/a.bin", "a.bin")], tmp_path)
    assert "5 times" in why


def test_a_login_page_is_no_file(site: Site, tmp_path: Path) -> None:
    site.kind = "text/html; charset=utf-8"
    (why,) = fetched([one(site)], tmp_path)
    assert "a page instead of the file" in why
    assert not (tmp_path / "sub/a.bin").exists()


def test_one_that_fails_does_not_keep_others_from_coming(site: Site, tmp_path: Path) -> None:
    names = [f"{i}.bin" for i in range(9)]
    for name in names:
        site.files[f"/{name}"] = name.encode() * 1000
    site.cut["/4.bin"] = [100]
    files = [Wanted(f"{site.url}/{name}", name) for name in (*names, "lost.bin")]
    failed = download(files, tmp_path, Web(pause=0.01), connections=3)
    assert [one.path for one in failed] == ["lost.bin"]
    for name in names:
        assert (tmp_path / name).read_bytes() == name.encode() * 1000


def test_several_files_come_at_a_time(site: Site, tmp_path: Path) -> None:
    """Three lines that each wait for the others could not be served one by one."""
    import threading  # noqa: PLC0415 - only here

    together = threading.Barrier(3, timeout=10)
    names = ["x.bin", "y.bin", "z.bin"]
    for name in names:
        site.files[f"/{name}"] = b"data"

    class Waiting(Web):
        def open(self, url, headers):  # type: ignore[no-untyped-def]
            together.wait()
            return super().open(url, headers)

    files = [Wanted(f"{site.url}/{name}", name) for name in names]
    assert not download(files, tmp_path, Waiting(), connections=3)


def test_a_full_disk_stops_everything_and_keeps_what_came(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = Path.open

    def full(self, mode="r", *rest, **more):  # type: ignore[no-untyped-def]
        file = own(self, mode, *rest, **more)
        if self.name.endswith(".part") and set(mode) & set("wx+"):
            return Full(file)
        return file

    monkeypatch.setattr(Path, "open", full)
    files = [one(site), Wanted(f"{site.url}/a.bin", "b.bin")]
    with pytest.raises(OSError, match="No space") as told:
        download(files, tmp_path, Web(pause=0.01), connections=1)
    assert told.value.errno == errno.ENOSPC
    assert (tmp_path / "sub/a.bin.part").stat().st_size > 0
    assert not (tmp_path / "b.bin").exists()
    monkeypatch.undo()
    assert fetched([one(site)], tmp_path) == []
    whole(tmp_path)


class Full:
    """A file on a disk with room for one more piece."""

    def __init__(self, file):  # type: ignore[no-untyped-def]
        self.file, self.written = file, 0

    def write(self, data: bytes) -> int:
        if self.written:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.written = len(data)
        return int(self.file.write(data))

    def seek(self, at: int) -> int:
        return int(self.file.seek(at))

    def __enter__(self):  # type: ignore[no-untyped-def]
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()


def test_stopped_means_stopped(site: Site, tmp_path: Path) -> None:
    web = Web(pause=0.01)

    def interrupt(_done: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        download([one(site)], tmp_path, web, progress=interrupt)
    assert web.stop.is_set()
    assert fetched([one(site)], tmp_path) == []
    whole(tmp_path)


def test_bytes_of_parts_are_counted(site: Site, tmp_path: Path) -> None:
    site.cut["/a.bin"] = [1_000_000, *[0] * 99]
    fetched([one(site)], tmp_path)
    have = (tmp_path / "sub/a.bin.part").stat().st_size
    assert module.left([one(site)], tmp_path) == have
