"""Runs that go on: from other weights, with other settings, on other processes; what they keep."""

import csv
import json
import math
from types import SimpleNamespace

import imageio.v3 as imageio
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra `train` is not installed")
pytest.importorskip("lightning", reason="the extra `train` is not installed")

import msgspec  # noqa: E402 - behind the skip
from click.testing import CliRunner  # noqa: E402 - behind the skip

from isptools.cli import main  # noqa: E402 - behind the skip
from isptools.train import (  # noqa: E402 - behind the skip
    checkpoint,
    claim,
    curves,
    feed,
    log,
    networks,
    run,
    threads,
    validate,
    warm,
    writing,
)
from isptools.train.checkpoint import TrainError  # noqa: E402 - behind the skip
from isptools.train.job import Job  # noqa: E402 - behind the skip
from isptools.train.place import Place  # noqa: E402 - behind the skip
from isptools.train.run import train  # noqa: E402 - behind the skip
from isptools.train.settings import Settings  # noqa: E402 - behind the skip

CPU = Place("cpu")
NET = {"name": "cameranet", "widths": [4, 6]}


def quick(steps=3, network=NET, stages=("restore",), **changes):
    each = {"steps": steps, "rate": 1e-3, "decay": "none"}
    words = {
        "title": "a test", "network": network, "patch": 32, "batch": 2, "log_every": 2,
        "stages": [{"train": stage, **each} for stage in stages],
    }  # fmt: skip
    return Settings.of(words | changes)


def weights(folder, name="model.safetensors"):
    return checkpoint.load(folder / name)["model"]


def same(one, two, **tolerance):
    assert one.keys() == two.keys()
    for name in one:
        torch.testing.assert_close(one[name], two[name], **(tolerance or {"rtol": 0, "atol": 0}))


def lines(folder):
    with (folder / "log.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def finished(shards_folder, tmp_path_factory):
    """A run of two stages, and what it told."""
    out, told = tmp_path_factory.mktemp("finished") / "run", []
    settings = quick(4, stages=("restore", "enhance"), ema=0.5)
    train(settings, Job(shards_folder, out, CPU, tell=told.append))
    return out, told


# -- other weights ---------------------------------------------------------------------------------


def built(**options):
    torch.manual_seed(7)
    return networks.built({"name": "cameranet", "widths": [4, 6]} | options)[0]


def test_weights_are_taken_part_by_part(finished):
    camera, donor = built(), weights(finished[0])
    fresh = {name: x.clone() for name, x in camera.state_dict().items()}
    told = warm.take(camera, finished[0], (1,))
    for name, x in camera.state_dict().items():
        assert torch.equal(x, donor[name] if name.startswith("nets.1.") else fresh[name]), name
    count = sum(name.startswith("nets.1.") for name in donor)
    assert told[0] == f"part 1: all {count} tensors of {finished[0]}"
    assert told[1].startswith(f"{finished[0]}: not taken: nets.0.")
    assert told[1].endswith(f"and {len(donor) - count - 3} more")


def test_a_part_that_is_not_there_begins_fresh(finished):
    """Three stages from a network of two; and a file that lacks a tensor."""
    camera = networks.built({"name": "cameranet-three-stage", "widths": [4, 6]})[0]
    last = {name: x.clone() for name, x in camera.state_dict().items() if "nets.2." in name}
    told = warm.take(camera, finished[0], (0, 2))
    assert told[0].startswith("part 0: all ")
    assert told[1] == f"part 2: begins fresh, {finished[0]} has none of it"
    same(last, {name: camera.state_dict()[name] for name in last})
    first, *donor = (name for name in weights(finished[0]) if "nets.0" in name)
    state = {"network": "x", "settings": "", "model": {n: weights(finished[0])[n] for n in donor}}
    checkpoint.save(finished[0].parent / "some.safetensors", state)
    some, none = warm.take(built(), finished[0].parent / "some.safetensors")
    assert some.endswith(f"fresh: {first}")
    assert none.startswith("part 1: begins fresh")


def test_other_shapes_are_refused_by_name(finished):
    wide = built(widths=[4, 8])
    before = {name: x.clone() for name, x in wide.state_dict().items()}
    with pytest.raises(TrainError, match=r"other shapes than this network's: nets\.0\.") as caught:
        warm.take(wide, finished[0])
    assert "\n" not in str(caught.value)
    same(before, wide.state_dict())


def test_parts_have_names():
    camera = built()
    assert warm.numbered(camera, "enhance") == (1,)
    assert warm.numbered(camera, "1, restore") == (1, 0)
    assert warm.numbered(camera, "") == ()
    with pytest.raises(ValueError, match="has 0, 1, restore, enhance"):
        warm.numbered(camera, "2")


def test_a_run_begins_with_other_weights_and_goes_on_without_them(
    finished, shards_folder, tmp_path
):
    settings = quick(2, stages=("restore", "enhance"))
    train(settings, Job(shards_folder, tmp_path / "whole", CPU, start=finished[0]))
    same(weights(tmp_path / "whole", "start.safetensors"), weights(finished[0]))
    with pytest.raises(TrainError, match="go on"):
        train(
            settings, Job(shards_folder, tmp_path / "parts", CPU, start=finished[0], stop_after=1)
        )
    train(settings, Job(shards_folder, tmp_path / "parts", CPU))
    same(weights(tmp_path / "whole"), weights(tmp_path / "parts"))
    with pytest.raises(TrainError, match=r"began with .*finished.*/run; take"):
        train(settings, Job(shards_folder, tmp_path / "parts", CPU, start=tmp_path / "whole"))


def test_what_holds_no_weights_is_one_line_and_nothing_is_written(shards_folder, tmp_path):
    (tmp_path / "half").mkdir()
    state = {"network": "x", "settings": "", "model": {}}
    checkpoint.save(tmp_path / "half/restore.safetensors", state)
    for start, said in (("none", "no such checkpoint"), ("half", "there are restore.safetensors"),
                        ("half/restore.safetensors", "no weights")):  # fmt: skip
        words = ["train", "cameranet-tiny", shards_folder, "--out", tmp_path / "run", "--device",
                 "cpu", "--from", tmp_path / start]  # fmt: skip
        done = CliRunner().invoke(main, list(map(str, words)))
        assert done.exit_code == 1
        assert said in done.stderr.splitlines()[-1]
    assert not (tmp_path / "run").exists()


# -- other settings --------------------------------------------------------------------------------


def test_a_longer_run_is_one_that_was_longer_from_the_start(shards_folder, tmp_path):
    told = []
    train(quick(3), Job(shards_folder, tmp_path / "on", CPU))
    job = Job(shards_folder, tmp_path / "on", CPU, tell=told.append)
    train(quick(5, precision="fp32", save_every=7), job)
    train(quick(5), Job(shards_folder, tmp_path / "whole", CPU))
    same(weights(tmp_path / "on"), weights(tmp_path / "whole"))
    assert "goes on with stages.restore.steps 5, not 3" in told
    assert "goes on with save_every 7, not 1000" in told
    assert Settings.of_json((tmp_path / "on/settings.json").read_text()).save_every == 7
    with pytest.raises(TrainError, match="stands at step 5 of restore: 4 are too few"):
        train(quick(4), job)


@pytest.mark.long
def test_a_stage_from_which_another_began_stays_as_long(shards_folder, tmp_path):
    stages = ("restore", "enhance", "joint")
    train(quick(1, stages=stages), Job(shards_folder, tmp_path, CPU))
    own = [{"train": name, "steps": 2 if name == "restore" else 1, "decay": "none", "rate": 1e-3}
           for name in stages]  # fmt: skip
    longer = msgspec.structs.replace(quick(), stages=Settings.of(
        {"title": "t", "network": NET, "stages": own}).stages)  # fmt: skip
    with pytest.raises(TrainError, match="joint has begun from it: its steps stay 1"):
        train(longer, Job(shards_folder, tmp_path, CPU))


@pytest.mark.parametrize(
    ("changes", "said"),
    [({"seed": 1}, r"seed \(0 there, 1 here\)"),
     ({"network": {**NET, "noise": False}}, "network.noise"),
     ({"objective": {"loss": "l2"}}, "objective"), ({"batch": 1}, "batch"), ({"ema": 0.1}, "ema"),
     ({"stages": ("restore", "enhance")}, "stages")],
)  # fmt: skip
def test_what_may_not_change_is_named(changes, said, tmp_path):
    out = tmp_path
    claim.begin(out, quick(), claim.Record())
    before = (out / "settings.json").read_bytes()
    with pytest.raises(TrainError, match=said) as caught:
        claim.changed(out, quick(**changes))
    assert "what may change is steps" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert (out / "settings.json").read_bytes() == before


# -- other processes -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("batch", "accumulate", "processes", "world", "expected"),
    [(2, 1, 2, 1, (2, 2)), (2, 1, 1, 2, (1, 1)), (4, 1, 1, 2, (2, 1)), (3, 2, 2, 4, (3, 1)),
     (2, 1, 3, 2, (1, 3)), (2, 3, 1, 1, (2, 3)), (2, 3, 0, 5, (2, 3))],
)  # fmt: skip
def test_every_number_of_processes_sees_the_same_cuts_a_step(
    batch, accumulate, processes, world, expected
):
    settings = quick(batch=batch, accumulate=accumulate)
    own = claim.shared(settings, processes, world)
    assert (own.batch, own.accumulate) == expected
    if not processes:
        return

    def cuts(chosen, count):
        micros = range(5 * chosen.accumulate, 6 * chosen.accumulate)
        each = [feed.Turns(micros, chosen.batch, rank, count) for rank in range(count)]
        return sorted(n for turns in each for items in turns for n in items)

    assert cuts(own, world) == cuts(settings, processes)


def test_batches_of_single_stages_are_shared_too():
    words = {"title": "t", "network": NET, "batch": 4, "stages": [
        {"train": "restore", "steps": 1, "batch": 2}, {"train": "enhance", "steps": 1}
    ]}  # fmt: skip
    own = claim.shared(Settings.of(words), 2, 1)
    assert (own.batch, own.accumulate) == (4, 2)
    assert [stage.batch for stage in own.stages] == [2, 0]
    own = claim.shared(Settings.of(words), 1, 2)
    assert (own.batch, own.accumulate, own.stages[0].batch) == (2, 1, 1)


def test_steps_that_cannot_be_shared_are_refused():
    with pytest.raises(TrainError, match="steps are of 4 cuts"):
        claim.shared(quick(batch=2), 2, 3)
    words = {"title": "t", "network": NET, "batch": 4,
             "stages": [{"train": "restore", "steps": 1, "batch": 3}]}  # fmt: skip
    with pytest.raises(TrainError, match="steps are of 4 and 3 cuts"):
        claim.shared(Settings.of(words), 1, 2)


def test_one_process_goes_on_with_a_run_of_two(shards_folder, tmp_path):
    """As one process that takes as many cuts a step: the files say how many there were."""
    (tmp_path / "two").mkdir()
    (tmp_path / "two/run.json").write_text('{"processes": 2}')
    train(quick(), Job(shards_folder, tmp_path / "two", CPU))
    train(quick(accumulate=2), Job(shards_folder, tmp_path / "one", CPU))
    same(weights(tmp_path / "one"), weights(tmp_path / "two"))
    stored = checkpoint.load(tmp_path / "two/model.safetensors")["settings"]
    assert Settings.of_json(stored).accumulate == 1, "as they were given"


# -- readers and threads ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reading", "computing", "cores", "expected"),
    [(0.001, 1.0, 8, 0), (0.2, 1.0, 8, 1), (1.0, 0.4, 8, 3), (1.0, 0.4, 2, 2), (1.0, 0.4, 0, 0),
     (0.049, 0.951, 8, 0), (0.051, 0.949, 8, 1), (1.0, 0.0, 8, 8)],
)  # fmt: skip
def test_so_many_readers_as_keep_up(reading, computing, cores, expected):
    assert threads.readers(reading, computing, cores) == expected


@pytest.mark.long
def test_readers_that_join_later_change_nothing(shards_folder, tmp_path, monkeypatch):
    told, counts = [], []
    steps = 20
    plain = feed.batches

    def counted(cuts, micros, how):
        counts.append((micros.start, how.workers))
        return plain(cuts, micros, how)

    monkeypatch.setattr(feed, "batches", counted)
    monkeypatch.setattr(threads, "readers", lambda *_: 1)
    monkeypatch.setattr(threads, "allowed", lambda: 64)
    job = Job(shards_folder, tmp_path / "auto", Place("cpu", workers="auto"), tell=told.append)
    train(quick(steps), job)
    assert counts[:1] + counts[-1:] == [(0, 0), (16, 1)]
    assert any(line.startswith("readers: 1; reading takes ") for line in told)
    monkeypatch.undo()
    train(quick(steps), Job(shards_folder, tmp_path / "none", CPU))
    same(weights(tmp_path / "auto"), weights(tmp_path / "none"))


def test_free_cores_are_those_that_nobody_keeps_busy(tmp_path, monkeypatch):
    """Two cores of /proc/stat: user, nice, system, idle, iowait, irq, softirq, steal; guests.

    In hundredths of a second; who waits for a disk is idle, and guests are users, named again.
    """
    first = "cpu  0 0 0 0\ncpu0 10 0 0 50 40 0 0 0 0 0\ncpu1 50 0 0 50 0 0 0 0 0 0\nintr 5\n"
    second = "cpu  0 0 0 0\ncpu0 10 0 0 150 40 0 0 0 0 0\ncpu1 {} 0 0 {} 0 0 0 0 900 900\nintr 5\n"
    stat = tmp_path / "stat"
    monkeypatch.setattr(threads, "STAT", stat)
    own = {0: {0, 1}}  # 0 is this process
    monkeypatch.setattr(threads.os, "sched_getaffinity", own.__getitem__)
    monkeypatch.setattr(threads, "QUOTA", tmp_path / "none")
    for busy, expected in ((100, 1), (0, 2), (30, 2)):
        stat.write_text(first)
        later = second.format(50 + busy, 150 - busy)

        def sleep(seconds, text=later):
            assert seconds == 0.25
            stat.write_text(text)

        monkeypatch.setattr(threads.time, "sleep", sleep)
        assert threads.free() == expected
    stat.unlink()
    assert threads.free() == 2, "where nothing tells, all of them"
    (tmp_path / "quota").write_text("150000 100000\n")
    monkeypatch.setattr(threads, "QUOTA", tmp_path / "quota")
    assert threads.allowed() == 2
    (tmp_path / "quota").write_text("100000 100000\n")
    assert threads.allowed() == 1
    (tmp_path / "quota").write_text("max 100000\n")
    monkeypatch.setattr(threads.os, "cpu_count", lambda: 7)
    assert threads.allowed() == 2, "of seven those that this process may use"
    monkeypatch.delattr(threads.os, "sched_getaffinity")
    assert threads.allowed() == 7, "where the system does not say which"
    monkeypatch.setattr(threads.os, "cpu_count", lambda: None)
    assert threads.allowed() == 1


def test_a_run_goes_on_with_the_threads_it_began_with(shards_folder, tmp_path, monkeypatch):
    before, chosen, told = torch.get_num_threads(), [], []
    monkeypatch.setattr(torch, "set_num_threads", chosen.append)
    monkeypatch.setattr(threads, "free", lambda: 3)
    monkeypatch.setattr(threads, "allowed", lambda: 4)
    monkeypatch.setattr(torch, "get_num_threads", lambda: (chosen or [before])[-1])
    place = Place("cpu", threads="auto")
    with pytest.raises(TrainError, match="go on"):
        train(quick(), Job(shards_folder, tmp_path, place, stop_after=1, tell=told.append))
    assert told[0] == "threads: 3 of 4 cores, the others are busy (--threads)"
    monkeypatch.setattr(threads, "free", lambda: 1)
    train(quick(), Job(shards_folder, tmp_path, place, tell=told.append))
    assert chosen == [3, 3]
    assert "threads: 3 of 4 cores, as this run began (--threads)" in told
    assert json.loads((tmp_path / "run.json").read_text())["threads"] == 3


# -- what is kept ----------------------------------------------------------------------------------


def test_a_state_is_saved_as_it_was(tmp_path):
    x = torch.ones(3)
    assert writing.copied([{"x": x}])[0]["x"].data_ptr() != x.data_ptr()
    with writing.Writer() as writer:
        writer.put(tmp_path / "a.safetensors", {"model": {"x": x}, "mean": [x]})
        x.add_(1)
        writer.put(tmp_path / "b.safetensors", {"model": {"x": x}, "mean": []})
    assert weights(tmp_path, "a.safetensors")["x"].tolist() == [1, 1, 1]
    assert weights(tmp_path, "b.safetensors")["x"].tolist() == [2, 2, 2]


def test_what_could_not_be_saved_is_said(tmp_path):
    writer = writing.Writer()
    writer.put(tmp_path / "none/a.safetensors", {})
    with pytest.raises(TrainError, match="could not be saved"):
        writer.wait()
    writer.wait()
    writer.put(tmp_path / "none/a.safetensors", {})
    with pytest.raises(ZeroDivisionError), writer:
        _ = 1 / 0


def test_the_log_has_parts_scores_and_the_best_weights(finished):
    """Of weights' mean: what is kept gives the validation loss that the log says, and no other."""
    out, told = finished
    rows = lines(out)
    assert any(line.startswith("validation: ") for line in told)
    for stage, picture in (("restore", "restoration"), ("enhance", "enhancement")):
        own = [row for row in rows if row["stage"] == stage]
        best = checkpoint.load(out / f"{stage}-best.safetensors")
        losses = [float(row["validation"]) for row in own]
        assert best["validation"] == pytest.approx(min(losses))
        assert best["step"] == int(own[int(np.argmin(losses))]["step"])
        for row in own:
            assert float(row[f"validation_{picture}"]) == pytest.approx(float(row["validation"]))
            assert 0 < float(row[f"psnr_{picture}"]) < 60
    assert rows[0]["psnr_enhancement"] == ""
    assert weights(out).keys() == best["model"].keys()


def test_the_mean_of_weights_validates_and_the_weights_stay():
    weight = torch.nn.Parameter(torch.zeros(2))
    with validate.laid([weight], [torch.ones(2)]):
        assert weight.tolist() == [1, 1]
    assert weight.tolist() == [0, 0]
    with validate.laid([weight], []):
        assert weight.tolist() == [0, 0]


def test_columns_that_come_later_are_added(tmp_path):
    path = tmp_path / "log.csv"
    log.appended(path, {"stage": "a", "step": 1, "x": 0.5})
    log.appended(path, {"stage": "b", "step": 2, "y": 0.25})
    log.appended(path, {"stage": "b", "step": 3, "x": 2.0})
    assert path.read_text().splitlines() == ["stage,step,x,y", "a,1,0.5,", "b,2,,0.25", "b,3,2.0,"]


def test_which_stages_are_done_and_may_grow(tmp_path):
    """A joint stage goes on from its own end; what it began from stays as long as it was."""
    kinds = ("restore", "enhance", "joint")

    def chosen(*lengths):
        stages = [{"train": kind, "steps": n} for kind, n in zip(kinds, lengths, strict=True)]
        return Settings.of({"title": "t", "network": "cameranet", "stages": stages})

    before = chosen(4, 4, 4)
    (tmp_path / "joint").touch()

    def finished(at, *lengths):
        now = chosen(*lengths)
        job = SimpleNamespace(settings=now, file=lambda stage: tmp_path / stage.train)
        state = {"settings": before.to_json(), "done": True, "step": 4}
        return run._finished(job, now.stages[at], state, lengths[at])

    assert finished(2, 4, 4, 4)
    assert not finished(2, 4, 4, 9)
    for at in (0, 1):
        assert finished(at, 4, 4, 9)
        with pytest.raises(TrainError, match=f"{kinds[at]}: joint has begun from it"):
            finished(at, *(9 if kind == at else 4 for kind in range(3)))
    (tmp_path / "joint").unlink()
    (tmp_path / "enhance").touch()
    assert not finished(0, 9, 4, 4), "the other network has no part in it"
    with pytest.raises(TrainError, match="stands at step 4 of joint: 3 are too few"):
        finished(2, 4, 4, 3)


def test_columns_are_added_where_a_kill_left_the_first_line_alone(tmp_path):
    """An earlier version's columns, cut back to no step: every later line fits its head."""
    path = tmp_path / "log.csv"
    path.write_text("stage,step,training\na,5,0.5\n")
    log.cut_back(path, "a", 0)
    for step in (1, 2):
        log.appended(path, {"stage": "a", "step": step, "training": 0.25, "mp_s": 2.0})
    lines = ["stage,step,training,mp_s", "a,1,0.25,2.0", "a,2,0.25,2.0"]
    assert path.read_text().splitlines() == lines
    curves.drawn(path, tmp_path / "history.png")


def test_curves_are_where_the_numbers_are(tmp_path):
    """One panel: a loss that falls from 1 to 0.01 in two stages, drawn by its logarithm."""
    path, picture = tmp_path / "log.csv", tmp_path / "history.png"
    path.write_text("stage,step,validation\na,10,1.0\na,20,0.1\nb,10,0.1\nb,20,0.01\nb,30,nan\n")
    curves.drawn(path, picture)
    page = imageio.imread(picture)
    assert page.shape == (240, 880, 3)
    left, right, top, bottom = 58, 430, 24, 216
    marks = {}
    for color in curves.COLORS[:2]:
        y, x = np.nonzero((page == color).all(2))
        inside = (y > top + 2) & (x > left - 4)
        marks[color] = y[inside], x[inside]
    (y, x), (later, further) = marks.values()
    assert y[x.argmin()] == pytest.approx(top, abs=4), "the highest at the top"
    assert x[y.argmax()] == pytest.approx(left + (right - left) / 3, abs=5)
    assert y.max() == pytest.approx((top + bottom) / 2, abs=4), "a tenth is half of a hundredth"
    assert later.max() == pytest.approx(bottom, abs=3)
    assert further.max() == pytest.approx(right, abs=3), "steps of the second stage come behind"
    rows = list(csv.DictReader(path.read_text().splitlines()))
    assert curves.curves_of(rows, "validation") == {
        "a": [(10, 1.0), (20, 0.1)], "b": [(30, 0.1), (40, 0.01)],
    }  # fmt: skip
    assert math.isfinite(curves.Axis(1, 1, 0, 10).at(1))
    path.write_text("stage,step,validation\n")
    curves.drawn(path, tmp_path / "none.png")
    assert not (tmp_path / "none.png").exists()
    assert run.PROBE == 8
