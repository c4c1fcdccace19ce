"""The chain against rawpy.postprocess: differing values, speed and peak memory, side by side.

    python benchmarks/chain.py [RAW] [--threads 1 2] [--runs 5]

Without RAW a 12 MP mosaic is made from noise and structure. Both sides get the file opened and
decoded, and give a contiguous (H, W, 3) uint16 picture: camera white balance, sRGB, gamma
2.222 / 4.5, fixed white level. Times are the best of several runs after one warm-up, the two
taken in turn. Memory is the peak of a process that reads the file and develops it once.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

METHODS = ("half", "linear", "ppg", "ahd")


def main() -> None:
    options = arguments()
    if options.measure:
        print(measured(options.raw, options.measure, options.side))
        return
    with tempfile.TemporaryDirectory() as folder:
        raw = options.raw or synthetic(Path(folder) / "synthetic.dng")
        if options.inner:
            rows(raw, options.runs)
            return
        for threads in options.threads:
            environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
            again = [sys.executable, __file__, str(raw), "--inner", "--runs", str(options.runs)]
            subprocess.run(again, env=environment, check=True)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("raw", nargs="?", type=Path)
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--inner", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--measure", choices=METHODS, help=argparse.SUPPRESS)
    parser.add_argument("--side", choices=["ours", "rawpy"], help=argparse.SUPPRESS)
    return parser.parse_args()


def rows(path: Path, runs: int) -> None:
    import numpy as np
    import rawpy

    from isptools import raw
    from isptools.develop.chain import develop

    frame = raw.read(path)
    height, width = frame.pixels.shape
    print(f"{path.name}: {width} x {height} = {width * height / 1e6:.1f} MP, "
          f"{os.environ['OMP_NUM_THREADS']} thread(s), LibRaw {raw.libraw_version()}")  # fmt: skip
    print(f"{'method':8}{'differing':>10}{'rawpy s':>10}{'ours s':>10}{'speed':>8}"
          f"{'rawpy MB':>10}{'ours MB':>10}{'memory':>8}")  # fmt: skip
    with rawpy.imread(str(path)) as opened:
        for method in METHODS:
            steps, parameters = ours(method), theirs(method)
            one, two = develop(frame, steps).pixels, opened.postprocess(**parameters)
            differing = np.count_nonzero(one != two) if one.shape == two.shape else -1
            del one, two
            quick, slow = [], []
            for _ in range(runs):
                slow.append(seconds(lambda p=parameters: opened.postprocess(**p)))
                quick.append(seconds(lambda s=steps: develop(frame, s)))
            megabytes = [peak(path, method, side) for side in ("rawpy", "ours")]
            print(f"{method:8}{differing:10}{min(slow):10.3f}{min(quick):10.3f}"
                  f"{min(slow) / min(quick):7.2f}x{megabytes[0]:10.0f}{megabytes[1]:10.0f}"
                  f"{megabytes[1] / megabytes[0]:7.2f}x")  # fmt: skip


def seconds(call) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def peak(path: Path, method: str, side: str) -> float:
    command = [sys.executable, __file__, str(path), "--measure", method, "--side", side]
    return float(subprocess.run(command, capture_output=True, check=True, text=True).stdout)


def measured(path: Path, method: str, side: str) -> float:
    """Peak resident memory in MB of this process, which does nothing else."""
    if side == "ours":
        from isptools import raw
        from isptools.develop.chain import develop

        develop(raw.read(path), ours(method))
    else:
        import rawpy

        with rawpy.imread(str(path)) as opened:
            opened.postprocess(**theirs(method))
    status = Path("/proc/self/status").read_text()  # ru_maxrss would count the parent's peak
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def ours(method: str):
    from isptools.develop.steps import Balance, Demosaic, Encode, Levels, Orient, ToSpace

    return Levels(), Balance(), Demosaic(method), ToSpace("srgb"), Encode(), Orient()


def theirs(method: str) -> dict:
    import rawpy

    return {
        "half_size": method == "half",
        "demosaic_algorithm": None if method == "half" else rawpy.DemosaicAlgorithm[method.upper()],
        "use_camera_wb": True,
        "no_auto_bright": True,
        "adjust_maximum_thr": 0.0,
        "output_bps": 16,
    }


def synthetic(path: Path) -> Path:
    import numpy as np

    from isptools import raw
    from isptools.frame import Capture, Frame, Space

    y, x = np.mgrid[:3000, :4000]
    light = 0.4 + 0.3 * np.sin(x / 40 + y / 90) + 0.1 * np.sin(x * 0.9) * np.cos(y * 1.1)
    noisy = 512 + light * 12000 + np.random.default_rng(0).normal(0, 150, light.shape)
    capture = Capture(
        kind="bayer", cfa="RGGB", black=(512.0,) * 4, black_libraw=(512,) * 4, white=16383,
        as_shot=(2.0, 1.0, 1.5, 0.0), daylight=(0.0,) * 4,
        color_matrix_1=((0.5838, -0.143, -0.0246), (-0.3497, 1.1477, 0.2297),
                        (-0.0748, 0.1885, 0.5778)), illuminant_1=21,
    )  # fmt: skip
    raw.write_dng(path, Frame(noisy.astype(np.uint16), Space.SENSOR, capture))
    return path


if __name__ == "__main__":
    main()
