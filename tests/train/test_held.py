"""Who validates: a split of the shards, or scenes that are held out and never trained."""

import csv
import hashlib
import math

import pytest

torch = pytest.importorskip("torch", reason="the extra `train` is not installed")

from click.testing import CliRunner  # noqa: E402 - behind the skip

from isptools.cli import main  # noqa: E402 - behind the skip
from isptools.train import data, held, intake  # noqa: E402 - behind the skip
from isptools.train.place import Place  # noqa: E402 - behind the skip
from isptools.train.run import Job, train  # noqa: E402 - behind the skip
from isptools.train.settings import Settings  # noqa: E402 - behind the skip
from tests.shards import made  # noqa: E402 - behind the skip

SCENES = tuple(f"s{n}" for n in range(12))
TRUTHS = ("restoration", "enhancement")


def quick(**changes):
    words = {
        "title": "a test", "network": {"name": "cameranet", "widths": [4, 6]}, "patch": 32,
        "log_every": 1, "stages": [{"train": "restore", "epochs": 1}],
    }  # fmt: skip
    return Settings.of(words | changes)


def filled(folder, names):
    folder.mkdir(exist_ok=True)
    made.shard(folder, scenes=names)


def parted(folder, share=0.05):
    return held.parted(folder, intake.PACKED, TRUTHS, share)


def scenes(opened):
    return {opened.facts(i).scene for i in range(len(opened))}


def lowest(count):
    """Worked out by hand: those whose names have the lowest sha256."""
    return set(sorted(SCENES, key=lambda name: hashlib.sha256(name.encode()).hexdigest())[:count])


def validations(folder):
    with (folder / "log.csv").open(newline="") as lines:
        return [float(row["validation"]) for row in csv.DictReader(lines)]


@pytest.mark.parametrize(("share", "count"), [(0.05, 1), (0.25, 3), (0.99, 11)])
def test_scenes_are_held_out_whole(share, count, tmp_path):
    filled(tmp_path, SCENES)
    parts = parted(tmp_path, share)
    assert scenes(parts.val) == lowest(count)
    assert scenes(parts.train) == set(SCENES) - lowest(count)
    whole = data.open_shards(tmp_path, "train", intake.PACKED, TRUTHS)
    assert len(parts.train) + len(parts.val) == len(whole)
    for part in (parts.train, parts.val):  # pixels are those of the rows that facts tell
        for i in range(len(part)):
            at = [whole.facts(n).key for n in range(len(whole))].index(part.facts(i).key)
            assert (part.raw(i) == whole.raw(at)).all()
            assert (part[i].enhancement == whole[at].enhancement).all()
    assert f"{count} of 12 training scenes" in parts.told


def test_the_shards_own_split_goes_before(shards_folder):
    parts = parted(shards_folder)
    assert (len(parts.train), len(parts.val)) == (8, 3)
    assert "3 inputs of the shards' split" in parts.told


def test_one_scene_validates_itself_and_says_so(tmp_path):
    filled(tmp_path, ("alone",))
    parts = parted(tmp_path)
    assert scenes(parts.train) == scenes(parts.val) == {"alone"}
    assert "on the scene that is trained" in parts.told


def test_what_is_held_out_is_never_trained(tmp_path, monkeypatch):
    """Every cut of a training and of a validation, by the scene it is of."""
    filled(tmp_path / "shards", SCENES)
    seen = {}
    plain = data.Cuts.fill

    def fill(self, n, rooms):
        i, _ = self.crops.window(n)
        seen.setdefault(id(self), set()).add(self.source.facts(i).scene)
        return plain(self, n, rooms)

    kept = []  # so that no two of them have one id
    monkeypatch.setattr(data.Cuts, "__init__", _remembering(data.Cuts.__init__, kept))
    monkeypatch.setattr(data.Cuts, "fill", fill)
    train(quick(validation=0.25), Job(tmp_path / "shards", tmp_path / "run", Place("cpu")))
    sets = {frozenset(found) for found in seen.values()}
    assert sets == {frozenset(lowest(3)), frozenset(set(SCENES) - lowest(3))}
    found = validations(tmp_path / "run")
    assert len(found) == 2 * (len(SCENES) - 3), "an epoch is as long as what is trained"
    assert all(map(math.isfinite, found))


def _remembering(plain, kept):
    def begin(self, *words):
        kept.append(self)
        plain(self, *words)

    return begin


def test_none_is_a_choice(tmp_path):
    filled(tmp_path / "shards", SCENES[:3])
    said = []
    job = Job(tmp_path / "shards", tmp_path / "run", Place("cpu"), tell=said.append)
    train(quick(validation=0.0), job)
    assert all(map(math.isnan, validations(tmp_path / "run")))
    assert "validation: none, as the settings say" in said


def test_the_command_says_who_validates(tmp_path):
    filled(tmp_path / "shards", SCENES[:4])
    words = ("train", "cameranet-tiny", tmp_path / "shards", "--out", tmp_path / "run",
             "--device", "cpu", "--set", "patch=32", "--set", "network.widths=[4,6]", "--set",
             'stages=[{train="restore",steps=1}]')  # fmt: skip
    done = CliRunner().invoke(main, [*map(str, words)])
    assert done.exit_code == 0, done.output
    assert "validation: 1 of 4 training scenes, held out" in done.output


def test_shards_for_validation_that_do_not_suit_are_told_at_once(tmp_path):
    filled(tmp_path / "shards", SCENES[:2])
    only = {"restoration": made.spec().pictures["restoration"]}
    spec = made.spec("v.h5", pictures=only, attrs=made.spec().attrs | {"split": "val"})
    made.shard(tmp_path / "shards", spec, ("v",))
    settings = quick(stages=[{"train": "enhance", "steps": 1}])
    with pytest.raises(ValueError, match="no enhancement truth"):
        train(settings, Job(tmp_path / "shards", tmp_path / "run", Place("cpu")))
