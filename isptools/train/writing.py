"""Checkpoints that a thread writes while the training goes on."""

from pathlib import Path
from threading import Thread
from typing import Any

from torch import Tensor

from isptools.train.checkpoint import save


class Writer:
    """Saves states one after the other. What went wrong is raised by the next call of it."""

    def __init__(self) -> None:
        self.thread: Thread | None = None
        self.wrong: BaseException | None = None

    def put(self, path: Path, state: dict[str, Any]) -> None:
        """Have `state` saved as it is now: the training may go on and change its tensors."""
        self.wait()
        self.thread = Thread(target=self._saved, args=(path, copied(state)), name=f"save {path}")
        self.thread.start()

    def _saved(self, path: Path, state: dict[str, Any]) -> None:
        try:
            save(path, state)
        except BaseException as error:  # raised where it is waited for
            self.wrong = error

    def wait(self) -> None:
        """Until the last state lies on the disk. TrainError if it does not."""
        if self.thread:
            self.thread.join()
        self.thread, wrong = None, self.wrong
        self.wrong = None
        if wrong:
            raise wrong

    def __enter__(self) -> "Writer":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            self.wait()
        except Exception:
            if kind is None:  # what ended the training is said before what was not saved
                raise


def copied(value: Any) -> Any:
    """The same with every tensor in memory of its own, off the device."""
    if isinstance(value, Tensor):
        return value.detach().to("cpu", copy=True)
    if isinstance(value, dict):
        return {name: copied(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(copied(one) for one in value)
    return value
