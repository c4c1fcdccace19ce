"""What a run is computed with on a GPU, as far as a processor can tell."""

import msgspec
import pytest

torch = pytest.importorskip("torch")

from isptools.train import camera, intake, speed  # noqa: E402
from isptools.train.camera import SRGB_FROM_XYZ  # noqa: E402
from isptools.train.flops import of_step, operations  # noqa: E402
from isptools.train.log import Work  # noqa: E402
from isptools.train.place import Place  # noqa: E402
from isptools.train.run import Job, train  # noqa: E402
from isptools.train.settings import Settings  # noqa: E402
from isptools.train.task import Task  # noqa: E402
from tests.train.test_run import quick, weights  # noqa: E402


def test_a_processor_takes_plain_fp32_by_itself():
    """A run's stored settings are those of versions that knew no "auto"."""
    settled = speed.settled(quick(), cuda=False)
    assert (settled.precision, settled.channels_last, settled.compile) == ("fp32", False, False)
    assert '"auto"' not in settled.to_json()


def test_what_is_stated_stays_on_a_gpu(monkeypatch):
    def by_the_card_itself(including_emulation=True):
        return not including_emulation

    monkeypatch.setattr(torch.cuda, "is_bf16_supported", by_the_card_itself)
    monkeypatch.setattr(speed, "find_spec", lambda name: name == "triton")
    stated = quick(precision="fp32", compile=False)
    assert speed.settled(stated, cuda=True) == msgspec.structs.replace(stated, channels_last=True)
    chosen = speed.settled(quick(), cuda=True)
    assert (chosen.precision, chosen.channels_last, chosen.compile) == ("bf16", True, True)


def test_an_old_gpu_and_no_compiler_are_no_error(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: False)
    monkeypatch.setattr(speed, "find_spec", lambda _: None)
    chosen = speed.settled(quick(), cuda=True)
    assert (chosen.precision, chosen.channels_last, chosen.compile) == ("fp32", True, False)


def test_switches_are_as_before_behind_a_run(monkeypatch):
    monkeypatch.delenv(speed.WORKSPACE, raising=False)
    state = lambda: (  # noqa: E731 - read twice
        torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark,
        torch.are_deterministic_algorithms_enabled(), torch.get_float32_matmul_precision(),
        torch.backends.cudnn.allow_tf32,
    )  # fmt: skip
    before = state()
    with speed.switched(quick(precision="bf16", deterministic=True), cuda=True):
        assert state() == (True, False, True, "high", True)
        assert not torch.utils.deterministic.fill_uninitialized_memory, "all memory is written"
        assert speed.os.environ[speed.WORKSPACE] == ":4096:8"
    assert state() == before
    assert torch.utils.deterministic.fill_uninitialized_memory
    with speed.switched(quick(precision="fp32"), cuda=True):
        assert state() == (False, False, False, "highest", False), "fp32 is fp32"
    assert state() == before


def test_an_optimizer_goes_on_with_the_flags_of_its_device():
    weight = torch.nn.Parameter(torch.ones(3))
    ours = torch.optim.Adam([weight], 1e-3)
    saved = ours.state_dict()
    saved["param_groups"][0] |= {"lr": torch.tensor(5.0), "fused": True, "capturable": True}
    taken = speed.restored(saved, ours)["param_groups"][0]
    assert (taken["lr"], taken["fused"], taken["capturable"]) == (1e-3, None, False)


def test_an_optimizers_means_lie_as_their_weights():
    """Files hold them contiguous; Adam in one kernel refuses what lies otherwise."""
    weight = torch.nn.Parameter(torch.randn(4, 3, 3, 3).to(memory_format=torch.channels_last))
    ours = torch.optim.Adam([weight], 1e-3)
    weight.grad = torch.randn_like(weight)
    ours.step()
    held = ours.state[weight]
    values = torch.randn(4, 3, 3, 3)
    held["exp_avg"] = values.clone()
    speed.laid_as_weights(ours)
    assert held["exp_avg"].stride() == weight.stride() != values.stride()
    assert torch.equal(held["exp_avg"], values)
    assert held["step"].shape == ()


def test_a_rate_on_a_device_is_filled_there():
    weight = torch.nn.Parameter(torch.ones(3))
    rate = torch.tensor(1e-3)
    held, plain = torch.optim.Adam([weight], rate), torch.optim.Adam([weight], 1e-3)
    speed.set_rate(held, 0.5)
    speed.set_rate(plain, 0.5)
    assert held.param_groups[0]["lr"] is rate
    assert rate.item() == 0.5
    assert plain.param_groups[0]["lr"] == 0.5


def test_operations_of_a_step_by_hand():
    """SRCNN 9-5-5: forward, weights' gradients and inputs' cost the same, but the first layer's
    input needs none; its demosaicking sums 3 x 3 pixels of three colors and of their masks."""
    chosen = Settings.of({
        "title": "t", "network": "srcnn", "stages": [{"train": "whole", "steps": 1}],
        "objective": {"loss": "l2"},
    })  # fmt: skip
    made = speed_camera("srcnn")
    layers = [2 * 16**2 * side**2 * i * o for side, i, o in ((9, 3, 64), (5, 64, 32), (5, 32, 3))]
    task = Task(made, chosen, chosen.stages[0])
    demosaicking = 2 * 2 * 16**2 * 9 * 3
    assert of_step(task, 4, 16) == 3 * sum(layers) - layers[0] + demosaicking
    with torch.device("meta"):
        assert operations(speed_camera("srcnn"), 16, 16)[0] == sum(layers)


def test_operations_of_each_stage_by_hand():
    """Two 1 x 1 convolutions of 3 x 3 products on 8 x 8 pixels: forward, weights, input."""
    parts = [camera.Net(module=torch.nn.Conv2d(3, 3, 1), reach=0) for _ in range(2)]
    made = camera.Camera(parts, intake.RGB, restored=0, enhanced=1)
    once = 2 * 9 * 8 * 8
    for name, count in (("restore", 2), ("enhance", 2), ("joint", 2 + 3)):
        stage = {"train": name, "steps": 1}
        chosen = Settings.of({"title": "t", "network": "cameranet", "stages": [stage],
                              "objective": {"loss": "l2"}})  # fmt: skip
        task = Task(made, chosen, chosen.stages[0])
        assert of_step(task, 3, 8) == count * once, name


def speed_camera(name):
    from isptools.train import networks  # noqa: PLC0415 - here alone

    return networks.built({"name": name})[0]


def test_mfu_by_hand():
    """Ten steps of 2 MP and 3e12 operations in 5 s on a card of 1e13: 4 MP/s, 60 %."""
    rate, share = Work(2_000_000, 3e12, 1e13).rates(10, 5.0)
    assert (rate, share) == (4.0, pytest.approx(0.6))
    assert Work(1, 0, 0).rates(1, 1.0)[1] != Work(1, 0, 0).rates(1, 1.0)[1], "unknown is NaN"


def test_a_matrix_by_its_numbers_is_the_matrix():
    x = torch.rand(2, 3, 5, 7, dtype=torch.float64)
    torch.testing.assert_close(camera.by_numbers(SRGB_FROM_XYZ, x), camera.mixed(SRGB_FROM_XYZ, x))
    matrices = torch.rand(2, 3, 3, dtype=torch.float64)
    wanted = torch.einsum("nck,nkhw->nchw", matrices, x)
    torch.testing.assert_close(intake.by_matrices(matrices, x), wanted)


def test_sums_of_neighbors_by_shifts_are_the_convolution():
    x = torch.rand(2, 3, 6, 9, dtype=torch.float64)
    torch.testing.assert_close(intake.by_shifts(x), intake.by_convolution(x))


def test_resident_shards_train_as_read_ones(shards_folder, tmp_path):
    for name in ("read", "resident"):
        train(quick("joint"), Job(shards_folder, tmp_path / name, Place("cpu", data=name)))
    ours, theirs = weights(tmp_path / "resident"), weights(tmp_path / "read")
    assert all(torch.equal(ours[name], value) for name, value in theirs.items())
