"""Tables of methods: what a row is trained with, one comparison in full, and what a page says."""

import csv
import io
import json
import math
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch", reason="the extra `train` is not installed")
pytest.importorskip("lightning", reason="the extra `train` is not installed")

from click.testing import CliRunner  # noqa: E402 - behind the skip

from isptools import measure, shards  # noqa: E402 - behind the skip
from isptools.cli import main  # noqa: E402 - behind the skip
from isptools.compare import (  # noqa: E402 - behind the skip
    cost,
    crops,
    histograms,
    losses,
    page,
    plan,
    plots,
    rows,
    score,
    summary,
)
from isptools.compare import run as running  # noqa: E402 - behind the skip
from isptools.compare.table import Budget, Data, Jpeg, Row, Table  # noqa: E402 - behind the skip
from isptools.train import networks  # noqa: E402 - behind the skip
from isptools.train.camera import parameters  # noqa: E402 - behind the skip
from isptools.train.evaluate import Protocol  # noqa: E402 - behind the skip

SID = Data("SID", ("sid",), "sid", not_comparable="another truth")


def table(*given, **words):
    return Table(**({"title": "t", "metrics": ("psnr", "ssim"), "rows": given, "data": (SID,),
                     "preset": "cameranet-*", "suffix": "sid"} | words))  # fmt: skip


# -- what a row is trained with --------------------------------------------------------------------


def chosen(row, budget=Budget()):  # noqa: B008 - it never changes
    return rows.settings(table(row), row, SID, budget, seed=7)


def lengths(settings):
    return [(stage.train, stage.epochs, stage.steps, stage.rate) for stage in settings.stages]


def test_without_a_budget_a_row_is_its_preset():
    settings = chosen(Row("a"))
    assert lengths(settings) == [("restore", 1000, 0, 1e-4), ("enhance", 500, 0, 1e-4),
                                 ("joint", 200, 0, 1e-5)]  # fmt: skip
    assert (settings.patch, settings.batch, settings.seed) == (1024, 1, 7)
    assert settings.network["name"] == "cameranet"
    assert (settings.objective.share, settings.recipes) == (0.9, ())


def test_a_budget_shares_its_steps_as_the_stages_share_theirs():
    small = Budget(steps=340, patch=90, batch=3, times=20, network={"cameranet": {"widths": [6]}})
    settings = chosen(Row("a"), small)
    assert [(s.train, s.steps, pytest.approx(s.rate)) for s in settings.stages] == [
        ("restore", 200, 2e-3), ("enhance", 100, 2e-3), ("joint", 40, 2e-4),
    ]  # fmt: skip
    assert (settings.patch, settings.batch) == (90, 3)
    assert settings.network["widths"] == [6]
    apart = chosen(Row("a"), Budget(steps=340, times={"enhance": 3.0, "joint": 2.0})).stages
    assert [pytest.approx(s.rate) for s in apart] == [1e-4, 3e-4, 2e-5]
    falling = chosen(Row("a"), Budget(steps=3, decay="exponential")).stages
    assert {stage.decay for stage in falling} == {"exponential"} != {settings.stages[0].decay}


def test_a_simulator_takes_no_step_from_the_isp():
    """30, 30 and 10 epochs of a paper: 40 steps train the ISP, with a codec taught first or not."""
    stages = ("whole", "compressed")
    both, without = (
        [(s.train, s.steps) for s in chosen(row, Budget(steps=40)).stages]
        for row in (Row("aware", preset="compression-aware-fivek"),
                    Row("agnostic", preset="compression-aware-fivek", stages=stages,
                        set={"objective": {"isp": 1.0, "compressed": 0.0}}))
    )  # fmt: skip
    assert both == [("simulator", 30), ("whole", 30), ("compressed", 10)]
    assert without == both[1:]
    alone = Row("acn", preset="compression-aware-fivek", stages=("simulator",))
    assert [s.steps for s in chosen(alone, Budget(steps=40)).stages] == [40]


def test_a_patch_grows_to_what_a_network_takes():
    deep = chosen(Row("a"), Budget(steps=3, patch=10))
    assert deep.patch % 2 == 0
    assert deep.patch >= 2 * ((8 << 4) + 1), "dilation 8 at the fifth level, packed by two"


@pytest.mark.parametrize(
    ("row", "stages"),
    [
        (Row("without step 2", stages=("restore", "enhance")), ["restore 1000", "enhance 500"]),
        (Row("without step 1", joined="joint"), ["joint 1700"]),
        (Row("one", network="cameranet-one-stage"), ["whole 1700"]),
        (Row("l3", network="l3"), ["fit 1700"]),
        (Row("two", network="srgan-can"), ["restore 1000", "enhance 500", "joint 200"]),
        (Row("own", set={"stages": [{"train": "joint", "epochs": 3}]}), ["joint 3"]),
    ],
)
def test_stages_of_a_row(row, stages):
    assert [f"{s.train} {s.epochs}" for s in chosen(row).stages] == stages


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (Row("a", preset="mars"), "no preset 'mars'"),
        (Row("a", preset="../bursts"), "no preset"),
        (Row("a", stages=("whole",)), "no stage whole"),
        (Row("a", set={"pach": 3}), "pach"),
        (Row("a", network="mars"), "no network 'mars'"),
        (Row("a", network={"name": "srcnn", "side": 1}), "side"),
        (Row("a", network="nowhere:network"), "--code"),
    ],
)
def test_a_row_that_makes_no_sense(row, said):
    with pytest.raises(ValueError, match=said):
        chosen(row)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("rows = [{ name = 'a' }, { name = 'a' }]", "row a: there twice"),
        ("rows = [{ name = 'a', printed = { Mars = [1.0] } }]", "no data 'Mars'"),
        ("rows = [{ name = 'a', method = 'x', cannot = 'y' }]", "a method, a training or why"),
        ("rows = [{ name = 'a', color = 1 }]", "color"),
        ("rows = [{ name = 'a', printed = { B = [1.0, 2.0] } }]\ndata = [{ name = 'B' }]",
         "2 printed numbers"),
        ("rows = 3", "rows"),
        ("rows = [", "table.toml"),
    ],
)  # fmt: skip
def test_a_table_that_makes_no_sense(words, said, tmp_path):
    path = tmp_path / "table.toml"
    path.write_text(f"title = 't'\nmetrics = ['psnr']\n{words}\n")
    with pytest.raises(ValueError, match=said) as raised:
        Table.load(path)
    assert "\n" not in str(raised.value)


def test_folders_by_name_and_by_recipe(shards_folder):
    other = Data("HDR+", ("hdrplus",))
    both = table(Row("a"), data=(SID, other))
    where = str(shards_folder)
    assert plan.named(both, [where]) == {"SID": shards_folder}
    assert plan.named(both, [where, f"HDR+={where}"]) == {"SID": shards_folder,
                                                          "HDR+": shards_folder}  # fmt: skip
    assert plan.named(table(Row("a"), data=(other,)), [where]) == {"sid": shards_folder}
    with pytest.raises(ValueError, match=r"SID is .* already"):
        plan.named(both, [where, f"SID={where}"])


def test_transfer_takes_two_trainings_and_says_which_shards_are_missing(shards_folder, tmp_path):
    data = (SID, Data("HDR+", ("hdrplus",), "hdrplus"))
    whole, part = Row("whole", trained="HDR+"), Row("part", enhance="HDR+")
    both = table(whole, part, data=data)
    alone = plan.Asked(both, {"SID": shards_folder}, tmp_path, Budget())
    assert ["needs shards of HDR+" in unit.missing for unit in plan.units(alone)] == [True, True]
    asked = plan.Asked(both, {"SID": shards_folder, "HDR+": shards_folder}, tmp_path, Budget())
    found = {(unit.row.name, unit.data.name): unit.trainings for unit in plan.units(asked)}
    one, two = (found["whole", name] for name in ("SID", "HDR+"))
    assert one == two, "HDR+'s training, wherever it is scored"
    assert found["part", "SID"][1] == one[0]
    assert found["part", "SID"][0] != one[0]
    assert found["part", "HDR+"][0] == found["part", "HDR+"][1] == one[0]


# -- numbers ---------------------------------------------------------------------------------------


def noisy(side=(40, 56), seed=1):
    return np.random.default_rng(seed).random((*side, 3), dtype=np.float32)


def test_a_jpegs_bits_and_pixels_are_pillows():
    picture, jpeg = noisy(), Jpeg(80, "4:2:2", truth=True)
    file = io.BytesIO()
    shown = Image.fromarray(np.rint(picture * 255).astype(np.uint8))
    shown.save(file, "jpeg", quality=80, subsampling=1)
    most = Protocol({"most": lambda a, b: float(np.abs(a - b).max())}, False, {})
    values = score._measured(most, {"most"}, picture, picture, jpeg)
    assert values == (0.0, 8 * len(file.getvalue()) / (40 * 56))
    against = Jpeg(80, "4:2:2")
    error, _ = score._measured(most, {"most"}, picture, picture, against)
    read = np.asarray(Image.open(file), np.float32) / 255
    assert error == pytest.approx(np.abs(read - picture).max(), abs=1e-6)


def test_what_ranks_scenes_is_measured_though_no_column_shows_it(shards_folder):
    with shards.open(shards_folder, "test") as source:
        found = score.score(lambda s, i: score.truth(s, i) / 2, source, {"ssim", "bpp"}, limit=1)
        pair = score.truth(source, 0) / 2, score.truth(source, 0)
    assert found.columns == ("psnr", "ssim")
    assert found.values[0] == pytest.approx((measure.psnr(*pair), measure.ssim(*pair)))


def test_what_no_counter_sees_has_no_operations():
    small = Budget(limit=32, network={"l3": {"levels": 3}})
    ((gflops, seconds, millions),) = cost.of(Row("L3", network="l3"), small, "cpu", None).values
    assert math.isnan(gflops)
    assert seconds > 0
    assert millions == pytest.approx(
        4 * 20 * 2 * 26 * 3 / 1e6
    )  # places, levels, classes, taps, RGB


def test_histograms_by_hand():
    """Half of the pixels go from 0 to 255: both bins change by a half."""
    before = np.zeros((4, 6, 3), np.uint8)
    behind = before.copy()
    behind[:2] = 255
    assert histograms.change(before, behind) == pytest.approx(1.0)
    assert histograms.change(before, before) == 0
    gray = np.full((64, 64, 3), 90, np.uint8)
    for name, operator in histograms.OPERATORS.items():
        one, two = operator(gray)
        flat = histograms.change(one, two) == 0
        assert flat == (name in {"demosaicking", "super-resolution-4"}), name


def line(name, *psnr, printed=None, said=""):
    seeds = tuple({"psnr": value, "ssim": value / 100} for value in psnr)
    return summary.Line(Row(name, printed=printed or {}), seeds, said, 12, 3)


def test_means_spreads_and_order_by_hand():
    lines = (line("a", 20.0, 22.0, printed={"SID": (30.0, 0.9)}),
             line("b", 20.5, printed={"SID": (29.0, 0.8)}),
             line("c", 25.0, printed={"SID": (31.0, math.nan)}),
             line("d", 1.0), line("e", said="not open"))  # fmt: skip
    assert (lines[0].mean("psnr"), lines[0].spread("psnr")) == (21.0, pytest.approx(math.sqrt(2)))
    assert math.isnan(lines[1].spread("psnr"))
    assert math.isnan(lines[4].mean("psnr"))
    section = summary.Section(SID, "sid", 2, lines, ("SID",), ("another truth",))
    assert summary.order(section, "psnr", 0, "SID") == (3, 3)
    swapped = (lines[0], line("b", 24.0, printed={"SID": (29.0, 0.8)}), lines[2])
    other = summary.Section(SID, "sid", 2, swapped, ("SID",), ())
    assert summary.order(other, "psnr", 0, "SID") == (2, 3)
    assert summary.text((31.0, math.nan)) == "31 / -"


def test_cuts_stand_where_pictures_err_most_and_show_how_much():
    aim = np.full((300, 420, 3), 0.5, np.float32)
    wrong = aim.copy()
    wrong[140:200, 260:330] += 0.1
    top, left = crops.where([wrong, aim], aim)
    assert 200 - crops.SIDE <= top <= 140
    assert 330 - crops.SIDE <= left <= 260
    picture = crops.side_by_side([("one", wrong), ("two", aim)], aim)
    assert picture.shape == (crops.LABEL + 2 * crops.SIDE, 3 * crops.SIDE + 2 * crops.GAP, 3)
    maps = picture[crops.LABEL + crops.SIDE :]
    own, other = maps[:, : crops.SIDE], maps[:, crops.SIDE + crops.GAP :][:, : crops.SIDE]
    assert (own[200 - top - 30, 330 - left - 35] > other[0, 0]).all(), "half of the scale"
    assert (other == other[0, 0]).all()


def test_a_simulators_parameters_are_counted_where_it_is_all_that_is_taught():
    """ACN: 192 by 9 by 192 and biases, a block of two 192 by 192, and back; ISP-Net otherwise."""
    tiny = Budget(steps=2, simulator={"acn": {"width": 192, "blocks": 1}},
                  network={"compression-aware": {"widths": [3, 4], "reduction": 2}})  # fmt: skip
    acn = {"objective": {"simulator": {"kind": "acn"}}}
    row = Row("acn", preset="compression-aware-fivek", set=acn)
    whole = rows.settings(table(row), row, SID, tiny)
    alone = rows.settings(table(row), Row("acn", preset=row.preset, set=acn,
                                          stages=("simulator",)), SID, tiny)  # fmt: skip
    assert summary._count(alone, None) == 192 * (9 * 192 + 1) + 3 * 192 * (192 + 1)
    isp = networks.built({"name": "compression-aware", "widths": [3, 4], "reduction": 2})[0]
    assert summary._count(whole, None) == parameters(isp)


def test_losses_of_an_earlier_log_are_one_line(tmp_path):
    """Without a column there is no curve, and a table of losses says what to do."""
    path = tmp_path / "log.csv"
    assert losses.curve(tmp_path) == []
    path.write_text("stage,step,training\nrestore,1,0.5\nrestore,2,0.25\n")
    assert losses.curve(tmp_path) == []
    with pytest.raises(ValueError, match=r"log.csv: another version's.*remove the folder"):
        losses.of(tmp_path, "row")
    path.write_text("stage,step,training,validation\na,1,0.5,0.75\na,2,0.25,0.625\n")
    assert losses.curve(tmp_path) == [(1, 0.75), (2, 0.625)]
    assert losses.of(tmp_path, "row").values == ((0.25, 0.625, 0.375),)


def test_plots_are_svg_with_every_row():
    nan = math.nan
    bars = plots.bars([("A & B", 20.0, 1.0, 25.0), ("none", nan, nan, nan)], "psnr")
    lines = plots.lines({"one": [(1, 2, nan), (3, 5, 0.5)], "two": [(1, 2, nan)]}, "x", "y")
    texts = ["".join(ET.fromstring(one).itertext()) for one in (bars, lines)]
    assert "A & B" in texts[0]
    assert "20.00" in texts[0]
    assert "one" in texts[1]
    assert "two" in texts[1]


# -- the command -----------------------------------------------------------------------------------

MINE = """
from torch import nn
from isptools.train.camera import Camera, Net
from isptools.train.intake import BILINEAR


def network() -> Camera:
    return Camera([Net(module=nn.Conv2d(3, 3, 1), reach=0)], BILINEAR, enhanced=0)


def broken() -> Camera:
    raise ZeroDivisionError("by nobody")
"""
TABLE = """
title = "Small"
paper = "of nobody"
metrics = ["psnr", "bpp"]
preset = "cameranet-tiny"
seeds = [0, 1]
data = [{ name = "SID", recipes = ["sid-cameranet"], not_comparable = "another truth" }]
rows = [
    { name = "mine", network = "small_mine:network", printed = { SID = [30.0, nan] } },
    { name = "broken", network = "small_mine:broken" },
    { name = "LibRaw", method = "libraw", printed = { SID = [12.49, nan] } },
    { name = "as a JPEG", method = "libraw", jpeg = { quality = 80 } },
    { name = "Photoshop", cannot = "no open tool" },
    { name = "transferred", trained = "SID" },
    { name = "camera", method = "camera-jpeg" },
]
[budgets.tiny]
steps = 2
patch = 32
batch = 1
limit = 1
"""


@pytest.fixture(scope="module")
def compared(tmp_path_factory, shards_folder):
    """A folder where a comparison was made, and what the command said."""
    folder = tmp_path_factory.mktemp("compare")
    (folder / "small_mine.py").write_text(MINE)
    (folder / "table.toml").write_text(TABLE)
    done = called(folder, shards_folder)
    return folder, done, (folder / "out/table.md").read_text()


def called(folder, given, *more):
    words = ["compare", folder / "table.toml", given, "--out", folder / "out",
             "--budget", "tiny", "--device", "cpu", "--code", folder, *more]  # fmt: skip
    return CliRunner().invoke(main, list(map(str, words)))


def test_a_comparison_makes_its_folder(compared):
    folder, done, text = compared
    out = folder / "out"
    assert done.exit_code == 3, done.output
    assert "Traceback" not in done.output
    cells = {row.split(" | ")[0].lstrip("| "): [cell.strip() for cell in row.split(" | ")]
             for row in text.splitlines() if row.startswith("| ")}  # fmt: skip
    assert cells["mine"][1] == "12"
    assert "±" in cells["mine"][2], "two seeds"
    assert cells["mine"][4] == "30 / -"
    assert float(cells["LibRaw"][2]) == pytest.approx(float(cells["as a JPEG"][2]), abs=1.5)
    assert 0 < float(cells["as a JPEG"][3]) < 8
    assert cells["LibRaw"][3] == "-"
    assert "no open tool" in cells["Photoshop"][-1]
    assert "ZeroDivisionError: by nobody" in cells["broken"][-1]
    assert "needs shards of SID beside sid: 'SID=FOLDER'" in cells["transferred"][-1]
    assert "--camera" in cells["camera"][-1]
    assert "Not comparable: these shards are of recipe sid, the paper's numbers are of SID" in text
    assert "Not comparable: another truth" in text
    for name in ("sid-psnr.svg", "crops/sid-worst.png"):
        assert (out / name).exists()
        assert name in text
    with (out / "table.csv").open(newline="") as file:
        lines = {row["row"]: row for row in csv.DictReader(file)}
    words = json.loads((out / "table.json").read_text())
    both = next(row for row in words["data"][0]["rows"] if row["name"] == "mine")["by_seed"]
    mean = sum(one["psnr"] for one in both) / 2
    assert len({one["psnr"] for one in both}) == 2, "another seed, other weights"
    assert float(lines["mine"]["psnr"]) == pytest.approx(mean, rel=1e-5)
    assert lines["mine"]["seeds"] == "2"
    assert {name for one in both for name in one} == {"psnr"}, "no time for what is not shown"


def test_the_same_command_does_nothing_again_and_a_new_row_alone(
    compared, shards_folder, monkeypatch
):
    folder, _, before = compared
    trained, counted = [], []

    def noted(settings, _):
        trained.append(settings.network["name"])
        raise ValueError("told")

    monkeypatch.setattr(running, "train", noted)
    monkeypatch.setattr(running, "score", lambda *_: counted.append(1))
    done = called(folder, shards_folder, "--json")
    assert done.exit_code == 3
    assert json.loads(done.stdout) == json.loads((folder / "out/table.json").read_text())
    assert (folder / "out/table.md").read_text() == before
    assert (trained, counted) == ([], [])
    text = TABLE.replace("rows = [", 'rows = [\n    { name = "SRCNN", network = "srcnn" },')
    (folder / "table.toml").write_text(text)
    called(folder, shards_folder)
    assert trained == ["srcnn", "srcnn"]
    (folder / "table.toml").write_text(TABLE)


def test_a_killed_comparison_goes_on(compared, shards_folder, monkeypatch):
    """Stopped behind its trainings, and in the middle of the scores."""
    folder, _, before = compared
    for path in (folder / "out/scores").iterdir():
        path.unlink()
    really, left = running.score, [1]

    def stopped(*words):
        if not left:
            raise KeyboardInterrupt
        left.pop()
        return really(*words)

    monkeypatch.setattr(running, "score", stopped)
    done = called(folder, shards_folder)
    assert done.exit_code == 130
    assert "run the same command" in done.output
    (half,) = (folder / "out/scores").iterdir()
    half.write_text('{"columns": ["psnr"], "keys"')  # as a disk may leave it; it is scored again
    monkeypatch.setattr(running, "score", really)
    assert called(folder, shards_folder).exit_code == 3
    assert (folder / "out/table.md").read_text() == before


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["compare"], 2, "give a TABLE"),
        (["compare", "mars"], 1, "no table of that name ships"),
        (["compare", "mars.toml"], 1, "there is no such table"),
        (["compare", "cameranet-v2-table-1"], 1, "give a FOLDER"),
        (["compare", "cameranet-v2-table-1", "nowhere"], 1, "nowhere"),
        (["compare", "cameranet-v2-table-1", "--row", "x"], 1, "no row x"),
    ],
)
def test_wrong_commands_say_so_in_a_line(words, code, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(main, words)
    assert done.exit_code == code
    assert said in done.output
    assert "Traceback" not in done.output
    assert list(tmp_path.iterdir()) == []


def test_numbers_are_shown_as_people_read_them():
    assert page.number(line("a", 21.23456), "psnr") == "21.235"
    assert page.number(line("a", 0.0123456), "psnr") == "0.0123"
    assert page.number(line("a"), "psnr") == "-"


def test_a_page_tells_every_word_of_a_budget(tmp_path):
    words = {"steps": 3, "patch": 32, "batch": 2, "times": 4.0, "decay": "none", "limit": 5,
             "seeds": (0,), "network": {"l3": {"levels": 2}},
             "simulator": {"cas": {"width": 4}}}  # fmt: skip
    assert set(words) == set(Budget.__struct_fields__)
    told = page._told(plan.Asked(table(Row("a")), {}, tmp_path, Budget(**words)))
    assert told.count(";") == len(words) - 1
    assert page._told(plan.Asked(table(Row("a")), {}, tmp_path, Budget())) == "as the settings are"
