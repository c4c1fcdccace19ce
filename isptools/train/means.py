"""Means over the frame that a network asks for one after the other: taken, or given in tiles."""

from collections.abc import Callable, Sequence

from torch import Tensor

from isptools.train.edges import over_picture


class Wanted(Exception):  # noqa: N818 - no error: it carries out what a mean is wanted of
    """Where a network stands that was asked what its next mean is of."""

    def __init__(self, features: Tensor) -> None:
        super().__init__()
        self.features = features


class Means:
    """Handed through a network's layers, which call it where they pool.

    Those `given` come first; behind them the mean of the features themselves is taken, or, with
    `stop`, Wanted is raised.
    """

    def __init__(self, given: Sequence[Tensor], stop: bool = False) -> None:
        self.left, self.stop = list(given), stop

    def __call__(self, features: Tensor) -> Tensor:
        """(N, C, h, w) to the mean of each channel over the frame, (N, C) float32."""
        if self.left:
            return self.left.pop(0)
        if self.stop:
            raise Wanted(features)
        return over_picture(features)


def wanted(run: Callable[[Tensor, Means], Tensor], x: Tensor, given: Sequence[Tensor]) -> Tensor:
    """The features whose mean comes next behind those `given`: one of a Net's `bottoms`. ValueError
    where the network takes no more means."""
    try:
        run(x, Means(given, stop=True))
    except Wanted as found:
        return found.features
    raise ValueError(f"this network takes {len(given)} means at most")
