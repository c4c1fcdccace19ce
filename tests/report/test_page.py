"""What the page and its numbers say, read as text."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result

from isptools import shards
from isptools.cli import main
from isptools.cli.report import _maker, _pair, _shards
from isptools.report import folder as of_folder
from isptools.report import plots
from isptools.report.meanings import MEANINGS
from isptools.report.page import html
from isptools.report.samples import BINS, LIGHT, SPAN, Shown, _thumbnail, gathered
from isptools.shards.check import Problem, examined


def quiet(_stage: str, _done: int, _total: int) -> None:
    """No progress."""


def report(folder: Path, out: Path) -> Result:
    return CliRunner().invoke(main, ["report", str(folder), "--out", str(out)])


@pytest.fixture(scope="module")
def samples(honest: Path) -> list[Shown]:
    with shards.open(honest) as opened:
        return gathered(opened, examined(honest).seen, lambda _done, _total: None)


def test_one_file_says_all_and_needs_no_other(honest: Path, tmp_path: Path) -> None:
    done = report(honest, tmp_path / "new/page.html")
    assert done.exit_code in {0, 3}, done.output
    page = (tmp_path / "new/page.html").read_text(encoding="utf-8")
    numbers = json.loads((tmp_path / "new/page.json").read_text(encoding="utf-8"))
    with shards.open(honest) as opened:
        keys = {opened.facts(i).key for i in range(len(opened))}
    assert {one["key"] for one in numbers["samples"]} == keys
    assert all(key in page for key in keys)
    assert not re.findall(r'(?:src|href)="(?!data:|#)[^"]*"|url\(', page)
    alike = [one for one in numbers["problems"] if one["what"] == "alike"]  # drawn by one hand
    assert numbers["problems"] == alike
    assert not any(one["sure"] for one in alike)
    assert numbers["facts"][0]["value"] == "5"
    assert "misaligned" in page  # the ledger's reason, and what was left out beside it
    with (honest / "ledger.jsonl").open() as file:
        lines = [json.loads(line) for line in file]
    refused = [line["file"] for line in lines if line["reason"] == "misaligned"]
    assert refused
    assert all(re.search(rf'<img src="data:[^"]+" alt="{file}"', page) for file in refused)


def test_a_planted_fault_stands_first_and_the_page_says_stop(
    planted: tuple[Path, str], planted_page: tuple[Result, Path]
) -> None:
    (_, key), (done, page) = planted, planted_page
    assert done.exit_code == 3
    assert "Do not train on this yet" in done.stdout
    numbers = json.loads(page.with_suffix(".json").read_text(encoding="utf-8"))
    assert numbers["verdict"] == "stop"
    first = numbers["samples"][0]
    assert first["key"] == key
    assert first["problems"]
    wrong = {each["kind"] for each in first["measured"] if each["told"]}
    assert wrong == {"turned"}
    assert not any(one["problems"] for one in numbers["samples"][1:])


def test_what_comes_from_files_is_escaped(planted_page: tuple[Result, Path]) -> None:
    page = planted_page[1].read_text(encoding="utf-8")
    assert "<script>document.title" not in page
    assert "&lt;script&gt;document.title" in page


def test_the_histogram_counts_the_inputs_own_values(honest: Path, samples: list[Shown]) -> None:
    """Against numpy over the stored integers, black and white as the shard states them."""
    one = samples[0]
    with shards.open(honest) as opened:
        raw, row = opened.raw(one.index), opened.facts(one.index)
    red = row.cfa.index("R")
    plane = raw[red // 2 :: 8, red % 2 :: 8].astype(np.float64)
    light = (plane - row.black[red]) / (row.white - row.black[red])
    edges = np.linspace(-np.sqrt(-SPAN[0]), np.sqrt(SPAN[1]), BINS + 1)
    edges = np.where(edges < 0, -(edges**2), edges**2)
    wanted, _ = np.histogram(np.clip(light, *SPAN), edges)
    assert one.histogram["R"].sum() == plane.size
    assert np.abs(np.cumsum(one.histogram["R"]) - np.cumsum(wanted)).max() <= 2  # float32 edges


@pytest.fixture(scope="module")
def made(honest: Path) -> of_folder.Page:
    return of_folder.page(honest, quiet)


def larger(made: of_folder.Page, count: int, **words: Any) -> of_folder.Page:
    """As many samples with their numbers, each with one more of these words."""
    samples = made.samples
    many = [replace(samples[i % len(samples)], index=i, **words) for i in range(count)]
    return replace(made, samples=tuple(many), strips=tuple(of_folder._strips(many)))


def gallery(page: bytes) -> list[int]:
    """Places of the samples that a page shows."""
    return [int(place) for place in re.findall(r'<li id="sample-(\d+)"', page.decode())]


def test_five_thousand_samples_fit_one_page(made: of_folder.Page) -> None:
    page = html(larger(made, 5000))
    assert len(page) < 20e6
    assert gallery(page) == list(range(5000))
    assert "--skip" not in page.decode()


def test_a_page_ends_and_says_how_to_see_the_rest(made: of_folder.Page) -> None:
    """With pictures of noise, which pack worst, and names as long as a file system has them."""
    noise = np.random.default_rng(0).integers(0, 256, (300, 96, 3)).astype(np.uint8)
    many = larger(made, 7000, thumbnail=_thumbnail(noise))
    page = html(many)
    assert len(page) < 20e6
    first = gallery(page)
    assert first == list(range(len(first)))
    assert 2000 < len(first) < 5000
    assert f"samples 1 to {len(first)} of 7000" in page.decode()
    assert f"--skip {len(first)} --out" in page.decode()
    links = {int(place) for place in re.findall(r'href="#sample-(\d+)"', page.decode())}
    assert links <= set(first)
    rest = html(replace(many, skip=len(first), layers={}))
    assert gallery(rest)[0] == len(first)
    assert f"samples {len(first) + 1} to " in rest.decode()
    long = replace(many, samples=tuple(replace(one, key="k" * 4000) for one in many.samples))
    assert len(html(long)) < 20e6


def test_thumbnails_are_light_where_that_can_be() -> None:
    plain = np.full((960, 1280, 3), 90, np.uint8)
    assert len(_thumbnail(plain)) < LIGHT
    tall = _thumbnail(np.full((4000, 96, 3), 90, np.uint8))
    height, width = cv2.imdecode(np.frombuffer(tall, np.uint8), cv2.IMREAD_COLOR).shape[:2]
    assert (height, width) == (125, 3)  # 144 rows of 3.456 columns


def test_many_problems_are_counted_and_found_in_the_numbers(made: of_folder.Page) -> None:
    told = tuple(Problem("a.h5", "level", f"{i}", True) for i in range(1000))
    page = html(replace(made, problems=told, places=(None,) * 1000)).decode()
    assert page.count("<b>level</b>") == 300
    assert "… and 700 more" in page


def test_a_key_is_found_in_what_is_said_of_it_and_no_other(made: of_folder.Page) -> None:
    keys = ["a", "a b", "a/1", "x(y", "a@0,0,64,64"]
    samples = [replace(made.samples[0], index=i, key=key, problems=[])
               for i, key in enumerate(keys)]  # fmt: skip
    said = ["a: off", "a b, enhancement: off", "scene a (a/1) stands in two", "x(y", "a/12: off",
            "a@0,0,64,64, restoration: off", "of a"]  # fmt: skip
    problems = [Problem("", f"kind{i}", text) for i, text in enumerate(said)]
    assert of_folder._add(problems, samples) == [0, 0, 0, 3, None, 4, 0]
    found = [sorted(told.partition(":")[0] for told in one.problems) for one in samples]
    assert found == [["kind0", "kind1", "kind2", "kind6"], ["kind1"], ["kind2"], ["kind3"],
                     ["kind5"]]  # fmt: skip


def test_a_page_beside_its_shards_is_made_again(honest: Path, tmp_path: Path) -> None:
    """As `make demo` does, whose report.json is not that of a pair."""
    (tmp_path / "sid").mkdir()
    path = next(honest.glob("sid-test-*.h5"))
    (tmp_path / "sid" / path.name).symlink_to(path)
    (tmp_path / "sid/report.json").write_text("{}")
    assert _maker(tmp_path / "sid") is _shards
    (tmp_path / "pair").mkdir()
    (tmp_path / "pair/report.json").write_text("{}")
    assert _maker(tmp_path / "pair") is _pair


def test_a_folder_without_shards_is_one_line(tmp_path: Path) -> None:
    done = report(tmp_path, tmp_path / "page.html")
    assert done.exit_code == 1
    assert len(done.output.splitlines()) <= 2
    assert not (tmp_path / "page.html").exists()
    assert report(tmp_path, tmp_path / "page.pdf").exit_code == 1
    (tmp_path / "a.png").write_bytes(b"")
    for name, said in (("a.png", "it is a file; give its folder"), ("none", "no such folder")):
        done = report(tmp_path / name, tmp_path / "page.html")
        assert done.output == f"Error: {tmp_path / name}: {said}\n"


def test_of_many_dots_the_worst_open_and_all_are_drawn() -> None:
    dots = [plots.Dot(i, 0.01 + (i % 997) / 997, "") for i in range(2000)]
    strip = plots.strip("level", dots)
    assert min(dot.value for _, _, dot in strip.dots) > 0.8
    drawn = {tuple(map(int, at)) for at in re.findall(r"M(\d+) (\d+)h2", strip.others)}
    everywhere = plots.strip("level", [replace(dot, value=dot.value) for dot in dots])
    linked = {dot.sample for _, _, dot in strip.dots}
    across = np.linspace(plots.LEFT + 6, plots.WIDTH - plots.RIGHT - 6, 2000)
    for dot in dots:
        if dot.sample not in linked:
            x = 2 * round(across[dot.sample] / 2)
            assert any((x + near, y) in drawn for near in (-2, 0, 2) for y in range(0, 220, 2))
    assert everywhere == strip
    assert strip.count == 2000


def test_dots_stand_where_their_values_are() -> None:
    """The scale is logarithmic from 0.01 to 10: a factor of ten is a third of the height."""
    dots = [plots.Dot(i, value, "") for i, value in enumerate((0.001, 0.01, 0.1, 1.0, 10.0))]
    strip = plots.strip("level", dots)
    down = [y for _, y, _ in sorted(strip.dots)]
    height = plots.HEIGHT - plots.TOP - plots.BOTTOM
    assert down[0] == down[1] == plots.TOP + height
    assert np.allclose(np.diff(down[1:]), -height / 3, atol=0.11)
    assert strip.limit == down[3]
    assert strip.wrong == 1


def test_each_number_of_a_pair_has_its_meaning_on_the_page() -> None:
    """The words are those of docs/check.md; `pairing` has no plot."""
    page = (Path(__file__).parents[2] / "docs/check.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `([^`]+)` \|", page, re.M)) == {*MEANINGS, "pairing"}
