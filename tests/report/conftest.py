"""A miniature's shards, and the same with one input turned upside down."""

import csv
import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from isptools.cli import main
from tests.report import ten
from tests.shards import made

TURNED = 2  # row of the training shard


@pytest.fixture(scope="session")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("report") / "sid"
    done = CliRunner().invoke(main, ["build", "sid", "--sample", "--out", str(out)])
    assert done.exit_code == 0, done.output
    return out


@pytest.fixture(scope="session")
def planted(honest: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder, and the key of the input that was turned; its title wants to be run."""
    out = tmp_path_factory.mktemp("planted") / "sid"
    shutil.copytree(honest, out)
    with made.changed(next(out.glob("sid-train-384*.h5"))) as file:
        pixels = file["input"][TURNED]
        file["input"][TURNED] = pixels[::-1, ::-1]
        key = file["meta"][TURNED]["key"].decode()
    for path in out.glob("*.h5"):
        with made.changed(path) as file:
            file.attrs["title"] = "<script>document.title='run'</script>"
    return out, key


@pytest.fixture(scope="session")
def planted_page(
    planted: tuple[Path, str], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Result, Path]:
    """How `isptools report` ended on it, and the page."""
    out = tmp_path_factory.mktemp("planted-page") / "page.html"
    return CliRunner().invoke(main, ["report", str(planted[0]), "--out", str(out)]), out


@pytest.fixture(scope="session")
def ten_faults(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of shards with the ten faults of `ten`."""
    return ten.made(tmp_path_factory.mktemp("ten"))


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """What `isptools train` leaves: two stages of four lines."""
    folder = tmp_path / "run"
    (folder / "samples").mkdir(parents=True)
    words = {"title": "<b>mine</b>", "network": {"name": "srcnn", "layers": 3}, "seed": 1}
    (folder / "settings.json").write_text(json.dumps(words))
    with (folder / "log.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["stage", "step", "rate", "training", "validation", "mp_s", "mfu"])
        for stage, losses in (("restore", (4, 3, 2, 2)), ("joint", (3, 2, 1, 1))):
            for i, loss in enumerate(losses):
                rows.writerow([stage, 10 * (i + 1), 1e-3, loss, loss + 1, 2.5 + i, "nan"])
    (folder / "model.safetensors").write_bytes(b"")
    (folder / "samples/joint.png").write_bytes(b"\x89PNG")
    (folder / "eval-test.csv").write_text(
        '# split: "test"\n# pairs: 2\nmethod,picture,psnr,ssim\n'
        "network,a,30,0.9\nnetwork,b,32,0.8\n"
        "network,mean,31,0.85\nbilinear,mean,20,nan\n"
    )
    return folder


@pytest.fixture
def compared(tmp_path: Path) -> Path:
    """What `isptools compare` leaves: two rows, of which one has no numbers."""
    folder = tmp_path / "compared"
    folder.mkdir()
    rows = [
        {"name": "a <i>", "parameters": 12345, "by_seed": [{"psnr": 30.0}, {"psnr": 32.0}],
         "printed": {}, "remark": ""},
        {"name": "b", "parameters": None, "by_seed": [], "printed": {}, "remark": "not built"},
    ]  # fmt: skip
    section = {"name": "", "recipe": "sid", "split": "test", "inputs": 4, "not_comparable": [],
               "rows": rows}  # fmt: skip
    words = {"title": "Table I", "paper": "P", "kind": "networks", "metrics": ["psnr"],
             "budget": "small", "budget_words": {"steps": 3}, "data": [section]}  # fmt: skip
    (folder / "table.json").write_text(json.dumps(words))
    (folder / "psnr.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    return folder
