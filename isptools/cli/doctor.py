"""`isptools doctor`: is everything here that isptools needs, and does it work?"""

import os
import platform
import shutil
import time
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from isptools.cli.codes import LOOK
from isptools.shipped import DISTRIBUTION

PACKAGES = (
    "numpy", "numba", "opencv-contrib-python-headless", "rawpy", "h5py", "hdf5plugin", "pillow",
    "imageio", "tifffile", "joblib", "msgspec", "click", "rich", "fsspec", "aiohttp", "torch",
    "lightning", "safetensors", "tensorboard", "onnx", "onnxruntime", "dask",
)  # fmt: skip
BUSY = 0.5  # load by other programs, per core, from which threads that wait for each other spin


@click.command(name="doctor")
@click.option("--test/--no-test", default=True, show_default=True,
              help="Also build one small scene, and check it.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def command(test: bool, as_json: bool) -> None:
    """Tell versions, codecs, cores and threads, the GPU and caches, and try the main job.

    The trial takes about ten seconds; it builds one scene that is made from code in a temporary
    folder, checks it, and moves numbers through the GPU if there is one. Exit code 3 if something
    is wrong.
    """
    from isptools.cli.progress import shown

    with shown() as show:
        show("looking", 0, 1)
        parts = {
            "versions": versions(), "codecs": codecs(), "processor": processor(),
            "gpu": gpu(), "folders": folders(),
        }  # fmt: skip
        show("trying to build and to check one scene", 0, 1)
        trials = dict(tried()) if test else {}
    wrong = advice(parts) + [f"{name}: {one['said']}" for name, one in trials.items()
                             if not one["good"]]  # fmt: skip
    told = parts | {"trial": trials, "wrong": wrong}
    if as_json:
        import json

        click.echo(json.dumps(told, indent=1))
    else:
        for line in text(told):
            click.echo(line)
    if wrong:
        raise click.exceptions.Exit(LOOK)


def versions() -> dict[str, str]:
    """Of what runs, and of every package that is used where it is installed."""
    from isptools import raw

    found = {"isptools": version(DISTRIBUTION), "python": platform.python_version(),
             "system": platform.platform(), "libraw": raw.libraw_version()}  # fmt: skip
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def codecs() -> dict[str, str]:
    """What shards and raws are packed with, and whether it is read here."""
    from PIL import features

    from isptools.raw import libraw
    from isptools.shards import write

    pictures = {
        f"{name} pictures": features.check_codec(codec)
        for name, codec in (("JPEG", "jpg"), ("PNG", "zlib"), ("TIFF", "libtiff"))
    }
    found = {"HDF5 bitshuffle and LZ4": write.packs()} | libraw.codecs() | pictures
    return {name: "yes" if there else "no" for name, there in found.items()}


def processor() -> dict[str, Any]:
    """Cores that this process may use, what else runs, and how many threads are started."""
    import cv2
    import numba

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    threads: dict[str, Any] = {"numba": numba.get_num_threads(), "opencv": cv2.getNumThreads()}
    if find_spec("torch"):
        from isptools.train import here

        threads["torch"] = here.threads()
    said = os.environ.get("OMP_NUM_THREADS", "not set")
    return {"cores": cores, "load": round(load, 2), "threads": threads, "OMP_NUM_THREADS": said}


def gpu() -> dict[str, str]:
    if not find_spec("torch"):
        return {"torch": "not installed: training needs it (pip install '.[train]')"}
    from isptools.train import here

    return here.gpus()


def folders() -> dict[str, dict[str, Any]]:
    """Where something is kept, whether it can be written, and what is free."""
    import tempfile

    import isptools.develop

    kernels = os.environ.get("NUMBA_CACHE_DIR") or str(Path(isptools.develop.__file__).parent)
    places = {"compiled kernels": kernels, "temporary files": tempfile.gettempdir()}
    if Path("/dev/shm").is_dir():
        places["shared memory"] = "/dev/shm"
    return {
        name: {"path": place, "writable": os.access(place, os.W_OK),
               "free_mb": round(shutil.disk_usage(place).free / 1e6)}
        for name, place in places.items() if Path(place).is_dir()
    }  # fmt: skip


def advice(parts: dict[str, Any]) -> list[str]:
    """What is wrong, and what to do, a line each."""
    lines = [f"{name} can't be read here: reinstall hdf5plugin, rawpy or pillow"
             for name, there in parts["codecs"].items() if there == "no"]  # fmt: skip
    for name, place in parts["folders"].items():
        if not place["writable"]:
            lines.append(f"{place['path']} ({name}) can't be written: NUMBA_CACHE_DIR and TMPDIR "
                         "name other folders")  # fmt: skip
    return lines


def tried() -> Iterator[tuple[str, dict[str, Any]]]:
    """Each trial: whether it went well, what is to be said, and its seconds."""
    from isptools import scratch

    with scratch.folder() as place:
        for name, trial in (("build", _built), ("check", _checked), ("gpu", _moved)):
            began = time.monotonic()
            try:
                good, said = trial(place)
            except (ValueError, OSError, RuntimeError, ImportError) as error:
                good, said = False, " ".join(f"{type(error).__name__}: {error}".split())[:200]
            if said:
                seconds = round(time.monotonic() - began, 1)
                yield name, {"good": good, "said": said, "seconds": seconds}


def _built(place: Path) -> tuple[bool, str]:
    import msgspec

    from isptools import datasets
    from isptools.build import Options, build
    from isptools.recipe import Recipe

    recipe = msgspec.structs.replace(Recipe.load("sid").small(1), sample=True)
    data_set = datasets.in_small(datasets.opened(recipe.source))
    datasets.miniature("sid", place / "raws")
    made = build(recipe, place / "raws", place / "shards",
                 Options(splits=("test",), data_set=data_set))  # fmt: skip
    return bool(made.shards), f"{len(made.shards)} shard of {made.shards[0].rows} inputs"


def _checked(place: Path) -> tuple[bool, str]:
    from isptools.shards.check import check

    problems = [one for one in check(place / "shards") if one.sure]
    return not problems, str(problems[0]) if problems else "no problems"


def _moved(_place: Path) -> tuple[bool, str]:
    if not find_spec("torch"):
        return True, ""
    from isptools.train import here

    good = here.multiplied()
    if good is None:
        return True, ""
    return good, "a product is right" if good else "a product is wrong"


def text(told: dict[str, Any]) -> Iterator[str]:
    """For people, a line a fact."""
    for part in ("versions", "codecs", "gpu"):
        yield part
        yield from (f"  {name:<32} {said}" for name, said in told[part].items())
    cores = told["processor"]
    threads = ", ".join(f"{name} {number}" for name, number in cores["threads"].items())
    yield f"processor\n  {cores['cores']} cores, load {cores['load']}; threads: {threads}"
    if cores["cores"] and cores["load"] > BUSY * cores["cores"]:
        yield ("  other programs use the cores: OMP_NUM_THREADS=1 makes small networks train "
               "faster beside them")  # fmt: skip
    yield "folders"
    for name, place in told["folders"].items():
        able = "" if place["writable"] else ", can't be written"
        yield f"  {name:<32} {place['path']} ({place['free_mb']} MB free{able})"
    for name, one in told["trial"].items():
        good = "good" if one["good"] else "WRONG"
        yield f"trial: {name}: {good}, {one['said']}, {one['seconds']} s"
    yield from (f"wrong: {line}" for line in told["wrong"])
    yield "something is wrong" if told["wrong"] else "all is well"
