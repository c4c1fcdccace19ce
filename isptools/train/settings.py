"""One paper experiment in one strict TOML; everything that decides the weights, nothing else."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

import msgspec

from isptools.train import earlier
from isptools.train.confidence import Confidence
from isptools.train.objectives import Above, Compressed, Djs, L1Log, Objective, Share
from isptools.train.stages import Train

Count = Annotated[int, msgspec.Meta(ge=0)]
Positive = Annotated[int, msgspec.Meta(gt=0)]
AFTER = 0.75  # of a stage the papers' rate falls to a tenth


class Stage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One part of a training: which networks, against which truth, for how long, how fast."""

    train: Train
    epochs: Count = 0  # over the inputs of the training split; or
    steps: Count = 0
    rate: Above = 1e-4
    decay: Literal["step", "exponential", "none"] = "step"
    batch: Count = 0  # of this stage; 0: as the settings say

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


class Adam(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The optimizer's numbers."""

    betas: tuple[Share, Share] = (0.9, 0.99)
    eps: Above = 1e-8


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where paper and public code differ, the default is the paper's choice (docs/train.md)."""

    title: str
    network: dict[str, Any]  # its `name`, and what its own Options may say
    stages: tuple[Stage, ...]
    objective: Objective = L1Log()
    patch: Positive = 1024  # pixels of the mosaic
    batch: Positive = 1  # a process and micro-step
    accumulate: Positive = 1  # micro-steps a step
    augment: Literal["turns", "flips", "mirror", "none"] = "turns"  # 8, 4, 2 or 1 symmetries
    adam: Adam = Adam()
    recipes: tuple[str, ...] = ()  # names of those whose shards it is for; () takes any
    # "undone": inputs come on the side of their truths; "kept": shards must keep shading in both;
    # "as-stored": the sensor's numbers, whatever the truths are
    shading: Literal["undone", "kept", "as-stored"] = "undone"
    masks: bool = True  # pixels of fused truths that are not to be trusted stay out of the loss
    confidence: Confidence = Confidence()  # how much pairs and pixels count
    aligned: Count = 0  # pixels that a truth may be moved to where it differs least
    validation: Share = 0.05  # of training scenes, held out where shards have no split for it
    seed: Count = 0
    ema: Share = 0.0  # decay of the mean of weights; 0 for none
    precision: Literal["auto", "fp32", "tf32", "bf16", "fp16"] = "auto"
    channels_last: bool | Literal["auto"] = "auto"
    compile: bool | Literal["auto"] = "auto"
    deterministic: bool = False  # on a GPU too the same bits every time
    save_every: Positive = 1000  # steps
    log_every: Positive = 100

    def __post_init__(self) -> None:
        if type(self.network.get("name")) is not str:
            raise ValueError('network: give its name, as name = "cameranet"')
        if not self.stages or len({stage.train for stage in self.stages}) < len(self.stages):
            raise ValueError("stages: at least one, and none twice")
        _expect_simulator([stage.train for stage in self.stages], self.objective)

    @classmethod
    def of(cls, words: dict[str, Any]) -> Self:
        """From decoded words, where `network` may be a name alone. ValueError in one line."""
        made = cls._made(words)
        _expect_taught(made)  # not of a single stage, as it is tried for a look
        return made

    @classmethod
    def _made(cls, words: dict[str, Any]) -> Self:
        earlier.expect_none(words)
        try:
            return msgspec.convert(_with_table(words), cls)
        except msgspec.ValidationError as error:
            raise ValueError(str(error)) from None

    @classmethod
    def load(cls, path: Path, changes: dict[str, Any] | None = None) -> Self:
        """From a TOML, some words replaced; ValueError in one line if it is wrong."""
        words = replaced_words(settings_words(path), changes or {})
        try:
            return cls.of(words)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None

    @classmethod
    def of_json(cls, text: str) -> Self:
        """What a checkpoint holds, in this notation or the earlier one."""
        return cls._made(earlier.converted(msgspec.json.decode(text, type=dict[str, Any])))

    def to_json(self) -> str:
        """All words with sorted keys."""
        return msgspec.json.encode(self, order="deterministic").decode()


def _expect_simulator(stages: list[str], objective: Objective) -> None:
    """ValueError for stages that do nothing without what learns or computes a codec's artifacts."""
    if not isinstance(objective, Compressed):
        if {"simulator", "compressed"} & {*stages}:
            raise ValueError('stages: simulator and compressed need objective.loss = "compressed"')
        return
    if {"restore", "enhance", "joint"} & {*stages}:
        raise ValueError('stages: objective.loss = "compressed" has simulator, whole, compressed')
    computed = isinstance(objective.simulator, Djs)
    if computed and "simulator" in stages:
        raise ValueError("stages: djs learns nothing; leave the stage simulator out")


def _expect_taught(settings: Settings) -> None:
    """ValueError where a simulator would be trained through that nothing has taught."""
    objective, stages = settings.objective, [stage.train for stage in settings.stages]
    if not isinstance(objective, Compressed) or isinstance(objective.simulator, Djs):
        return
    through = "compressed" in stages and objective.compressed
    if through and "simulator" not in stages[: stages.index("compressed")]:
        raise ValueError("stages: compressed needs a stage simulator before it, which teaches it")


def settings_words(path: Path) -> dict[str, Any]:
    """The words of a TOML as they stand there, `network` as a table where it is given.

    ValueError in one line.
    """
    try:
        return _with_table(msgspec.toml.decode(path.read_bytes()))
    except FileNotFoundError:
        raise ValueError(f"{path}: there is no such file of settings") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"{path}: {error}") from None


def replaced_words(words: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """The words with some replaced; of a table only those that are named."""
    out = dict(words)
    for name, value in _with_table(changes).items():
        before = out.get(name)
        both = isinstance(before, dict) and isinstance(value, dict)
        out[name] = before | value if both else value
    return out


def _with_table(words: dict[str, Any]) -> dict[str, Any]:
    name = words.get("network")
    return words | {"network": {"name": name}} if isinstance(name, str) else words
