"""init and manifest on folders of real files, arranged as people do."""

import csv
import hashlib
import io
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from joblib import Parallel, delayed
from joblib.externals.loky import get_reusable_executor
from PIL import Image

from isptools import raw, shards
from isptools.cli import main
from isptools.datasets import card, sid
from isptools.frame import Frame

GUIDE = Path(__file__).resolve().parents[2] / "docs/guides/own-captures.md"


def run(*words: object) -> Result:
    done = CliRunner().invoke(main, [str(word) for word in words])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done


def proposed(folder: Path, out: Path, kind: str, *more: object) -> shards.Shards:
    """The folder is told, builds at once and checks."""
    done = run("init", folder, "--out", out, *more)
    assert done.exit_code == 0, done.output
    assert f"(kind {kind})" in done.stdout
    told = re.search(r"^next: isptools (.*)$", done.stdout, re.MULTILINE)
    assert told is not None
    built = run(*told[1].split())
    assert built.exit_code == 0, built.output
    made = out / f"{folder.name}-shards"
    checked = run("check", made)
    told = [line for line in checked.stdout.splitlines() if line.startswith("problem: ")]
    # dimmed by arithmetic, a raw has its truth's own noise, and that is seen
    assert all(": same: " in line for line in told), checked.output
    return shards.open(made)


def darker(path: Path, target: Path, factor: float) -> None:
    """The same real raw, exposed for a shorter time, as a DNG."""
    frame = raw.read(path)
    black = frame.capture.black[0]
    rounded = 1 / 12 / (frame.capture.white - black) ** 2
    noise = tuple(
        (s / factor, r / factor**2 + rounded) for s, r in frame.capture.noise_profile or ()
    )
    facts = replace(frame.capture, exposure_s=(frame.capture.exposure_s or 0.01) / factor,
                    noise_profile=noise)  # fmt: skip
    dimmed = np.rint(black + (frame.pixels - black) / factor).clip(0).astype(np.uint16)
    target.parent.mkdir(parents=True, exist_ok=True)
    raw.write_dng(target, replace(frame, pixels=dimmed, capture=facts))


def test_raws(shared_data, tmp_path):
    folder = tmp_path / "my raws"
    folder.mkdir()
    for name in ("nikon_d1/RAW_NIKON_D1.NEF", "kodak_dc50/DC0009L.KDC",
                 "apple_quicktake/Image__1.qtk"):  # fmt: skip
        shutil.copy(shared_data / "raw" / name, folder)
    done = run("init", folder, "--out", tmp_path)
    assert done.exit_code == 0, done.output
    assert f"--source '{folder}'" in done.stdout
    recipe, out = tmp_path / "my-raws.toml", tmp_path / "out"
    assert run("build", recipe, "--source", folder, "--out", out).exit_code == 0
    assert run("check", out).exit_code == 0
    with shards.open(out) as found:
        assert {found.facts(i).make for i in range(len(found))} == {"Nikon", "Kodak", "Apple"}
        for i in range(len(found)):  # truth and input are of one file
            assert found.facts(i).source_sha256 == found.truth_facts(i).source_sha256
            assert found.truth_facts(i).key == f"{found.facts(i).key}-developed"


@pytest.mark.long
def test_raws_with_the_cameras_pictures(shared_data, tmp_path):
    """The G2's JPEGs are known to lie about 20 pixels right of its raws' corner and 8 below it."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for raw_name, jpeg in (("CRW_0304.CRW", "IMG_0302"), ("CRW_0305.CRW", "IMG_0310")):
        shutil.copy(shared_data / "raw/canon_g2" / raw_name, folder / f"{jpeg}.CRW")
        shutil.copy(shared_data / "raw/canon_g2" / f"{jpeg}.JPG", folder)
    with proposed(folder, tmp_path, "camera") as found:
        assert len(found) == 2
        for i in range(2):
            own = Image.open(folder / Path(found.truth_facts(i).enhanced).name)
            stored = np.rint(found[i].enhancement.transpose(1, 2, 0) * 255).astype(np.uint8)
            pixels = np.asarray(own.convert("RGB"))
            places = [
                (y, x)
                for y in range(6, 11)
                for x in range(18, 23)
                if np.array_equal(stored[y : y + own.height, x : x + own.width], pixels)
            ]
            assert len(places) == 1
            assert (stored[0] == stored[places[0][0]]).all()  # the border is repeated


def test_short_and_long_exposures(shared_data, tmp_path):
    folder = tmp_path / "night"
    for scene, name in (("tree", "gopro_hero6/gopro_hero6_0024_crop_uncompressed.dng"),
                        ("chart", "kodak_dc50/DC0009L.KDC")):  # fmt: skip
        for factor in (1, 8, 32):
            darker(shared_data / "raw" / name, folder / scene / f"shot_{factor}.dng", factor)
    with proposed(folder, tmp_path, "exposures") as found:
        rows = [found.facts(i) for i in range(len(found))]
        assert sorted((row.scene, round(row.ratio)) for row in rows) == [
            ("chart", 8), ("chart", 32), ("tree", 8), ("tree", 32)
        ]  # fmt: skip
        assert {found.truth_facts(i).source for i in range(4)} == {
            "tree/shot_1.dng", "chart/shot_1.dng"
        }  # fmt: skip


def test_folders_named_short_and_long(shared_data, tmp_path):
    """The files of a scene have one name, as cameras' software exports them."""
    folder = tmp_path / "night"
    for name in ("DC0009L", "DC0010S"):
        for side, factor in (("long", 1), ("short", 10)):
            darker(
                shared_data / f"raw/kodak_dc50/{name}.KDC", folder / side / f"{name}.dng", factor
            )
    with proposed(folder, tmp_path, "exposures") as found:
        assert [(found.facts(i).source, found.truth_facts(i).source) for i in range(2)] == [
            (f"short/{name}.dng", f"long/{name}.dng") for name in ("DC0009L", "DC0010S")
        ]
        assert found.truth_facts(0).key == "night/DC0009L/DC0009L-truth"


def test_bursts(shared_data, tmp_path):
    folder = tmp_path / "bursts"
    shutil.copytree(shared_data / "raw/kodak_dc50", folder / "chart")
    with proposed(folder, tmp_path, "bursts") as found:
        assert len(found) == 1
        assert found.truth_facts(0).key.endswith("-fused")


def test_pairs(shared_data, tmp_path):
    folder = tmp_path / "two"
    for side, name in (("phone", "graf/img2.png"), ("dslr", "graf/img1.png")):
        (folder / side).mkdir(parents=True)
        shutil.copy(shared_data / "registration" / name, folder / side / "graf.png")
    with proposed(folder, tmp_path, "pairs") as found:
        assert len(found) > 10
        assert {found.facts(i).source for i in range(len(found))} == {"phone/graf.png"}
        assert {found.truth_facts(i).source for i in range(len(found))} == {"dslr/graf.png"}


def test_a_hopeless_folder(shared_data, tmp_path):
    folder = tmp_path / "mess"
    shutil.copytree(shared_data / "raw_odd/corrupt", folder)
    shutil.copy(shared_data / "testsets/kodak24/kodim01.png", folder)
    (folder / "notes.txt").write_text("nothing to see")
    done = run("init", folder, "--out", tmp_path / "out")
    assert done.exit_code == 1
    assert "10 raw files" in done.stdout
    assert "can't be used" in done.stdout
    assert "this is" not in done.stdout
    for word in ("nothing was written", "What to do", "add a data set"):
        assert word in done.stderr
    assert not (tmp_path / "out").exists()


def test_pictures_alone(shared_data, tmp_path):
    shutil.copytree(shared_data / "registration/graf", tmp_path / "graf")
    done = run("init", tmp_path / "graf", "--out", tmp_path)
    assert done.exit_code == 1
    assert "can't tell what this is" in done.stderr
    assert run("init", tmp_path / "graf", "--kind", "bursts").exit_code == 1
    assert [path.name for path in tmp_path.iterdir()] == ["graf"]


@pytest.fixture
def photos(tmp_path, monkeypatch) -> Path:
    """The example of the guide."""
    code = re.search(r"```python make.py\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    assert code is not None
    monkeypatch.chdir(tmp_path)
    exec(compile(code[1], "make.py", "exec"), {"__name__": "make"})
    return Path("photos")


def test_the_guide_shows_what_is_printed(photos):
    shown = re.search(r"```text\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    assert shown is not None
    assert run("init", photos).stdout == shown[1]
    assert sorted(path.name for path in photos.iterdir()) == ["hall", "kitchen", "street"]


def test_nothing_is_overwritten_unasked(photos):
    assert run("init", photos).exit_code == 0
    recipe = Path("photos.toml")
    recipe.write_text("mine")
    again = run("init", photos)
    assert again.exit_code == 1
    assert again.stderr.splitlines()[-1].startswith("Error: photos.toml is there already")
    assert recipe.read_text() == "mine"
    assert run("init", photos, "--overwrite").exit_code == 0
    assert recipe.read_text() != "mine"


@pytest.fixture
def workers_elsewhere(tmp_path_factory, monkeypatch) -> None:
    """What an earlier call in this process leaves behind: workers that stay in their folder."""
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    get_reusable_executor().shutdown()
    Parallel(2)(delayed(Path.cwd)() for _ in range(2))


@pytest.mark.usefixtures("workers_elsewhere")
def test_the_table_is_the_same_for_two_jobs_and_its_hashes_are_the_files(photos):
    assert run("manifest", photos).exit_code == 0
    assert Path.cwd() not in Parallel(2)(delayed(Path.cwd)() for _ in range(2))
    assert run("manifest", photos, "--jobs", "2", "--out", "two.tsv").exit_code == 0
    text = Path("files.tsv").read_text()
    assert text == Path("two.tsv").read_text()
    rows = list(csv.DictReader(io.StringIO(text), delimiter="\t"))
    assert len(rows) == 9
    for row in rows:
        data = (photos / row["path"]).read_bytes()
        assert row["sha256"] == hashlib.sha256(data).hexdigest()
    assert {row["scene"]: row["split"] for row in rows} == {
        "hall": "train", "kitchen": "train", "street": "test"
    }  # fmt: skip
    assert run("manifest", photos).exit_code == 1


def test_a_copy_stays_with_its_original(photos):
    shutil.copytree(photos / "street", photos / "avenue")
    shutil.move(photos / "avenue/10003_00_10s.dng", photos / "avenue/another name.dng")
    assert run("manifest", photos).exit_code == 0
    rows = csv.DictReader(io.StringIO(Path("files.tsv").read_text()), delimiter="\t")
    splits = {row["scene"]: row["split"] for row in rows}
    assert splits["avenue"] == splits["street"]


def test_a_raw_that_is_cut_off_is_left_out_and_named(photos):
    path = photos / "street/10003_00_0.04s.dng"
    path.write_bytes(path.read_bytes()[:100_000])
    done = run("manifest", photos)
    assert done.exit_code == 0
    assert "not used: street/10003_00_0.04s.dng: cut off" in done.stdout


def test_a_table_of_pairs_is_there_already(tmp_path):
    (tmp_path / "two").mkdir()
    (tmp_path / "two/pairs.csv").write_text("phone,dslr\na.jpg,b.jpg\n")
    done = run("init", tmp_path / "two", "--out", tmp_path / "out")
    assert done.exit_code == 0
    assert "isptools build pairs --source" in done.stdout
    assert not (tmp_path / "out").exists()


def test_no_folder_is_one_line(tmp_path):
    done = run("init", tmp_path / "nowhere")
    assert done.exit_code == 1
    assert done.output.count("\n") == 1


def test_what_contradicts_itself_is_shown_and_nothing_is_written(tmp_path):
    """Two scenes whose names say one thing and whose exposures another."""
    for name, entry in zip(("1", "2"), _two_scenes(), strict=True):
        for side, frame in zip(("long", "short"), entry, strict=True):  # the words are swapped
            place = tmp_path / "photos" / side / f"{name}.dng"
            place.parent.mkdir(parents=True, exist_ok=True)
            raw.write_dng(place, frame)
    out = tmp_path / "out"
    done = run("init", tmp_path / "photos", "--out", out)
    assert done.exit_code == 1
    assert "short/1.dng is called short and states" in done.stderr
    assert not out.exists()


def test_a_folder_of_several_kinds_is_told_one_by_one(tmp_path):
    first, second = _two_scenes()
    for path, frame in {
        "photos/night/short/1.dng": first[0], "photos/night/long/1.dng": first[1],
        "photos/bursts/a/1.dng": second[0], "photos/bursts/a/2.dng": second[0],
    }.items():  # fmt: skip
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        raw.write_dng(tmp_path / path, frame)
    done = run("init", tmp_path / "photos", "--out", tmp_path / "out")
    assert done.exit_code == 1
    assert re.search(r"^  night/ is short and long exposures.*isptools init .*night$",
                     done.stderr, re.MULTILINE)  # fmt: skip
    assert re.search(r"^  bursts/ is bursts, because ", done.stderr, re.MULTILINE)


def _two_scenes() -> list[list[Frame]]:
    """A short and a long exposure of each, drawn by code."""
    scenes: dict[str, list[Frame]] = {}
    for entry, frame in sid.frames(card.load("sid")):
        if entry.scene in {"00001", "10003"} and ("long" in entry.path or "_00_" in entry.path):
            scenes.setdefault(entry.scene, []).append(frame)
    return [
        sorted(frames, key=lambda frame: frame.capture.exposure_s or 0)[:: len(frames) - 1]
        for frames in scenes.values()
    ]
