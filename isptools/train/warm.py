"""Weights that another run trained, taken part by part."""

from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

from isptools.train.camera import Camera
from isptools.train.checkpoint import SUFFIX, TrainError, load, standing

SHOWN = 3  # names in a line


def weights_of(source: Path) -> dict[str, Tensor]:
    """The weights of a run's folder or of a file of weights. TrainError in one line."""
    file = standing(source / f"model{SUFFIX}") if source.is_dir() else source
    if source.is_dir() and not file.exists():
        there = sorted(path.name for path in source.glob(f"*{SUFFIX}"))
        hint = f"; there are {', '.join(there)}: name one of them" if there else ""
        raise TrainError(f"{source}: holds no finished run{hint}")
    state = load(file)
    if not state.get("model"):
        raise TrainError(f"{file}: holds no weights")
    weights: dict[str, Tensor] = state["model"]
    return weights


def take(camera: Camera, source: Path, parts: Sequence[int] = ()) -> list[str]:
    """Put `source`'s weights into the parts that have them, all if none is named.

    Gives what was taken and what was not, a line a part. TrainError in one line where a tensor of
    the same name has another shape, or nothing fits.
    """
    theirs, own = weights_of(source), camera.state_dict()
    asked = parts or range(len(camera.nets))
    _expect_shapes(source, own, theirs, asked)
    told: list[str] = []
    taken: dict[str, Tensor] = {}
    for at in asked:
        both = {name: theirs[name] for name in _of(own, at) if name in theirs}
        taken |= both
        told.append(f"part {at}: {_said(_of(own, at), both, source)}")
    left = [name for name in theirs if name not in taken]
    if left:
        told.append(f"{source}: not taken: {_listed(left)}")
    if not taken:
        raise TrainError(f"{source}: its weights have none of this network's names")
    camera.load_state_dict(own | taken)
    return told


def _of(weights: dict[str, Tensor], part: int) -> list[str]:
    return [name for name in weights if name.startswith(f"nets.{part}.")]


def _expect_shapes(
    source: Path, own: dict[str, Tensor], theirs: dict[str, Tensor], parts: Sequence[int]
) -> None:
    names = [name for at in parts for name in _of(own, at) if name in theirs]
    odd = [name for name in names if own[name].shape != theirs[name].shape]
    if odd:
        first = odd[0]
        raise TrainError(
            f"{source}: other shapes than this network's: {_listed(odd)}; {first} is "
            f"{tuple(theirs[first].shape)} there, {tuple(own[first].shape)} here; --parts takes "
            "only the parts that it names"
        )


def _said(own: Sequence[str], taken: dict[str, Tensor], source: Path) -> str:
    if not taken:
        return f"begins fresh, {source} has none of it"
    if len(taken) == len(own):
        return f"all {len(own)} tensors of {source}"
    fresh = [name for name in own if name not in taken]
    return f"{len(taken)} of {len(own)} tensors of {source}; fresh: {_listed(fresh)}"


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def numbered(camera: Camera, words: str) -> tuple[int, ...]:
    """Parts as a user names them: numbers from 0, "restore", "enhance". ValueError in one line."""
    count = len(camera.nets)
    known: dict[str, tuple[int, ...]] = {str(at): (at,) for at in range(count)}
    if 0 <= camera.restored < count - 1:
        known["restore"] = tuple(range(camera.restored + 1))
        known["enhance"] = tuple(range(camera.restored + 1, count))
    out: list[int] = []
    for word in filter(None, (one.strip() for one in words.split(","))):
        if word not in known:
            raise ValueError(f"--parts {word}: this network has {', '.join(known)}")
        out += known[word]
    return tuple(dict.fromkeys(out))
