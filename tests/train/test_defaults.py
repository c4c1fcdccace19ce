"""What stands where nothing is said, and where numbers end: as docs/train.md and the papers say."""

import msgspec
import pytest

torch = pytest.importorskip("torch", reason="the extra `train` is not installed")
pytest.importorskip("lightning", reason="the extra `train` is not installed")

from isptools.train import networks, objectives  # noqa: E402 - behind the skip
from isptools.train.patches import Form  # noqa: E402 - behind the skip
from isptools.train.settings import Settings, Stage  # noqa: E402 - behind the skip

L1 = {"share": 0.5, "joint": "paper", "eps": 1e-3, "logs": "paper", "perceptual": 0.0, "vgg": "",
      "color": 0.0, "variation": 0.0}  # fmt: skip
STAGE = {"train": "whole", "steps": 1}
WORDS = {"title": "t", "network": {"name": "srcnn"}, "stages": [STAGE]}
SETTINGS = {
    "objective": {"loss": "l1-log", **L1}, "patch": 1024, "batch": 1, "accumulate": 1,
    "augment": "turns", "adam": {"betas": [0.9, 0.99], "eps": 1e-8}, "recipes": [],
    "shading": "undone", "masks": True, "confidence": {"noise": 0.0, "shift": 0.0, "fused": False},
    "aligned": 0, "validation": 0.05, "seed": 0, "ema": 0.0, "precision": "auto",
    "channels_last": "auto", "compile": "auto", "deterministic": False, "save_every": 1000,
    "log_every": 100,
}  # fmt: skip
UNET = {"pooled": "scale-shift", "widths": [32, 64, 128, 256, 512]}
OPTIONS = {
    "cameranet": {"noise": True, "display": "paper", **UNET},
    "cameranet-v1": UNET,
    "cameranet-xtrans": {"noise": True, "display": "paper", **UNET},
    "cameranet-one-stage": {"noise": True, **UNET},
    "cameranet-three-stage": {"noise": True, "display": "paper", **UNET},
    "srgan-can": {"noise": True, "blocks": 10, "width": 64, "display": "paper"},
    "srgan-can-one-stage": {"noise": True, "blocks": 10, "width": 64},
    "deepisp": {"layers": 15, "maps": 64, "shared": True},
    "deepisp-low": {"layers": 20, "maps": 64, "skip": True},
    "srcnn": {"middle": 5, "start": "gaussian", "takes": "raw"},
    "compression-aware": {"widths": UNET["widths"], "reduction": 16, "start": "torch"},
    "dped": {"width": 64, "blocks": 4, "start": "glorot"},
    "johnson": {"blocks": 5, "width": 32, "takes": "raw"},
    "deepcamera": {"widths": [56, 56, 40], "depths": [4, 8, 8]},
    "l3": {"levels": 20, "side": 5, "ridge": 0.01},
    "nafnet": {"width": 32, "down": [2, 2, 4, 8], "middle": 12, "up": [2, 2, 2, 2]},
    "sid-unet": {"widths": UNET["widths"]},
}
OBJECTIVES = {
    "l1-log": L1,
    "lab": L1 | {"alpha": 0.5, "divisor": 1.0},
    "l2": {"share": 0.5, "joint": "paper"},
    "compressed": {
        "isp": 0.1, "compressed": 1.0, "frozen": True, "quality": 90, "subsampling": "4:2:0",
        "simulator": {"kind": "cas", "widths": UNET["widths"], "residual": True, "grid": False},
    },
    "dped": {"form": "paper", "color": 1.0, "texture": 1.0, "content": 0.0, "variation": 100.0,
             "mse": 0.0, "layer": "relu5_2", "vgg": "", "judge": 1.0},
}  # fmt: skip


def as_written(record):
    return msgspec.json.decode(msgspec.json.encode(record))


def test_settings_where_nothing_is_said():
    made = as_written(Settings.of(WORDS))
    assert made.pop("stages") == [
        {"train": "whole", "epochs": 0, "steps": 1, "rate": 1e-4, "decay": "step", "batch": 0}
    ]
    assert {name: made[name] for name in SETTINGS} == SETTINGS
    assert set(made) == {"title", "network", *SETTINGS}


@pytest.mark.parametrize("name", networks.NAMES)
def test_options_where_nothing_is_said(name):
    assert as_written(networks.opened(name).options()) == OPTIONS[name]


@pytest.mark.parametrize("loss", OBJECTIVES)
def test_objectives_where_nothing_is_said(loss):
    said = {"loss": loss} | ({"content": 0.0} if loss == "dped" else {})
    stages = [{"train": "simulator", "steps": 1}, STAGE] if loss == "compressed" else [STAGE]
    made = Settings.of(WORDS | {"objective": said, "stages": stages}).objective
    assert as_written(made) == {"loss": loss, **OBJECTIVES[loss]}


def test_simulators_and_cuts_where_nothing_is_said():
    assert objectives.Enhanced(vgg="x").content == 0.1
    assert (objectives.Acn().width, objectives.Acn().blocks) == (256, 4)
    assert Form() == Form(
        size=256, truths=("enhancement",), packing="packed", noise=False, ratio=True, clip=True,
        phase="RGGB", augment="turns", undone=True,
    )  # fmt: skip


LIMITS = [  # word, what is taken, what is not
    ("patch", [1], [0, -1]), ("batch", [1], [0]), ("accumulate", [1], [0]), ("aligned", [0], [-1]),
    ("validation", [0, 1], [-0.01, 1.01]), ("seed", [0], [-1]), ("ema", [0, 1], [-0.1, 1.1]),
    ("save_every", [1], [0]), ("log_every", [1], [0]), ("adam.eps", [1e-9], [0, -1e-9]),
    ("adam.betas", [[0, 1]], [[0, 1.1], [-0.1, 0], [0.5]]),
    ("confidence.noise", [0, 30], [-1]), ("confidence.shift", [0, 0.1], [-0.1]),
    ("objective.share", [0, 1], [-0.1, 1.1]), ("objective.eps", [1e-9], [0]),
    ("objective.color", [0, 7], [-1]), ("objective.variation", [0], [-1]),
]  # fmt: skip


@pytest.mark.parametrize(("word", "good", "bad"), LIMITS, ids=lambda one: str(one)[:20])
def test_where_numbers_end(word, good, bad):
    table, _, last = word.rpartition(".")

    def made(value):
        own = {last: value} | ({"loss": "l1-log"} if table == "objective" else {})
        return Settings.of(WORDS | ({table: own} if table else own))

    for value in good:
        made(value)
    for value in bad:
        with pytest.raises(ValueError, match=last):
            made(value)


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("cameranet", {"widths": [[1], [2] * 5]}, {"widths": [[], [2] * 6, [0]]}),
        ("deepisp", {"layers": [1], "maps": [4]}, {"layers": [0], "maps": [3]}),
        ("deepisp-low", {"layers": [1], "maps": [4]}, {"layers": [0], "maps": [3]}),
        ("srgan-can", {"blocks": [1], "width": [1]}, {"blocks": [0], "width": [0]}),
        ("srgan-can-one-stage", {"blocks": [1], "width": [1]}, {"blocks": [0], "width": [0]}),
        ("srcnn", {"middle": [1, 3, 5]}, {"middle": [0, 2, 7]}),
        ("compression-aware", {"widths": [[1, 1], [2] * 6], "reduction": [1]},
         {"widths": [[1], [2] * 7, [0, 1]], "reduction": [0]}),
        ("dped", {"blocks": [1], "width": [1]}, {"blocks": [0], "width": [0]}),
        ("johnson", {"blocks": [0], "width": [1]}, {"blocks": [-1], "width": [0]}),
        ("deepcamera", {"widths": [[1, 1, 1]], "depths": [[1, 1, 1]]},
         {"widths": [[1, 1], [1] * 4, [0, 1, 1]], "depths": [[1, 1], [1] * 4]}),
        ("l3", {"levels": [1], "side": [3, 5, 7, 9], "ridge": [0]},
         {"levels": [0], "side": [2, 4, 11], "ridge": [-0.1]}),
        ("nafnet", {"width": [2], "middle": [1]}, {"width": [0, 3], "middle": [0], "down": [[0]]}),
    ],
)  # fmt: skip
def test_where_options_end(name, good, bad):
    options = networks.opened(name).options
    for word, values in good.items():
        for value in values:
            msgspec.convert({word: value}, options)
    for word, values in bad.items():
        for value in values:
            with pytest.raises(msgspec.ValidationError):
                msgspec.convert({word: value}, options)
    if name == "nafnet":
        assert options(down=(1, 1), up=(2, 3)).up == (2, 3)
        with pytest.raises(ValueError, match="as many levels"):
            options(down=(1, 1), up=(1,))


@pytest.mark.parametrize(
    ("words", "good", "bad"),
    [({"loss": "compressed"}, {"quality": [1, 100], "isp": [0], "compressed": [0]},
      {"quality": [0, 101], "isp": [-1], "compressed": [-1]}),
     ({"loss": "lab"}, {"alpha": [0, 1], "divisor": [1]}, {"alpha": [1.1, -0.1], "divisor": [0]}),
     ({"loss": "dped", "content": 0}, {"texture": [0]}, {"texture": [-1], "mse": [-1]})],
)  # fmt: skip
def test_where_objectives_end(words, good, bad):
    for word, values in good.items():
        for value in values:
            msgspec.convert(words | {word: value}, objectives.Objective)
    for word, values in bad.items():
        for value in values:
            with pytest.raises(msgspec.ValidationError):
                msgspec.convert(words | {word: value}, objectives.Objective)


def test_steps_of_a_stage():
    """In epochs as many as all inputs fill; the rate falls behind three quarters."""
    assert Stage("whole", epochs=3).length(10, 4) == 8
    assert Stage("whole", epochs=2).length(6, 4) == 3
    assert Stage("whole", steps=5).length(10, 4) == 5
    steady = Stage("whole", steps=4, rate=0.5, decay="none")
    assert [steady.rate_at(step, 4) for step in range(4)] == [0.5] * 4
    smooth = Stage("whole", steps=4, rate=0.5, decay="exponential")
    assert [smooth.rate_at(step, 4) for step in (0, 3)] == pytest.approx([0.5, 0.05])
    for words in ({}, {"epochs": 1, "steps": 1}):
        with pytest.raises(ValueError, match="either epochs or steps"):
            Stage("whole", **words)
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"train": "whole", "steps": -1}, Stage)
