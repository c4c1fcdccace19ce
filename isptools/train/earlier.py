"""Settings as they were written before networks and objectives had tables of their own."""

from typing import Any

from isptools.train import networks

# where each word stands now
MOVED = {
    **{word: f"network.{word}" for word in ("noise", "pooled", "display", "widths", "layers")},
    **{
        word: f"objective.{word}"
        for word in ("loss", "share", "joint", "eps", "logs", "alpha", "perceptual", "vgg",
                     "color", "variation")
    },
    "betas": "adam.betas",
    "adam_eps": "adam.eps",
}  # fmt: skip
OBJECTIVES = {
    "l1-log": {"share", "joint", "eps", "logs", "perceptual", "vgg", "color", "variation"},
    "l2": {"share", "joint"},
}
OBJECTIVES["lab"] = OBJECTIVES["l1-log"] | {"alpha"}


def expect_none(words: dict[str, Any]) -> None:
    """ValueError that says what to write instead of words that moved."""
    moved = [f"{MOVED[word]} for {word}" for word in words if word in MOVED]
    if moved:
        raise ValueError(f"words have moved, write {', '.join(moved)}")


def converted(words: dict[str, Any]) -> dict[str, Any]:
    """The settings of an earlier checkpoint in today's notation; today's are left as they are.

    They held every word there was; what did nothing for their network or loss is dropped.
    """
    if not isinstance(words.get("network"), str):
        return words | {"objective": _divided(words.get("objective", {}))}
    out: dict[str, Any] = {name: value for name, value in words.items() if name not in MOVED}
    adam = {"betas": words["betas"], "eps": words["adam_eps"]}
    loss = words["loss"]
    objective = {"loss": loss} | {name: words[name] for name in sorted(OBJECTIVES[loss])}
    objective = _divided(objective)
    options = networks.opened(words["network"]).options.__struct_fields__
    known = [name for name in options if name in words]  # there may be more options today
    chosen = {name: words[name] for name in known if words[name] != 0 or name != "layers"}
    return out | {
        "network": {"name": words["network"], **chosen}, "objective": objective, "adam": adam,
    }  # fmt: skip


def _divided(objective: dict[str, Any]) -> dict[str, Any]:
    """Lab was always divided by 100 before there was a word for it."""
    return {"divisor": 100.0, **objective} if objective.get("loss") == "lab" else objective
