"""The networks that papers compare with: counts, blocks against other forms, L3's solution."""

import json
from itertools import pairwise

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra `train` is not installed")
pytest.importorskip("lightning", reason="the extra `train` is not installed")

from click.testing import CliRunner  # noqa: E402 - behind the skip
from torch.nn import functional as F  # noqa: E402, N812 - behind the skip, the usual name

from isptools.cli import main  # noqa: E402 - behind the skip
from isptools.train import networks  # noqa: E402 - behind the skip
from isptools.train.camera import parameters  # noqa: E402 - behind the skip
from isptools.train.flops import operations  # noqa: E402 - behind the skip


def on_meta(name, **options):
    with torch.device("meta"):
        return networks.built({"name": name, **options})[0]


def sid_unet_by_hand(bias):
    """Two 3 x 3 convolutions a level down and, on twice the channels, up; 1 x 1 to 12."""
    widths = (4, 32, 64, 128, 256, 512)
    down = sum(9 * i * o + o + 9 * o * o + o for i, o in pairwise(widths))
    up = sum(9 * 2 * o * o + o + 9 * o * o + o for o in widths[1:-1])
    rise = sum(4 * 2 * o * o + bias * o for o in widths[1:-1])
    return down + up + rise + 32 * 12 + 12


@pytest.mark.parametrize(
    ("name", "options", "count"),
    [
        ("sid-unet", {}, sid_unet_by_hand(bias=0)),
        ("johnson", {}, 1_679_235),  # of PyTorch's own example of the transformer net
        ("johnson", {"blocks": 4}, 1_679_235 - 2 * (9 * 128**2 + 128 + 2 * 128)),
        ("nafnet", {}, 29_159_715),
        ("l3", {}, 4 * 20 * 2 * 26 * 3),
    ],
)
def test_parameters(name, options, count):
    assert parameters(on_meta(name, **options)) == count


def test_sid_unet_has_the_count_of_its_ports_with_their_biases():
    assert sid_unet_by_hand(bias=1) == 7_760_748


@pytest.mark.parametrize(
    ("name", "printed", "close"),
    [
        # CameraNet v2, Table IV, as its authors count
        ("deepcamera", (0.467e6, 4460.35e9 / (4032 * 3024)), (5e-4 / 0.467, 2e-3)),
        # 29.16 M and 16 G multiply-accumulates at 256 x 256 are printed for width 32 on SIDD
        ("nafnet", (29.16e6, 2 * 16e9 / 256**2), (1e-4, 2e-2)),
    ],
)
def test_printed_counts_and_operations(name, printed, close):
    """A frame of 3072 x 4096 divides evenly into every network's levels."""
    camera = on_meta(name)
    counted = operations(camera, 3072, 4096)[1] / (3072 * 4096)
    assert parameters(camera) == pytest.approx(printed[0], rel=close[0])
    assert counted == pytest.approx(printed[1], rel=close[1])


def test_operations_of_the_u_net_of_sid():
    """Per pixel of the packed raw, by hand: multiply-accumulates of each level, twice."""
    widths = (4, 32, 64, 128, 256, 512)
    macs = 0.0
    for level, (i, o) in enumerate(pairwise(widths)):
        macs += 9 * (i * o + o * o) / 4**level
        if level < 4:
            macs += (9 * 3 * o * o + 2 * o * o) / 4**level  # up; rising, one place of 2 x 2 each
    macs += 32 * 12
    plain, _ = operations(on_meta("sid-unet"), 1024, 1024)
    assert plain == round(2 * macs * 512 * 512)


def test_instance_norm_is_torchs():
    """Behind each convolution of the transformer net, before the ReLU."""
    torch.manual_seed(1)
    camera, _ = networks.built({"name": "johnson", "blocks": 1, "width": 4})
    layer = camera.nets[0].down[0]
    torch.nn.init.normal_(layer.scale)
    torch.nn.init.normal_(layer.shift)
    x = torch.rand(2, 3, 12, 16)
    padded = F.pad(x, (4, 4, 4, 4), mode="reflect")
    inner = layer.convolution
    out = F.conv2d(padded, inner.weight, inner.bias)
    expected = F.instance_norm(out, weight=layer.scale, bias=layer.shift, eps=1e-5)
    from isptools.train.means import Means  # noqa: PLC0415 - beside its one use

    torch.testing.assert_close(layer(x, Means(())), expected, rtol=1e-4, atol=1e-5)


def test_a_gray_pixel_is_normalized_to_nothing():
    """Its channels do not vary: the small number beside the variance keeps the root from 0."""
    from isptools.train.networks.nafnet import LayerNorm  # noqa: PLC0415 - behind the skip

    assert not LayerNorm(4)(torch.full((1, 4, 2, 2), 0.25)).any()


def test_a_nafnet_block_by_its_equations():
    """LayerNorm, 1 x 1, depthwise 3 x 3, gate, attention, 1 x 1; LayerNorm, 1 x 1, gate, 1 x 1."""
    torch.manual_seed(2)
    from isptools.train.means import Means  # noqa: PLC0415 - beside its one use
    from isptools.train.networks.nafnet import Block  # noqa: PLC0415 - the same

    block, x = Block(4), torch.rand(1, 4, 6, 8)
    for parameter in block.parameters():
        torch.nn.init.normal_(parameter, std=0.5)

    def norm(layer, y):
        channels_last = y.permute(0, 2, 3, 1)
        out = F.layer_norm(channels_last, (4,), layer.scale, layer.shift, 1e-6)
        return out.permute(0, 3, 1, 2)

    y = F.conv2d(norm(block.norm, x), block.enter.weight, block.enter.bias)
    y = F.conv2d(y, block.depthwise.weight, block.depthwise.bias, padding=1, groups=8)
    y = y[:, :4] * y[:, 4:]
    pooled = F.adaptive_avg_pool2d(y, 1).flatten(1)
    y = y * F.linear(pooled, block.attention.weight, block.attention.bias)[..., None, None]
    x2 = x + block.beta * F.conv2d(y, block.leave.weight, block.leave.bias)
    z = F.conv2d(norm(block.norm_two, x2), block.enter_two.weight, block.enter_two.bias)
    z = F.conv2d(z[:, :4] * z[:, 4:], block.leave_two.weight, block.leave_two.bias)
    torch.testing.assert_close(block(x, Means(())), x2 + block.gamma * z, rtol=1e-4, atol=1e-4)


def l3(**options):
    camera, _ = networks.built({"name": "l3", **options})
    return camera.nets[0]


def test_l3_finds_filters_that_made_a_picture():
    """A truth that is a filter a class: the closed form gives those filters back."""
    torch.manual_seed(3)
    made, found = (l3(levels=2, side=3, ridge=1e-9) for _ in range(2))
    pictures = torch.rand(4, 1, 40, 40)
    pictures[:2] = 0.1 + 0.02 * pictures[:2]  # flat ones, dark
    pictures[1] += 0.5  # and bright
    pictures[3] *= 0.2
    found.fit((x[None], made(x[None]).detach(), None) for x in pictures)
    seen = torch.bincount(
        torch.cat([made.classes(x[None]).flatten() for x in pictures]), minlength=16
    )
    assert (seen >= 20).all(), "every class is asked"
    torch.testing.assert_close(found.weight, made.weight, rtol=1e-3, atol=1e-3)


def test_l3_does_not_ask_pixels_that_are_not_to_be_trusted():
    torch.manual_seed(4)
    x, truth = torch.rand(1, 1, 24, 24), torch.rand(1, 3, 24, 24)
    trusted = torch.rand(1, 1, 24, 24) > 0.3
    spoiled = torch.where(trusted, truth, torch.full_like(truth, 9.0))
    one, two = l3(levels=1, side=3), l3(levels=1, side=3)
    one.fit([(x, truth, trusted)])
    two.fit([(x, spoiled, trusted)])
    assert torch.equal(one.weight, two.weight)
    two.fit([(x, spoiled, None)])
    assert not torch.equal(one.weight, two.weight)


def test_l3s_classes_by_loops():
    """Place in the cell, level behind a gamma, flat or not by the pixels of the center's color."""
    random = np.random.default_rng(5)
    frame = (0.3 + 0.4 * random.random((9, 10))).astype(np.float32)
    frame[:5] = 0.3 + 0.01 * frame[:5]
    module = l3(levels=6, side=5)
    found = module.classes(torch.from_numpy(frame)[None, None])[0].numpy()
    padded = np.pad(frame, 2, mode="reflect")
    textured = 0
    for row, column in np.ndindex(frame.shape):
        window = padded[row : row + 5, column : column + 5]
        mean = window.astype(np.float64).mean()
        flat = window[::2, ::2].astype(np.float64).std() <= 0.1 * mean
        textured += not flat
        level = min(int(mean ** (1 / 2.2) * 6), 5)
        expected = (2 * (row % 2) + column % 2) * 12 + 2 * level + (not flat)
        assert found[row, column] == expected
    assert 0 < textured < frame.size


def test_a_network_without_a_closed_form_says_so(shards_folder, tmp_path):
    stages = 'stages=[{train="fit",steps=1}]'
    words = ["train", "srcnn-tiny", "--shards", shards_folder, "--out", tmp_path, "--set", stages]
    done = CliRunner().invoke(main, [str(word) for word in words])
    assert done.exit_code == 1
    assert "no closed form" in done.output


@pytest.mark.long
def test_l3_through_the_commands(shards_folder, tmp_path):
    """Solved for, not descended: scored, developed and exported; a second call changes nothing."""
    run = tmp_path / "run"
    words = ["train", "l3", "--preset", "tiny", str(shards_folder), "--out", str(run),
             "--device", "cpu", "--set", 'stages=[{train="fit",steps=8}]']  # fmt: skip
    for _ in range(2):
        done = CliRunner().invoke(main, words)
        assert done.exit_code == 0, done.output
        weights = (run / "model.safetensors").read_bytes()
    assert (run / "model.safetensors").read_bytes() == weights
    assert (run / "log.csv").read_text().count("\nfit,8,0.0,") == 1, "at no rate"
    done = CliRunner().invoke(main, ["eval", str(run), str(shards_folder)])
    assert done.exit_code == 0, done.output
    scores = dict(line.rsplit(None, 5)[:2] for line in done.stdout.splitlines()[2:5])
    assert float(scores["network"]) > float(scores["chain + auto-tone"]) + 3
    pytest.importorskip("onnxruntime", reason="the extra `onnx` is not installed")
    onnx = tmp_path / "l3.onnx"
    words = ["export", str(run), "--onnx", str(onnx), "--size", "32", "48", "--json"]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert (told["height"], told["width"]) == (32, 48)
    assert told["worst"] < 1e-3
    assert onnx.exists()


def test_what_deepisps_figures_take_away():
    """Fig. 11: the high level sees 3 channels, not 61; Fig. 7: a block makes its own picture."""
    assert parameters(on_meta("deepisp")) - parameters(on_meta("deepisp", shared=False)) == (
        58 * 64 * 9
    )
    torch.manual_seed(6)
    low = networks.built({"name": "deepisp-low", "layers": 2, "maps": 9, "skip": False})[0].nets[0]
    for convolution in low.convs:
        torch.nn.init.normal_(convolution.weight, std=0.2)
    x = torch.rand(1, 3, 12, 12)
    picture, features = low.both(x)
    first = low.convs[0](x)
    entered = torch.cat([F.relu(first[:, :-3]), torch.tanh(first[:, -3:])], 1)
    last = low.convs[1](entered)
    torch.testing.assert_close(picture, torch.tanh(last[:, -3:]))
    torch.testing.assert_close(features, F.relu(last[:, :6]))


def test_deepisps_high_level_sees_the_corrected_picture_where_nothing_is_shared():
    torch.manual_seed(7)
    net = networks.built({"name": "deepisp", "layers": 1, "maps": 8, "shared": False})[0].nets[0]
    x = torch.rand(1, 3, 64, 64)
    picture = net.low.both(x)[0]
    y = picture
    for convolution in net.high:
        y = F.max_pool2d(F.relu(convolution(y)), 2, ceil_mode=True)
    torch.testing.assert_close(net.bottom(x), y)


@pytest.mark.parametrize("name", ["srcnn", "johnson"])
def test_networks_for_finished_pictures(name):
    """DPED compares with them; the same weights, other shards."""
    raw, rgb = on_meta(name), on_meta(name, takes="rgb")
    assert (raw.intake.kind, rgb.intake.kind) == ("bayer", "rgb")
    assert parameters(raw) == parameters(rgb)
