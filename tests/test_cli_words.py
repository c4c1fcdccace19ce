"""One command line: the same word for the same thing, the same codes, and never silent."""

import errno
import io
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from isptools.cli import COMMANDS, codes, main, output, progress
from isptools.cli.former import FORMER, PLACE, renamed
from tests.build.tiny import Tiny, make

ROOT = Path(__file__).resolve().parents[1]
# what each word of docs/commands.md is, wherever it stands: (click's name of its type, many)
WORDS = {
    "--jobs": ("integer range", False),  # or "auto"
    "--seed": ("integer range", False),
    "--limit": ("integer range", False),
    "--split": ("text", False),
    "--device": ("text", False),
    "--json": ("boolean", False),
    "--overwrite": ("boolean", False),
    "--quiet": ("boolean", False),
    "--log": ("path", False),
}
# no command calls these things otherwise
STRANGE = {"--workers", "--connections", "--force", "--shards", "--num-workers",
           "--splits", "--silent", "--verbose", "--log-file"}  # fmt: skip
OF_SHARDS = {"check", "convert", "eval", "ledger", "report", "stats", "train"}


def run(*words):
    return CliRunner().invoke(main, [str(word) for word in words])


def params(name):
    return main.get_command(None, name).params


@pytest.mark.parametrize("name", COMMANDS)
def test_a_word_is_the_same_thing_everywhere(name):
    options = {word: one for one in params(name) for word in one.opts if word.startswith("--")}
    assert not STRANGE & set(options)
    for word, (kind, many) in WORDS.items():
        if word in options:
            named = options[word].type.name.replace("N|auto", "integer range")
            assert (named, options[word].multiple) == (kind, many), word
    assert {"--quiet", "--log"} <= set(options)
    if "--device" in options:
        assert options["--device"].default == "auto"
    assert options["--json"].is_flag


def test_shards_are_one_positional_folder():
    for name in OF_SHARDS:
        (folder,) = [one for one in params(name) if one.name == "folder"]
        assert isinstance(folder, click.Argument)
        assert folder.make_metavar(click.Context(main)).strip("[]") == "FOLDER"


def test_the_pages_tables_are_those_of_the_code():
    text = (ROOT / "docs/commands.md").read_text(encoding="utf-8")
    told = {int(code) for code in re.findall(r"^\| (\d+) \|", text, re.M)}
    assert told == {codes.DONE, codes.CANT, codes.USAGE, codes.LOOK, codes.WAITS, codes.STOPPED}
    for name, words in FORMER.items():
        assert f"`{name}`" in text
        for word in words:
            assert f"`{word}`" in text
    for word in WORDS:
        assert f"`{word}" in text
    assert re.search(
        r"`--jobs N`.*`build`, `check`, `compare`, `get`, `init`, `manifest`, `report`, `train`",
        text,
    )
    for word in ("--jobs", "--seed", "--device", "--split", "--overwrite"):
        has = {name for name in COMMANDS if any(word in one.opts for one in params(name))}
        (line,) = [line for line in text.splitlines() if line.startswith(f"| `{word}")]
        assert has <= set(re.findall(r"`([a-z-]+)`", line.rpartition("|")[0].rpartition("|")[2]))


@pytest.mark.parametrize(
    ("command", "words", "today"),
    [
        ("train", ["x", "--shards", "s", "--workers=2"], ["x", "--jobs=2", "s"]),
        ("train", ["--shards=s", "x", "--workers", "2"], ["x", "--jobs", "2", "s"]),
        ("eval", ["--shards", "s", "r", "--split", "val"], ["r", "--split", "val", "s"]),
        ("get", ["x", "--connections", "3"], ["x", "--jobs", "3"]),
        ("init", ["--force", "x"], ["--overwrite", "x"]),
        ("align", ["a", "b", "--limit", "x=1"], ["a", "b", "--threshold", "x=1"]),
        ("build", ["sid", "--limit", "3"], ["sid", "--limit", "3"]),
        ("init", ["--", "--force"], ["--", "--force"]),
        ("eval", ["r", "--shards"], ["r"]),
    ],
)
def test_former_names_are_taken_with_a_line(command, words, today):
    kept, lines = renamed(command, words)
    assert kept == today
    assert len(lines) == sum(word.partition("=")[0] in FORMER.get(command, {}) for word in words
                             if "--" not in words)  # fmt: skip
    for line in lines:
        assert re.fullmatch(rf"isptools {command}: --\w+ is now .+; the old .+ version", line)


def test_every_former_name_leads_to_an_option_that_is():
    for name, words in FORMER.items():
        options = {word for one in params(name) for word in one.opts}
        for old, new in words.items():
            assert old not in options
            assert new in options or (new == PLACE and "folder" in options)


def test_a_former_name_works_and_says_so(tmp_path):
    done = run("manifest", tmp_path, "--force")
    assert done.exit_code == 1  # there is nothing in it
    assert done.stderr.startswith("isptools manifest: --force is now --overwrite;")
    assert "--force" not in run("manifest", "--help").output


@pytest.fixture(scope="module")
def damaged(tmp_path_factory):
    """A folder of shards of whose raws one was spoiled."""
    from tests.build import tiny  # noqa: PLC0415 - only here

    made: Tiny = tiny.make(tmp_path_factory.mktemp("words"))
    (made.source / "short/a1_1.dng").write_bytes(b"no raw at all")
    recipe = made.folder / "recipe.toml"
    log = made.folder / "logs/build.txt"
    done = run("build", recipe, "--source", made.source, "--out", made.out, "--log", log, "--json")
    return made.out, done, log


def test_a_build_that_refused_something_ends_with_3(damaged):
    out, done, _ = damaged
    assert done.exit_code == codes.LOOK, done.output
    told = json.loads(done.stdout)
    assert told["refusals"]["refused"] == {"unreadable": 1}
    assert {shard["split"] for shard in told["shards"]} >= {"train"}
    assert run("check", out).exit_code == codes.DONE


def test_the_ledger_is_told_by_reason_and_file_by_file(damaged):
    out, _, _ = damaged
    told = run("ledger", out).output
    assert re.search(r"^refused: 1 \(there, but could not be used\)$", told, re.M)
    assert "  unreadable: 1 of 1 scene\n    as short/a1_1.dng: " in told
    (group,) = json.loads(run("ledger", out, "--reason", "unreadable", "--files", "--json").output)
    assert (group["kind"], group["files"], group["scenes"]) == ("refused", 1, 1)
    assert group["lines"][0]["file"] == "short/a1_1.dng"
    assert run("ledger", out, "--reason", "mars").exit_code == codes.CANT
    nothing = run("ledger", out.parent)
    assert nothing.exit_code == codes.CANT
    assert nothing.output.count("\n") == 1


def test_a_log_keeps_all_that_is_said_with_times(damaged):
    _, _, log = damaged
    text = log.read_text()
    assert all(re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d ", line) for line in text.splitlines())
    assert "building: 0/" in text  # said on stderr
    assert '"refusals"' in text  # on stdout
    run("show", "no-such-recipe", "--log", log)
    assert "Error: no recipe 'no-such-recipe'" in log.read_text()[len(text) :]


def test_quiet_leaves_results_and_errors(damaged):
    out, _, _ = damaged
    loud, quiet = run("stats", out), run("stats", out, "--quiet")
    assert loud.stdout == quiet.stdout != ""
    assert "measuring" in loud.stderr
    assert quiet.stderr == ""
    assert run("show", "no-such-recipe", "--quiet").stderr.startswith("Error: ")


@pytest.mark.parametrize(
    ("words", "key"),
    [
        (("show", "sid"), "truth"),
        (("get", "sid"), "licence"),
        (("inspect", "{shard}"), "attributes"),
        (("check", "{out}"), "pairs"),
        (("stats", "{out}"), "counts"),
        (("report", "{out}", "--out", "{out}/page.html"), "verdict"),
        (("doctor", "--no-test"), "codecs"),
    ],
)
def test_json_is_all_that_stands_on_stdout(damaged, words, key):
    out, _, _ = damaged
    shard = next(out.glob("*train*.h5"))
    done = run(*(word.format(out=out, shard=shard) for word in words), "--json")
    assert key in json.loads(done.stdout), done.output


def test_a_wrong_setting_blames_the_command_line_and_no_shipped_file():
    words = ("train", "cameranet", "s", "--out", "o", "--preset", "tiny", "--set", "wdths=3")
    done = run(*words)
    assert done.exit_code == codes.CANT
    assert "--set wdths=3: " in done.output
    assert "cameranet-tiny.toml" not in done.output


def test_a_folder_of_raws_is_told_and_shown_on_one_sheet(damaged, tmp_path):
    raws = damaged[0].parent / "raw"
    done = run("inspect", raws, "--image", tmp_path / "sheet.png", "--json")
    told = {one["file"]: one for one in json.loads(done.stdout)["files"]}
    assert told["short/a1_0.dng"]["width"] == 80
    assert "wrong" in told["short/a1_1.dng"]  # the others are shown
    assert "short/a1_1.dng: not on the sheet: " in done.stderr
    assert (tmp_path / "sheet.png").is_file()
    shards = run("inspect", damaged[0])
    assert shards.exit_code == codes.CANT
    assert "a folder of shards; give one of them" in shards.output
    empty = run("fuse", tmp_path, "--out", tmp_path / "m.dng")
    assert empty.exit_code == codes.CANT
    assert "there is no raw file in it" in empty.output


def test_tables_that_ship_as_json():
    found = {
        one["name"]: one["title"] for one in json.loads(run("compare", "--list", "--json").stdout)
    }
    told = run("compare", "--list").output
    assert all(
        re.search(rf"^{name} +{re.escape(title)}$", told, re.M) for name, title in found.items()
    )
    assert len(found) == len(told.splitlines()) >= 5


def test_recipes_as_json():
    found = {one["name"]: one for one in json.loads(run("recipes", "--json").stdout)}
    assert found["sid"]["data_set"] == "sid"
    assert re.fullmatch(r"[0-9a-f]{64}", found["sid"]["sha256"])


def test_a_wrong_split_is_a_wrong_command_line():
    for words in (("eval", "r", "s", "--split", "val,tset"), ("build", "sid", "--out", "o",
                  "--sample", "--split", "tset")):  # fmt: skip
        done = run(*words)
        assert done.exit_code == codes.USAGE
        assert "no split 'tset'; there are train, val, test" in done.output
    assert run("eval", "r", "s", "--split", "val,test", "--out", "x.csv").exit_code == codes.USAGE


class Clock:
    """Time that passes when it is told to."""

    def __init__(self, monkeypatch):
        self.now = 100.0
        monkeypatch.setattr(time, "monotonic", lambda: self.now)


def test_a_command_that_says_nothing_says_that_it_lives(monkeypatch, capsys):
    clock = Clock(monkeypatch)
    said = output.Output()
    said.waited_for = True
    said.name = "build"
    clock.now += 3.9  # libraries are loaded; an error is still one line
    assert said.beat() == pytest.approx(0.1)
    assert capsys.readouterr().err == ""
    clock.now += 0.2
    said.beat()
    assert capsys.readouterr().err == "build: 4 s\n"
    said.stage = "building: 3/9"
    clock.now += 2
    said.beat()
    assert capsys.readouterr().err == "building: 3/9: 6 s\n"
    with said.waiting():  # for an answer, or a bar moves
        clock.now += 60
        said.beat()
    assert capsys.readouterr().err == ""
    said.quiet = True
    clock.now += 60
    said.beat()
    assert capsys.readouterr().err == ""


def test_what_goes_no_further_is_not_told_again(monkeypatch, capsys):
    """A sign of life says it, and one line is enough."""
    clock = Clock(monkeypatch)
    lines = progress.Lines(output.Output())
    for seconds, done in ((0, 0), (3, 0), (3, 1), (3, 1), (3, 2)):
        clock.now += seconds
        lines.show("shards", done, 9)
    told = capsys.readouterr().err.splitlines()
    assert [line.partition(",")[0] for line in told] == [
        "checking: 0/9", "checking: 1/9", "checking: 2/9"
    ]  # fmt: skip


def test_on_a_terminal_the_sign_of_life_goes_away_again(monkeypatch, capsys):
    clock = Clock(monkeypatch)
    said = output.Output()
    said.waited_for = True
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    clock.now += 3
    said.beat()
    said.write(said.err, "done\n")
    assert capsys.readouterr().err == "\r\x1b[Kisptools: 3 s\r\x1b[Kdone\n"


def test_every_command_has_the_pulse(monkeypatch):
    """One that works for a while, and tells nothing."""
    monkeypatch.setattr(output, "BEAT", 0.05)
    monkeypatch.setattr(output, "START", 0.05)
    monkeypatch.setattr(output, "described", lambda _stream: True)

    @click.command()
    def command():
        until = time.monotonic() + 30
        while "show: " not in stderr() and time.monotonic() < until:
            time.sleep(0.01)
        click.echo("result")

    stderr = lambda: output.now().err.buffer.getvalue().decode()  # noqa: E731
    monkeypatch.setattr("isptools.cli.show.command", command)
    done = run("show")
    assert "show: 0 s" in done.stderr
    assert done.stdout == "result\n"


def test_lines_say_rates_once_they_mean_something():
    assert progress.line("inputs", (0, 9), 0, 0.0) == "building: 0/9"
    assert progress.line("inputs", (3, 9), 3, 0.001) == "building: 3/9"
    assert progress.line("inputs", (3, 9), 3, 6.0) == "building: 3/9, 0.5/s, 12 s left"
    assert progress.line("inputs", (9, 9), 9, 6.0) == "building: 9/9"
    assert progress.line("restore", (2, 4), 0, 0.0, "loss 1") == "restore: 2/4, loss 1"


@pytest.mark.parametrize(
    ("words", "rank"),
    [
        ({}, 0),
        ({"RANK": "3"}, 0),  # somebody else's word
        ({"RANK": "0", "WORLD_SIZE": "4"}, 0),
        ({"RANK": "3", "LOCAL_RANK": "1", "WORLD_SIZE": "4"}, 3),
        ({"LOCAL_RANK": "1", "WORLD_SIZE": "2"}, 1),
        ({"LOCAL_RANK": "0", "NODE_RANK": "1", "WORLD_SIZE": "2"}, 1),
    ],
)
def test_only_rank_0_speaks(monkeypatch, words, rank):
    for name in ("RANK", "LOCAL_RANK", "NODE_RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in words.items():
        monkeypatch.setenv(name, value)
    assert output.rank() == rank
    told, wrong = run("recipes"), run("show", "no-such-recipe")
    assert (told.stdout == "") == bool(rank)
    assert wrong.exit_code == codes.CANT
    assert wrong.stderr.startswith(f"Error: rank {rank}: no recipe" if rank else "Error: no recipe")


def test_the_doctor_says_what_is_wrong(monkeypatch):
    from isptools.cli import doctor  # noqa: PLC0415 - only here

    told = run("doctor", "--no-test")
    assert told.exit_code == codes.DONE, told.output
    for word in ("libraw", "numba", "bitshuffle", "cores", "threads", "compiled kernels"):
        assert word in told.output
    monkeypatch.setattr("isptools.shards.write.packs", lambda: False)
    wrong = run("doctor", "--no-test")
    assert wrong.exit_code == codes.LOOK
    assert "wrong: HDF5 bitshuffle and LZ4 can't be read here: reinstall" in wrong.output

    def spoiled(_place):
        raise OSError("no space left")

    monkeypatch.setattr(doctor, "_built", spoiled)
    monkeypatch.setattr(doctor, "_checked", lambda _place: (False, "a problem"))
    found = dict(doctor.tried())
    assert (found["build"]["good"], found["check"]["good"]) == (False, False)
    assert "no space left" in found["build"]["said"]


def test_the_shell_completes_commands_and_options():
    shell = ShellComplete(main, {}, "isptools", "_ISPTOOLS_COMPLETE")
    assert "build" in {one.value for one in shell.get_completions([], "bu")}
    assert "--overwrite" in {one.value for one in shell.get_completions(["init"], "--o")}


def test_a_reader_that_has_seen_enough_is_told_nothing(tmp_path: Path) -> None:
    """As `isptools inspect photo.dng | head -3`: what can't be written is no fault of the file."""
    tiny = make(tmp_path)
    ours, theirs = os.pipe()
    os.close(ours)
    words = [sys.executable, "-m", "isptools.cli", "inspect", str(tiny.source / "long/a1_long.dng")]
    done = subprocess.run(words, stdout=theirs, stderr=subprocess.PIPE, text=True, check=False)
    os.close(theirs)
    said = [line for line in done.stderr.splitlines() if not re.search(r": \d+ s$", line)]
    assert (done.returncode, said) == (1, [])


def test_a_log_whose_disk_takes_no_more_is_named_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full(io.StringIO):
        name = "log.txt"

        def flush(self) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "open", lambda *_, **__: Full())
    done = CliRunner().invoke(main, ["recipes", "--log", str(tmp_path / "log.txt")])
    assert done.exit_code == 1
    assert done.stderr == "Error: log.txt: No space left on device\n"
    assert isinstance(done.exception, SystemExit)
