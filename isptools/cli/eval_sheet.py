"""The picture of `isptools eval --image`: what a network makes of its best and its worst inputs."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from isptools.develop.autotone import encode_srgb
from isptools.develop.orient import upright
from isptools.frame import Space
from isptools.report.pictures import Bytes, layers, screen
from isptools.report.sheet import Captioned, sheet
from isptools.shards.read import Shards
from isptools.train import evaluate
from isptools.train.camera import Camera
from isptools.train.infer import How

if TYPE_CHECKING:
    from isptools.train.evaluate import Baseline, Score

NETWORK = "network"
Scores = dict[tuple[str, str], float]  # method, key


def chosen(found: "Sequence[Score]") -> list[tuple[str, str]]:
    """Key and rank of the inputs that are shown: best, middle and worst by the first column."""
    ranked = sorted((one for one in found if one.method == NETWORK),
                    key=lambda one: (-one.values[0], one.key))  # fmt: skip
    places = {0: "best", len(ranked) // 2: "middle", len(ranked) - 1: "worst"}
    if len(ranked) < 3:
        places = {0: "best", len(ranked) - 1: "worst"} if len(ranked) == 2 else {0: "only"}
    return [(ranked[i].key, f"{name} of {len(ranked)}") for i, name in sorted(places.items())]


def picture(
    network: Camera, source: Shards, found: "Sequence[Score]", others: "dict[str, Baseline]",
    how: How, undone: bool,
) -> Bytes:  # fmt: skip
    """A row an input: itself, the network, what needs no training, and the truth, with scores."""
    column = evaluate.of(source).columns[0].replace("_", " ")
    scores = {(one.method, one.key): one.values[0] for one in found}
    places = {source.facts(i).key: i for i in range(len(source))}
    rows = []
    for key, rank in chosen(found):
        i = places[key]
        drawn = Drawn(source, i)
        name, made = evaluate.developed(network, source, i, how, undone)
        cells = [drawn.input(rank), drawn.scored(NETWORK, made, name, scores, column)]
        if name == "enhancement" or evaluate.station(source) == Space.CAMERA:
            cells += drawn.beside(others, scores, column)
        rows.append([*cells, Captioned(drawn.layers[name], ("truth",))])
    return sheet([cell for row in rows for cell in row], max(map(len, rows)))


class Drawn:
    """One input's pictures, upright."""

    def __init__(self, source: Shards, i: int) -> None:
        self.source, self.i, self.facts = source, i, source.facts(i)
        stored = source.tables[0].pictures
        self.space = stored["restoration"].space if "restoration" in stored else ""
        found = layers(source[i], self.space)
        self.layers = {name: upright(each, self.facts.flip) for name, each in found.items()}

    def input(self, rank: str) -> Captioned:
        ratio = self.facts.ratio or 1
        times = f", times {ratio:.4g}" if ratio != 1 else ""
        return Captioned(self.layers["input"], (f"input{times}", f"{self.facts.key}, {rank}"))

    def scored(self, method: str, made: Any, name: str, scores: Scores, column: str) -> Captioned:
        shown = upright(self._shown(made, name), self.facts.flip)
        value = scores.get((method, self.facts.key), np.nan)
        return Captioned(shown, (method, f"{column} {value:.2f} dB"))

    def beside(
        self, others: "dict[str, Baseline]", scores: Scores, column: str
    ) -> Iterator[Captioned]:
        raw, capture = self.source.raw(self.i), self.source.capture(self.i)
        for method, render in others.items():
            made = render(raw, capture, self.facts)
            if made is None:  # a camera's picture that does not lie on the sensor
                none = np.full_like(self.layers["input"], 128)
                yield Captioned(none, (method, "none"))
            else:
                made = made / np.float32(65535)
                name = "restoration" if self.space == Space.CAMERA else "enhancement"
                yield self.scored(method, made, name, scores, column)

    def _shown(self, made: Any, name: str) -> Bytes:
        if name == "enhancement":
            return np.asarray(np.rint(np.clip(made, 0, 1) * 255), np.uint8)
        if self.space == Space.XYZ:
            linear = np.ascontiguousarray(made, np.float32)
            return np.asarray(encode_srgb(linear) >> 8, np.uint8)
        return screen(np.asarray(made, np.float32))
