"""Burst fusion against the plain mean and one frame: error to a known clean scene, speed, memory.

    python benchmarks/burst.py [PHOTO ...] [--data DIR] [--runs 3] [--hdrplus DIR]

Bursts of 8 are made from photographs (hand-shake by whole and broken pixels, small turns, a moving
disc, shot and read noise); without PHOTO from some of DIR and from the miniature of `isptools
sample hdrplus`. Errors are in DN of a 10-bit sensor; `ideal` is the error of one frame over the
root of their number. `truth/ideal` counts only pixels whose weight is above 0.
The last line is one burst of 8 x 12 MP: best of several runs after one warm-up, and the peak memory
of a process that holds the burst and fuses it once.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
INSIDE = 16  # pixels at the border that count nowhere: the hand has moved them out of view


def main() -> None:
    options = arguments()
    if options.measure:
        print(*measured(options.measure, options.runs, options.hdrplus))
        return
    head = ("scene", "one", "mean", "ours", "truth", "ours/ideal", "truth/ideal", "mov. one",
            "mov. mean", "mov. ours", "mov. truth", "frames", "dark bias", "shift px")  # fmt: skip
    head += ("HDR+", "mov. HDR+") if options.hdrplus else ()
    print("| " + " | ".join(head) + " |\n" + "|---" * len(head) + "|")
    for name, burst in bursts(options):
        print("| " + " | ".join(row(name, burst, options.hdrplus)) + " |", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        speed(Path(folder), options)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", nargs="*", type=Path)
    parser.add_argument("--data", type=Path, default=HERE.parents[1] / "shared" / "data")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--hdrplus", type=Path, help="a checkout of amonod/hdrplus-python")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    return parser.parse_args()


def bursts(options):
    from benchmarks.scenes import burst, photograph

    kodak = sorted((options.data / "testsets/kodak24").glob("*.png"))
    gopro = options.data / "raw/gopro_hero7black_pair/GOPR8508.JPG"
    for path in options.photos:
        yield path.stem, burst(photograph(path), photograph(path))
    if options.photos:
        return
    if gopro.exists():
        yield "gopro, dim", burst(photograph(gopro, 2), photograph(kodak[2]), full=300)
        yield "gopro, bright", burst(photograph(gopro, 2), photograph(kodak[2]), shot=1e-3, read=3)
    for number in (0, 4, 7, 18):
        for blur, mark in ((1.0, ""), (0.6, ", sharp")):
            scene, thing = (photograph(kodak[n % 24], blur=blur) for n in (number, number + 5))
            name = f"kodim{number + 1:02d}{mark}"
            yield f"{name}, dim", burst(scene, thing, seed=number, full=300)
            yield f"{name}, bright", burst(scene, thing, seed=number)
    yield from miniature()


def miniature():
    """The bursts of `isptools sample hdrplus` and their clean scenes."""
    from benchmarks.scenes import Burst
    from isptools import raw
    from isptools.datasets import miniature

    with tempfile.TemporaryDirectory() as folder:
        miniature("hdrplus", Path(folder))
        for truth in sorted(Path(folder).glob("bursts/*/clean.npz")):
            known = np.load(truth)
            paths = sorted(truth.parent.glob("payload_N*.dng"))
            number = int(known["reference"])
            frames = [raw.read(path) for path in paths]
            order = [number, *(k for k in range(len(frames)) if k != number)]
            shifts = [tuple(known["shifts"][k]) for k in order]
            turns = [float(known["turns"][k]) for k in order]
            made = Burst([frames[k] for k in order], known["clean"], known["moving"], shifts, turns)
            yield truth.parent.name, made


def row(name, burst, hdrplus):
    from isptools.burst import Options, fuse

    black = np.array(burst.frames[0].capture.black)[0]
    still = np.zeros(burst.clean.shape, bool)
    still[INSIDE:-INSIDE, INSIDE:-INSIDE] = True
    still &= ~burst.moving & (burst.clean < 0.97 * (burst.frames[0].capture.white - black))
    fused = fuse(burst.frames, Options(reference=0))
    truth = fuse(burst.frames, Options(reference=0, method="truth"))
    pictures = {
        "one": burst.frames[0].pixels - black,
        "mean": np.mean([frame.pixels - black for frame in burst.frames], 0),
        "ours": fused.frame.pixels / fused.scale - black,
        "truth": truth.frame.pixels / truth.scale - black,
    }
    errors = {side: picture - burst.clean for side, picture in pictures.items()}
    quiet = {side: rmse(error[still]) for side, error in errors.items()}
    moved = {side: rmse(error[burst.moving]) for side, error in errors.items()}
    dark = still & (burst.clean <= np.quantile(burst.clean, 0.1))
    bias = errors["ours"][dark].mean()
    shift = np.median([off(flow, burst, k) for k, flow in fused.flows.items()])
    count = np.sqrt(len(burst.frames))
    sure = still & (truth.weight > 0)
    trusted = count * rmse(errors["truth"][sure]) / rmse(errors["one"][sure])
    numbers = [*quiet.values(), count * quiet["ours"] / quiet["one"], trusted, *moved.values(),
               fused.effective_frames, bias, shift]  # fmt: skip
    if hdrplus and burst.frames[0].capture.noise_profile:  # it is told nothing else of the noise
        from benchmarks.peer_hdrplus import merge

        error = merge(hdrplus, burst.frames) + 0.5 - black - burst.clean  # it cuts fractions off
        numbers += [rmse(error[still]), rmse(error[burst.moving])]
    return [name, *(f"{number:.2f}" for number in numbers)]


def off(flow, burst, k) -> float:
    """Median distance of textured tiles' offsets from the true ones.

    Textured: the noise alone would put the tile off by no more than 0.05 pixel, were it white (the
    gray is smoothed before). Tiles that touch the moving thing do not count.
    """
    rows, columns = flow.texture.shape
    height, width = burst.clean.shape
    y, x = np.mgrid[:rows, :columns] * 16.0
    place = np.stack([y - (height - 1) / 2, x - (width - 1) / 2], -1)
    sine, cosine = np.sin(burst.turns[k]), np.cos(burst.turns[k])
    true = (place + burst.shifts[k]) @ np.array([[cosine, -sine], [sine, cosine]]) - place
    error = np.hypot(*np.moveaxis(2 * flow.offsets - true, -1, 0))
    still = np.ones((rows, columns), bool)
    for i, j in np.argwhere(burst.moving[::8, ::8]) // 2:  # pixel to tile
        still[max(i - 1, 0) : i + 3, max(j - 1, 0) : j + 3] = False
    return float(np.median(error[still & (4 / np.maximum(flow.texture, 1e-6) < 0.05**2)]))


def rmse(values) -> float:
    return float(np.sqrt(np.mean(np.square(values, dtype=np.float64)))) if values.size else 0.0


def speed(folder: Path, options) -> None:
    from benchmarks.scenes import burst, photograph

    gopro = options.data / "raw/gopro_hero7black_pair/GOPR8508.JPG"
    if options.photos or not gopro.exists():
        return
    scene = np.pad(photograph(gopro), ((40, 40), (40, 40), (0, 0)), "reflect")
    made = burst(scene, None, exact=False, full=300)
    np.save(folder / "burst.npy", np.stack([frame.pixels for frame in made.frames]))
    height, width = made.clean.shape
    report(f"8 x {width} x {height}", folder, options.runs, [])
    if options.hdrplus:
        report("the same, HDR+", folder, options.runs, ["--hdrplus", str(options.hdrplus)])


def report(what: str, folder: Path, runs: int, peer: list[str]) -> None:
    again = [sys.executable, __file__, *peer, "--measure", str(folder / "burst.npy"), "--runs"]
    fast = subprocess.run([*again, str(runs)], check=True, capture_output=True, text=True)
    lean = subprocess.run([*again, "0"], check=True, capture_output=True, text=True)
    seconds, worked, _ = fast.stdout.split()
    peak = lean.stdout.split()[2]
    print(f"\n{what}: {seconds} s ({worked} s of processor time), {peak} MB peak", flush=True)


def measured(path: str, runs: int, hdrplus: Path | None) -> tuple[str, str, str]:
    """Seconds and processor seconds of the best of several runs, and the peak memory in MB."""
    from benchmarks.scenes import BLACK, GAINS, WHITE
    from isptools.frame import Capture, Frame, Space

    if hdrplus:
        from benchmarks.peer_hdrplus import merge
    else:
        from isptools.burst import fuse
    profile = ((4e-3, (36 + 1 / 12) / (WHITE - BLACK) ** 2),)
    capture = Capture("bayer", "RGGB", (float(BLACK),) * 4, (BLACK,) * 4, WHITE, (*GAINS, 0.0),
                      (*GAINS, 0.0), noise_profile=profile)  # fmt: skip
    frames = [Frame(pixels, Space.SENSOR, capture) for pixels in np.load(path)]
    times, worked = [], []
    for _ in range(runs + 1):
        start, begun = time.perf_counter(), time.process_time()
        merge(hdrplus, frames) if hdrplus else fuse(frames)
        times.append(time.perf_counter() - start)
        worked.append(time.process_time() - begun)
    status = Path("/proc/self/status").read_text()
    peak = f"{int(status.split('VmHWM:')[1].split()[0]) / 1024:.0f}"
    return f"{min(times):.2f}", f"{min(worked):.2f}", peak


if __name__ == "__main__":
    main()
