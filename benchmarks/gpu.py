"""All that is checked and measured on a card, in at most eight minutes: `make gpu`.

Writes gpu.json (card, versions, figures) and the tables of docs/gpu.md between its markers. On a
processor `--tiny` does the same with small networks and frames, so that it never rots.

python benchmarks/gpu.py [--tiny] [--out FOLDER] [--page docs/gpu.md] [--minutes 8]
    [--only PART ...]
"""

import argparse
import json
import shutil
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).parent))  # the modules beside, wherever this is started

from card import ahead, frames, light, page, profile, proofs, rates
from card.made import Size

STAGES = {
    "cameranet": "joint", "deepisp": "whole", "cameranet-one-stage": "whole",
    "cameranet-three-stage": "joint", "cameranet-v1": "joint", "cameranet-xtrans": "joint",
    "srgan-can": "joint", "srcnn": "whole",
}  # fmt: skip
BEST, PLAIN = "bf16, compiled, graph", "bf16, eager, graph"
PARTS = ("card", "chain", "steps", "profiles", "proofs", "equal", "memory", "feeding",
         "frames", "develop")  # fmt: skip
BEGAN = time.perf_counter()
Part = tuple[str, str, Callable[[], Any]]  # list of the JSON, what is said meanwhile, the work


class Bench:
    """The parts in the order of their weight, and what they found."""

    def __init__(self, size: Size, work: Path, given: Path | None) -> None:
        self.size, self.work, self.given = size, work, given
        self.builds = [] if given else proofs.built(work)

    @property
    def sid(self) -> Path:
        for build in self.builds:
            build.wait()
        return self.given or self.work / "sid"

    def parts(self) -> Iterator[Part]:
        size, cuda = self.size, self.size.device.type == "cuda"
        yield "card", "the card", lambda: rates.card(size)
        yield "chain", "the chain", lambda: light.rows(size)
        best, plain = (BEST, PLAIN) if cuda else ("fp32, eager", "bf16, eager")
        modes = (
            (best, "bf16, eager", PLAIN, "fp32, eager", "tf32, eager") if cuda else (best, plain)
        )
        for mode in modes:
            yield "steps", f"cameranet, {mode}", self.step("cameranet", mode)
        yield "profiles", "profile", lambda: profile.of_step(size, "cameranet", "joint", best)
        for mode in modes[:3]:
            yield "steps", f"deepisp, {mode}", self.step("deepisp", mode)
        yield from self.proofs(cuda)
        yield from self.equal()
        yield from self.memory()
        for data, workers in (("resident", 0), ("read", 8 if cuda else 0)):
            yield "feeding", f"data {data}", self.feeding(data, workers)
        for name in ("cameranet", "deepisp"):
            yield from self.inference(name, cuda)
        if cuda:
            yield "steps", "deterministic", self.step("cameranet", f"{PLAIN}, deterministic")
            yield "steps", "batch of 8", self.step("cameranet", PLAIN, 8)
            yield "steps", "fp16", self.step("cameranet", "fp16, eager")
            yield "profiles", "profile", lambda: profile.of_step(size, "deepisp", "whole", best)
            yield "steps", "deterministic", self.step("deepisp", f"{best}, deterministic")
        for name in list(STAGES)[2:] if cuda else ("cameranet-xtrans", "srcnn"):
            yield "steps", f"{name}, {plain}", self.step(name, plain)

    def step(self, name: str, mode: str, count: int = 1) -> Callable[[], Any]:
        return lambda: rates.step_row(self.size, name, STAGES[name], mode, count)

    def inference(self, name: str, cuda: bool) -> Iterator[Part]:
        size = self.size
        for precision, compiled in [
            ("fp32", False),
            *([("bf16", False), ("bf16", True)] if cuda else []),
        ]:
            yield (
                "frames",
                f"{name}, {precision}",
                lambda p=precision, c=compiled: frames.network_row(size, name, p, c),
            )
        for precision in ("fp32", "bf16") if cuda else ("fp32",):
            yield (
                "develop",
                f"{name}, {precision}, tiles",
                lambda p=precision: frames.develop_rows(size, name, p),
            )

    def proofs(self, cuda: bool) -> Iterator[Part]:
        size, out = self.size, self.work

        def of(name: str, work: Callable[[], tuple[bool, str]]) -> Part:
            return "proofs", name, lambda: proofs.row(name, work)

        yield of("the loss goes down", lambda: proofs.falls(size, self.sid, out / "falls"))
        ways = [("bf16", True), ("fp32", False), ("bf16", False)] if cuda else [("fp32", False)]
        for precision, compiled in ways:
            name = (
                f"the same weights twice and behind a stop, {precision}" + ", compiled" * compiled
            )
            yield of(name, lambda p=precision, c=compiled: proofs.twice(
                size, self.sid, out / f"{p}-{c}", precision=p, compile=c
            ))  # fmt: skip
        yield of("ONNX beside", lambda: proofs.beside_onnx(
            size, out / "falls", self.sid, out / "x.onnx"
        ))  # fmt: skip

    def equal(self) -> Iterator[Part]:
        """The chain here and there: minutes of a processor's work."""
        name = "the chain's integers on the device"
        yield "equal", name, lambda: proofs.row(name, lambda: light.same(self.size))

    def memory(self) -> Iterator[Part]:
        """What wants the card alone."""
        size, out = self.size, self.work
        for name, work in (
            (
                "out of memory in one line",
                lambda: proofs.out_of_memory(size, self.sid, out / "oom"),
            ),
            ("a frame that does not fit", lambda: proofs.frame_out_of_memory(size)),
        ):
            yield "memory", name, lambda n=name, w=work: proofs.row(n, w)

    def ahead(self) -> list[list[str]]:
        """The words of what is made beforehand on a card."""
        steps = [("cameranet", BEST), ("deepisp", BEST), ("deepisp", f"{BEST}, deterministic")]
        made = [*((name, STAGES[name], mode) for name, mode in steps),
                *((name, STAGES[name], "frame") for name in ("cameranet", "deepisp"))]  # fmt: skip
        common = ["--device", str(self.size.device), "--shards", str(self.sid)]
        return [
            *([*common, "--compile", *one] for one in made),
            [*common, "--compile", "cameranet", "joint", "loop", "--work", str(self.work)],
            *(
                [*common, "--only", key, "--out", str(self.work / key)]
                for key in ("proofs", "equal")
            ),
        ]

    def feeding(self, data: str, workers: int) -> Callable[[], Any]:
        def work() -> Any:
            from loader import enlarge

            large = self.sid if self.size.tiny else self.work / "large"
            if not (large / ".done").exists() and not self.size.tiny:
                shutil.rmtree(large, ignore_errors=True)
                large.mkdir()
                enlarge(self.sid, large)
            return proofs.feeding(self.size, large, self.work / f"feed-{data}", data, workers)

        return work


def beforehand(bench: Bench) -> dict[str, Any]:
    """What was proven in processes beside, while compilers worked in others."""
    ahead.run(Path(__file__), bench.work, bench.ahead())
    parts = {key: ahead.found(bench.work / key) for key in ("proofs", "equal")}
    failed = [line for found in parts.values() for line in found.get("failed", ())]
    return {key: found.get(key, []) for key, found in parts.items()} | {"failed": failed}


def compile_ahead(size: Size, chosen: argparse.Namespace) -> None:
    name, stage, what = chosen.compile
    if what != "loop":
        ahead.compiled(size, what, name, stage)
        return
    ahead.looped(size, chosen.shards, chosen.work / "large", chosen.work / "loop")


def measured(
    bench: Bench, minutes: float, only: list[str], save: Callable[[Any], None],
    before: dict[str, Any],
) -> Any:  # fmt: skip
    """Every part that there is time for; one that fails leaves its error and the others go on."""
    start = BEGAN
    found: dict[str, Any] = {"failed": [], "left_out": []} | before
    for key, said, work in bench.parts():
        if key not in only:
            continue
        at = time.perf_counter() - start
        if at > 60 * minutes:
            found["left_out"].append(f"{key}: {said}")
            continue
        try:
            out = work()
        except Exception as error:  # whatever a card says; the next part may still go
            traceback.print_exc()
            found["failed"].append(f"{key}: {said}: {' '.join(str(error).split())[:300]}")
            continue
        if isinstance(out, dict) and key == "card":
            found[key] = out
        else:
            found.setdefault(key, []).extend(out if isinstance(out, list) else [out])
        spent = time.perf_counter() - start - at
        print(f"[{at:6.1f} s + {spent:5.1f}] {said}: {page.brief(key, out)}", flush=True)
        found["seconds"] = time.perf_counter() - start
        save(found)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--out", type=Path, default=Path("gpu"))
    parser.add_argument("--page", type=Path, help="Also put the tables into this page.")
    parser.add_argument("--minutes", type=float, default=8.0)
    parser.add_argument(
        "--shards", type=Path, help="The miniature of SID, where it was built before."
    )
    parser.add_argument("--only", nargs="+", default=[], choices=PARTS)
    parser.add_argument("--compile", nargs=3, help=argparse.SUPPRESS)  # `ahead` calls this script
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    warnings.simplefilter("ignore")  # Lightning's and the exporter's advice
    if chosen.tiny:
        torch.set_num_threads(
            1
        )  # others may be busy here, and threads that wait for each other cost more
    size = Size.of(chosen.device, chosen.tiny or chosen.device == "cpu")
    if chosen.compile:
        compile_ahead(size, chosen)
        return
    chosen.out.mkdir(parents=True, exist_ok=True)
    target = chosen.out / "gpu.json"

    def save(found: Any) -> None:
        target.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")

    with tempfile.TemporaryDirectory() as work:
        bench = Bench(size, Path(work), chosen.shards)
        before = {} if chosen.only or size.tiny else beforehand(bench)
        only = chosen.only or [key for key in PARTS if key not in before]
        found = measured(bench, chosen.minutes, only, save, before)
    save(found)
    tables = page.tables(found)
    print(tables)
    if chosen.page:
        page.put(chosen.page, tables)
    rows = [row for key in page.PROVEN for row in found.get(key, ())]
    lost = [row["what"] for row in rows if not row["held"]]
    if found["failed"] or lost:
        raise SystemExit(f"did not hold: {'; '.join([*lost, *found['failed']])}")


if __name__ == "__main__":
    main()
