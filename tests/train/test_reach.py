"""What must be known of each part to run it in tiles, by hand for the published forms."""

import pytest

torch = pytest.importorskip("torch", reason="the extra `train` is not installed")
pytest.importorskip("lightning", reason="the extra `train` is not installed")

from isptools.train import networks  # noqa: E402 - behind the skip
from isptools.train.camera import least  # noqa: E402 - behind the skip
from isptools.train.infer import frame_unit  # noqa: E402 - behind the skip

# Of a U-Net: 3 x 3 convolutions of a level down and up, dilated or not, at 2^level pixels, and a
# pixel for what pools or rises. Restore-Net: three down, three up; at the bottom three
RESTORE = 6 * (1 + 2 + 4 + 8) + 3 * 16 + 31
# entry and first dilated by 1, 2, 2, 4, the other by 1 on the way up, by as much on the way down
ENHANCE = (3 + 3) + 2 * (5 + 4) + 4 * (5 + 4) + 8 * (9 + 6) + 16 * (1 + 8 + 1) + 31
FACTS = {  # factor, stride, reach, least side and means over the frame, a part each
    "cameranet": [(2, 16, RESTORE, 17, 1), (2, 16, ENHANCE, 129, 1)],
    "cameranet-v1": [(2, 16, RESTORE, 17, 1), (2, 16, ENHANCE, 129, 1)],
    "cameranet-xtrans": [(3, 16, RESTORE, 17, 1), (2, 16, ENHANCE, 129, 1)],
    "cameranet-one-stage": [(2, 16, 12 * 15 + 6 * 16 + 31, 17, 1)],
    "cameranet-three-stage": [
        (2, 16, 4 * 15 + 2 * 16 + 31, 17, 1), (2, 16, 4 * 15 + 2 * 16 + 31, 17, 1),
        (2, 16, (2 + 2) + 2 * (3 + 3) + 4 * (3 + 3) + 8 * (5 + 5) + 16 * 9 + 31, 129, 1),
    ],
    # 9 x 9, blocks of two, 3 x 3 twice, 9 x 9; dilations of CAN
    "srgan-can": [(2, 1, 4 + 20 + 1 + 1 + 4, 1, 0), (1, 1, 1 + 2 + 4 + 8 + 16 + 32 + 64 + 1, 1, 0)],
    "srgan-can-one-stage": [(2, 1, 30, 1, 0), (1, 1, 128, 1, 0)],
    # blocks; convolutions of stride 2 and maxima of 2 x 2, at 1, 4 and 16 pixels; a cell of 64
    "deepisp": [(1, 64, 15 + 1 + 4 + 16 + 64, 32, 1)],
    "deepisp-low": [(1, 1, 20, 2, 0)],
    "srcnn": [(1, 1, 4 + 2 + 2, 1, 0)],
    # three convolutions down, three up, two of doubling and one of pooling at each of four levels
    "compression-aware": [(1, 16, 9 * 15 + 3 * 16 + 1, 17, 4)],
    "dped": [(1, 1, 4 + 8 + 2 + 4, 1, 8)],
    # down at one and two pixels, ten of blocks at four, up at four and two
    "johnson": [(1, 4, 4 + 1 + 2 + 40 + 4 + 2 + 4, 5, 15)],
    # eight convolutions and one before them at four pixels, one for what enlarges; the last one
    "deepcamera": [(1, 4, 4 * (8 + 1 + 1) + 1, 1, 0)],
    "l3": [(1, 2, 2, 3, 0)],
    # blocks a level down and up and one pixel more; the two outer convolutions
    "nafnet": [(1, 16, 2 + 5 + 2 * 5 + 4 * 7 + 8 * 11 + 16 * 13, 1, 36)],
    "sid-unet": [(2, 16, 5 * 15 + 3 * 16, 1, 0)],
}  # fmt: skip
# the least frame in pixels of the mosaic, and what its padded sides are multiples of
FRAMES = {"cameranet": (258, 32), "cameranet-xtrans": (258, 96), "deepisp": (32, 64),
          "deepisp-low": (2, 2), "johnson": (5, 4), "l3": (3, 2), "dped": (2, 1)}  # fmt: skip


def on_meta(name, **options):
    with torch.device("meta"):
        return networks.built({"name": name, **options})[0]


@pytest.mark.parametrize("name", networks.NAMES)
def test_how_far_each_part_sees(name):
    camera = on_meta(name)
    found = [
        (part.factor, part.stride, part.reach, part.least, len(part.bottoms) + bool(part.bottom))
        for part in camera.parts
    ]
    assert found == FACTS[name]
    if name in FRAMES:
        assert (least(camera), frame_unit(camera)) == FRAMES[name]


@pytest.mark.parametrize(
    ("name", "options", "facts"),
    [
        ("srcnn", {"middle": 1}, (1, 6, 1)), ("srcnn", {"middle": 3}, (1, 7, 1)),
        ("l3", {"side": 9}, (2, 4, 5)), ("l3", {"side": 7}, (2, 3, 4)),
        ("deepisp-low", {"layers": 3}, (1, 3, 2)), ("johnson", {"blocks": 0}, (4, 17, 5)),
        ("nafnet", {"down": [1, 3], "middle": 2, "up": [5, 7]}, (4, 2 + 9 + 2 * 9 + 4 * 3, 1)),
        ("cameranet-one-stage", {"widths": [4]}, (1, 6 + 1, 2)),
        ("sid-unet", {"widths": [4]}, (1, 3, 1)), ("sid-unet", {"widths": [4, 4]}, (2, 5 + 6, 1)),
        ("compression-aware", {"widths": [2, 3]}, (2, 9 + 3 * 2 + 1, 3)),
        ("deepcamera", {"depths": [50, 2, 3]}, (4, 52, 1)),
        ("deepcamera", {"depths": [1, 9, 2]}, (4, 2 * 11 + 1, 1)),
    ],
)  # fmt: skip
def test_how_far_smaller_forms_see(name, options, facts):
    (part,) = on_meta(name, **options).parts
    assert (part.stride, part.reach, part.least) == facts


def test_the_enhance_net_of_fewer_levels_keeps_its_dilations():
    camera = on_meta("cameranet", widths=[4, 6, 8])
    first, second = camera.parts
    assert first.reach == 6 + 2 * 6 + 4 * 3 + 7
    assert second.reach == 6 + 2 * (5 + 4) + 4 * (1 + 2 + 1) + 7, "dilated by 1, 2, 2"
    assert (first.least, second.least) == (5, 9)


@pytest.mark.parametrize(
    ("name", "words"),
    [("cameranet", ("restoration", "enhancement")), ("srgan-can", ("restoration", "enhancement")),
     ("cameranet-three-stage", ("", "restoration", "enhancement")),
     ("srgan-can-one-stage", ("", "enhancement")), ("deepisp-low", ("restoration",)),
     ("deepisp", ("enhancement",))],
)  # fmt: skip
def test_which_picture_stands_behind_which_part(name, words):
    camera = on_meta(name)
    found = [camera.pictures(at) for at in range(len(camera.parts))]
    assert found == [[word] if word else [] for word in words]
