"""`isptools get` against a local bucket and server."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from isptools import shipped
from isptools.cli import main
from isptools.datasets import card as cards
from isptools.get.wanted import PartError, estimate, parts_of, wanted
from isptools.get.web import Web
from tests.get.server import Site, running

DATA_SET = """
name = "mine"
title = "Mine"
licence = "CC0"
redistribution = "allowed"
home = "https://example.org"
downloads = ["https://example.org/form (a form)"]
size = "1 MB"
place = "anywhere"
roots = ["."]
room = "bursts"

[[parts]]
name = "bucket"
about = "bursts"
url = "URL"
bucket = "box"
prefix = "2017/"

[[parts]]
name = "single"
about = "one file a scene"
url = "URL/img/{scene}.dng"
into = "dng/{scene}.dng"
usual = false
"""
OBJECTS = {
    "2017/bursts/a b/payload_N000.dng": b"first" * 1000,
    "2017/bursts/a b/payload_N001.dng": b"second" * 1000,
    "2017/bursts/c/payload_N000.dng": b"third" * 1000,
    "2017/results/c/final.jpg": b"fourth" * 1000,
    "2017/results/": b"",
    "2018/other.dng": b"not this",
}


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    with running() as found:
        monkeypatch.chdir(tmp_path)
        (tmp_path / "mine").mkdir()
        text = DATA_SET.replace("URL", found.url)
        (tmp_path / "mine/dataset.toml").write_text(text)
        (tmp_path / "mine/scenes.tsv").write_text("scene\na1 (1)\nb2\n")
        found.bucket = dict(OBJECTS)
        for scene in ("a1 (1)", "b2"):
            found.files[f"/img/{scene}.dng"] = scene.encode() * 500
        yield found


def run(*words: object) -> Result:
    done = CliRunner().invoke(main, ["get", *map(str, words)])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done


def tree(out: Path) -> dict[str, bytes]:
    return {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in sorted(out.rglob("*"))
        if path.is_file()
    }


def test_a_bucket_comes_whole(site: Site, tmp_path: Path) -> None:
    done = run("mine", "--out", "out", "--yes")
    assert done.exit_code == 0, done.output
    assert tree(tmp_path / "out") == {
        name.removeprefix("2017/"): data
        for name, data in OBJECTS.items()
        if name.startswith("2017/") and not name.endswith("/")
    }
    assert "4 files; to download: 0.0 MB" in done.stdout
    assert "4 files in out" in done.stdout
    again = run("mine", "--out", "out", "--yes")
    assert "4 files, 4 are there already" in again.stdout
    assert len(site.gets("/box/2017/bursts/c/payload_N000.dng")) == 1


@pytest.mark.usefixtures("site")
def test_only_what_fits(tmp_path: Path) -> None:
    assert run("mine", "--out", "out", "--only", "bursts/a*", "--yes").exit_code == 0
    assert list(tree(tmp_path / "out")) == [
        "bursts/a b/payload_N000.dng", "bursts/a b/payload_N001.dng"
    ]  # fmt: skip
    nothing = run("mine", "--out", "out", "--only", "x*", "--yes")
    assert nothing.exit_code == 1
    assert "no file of mine fits 'x*'" in nothing.stderr


@pytest.mark.usefixtures("site")
def test_single_files_by_the_index(tmp_path: Path) -> None:
    """Names with spaces and brackets, as FiveK has some."""
    assert run("mine", "--part", "single", "--out", "out", "--yes").exit_code == 0
    assert tree(tmp_path / "out") == {
        "dng/a1 (1).dng": b"a1 (1)" * 500, "dng/b2.dng": b"b2" * 500
    }  # fmt: skip


def test_a_dry_run_measures_and_writes_nothing(site: Site, tmp_path: Path) -> None:
    done = run("mine", "--part", "single", "--out", "out", "--dry-run")
    assert done.exit_code == 0
    assert "dng/a1 (1).dng" in done.stdout
    assert "2 files; to download: 0.0 MB" in done.stdout
    assert not (tmp_path / "out").exists()
    assert {method for method, _, _ in site.asked} == {"HEAD"}


@pytest.mark.usefixtures("site")
def test_nothing_is_downloaded_unasked(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["get", "mine", "--out", "out"], input="n\n")
    assert done.exit_code == 1
    assert "download them?" in done.stdout
    assert not tree(tmp_path / "out")
    told = run("mine")
    assert told.exit_code == 0
    for word in ("CC0", "a form", "part bucket", "only with --part"):
        assert word in told.stdout


def test_what_is_missing_at_the_end_is_one_line_and_comes_later(site: Site, tmp_path: Path) -> None:
    lost = "/box/2017/bursts/c/payload_N000.dng"
    site.busy[lost] = [404]
    done = run("mine", "--out", "out", "--yes")
    assert done.exit_code == 1
    assert done.stderr.splitlines()[-1].startswith(
        "Error: 1 of 4 files are missing, as bursts/c/payload_N000.dng; run the same command again"
    )
    assert len(tree(tmp_path / "out")) == 3
    assert run("mine", "--out", "out", "--yes").exit_code == 0
    assert len(tree(tmp_path / "out")) == 4
    assert len(site.gets("/box/2017/results/c/final.jpg")) == 1


@pytest.mark.usefixtures("site")
def test_a_disk_without_room_is_told_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage._replace(free=1000))
    done = run("mine", "--out", "out", "--yes")
    assert done.exit_code == 1
    assert "are needed, 0.0 MB are free" in done.stderr
    assert not tree(tmp_path / "out")


def test_a_busy_list_is_asked_again_and_a_wrong_one_told(site: Site) -> None:
    site.busy["/storage/v1/b/box/o"] = [503]
    assert run("mine", "--dry-run").exit_code == 0
    site.files["/storage/v1/b/box/o"] = b""
    site.busy["/storage/v1/b/box/o"] = [403]
    done = run("mine", "--dry-run")
    assert done.exit_code == 1
    assert "403" in done.stderr
    assert "Traceback" not in done.output


def test_a_place_outside_is_refused(site: Site) -> None:
    site.bucket["2017/../../evil"] = b"x"
    done = run("mine", "--dry-run")
    assert done.exit_code == 1
    assert "no place below the output folder" in done.stderr


def test_guessed_sizes_are_near(site: Site) -> None:
    (Path("mine") / "scenes.tsv").write_text("scene\n" + "".join(f"s{i}\n" for i in range(40)))
    for i in range(40):
        site.files[f"/img/s{i}.dng"] = b"x" * (1000 + i)
    card = cards.load("mine")
    web = Web()
    files = wanted(card, parts_of(card, ["single"]), "", web)
    found = estimate(files, web)
    assert not found.sure
    assert found.bytes == pytest.approx(sum(1000 + i for i in range(40)), rel=0.02)
    assert len(site.asked) == 5


NAMES = sorted(path.parent.name for path in shipped.folder("manifests").glob("*/dataset.toml"))


@pytest.mark.parametrize("name", NAMES)
def test_every_data_set_says_where_it_is(name: str) -> None:
    done = run(name)
    assert done.exit_code == 0, done.output
    data_set = cards.load(name)
    for text in (data_set.licence, data_set.home, *data_set.downloads, data_set.place):
        assert text in done.stdout


@pytest.mark.parametrize("name", NAMES)
def test_what_needs_a_form_is_not_downloaded(name: str, tmp_path: Path) -> None:
    """Parts are plain files of servers that ask for nothing; places lie where layouts look."""
    data_set = cards.load(name)
    for part in data_set.parts:
        assert part.url.startswith("https://")
        assert not any(word in part.url for word in ("drive.google", "forms", "login", "kaggle"))
    if not data_set.parts:
        done = run(name, "--out", tmp_path, "--yes")
        assert done.exit_code == 1
        assert "no public plain address" in done.stdout
        assert not list(tmp_path.iterdir())


def test_hdrplus_lies_where_its_layout_looks() -> None:
    part = parts_of(cards.load("hdrplus"), [])[0]
    assert (part.name, part.bucket, part.prefix) == ("subset", "hdrplusdata", "20171106_subset/")
    with pytest.raises(PartError, match="it has: subset, full"):
        parts_of(cards.load("hdrplus"), ["all"])


def test_a_recipe_leads_to_its_data_set() -> None:
    assert "See-in-the-Dark" in run("sid-cameranet").stdout
    unknown = run("mars")
    assert unknown.exit_code == 1
    assert unknown.output.count("\n") == 1
    assert "hdrplus" in unknown.output
