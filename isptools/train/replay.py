"""A training step recorded once as a CUDA graph and replayed: no Python between its kernels."""

from collections.abc import Callable

import torch
from torch import Tensor

from isptools.train.intake import Batch

WARM = 3  # steps before the recording, in which kernels are compiled, tried and chosen


class Replay:
    """Calls `step`, a training step of batches of one shape, and replays it from the fourth on.

    The first steps are steps as any other, and so is the one behind the recording: it counts none
    twice. Where a recording does not fit into memory beside them, steps go on as they began.
    """

    def __init__(self, step: Callable[[list[Batch]], Tensor]) -> None:
        self.step, self.stream, self.seen = step, torch.cuda.Stream(), 0  # type: ignore[no-untyped-call] # torch's
        self.graph: torch.cuda.CUDAGraph | None = None
        self.micros: list[Batch] = []
        self.loss = torch.zeros(())

    def __call__(self, micros: list[Batch]) -> Tensor:
        if self.seen == WARM:
            self._record(micros)
        self.seen += 1
        if self.graph is None:
            return self._beside(micros)
        for own, given in zip(self.micros, micros, strict=True):
            for name, x in given.items():
                own[name].copy_(x)
        self.graph.replay()
        return self.loss.clone()

    def _beside(self, micros: list[Batch]) -> Tensor:
        """A plain step on the recording's stream, so that the recording finds all in place."""
        now = torch.cuda.current_stream()
        self.stream.wait_stream(now)
        with torch.cuda.stream(self.stream):
            out = self.step(micros)
        now.wait_stream(self.stream)
        return out

    def _record(self, micros: list[Batch]) -> None:
        self.micros = [{name: x.clone() for name, x in batch.items()} for batch in micros]
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph, stream=self.stream):
                self.loss = self.step(self.micros)
        except torch.cuda.OutOfMemoryError:
            self.micros = []
            return
        self.graph = graph
