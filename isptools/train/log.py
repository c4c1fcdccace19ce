"""What a training leaves to read: a CSV, TensorBoard's events, pictures, and refusals of NaN."""

import csv
import io
import math
import os
import platform
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import imageio.v3 as imageio
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from isptools import whole
from isptools.train.checkpoint import TrainError

EARLY = 20  # steps between two looks whether losses are numbers
COLUMNS = (
    "stage", "step", "rate", "training", "validation", "waiting", "seconds", "mp_s", "mfu",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Work:
    """What one step is, to tell how fast it goes."""

    pixels: int  # of the mosaic
    operations: float  # forward and backward
    peak: float  # operations a second that the device has by its data sheet; 0 where unknown

    def rates(self, steps: int, seconds: float) -> tuple[float, float]:
        """Megapixels a second, and the share of the peak (NaN where that is unknown)."""
        used = steps * self.operations / seconds
        return steps * self.pixels / seconds / 1e6, used / self.peak if self.peak else math.nan


def appended(path: Path, row: dict[str, Any]) -> None:
    """A line more of a CSV. Columns that it does not have yet are added to all its lines."""
    rows: list[dict[str, Any]] = []
    columns, fresh = list(row), True
    if path.exists():
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            there = list(reader.fieldnames or ())
            fresh = bool(set(columns) - set(there))  # its first line too, were it the only one
            rows = list(reader) if fresh else []
        columns = there + [name for name in columns if name not in there]
    part = path.with_name(f".{path.name}.part") if fresh else path
    with part.open("w" if fresh else "a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, restval="", extrasaction="ignore")
        if fresh:
            writer.writeheader()
        writer.writerows([*rows, row])
    part.replace(path)


def cut_back(path: Path, stage: str, step: int) -> None:
    """Take from `log.csv` the lines of a stage behind a step, which come again, and half a line.

    A run may be killed between such a line and its checkpoint, or while it writes.
    """
    if not path.exists():
        return
    text = path.read_bytes().decode(errors="replace")  # with the ends of its lines
    lines = text.splitlines(keepends=True)
    count = len(lines[0].split(",")) if lines else 0
    kept = "".join(line for line in lines if _stays(line, count, stage, step))
    if not kept:
        path.unlink()
    elif kept != text:
        whole.save(path, kept.encode())


def _stays(line: str, count: int, stage: str, step: int) -> bool:
    fields = line.split(",")
    if len(fields) != count or not line.endswith("\n"):
        return False
    return fields[0] != stage or not fields[1].isdecimal() or int(fields[1]) <= step


class Log:
    """Losses and lost time since the last line of `log.csv`."""

    def __init__(self, path: Path, stage: str, writes: bool, work: Work) -> None:
        self.path, self.stage, self.writes, self.work = path, stage, writes, work
        self.earlier = (0.0, 0.0)  # fetched and lost before the last line
        self._new()

    def _new(self) -> None:
        self.losses: list[Tensor] = []
        self.waited, self.since = 0.0, time.perf_counter()
        self.fetched = 0.0  # as `waited`, however a GPU is busy meanwhile
        self.gaps: list[tuple[Any, Any]] = []
        self.looked: tuple[Tensor, Any] | None = None

    def wait(self, fetch: Callable[[], Any], cuda: bool = False) -> Any:
        """What `fetch` gives; the time it takes is lost, of a GPU the time it idles meanwhile."""
        if cuda:
            event: Any = torch.cuda.Event
            before, after = (event(enable_timing=True) for _ in range(2))
            before.record()
        start = time.perf_counter()
        out = fetch()
        self.fetched += time.perf_counter() - start
        if cuda:
            after.record()
            self.gaps.append((before, after))
        else:
            self.waited = self.fetched
        return out

    def mark(self) -> tuple[float, float, float]:
        """Now, and seconds that went into fetching and were lost by it until now."""
        if self.gaps:
            torch.cuda.synchronize()
        fetched, lost = self.earlier
        return time.perf_counter(), fetched + self.fetched, lost + self._lost()

    def _lost(self) -> float:
        idle: float = sum(before.elapsed_time(after) for before, after in self.gaps) / 1e3
        return self.waited + idle

    def add(self, loss: Tensor) -> None:
        """Take the loss of one more step, a tensor of one number. TrainError where it is none."""
        self.losses.append(loss)
        if loss.is_cuda:
            if len(self.losses) % (EARLY // 2) == 0:
                self._look_back()
        elif len(self.losses) % EARLY == 1:
            self.expect_finite()

    def _look_back(self) -> None:
        """The same look without waiting for a GPU: what the last one saw; the next is sent."""
        if self.looked and self.looked[1].query() and not self.looked[0].item():
            self.expect_finite()
        seen = torch.empty((), dtype=torch.bool, pin_memory=True)
        lately = torch.stack(self.losses[-EARLY // 2 :]).isfinite().all()
        seen.copy_(lately, non_blocking=True)
        self.looked = seen, torch.cuda.current_stream().record_event()

    def expect_finite(self, weights: Iterable[Tensor] = ()) -> None:
        """TrainError if a loss since the last line, or one of the weights, is NaN or infinite."""
        lost = bool(self.losses) and not torch.stack(self.losses).isfinite().all()
        if lost or not all(weight.isfinite().all() for weight in weights):
            raise TrainError(
                f"{self.stage}: the loss is no longer a finite number; the last checkpoint is from "
                "before it: lower the rate, or train in fp32 or bf16"
            )

    def write(self, step: int, rate: float, validated: dict[str, float]) -> None:
        """A line; `validated` are "validation" and further columns, the same ones every time."""
        self.expect_finite()
        training = torch.stack(self.losses).mean().item()
        seconds = time.perf_counter() - self.since
        more = dict(validated)
        speed = self.work.rates(len(self.losses), seconds)
        self.earlier = self.mark()[1:]
        lost = self._lost() / seconds
        numbers = (rate, training, more.pop("validation"), lost, seconds, *speed)
        if self.writes:
            values = dict(zip(COLUMNS[2:], numbers, strict=True)) | more
            appended(self.path, {"stage": self.stage, "step": step} | values)
            self._board(step, values)
        self._new()

    def picture(self, strip: NDArray[np.float32]) -> None:
        """Save (3, H, W) pictures side by side, clipped to [0, 1], for a look. TrainError where the
        disk takes no more."""
        if self.writes:
            folder = self.path.parent / "samples"
            folder.mkdir(exist_ok=True)
            shown = (
                np.rint(np.clip(np.nan_to_num(strip), 0, 1) * 255)
                .astype(np.uint8)
                .transpose(1, 2, 0)
            )
            encoded = imageio.imwrite("<bytes>", shown, extension=".png")
            try:
                whole.save(folder / f"{self.stage}.png", encoded)
            except OSError as error:
                why = f"{folder}: a picture could not be saved ({error.strerror})"
                raise TrainError(f"{why}; run the same command to go on") from None

    def _board(self, step: int, values: dict[str, float]) -> None:
        """The same numbers for TensorBoard, where that is installed.

        A file for each line, by its records alone: its writer has a thread, and what a disk does
        not take ends that with a traceback.
        """
        if not find_spec("tensorboard"):
            return
        from tensorboard.compat.proto.event_pb2 import Event  # noqa: PLC0415 - optional
        from tensorboard.compat.proto.summary_pb2 import Summary  # noqa: PLC0415 - optional
        from tensorboard.summary.writer.record_writer import RecordWriter  # noqa: PLC0415 - optional

        folder, file = self.path.parent / "tensorboard", io.BytesIO()
        now = datetime.now(UTC).timestamp()
        told = [
            Summary.Value(tag=f"{self.stage}/{name}", simple_value=value)
            for name, value in values.items()
        ]
        events = (
            Event(wall_time=now, file_version="brain.Event:2"),
            Event(wall_time=now, step=step, summary=Summary(value=told)),
        )
        for event in events:
            RecordWriter(file).write(event.SerializeToString())
        folder.mkdir(exist_ok=True)
        name = f"events.out.tfevents.{now:.6f}.{platform.node()}.{os.getpid()}"
        (folder / name).write_bytes(file.getvalue())  # half of it can be read, too
