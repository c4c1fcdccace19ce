"""What `isptools stats --plots` draws."""

import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result

from isptools import shards
from isptools.cli import main
from isptools.report import stats as page
from isptools.shards.histogram import Bin
from isptools.shards.stats import Stats, stats


def run(*words: object) -> Result:
    return CliRunner().invoke(main, ["stats", *map(str, words)])


@pytest.fixture(scope="module")
def found(honest: Path) -> Stats:
    with shards.open(honest) as opened:
        return stats(opened)


def test_bars_are_as_long_as_their_counts() -> None:
    drawn = page.bars("ISO", [Bin("100", 1), Bin("200", 4), Bin("x" * 50, 0)])
    longest = page.WIDTH - page.NAMES - page.END
    assert [bar.width for bar in drawn.bars] == [longest / 4, longest, 0]
    assert [bar.text for bar in drawn.bars] == ["1", "4", "0"]
    assert len(drawn.bars[2].label) == page.LETTERS


def test_quantiles_stand_where_they_are(found: Stats) -> None:
    station = found.truths[0]
    (drawn,) = [each for each in page.figures(found) if each.title.startswith("restoration")]
    quantiles = [channel.quantiles for channel in station.channels]
    most = max(each[-1] for each in quantiles)
    across = (page.WIDTH - page.NAMES - page.END) / most  # from 0
    for span, each in zip(drawn.spans, quantiles, strict=True):
        wanted = [page.NAMES + across * each[i] for i in (0, 2, 3, 4, 6)]
        assert [span.line[0], span.box[0], span.mark, span.box[1], span.line[1]] == pytest.approx(
            wanted, abs=0.06
        )


def test_the_picture_is_svg_whatever_a_camera_is_called(found: Stats) -> None:
    odd = replace(found, cameras=(Bin('<b>&"Cam', 3),), title="</svg><script>")
    root = ElementTree.fromstring(page.svg(odd))
    texts = [each.text or "" for each in root.iter("{http://www.w3.org/2000/svg}text")]
    assert '<b>&"Cam' in texts
    for title in ("inputs by split", "ISO", "exposure ratio truth / input", "as-shot gains"):
        assert any(text.startswith(title) for text in texts), title
    assert b"<script" not in page.svg(odd)
    assert b"<script>" not in page.html(odd).partition(b"<main>")[2].partition(b"</main>")[0]


def test_the_command_draws_and_prints_what_it_always_prints(honest: Path, tmp_path: Path) -> None:
    plain, drawn = run(honest), run(honest, "--plots", tmp_path / "new/plots.html")
    assert drawn.exit_code == 0, drawn.output
    assert drawn.stdout == plain.stdout
    assert "open it in a browser" in drawn.stderr
    text = (tmp_path / "new/plots.html").read_text(encoding="utf-8")
    assert not re.findall(r'(?:src|href)="(?!data:|#)[^"]*"|url\(', text)
    assert text.count("<figure>") > 8
    assert run(honest, "--plots", tmp_path / "plots.svg", "--quiet").exit_code == 0
    assert (tmp_path / "plots.svg").read_bytes().startswith(b"<svg ")
    wrong = run(tmp_path / "nothing", "--plots", tmp_path / "plots.pdf")
    assert (wrong.exit_code, wrong.output.count("\n")) == (1, 1)
    assert "ends in .html or .svg" in wrong.output
