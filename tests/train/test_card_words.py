"""What is decided for a GPU, by stand-ins for it: tiles, recordings, switches, launches."""

from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra `train` is not installed")
pytest.importorskip("lightning", reason="the extra `train` is not installed")

from isptools.train import (  # noqa: E402 - behind the skip
    camera,
    carry,
    device,
    edges,
    fused,
    here,
    infer,
    intake,
    replay,
    speed,
)
from isptools.train.settings import Settings  # noqa: E402 - behind the skip

FLAT = (0.0,) * 4
FRAME = infer.Mosaic(np.zeros((8, 8), np.uint16), "RGGB", FLAT, 1.0, FLAT, FLAT)


def settings(**changes):
    stage = {"train": "whole", "steps": 1}
    return Settings.of({"title": "t", "network": {"name": "srcnn"}, "stages": [stage]} | changes)


# -- frames ----------------------------------------------------------------------------------------


def sizes_tried(monkeypatch, tile, device, fits):
    tried = []

    def developed(_camera, _mosaic, size, where):
        tried.append((size, where.type))
        if not fits(size):
            raise torch.cuda.OutOfMemoryError
        return {"enhancement": size}

    monkeypatch.setattr(infer, "_developed", developed)
    try:
        found = infer.develop(None, FRAME, tile, device)
    except ValueError as error:
        return tried, str(error)
    return tried, found


def test_a_gpu_takes_the_frame_whole_or_the_largest_tiles_that_fit(monkeypatch):
    """Sides of powers of two, 512 the last."""
    tried, found = sizes_tried(monkeypatch, None, "cuda", lambda size: size == 2048)
    assert [size for size, _ in tried] == [0, 8192, 4096, 2048]
    assert found == {"enhancement": 2048}
    tried, said = sizes_tried(monkeypatch, None, "cuda", lambda _: False)
    assert [size for size, _ in tried] == [0, 8192, 4096, 2048, 1024, 512]
    assert said == "tiles of 512 pixels do not fit into this GPU's memory; try --tile 256"
    _, said = sizes_tried(monkeypatch, 0, "cuda", lambda _: False)
    assert said == "the whole frame does not fit into this GPU's memory; try --tile 1024"


def test_a_processor_takes_tiles_of_1024(monkeypatch):
    assert sizes_tried(monkeypatch, None, "cpu", lambda _: True)[0] == [(1024, "cpu")]
    assert sizes_tried(monkeypatch, 96, "cpu", lambda _: True)[0] == [(96, "cpu")]


@pytest.mark.parametrize(
    ("precision", "tf32"), [("fp32", False), ("tf32", True), ("bf16", True), ("fp16", True)]
)
def test_a_run_computes_without_gradients_in_its_precision(precision, tf32):
    before = torch.backends.cudnn.allow_tf32
    with infer.computing(torch.device("cpu"), precision):
        assert torch.backends.cudnn.allow_tf32 == tf32
        assert torch.is_inference_mode_enabled()
        assert not torch.is_autocast_enabled("cpu"), "a processor computes in fp32"
    assert torch.backends.cudnn.allow_tf32 == before
    with pytest.raises(KeyError), infer.computing(torch.device("cpu"), precision):
        raise KeyError
    assert torch.backends.cudnn.allow_tf32 == before


def test_a_gpu_computes_in_the_halves_of_the_run(monkeypatch):
    asked = []

    @contextmanager
    def autocast(kind, half, enabled):
        asked.append((kind, half, enabled))
        yield

    monkeypatch.setattr(torch, "autocast", autocast)
    for precision in ("fp32", "tf32", "bf16", "fp16"):
        with infer.computing(torch.device("cuda"), precision):
            pass
    halves = [(torch.bfloat16, True), (torch.float16, True)]
    assert asked == [("cuda", half, on) for half, on in [(None, False), (None, False), *halves]]


def test_a_device_by_its_name(monkeypatch):
    assert infer.device_of("cpu") == "cpu"
    for there in (True, False):
        monkeypatch.setattr(torch.cuda, "is_available", lambda there=there: there)
        assert infer.device_of("auto") == ("cuda" if there else "cpu")
    with pytest.raises(
        ValueError, match=r"mars: can.t be used here \(there are auto, cpu, cuda and"
    ):
        infer.device_of("mars")


@pytest.mark.parametrize(
    ("name", "there", "says"),
    [
        ("cuda", 0, "PyTorch finds no GPU; leave --device out, or give cpu"),
        ("cuda:1", 0, "PyTorch finds no GPU; leave --device out, or give cpu"),
        ("cuda:2", 2, "the last GPU is cuda:1"),
        ("cuda:1", 2, "out of memory"),
        ("gpu", 2, "there are auto, cpu, cuda and cuda:N"),
    ],
)
def test_a_device_that_cannot_be_used_says_what_to_give(name, there, says, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: bool(there))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: there)
    said = device.unusable(name, RuntimeError("out of\n memory"))
    assert said == f"--device {name}: can't be used here ({says})"


# -- steps -----------------------------------------------------------------------------------------


class Stream:
    """Of nothing; it tells for whom it waits."""

    waits = ()

    def __init__(self, *_):
        pass

    def wait_stream(self, other):
        self.waits.append((self, other))


class Graph:
    """Takes a step down while it is recorded, which then does nothing; does it when replayed."""

    recording = None

    def replay(self):
        self.step(self.micros)


@pytest.fixture
def recorded(monkeypatch):
    """A step that adds what it is given to a weight, and how often it was done or recorded."""
    weight, done, graphs = torch.zeros(()), [], []
    loss, now = torch.zeros(()), Stream()
    monkeypatch.setattr(Stream, "waits", [])

    def work(micros):
        for batch in micros:
            weight.add_(batch["x"].sum())
        loss.copy_(weight)

    def step(micros):
        if Graph.recording is not None:
            Graph.recording.step, Graph.recording.micros = work, micros
            graphs.append(Graph.recording)
            return loss
        done.append(len(micros))
        work(micros)
        return loss.clone()

    @contextmanager
    def graph(own, stream):
        assert isinstance(stream, Stream)
        Graph.recording = own
        try:
            yield
        finally:
            Graph.recording = None

    on_stream = contextmanager(lambda _: iter([0]))
    stand_ins = {"Stream": Stream, "current_stream": lambda: now, "stream": on_stream,
                 "CUDAGraph": Graph, "graph": graph}  # fmt: skip
    for name, stand_in in stand_ins.items():
        monkeypatch.setattr(torch.cuda, name, stand_in)
    return SimpleNamespace(step=step, weight=weight, done=done, graphs=graphs, now=now)


def test_a_step_is_recorded_at_its_fourth_time(recorded):
    """Every step counts once, with the batch it was given."""
    made = replay.Replay(recorded.step)
    losses = [made([{"x": torch.full((2,), float(n))}, {"x": torch.ones(1)}]) for n in range(6)]
    totals = [2 * sum(range(n + 1)) + n + 1 for n in range(6)]
    assert [loss.item() for loss in losses] == totals, "each its own, not the last one's memory"
    assert recorded.weight.item() == totals[-1]
    assert recorded.done == [2, 2, 2]
    assert len(recorded.graphs) == 1
    own = made.stream, recorded.now
    assert Stream.waits == [own, own[::-1]] * 3, "plain steps stand between two waits"


def test_a_recording_that_does_not_fit_leaves_steps_as_they_are(recorded, monkeypatch):
    made = replay.Replay(recorded.step)

    @contextmanager
    def full(*_, **__):
        raise torch.cuda.OutOfMemoryError
        yield

    monkeypatch.setattr(torch.cuda, "graph", full)
    for n in range(6):
        made([{"x": torch.full((1,), float(n))}])
    assert recorded.weight.item() == 15
    assert recorded.done == [1] * 6
    assert (made.graph, made.micros) == (None, [])


class Sent:
    """A tensor that tells where it is taken."""

    def __init__(self, told, where="here"):
        self.told, self.where = told, where

    def to(self, device, non_blocking):
        self.told.append(("sent", device.type, non_blocking))
        return Sent(self.told, device.type)

    def record_stream(self, stream):
        self.told.append(("kept for", self.where, stream.name))


def test_a_batch_is_sent_while_the_one_before_is_computed(monkeypatch):
    """On a stream of its own; whoever computes waits for it, and keeps its memory that long."""
    told = []
    event = SimpleNamespace(synchronize=lambda: told.append("has been sent"))
    sending = SimpleNamespace(name="sending", record_event=lambda: event)
    now = SimpleNamespace(name="now", wait_event=lambda one: told.append(one is event))
    monkeypatch.setattr(torch.cuda, "Stream", lambda _: sending)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda _: now)
    monkeypatch.setattr(torch.cuda, "stream", contextmanager(lambda _: iter([0])))
    batches = carry.carried(iter([({"x": Sent(told)}, [1]), ({}, [2])]), torch.device("cuda"))
    moved, turns = next(batches)
    assert (moved["x"].where, turns) == ("cuda", [1])
    assert told == [("sent", "cuda", True), True, ("kept for", "cuda", "now")]
    assert next(batches) == ({}, [2])
    assert told[3:] == ["has been sent", True], "its memory is free when the next is asked for"


def test_memory_is_fixed_where_the_system_lets_it(monkeypatch):
    asked = []
    runtime = SimpleNamespace(
        cudaHostRegister=lambda *words: asked.append(words) or answers.pop(0),
        cudaHostUnregister=lambda *words: asked.append(words),
    )  # fmt: skip
    monkeypatch.setattr(torch.cuda, "cudart", lambda: runtime)
    answers, x = [0, 1], torch.zeros(5, 3, dtype=torch.int16)
    assert [carry.pinned(x), carry.pinned(x)] == [True, False]
    carry.released(x)
    assert asked == [(x.data_ptr(), 30, 0)] * 2 + [(x.data_ptr(),)]


def test_a_step_is_recorded_on_one_gpu_and_not_in_fp16():
    def fabric(kind, world):
        return SimpleNamespace(device=torch.device(kind), world_size=world)

    assert speed.replayable(fabric("cuda", 1), settings(precision="bf16"))
    assert not speed.replayable(fabric("cuda", 2), settings(precision="bf16"))
    assert not speed.replayable(fabric("cuda", 1), settings(precision="fp16"))
    assert not speed.replayable(fabric("cpu", 1), settings(precision="bf16"))
    assert speed.adam(torch.device("cuda"), True) == {"fused": True, "capturable": True}
    assert speed.adam(torch.device("cuda"), False) == {"fused": True, "capturable": False}
    assert speed.adam(torch.device("cpu"), True) == {}


@pytest.mark.parametrize(
    ("name", "peak"),  # dense bf16 of NVIDIA's data sheets, in 1e12 operations a second
    [("NVIDIA H200", 989), ("NVIDIA H100 80GB HBM3", 989), ("NVIDIA H100 PCIe", 756),
     ("NVIDIA H100 NVL", 835), ("NVIDIA A100-SXM4-80GB", 312), ("NVIDIA L40S", 362),
     ("NVIDIA GeForce RTX 4090", 165.2), ("NVIDIA GeForce RTX 3090", 71), ("Mars", 0)],
)  # fmt: skip
def test_a_cards_peak_is_its_data_sheets(name, peak, monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: name)
    assert speed.peak(torch.device("cuda")) == pytest.approx(1e12 * peak)
    assert speed.peak(torch.device("cpu")) == 0


def test_a_compiler_is_told_what_a_run_wants(monkeypatch):
    """Channels last where it compiles, the same bits where a run is deterministic."""
    told = []

    @contextmanager
    def compiler(exact, nearest):
        told.append((exact, nearest))
        yield

    monkeypatch.setattr(speed, "_compiler", compiler)
    for words in ({"compile": True, "channels_last": True}, {"compile": True},
                  {"compile": False, "channels_last": True, "deterministic": True}):  # fmt: skip
        with speed.switched(settings(**{"channels_last": False, **words}), cuda=True):
            pass
    assert told == [(False, True), (False, False), (True, False)]
    with speed.switched(settings(precision="bf16", compile=False), cuda=True):
        assert torch.backends.cudnn.benchmark, "halves try their kernels"
    with speed.switched(settings(), cuda=False):
        pass
    assert len(told) == 4, "nothing is switched for a processor"


# -- ways ------------------------------------------------------------------------------------------


def test_channels_come_by_eights_for_halves():
    x = torch.rand(2, 5, 3, 4)
    out = edges.eightfold(x)
    assert out.shape == (2, 8, 3, 4)
    assert torch.equal(out[:, :5], x)
    assert not out[:, 5:].any()
    assert edges.eightfold(out) is out
    assert edges.eightfold(torch.rand(1, 9, 2, 2)).shape == (1, 16, 2, 2)


class OnCard(torch.Tensor):
    """Numbers that say they lie on a GPU."""

    is_cuda = True


WAYS = [  # who decides, who is asked on a GPU, on a processor (torch's own function by its name)
    ("camera", "mixed", "by_numbers", (((1.0, 2, 3),) * 3,)),
    ("intake", "_xyz", "by_matrices", ()),
    ("edges", "reflected", "folded", (1,)),
    ("edges", "maxima", "gathered_maxima", (2,)),
]


@pytest.mark.parametrize(("module", "name", "other", "more"), WAYS, ids=lambda one: str(one)[:12])
def test_a_gpu_takes_its_own_way_and_a_processor_torchs(module, name, other, more, monkeypatch):
    """Sums in one order, matrices that need not be sent: the same numbers, see test_edges."""
    where = {"camera": camera, "intake": intake, "edges": edges}[module]
    monkeypatch.setattr(where, other, lambda *_: "the GPU's")
    decides = getattr(where, name)
    x = torch.rand(1, 1 if name == "_xyz" else 3, 6, 6)
    words = (more[0], x) if name == "mixed" else (x, *more)
    if name == "_xyz":
        words = x, {"xyz_from_camera": torch.eye(3)[None]}
    assert isinstance(decides(*words), torch.Tensor)
    there = [one.as_subclass(OnCard) if one is x else one for one in words]
    assert decides(*there) == "the GPU's"
    if name == "maxima":
        with torch.no_grad():
            assert isinstance(decides(*there), torch.Tensor), "what has no gradient sums nothing"


def test_neighbors_are_summed_by_shifts_on_a_gpu(monkeypatch):
    asked = []
    for name in ("by_shifts", "by_convolution"):
        monkeypatch.setattr(intake, name, lambda x, name=name: asked.append(name) or x + 1)
    intake.bilinear(torch.rand(1, 1, 4, 4))
    intake.bilinear(torch.rand(1, 1, 4, 4).as_subclass(OnCard))
    assert asked == ["by_convolution"] * 2 + ["by_shifts"] * 2


def test_a_gpus_convolutions_take_channels_by_eights_and_last(monkeypatch):
    seen = []
    plain = torch.nn.functional.conv2d

    def conv2d(x, weight, *words):
        seen.append((x.shape[1], weight.shape[1]))
        return plain(x, weight, *words)

    monkeypatch.setattr(edges.F, "conv2d", conv2d)
    layer, x = edges.Reflected(5, 4), torch.rand(1, 5, 6, 6)
    expected = layer(x)
    there = x.as_subclass(OnCard)
    monkeypatch.setattr(edges, "folded", lambda x, by: edges.F.pad(x, (by,) * 4, mode="reflect"))
    torch.testing.assert_close(layer(there).as_subclass(torch.Tensor), expected)
    assert seen == [(5, 5), (8, 8)]
    assert infer._laid(there).is_contiguous(memory_format=torch.channels_last)
    assert infer._laid(x) is x


def test_weights_are_laid_out_anew_for_a_gpu_alone(monkeypatch):
    asked = []
    identity = camera.Camera(
        [camera.Net(module=torch.nn.Conv2d(3, 3, 1), reach=0)], intake.RGB, enhanced=0
    )
    moved = identity.to

    def to(*where, **layout):
        asked.append(layout)
        return identity if layout or str(where[0]) != "cpu" else moved(*where)

    monkeypatch.setattr(identity, "to", to)
    monkeypatch.setattr(infer, "_padded", lambda *_: (torch.rand(1, 3, 4, 4), 0, 0))
    mosaic = SimpleNamespace(pixels=np.zeros((3, 4, 4)))
    for kind, layouts in (("cpu", [{}]), ("cuda", [{}, {"memory_format": torch.channels_last}])):
        asked.clear()
        with torch.inference_mode():
            infer._developed(identity, mosaic, 0, torch.device(kind))
        assert asked == layouts


@pytest.mark.parametrize(
    ("off", "stride", "outputs", "suits"),
    [("", 1, 8, True), ("", 2, 8, False), ("", 1, 12, False), ("is_cuda", 1, 8, False),
     ("grad", 1, 8, False), ("autocast", 1, 8, False), ("triton", 1, 8, False)],
)  # fmt: skip
def test_where_a_convolution_is_one_kernel(off, stride, outputs, suits, monkeypatch):
    """On a GPU, in halves, without gradients, with Triton: stride 1, outputs by eights."""
    monkeypatch.setattr(fused, "find_spec", lambda _: None if off == "triton" else "there")
    monkeypatch.setattr(
        torch, "is_autocast_enabled", lambda kind: kind == "cuda" and off != "autocast"
    )
    layer = torch.nn.Conv2d(8, outputs, 3, stride)
    x = SimpleNamespace(is_cuda=off != "is_cuda")
    with torch.set_grad_enabled(off == "grad"):
        assert fused.suits(layer, x) == suits
    assert fused.halved(torch.rand(1, 8, 4, 4)) is None


def test_a_gpu_that_multiplies_wrongly_is_found(monkeypatch):
    assert here.multiplied() is None or torch.cuda.is_available()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    for wrong, expected in ((lambda x: x, True), (lambda x: x.T, False)):
        monkeypatch.setattr(torch.Tensor, "cuda", wrong)
        assert here.multiplied() is expected
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    card = SimpleNamespace(name="Card", total_memory=80 * 10**9)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: card)
    assert here.gpus() == {"cuda:0": "Card, 80 GB", "cuda:1": "Card, 80 GB"}
    assert here.threads() == torch.get_num_threads()
