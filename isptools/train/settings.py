"""One paper experiment in one strict TOML; everything that decides the weights, nothing else."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

import msgspec

from isptools.train.models import MODELS, Options

Above = Annotated[float, msgspec.Meta(gt=0)]
Count = Annotated[int, msgspec.Meta(ge=0)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
AFTER = 0.75  # of a stage the papers' rate falls to a tenth


class Stage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One part of a training: which networks, against which truth, for how long, how fast."""

    train: Literal["restore", "enhance", "joint", "whole"]
    epochs: Count = 0  # over the inputs of the training split; or
    steps: Count = 0
    rate: Above = 1e-4
    decay: Literal["step", "exponential", "none"] = "step"

    def __post_init__(self) -> None:
        if bool(self.epochs) == bool(self.steps):
            raise ValueError("a stage has either epochs or steps")

    def length(self, inputs: int, batch: int) -> int:
        """Steps, when so many inputs stand in the split and so many items in a step."""
        return self.steps or -(-self.epochs * inputs // batch)

    def rate_at(self, step: int, length: int) -> float:
        """A tenth from 3/4 on ("step", papers), or 0.1^(step / 3/4 length) (code)."""
        if self.decay == "exponential":
            return float(self.rate * 0.1 ** (step / (AFTER * length)))
        late = self.decay == "step" and step >= AFTER * length
        return self.rate * (0.1 if late else 1.0)


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where paper and public code differ, the default is the paper's choice (docs/train.md)."""

    title: str
    network: str
    stages: tuple[Stage, ...]
    patch: Annotated[int, msgspec.Meta(gt=0)] = 1024  # pixels of the mosaic
    batch: Annotated[int, msgspec.Meta(gt=0)] = 1  # a process and micro-step
    accumulate: Annotated[int, msgspec.Meta(gt=0)] = 1  # micro-steps a step
    betas: tuple[Share, Share] = (0.9, 0.99)
    adam_eps: Above = 1e-8
    share: Share = 0.5  # lambda of the joint loss
    joint: Literal["paper", "code"] = "paper"  # code: both enhancements, no restoration term
    eps: Above = 1e-3  # of the logarithms; the papers print none
    logs: Literal["paper", "code"] = "paper"
    alpha: Share = 0.5  # DeepISP's share of MS-SSIM; its paper prints none
    loss: Literal["l1-log", "l2", "lab"] = "l1-log"  # of networks with one truth: see losses
    perceptual: Annotated[float, msgspec.Meta(ge=0)] = 0.0  # weight; needs `vgg`
    vgg: str = ""
    color: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    variation: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    masks: bool = True  # pixels of fused truths that are not to be trusted stay out of the loss
    noise: bool = True
    pooled: Literal["scale-shift", "scale", "none"] = "scale-shift"
    display: Literal["paper", "code"] = "paper"
    widths: tuple[Annotated[int, msgspec.Meta(gt=0)], ...] = (32, 64, 128, 256, 512)
    layers: Count = 0
    seed: Count = 0
    ema: Share = 0.0  # decay of the mean of weights; 0 for none
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    channels_last: bool = False
    compile: bool = False
    save_every: Annotated[int, msgspec.Meta(gt=0)] = 1000  # steps
    log_every: Annotated[int, msgspec.Meta(gt=0)] = 100

    def __post_init__(self) -> None:
        if self.network not in MODELS:
            raise ValueError(f"no network {self.network!r}; there are {', '.join(MODELS)}")
        if not self.stages or len({stage.train for stage in self.stages}) < len(self.stages):
            raise ValueError("stages: at least one, and none twice")
        if self.perceptual and not self.vgg:
            raise ValueError("perceptual needs `vgg`, the path of torchvision's vgg19 weights")

    def options(self) -> Options:
        return Options(self.noise, self.pooled, self.display, self.widths, self.layers)

    @classmethod
    def load(cls, path: Path, changes: dict[str, Any] | None = None) -> Self:
        """Read a TOML, some keys replaced; ValueError in one line if it is wrong."""
        try:
            values = msgspec.toml.decode(path.read_bytes())
            return msgspec.convert(values | (changes or {}), cls)
        except FileNotFoundError:
            raise ValueError(f"{path}: there is no such file of settings") from None
        except msgspec.DecodeError as error:
            raise ValueError(f"{path}: {error}") from None

    @classmethod
    def of_json(cls, text: str) -> Self:
        """The settings a checkpoint holds."""
        return msgspec.json.decode(text, type=cls)

    def to_json(self) -> str:
        return msgspec.json.encode(self, order="deterministic").decode()
