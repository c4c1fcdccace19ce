"""`isptools train`."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from isptools.cli.codes import STOPPED
from isptools.cli.output import now
from isptools.cli.target import Into

if TYPE_CHECKING:
    from isptools.train.job import Job
    from isptools.train.settings import Settings

PATH = click.Path(path_type=Path)


class Count(click.ParamType):  # type: ignore[type-arg] # newer versions of click are generic
    """A number, or "auto"."""

    name = "N|auto"

    def __init__(self, least: int) -> None:
        self.least = least

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "auto":
            return value
        return click.IntRange(min=self.least).convert(value, param, ctx)


@click.command(name="train")
@click.argument("name")
@click.argument("folder", type=PATH)
@click.option("--out", type=Into(), required=True, help="Folder of the run.")
@click.option("--preset", help="Of a network: NAME --preset tiny is the preset NAME-tiny.")
@click.option("--settings", type=PATH, help="Your own TOML of settings, for the network NAME.")
@click.option("--set", "changes", multiple=True, metavar="KEY=VALUE", help="Replace one setting.")
@click.option("--seed", type=click.IntRange(min=0), help="Of weights and cuts; as --set seed=N.")
@click.option("--only", default="", help="One stage of the settings, as restore or simulator.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:N.")
@click.option("--devices", type=click.IntRange(min=1), default=1, show_default=True)
@click.option("--nodes", type=click.IntRange(min=1), default=1, show_default=True)
@click.option("--jobs", type=Count(0), default="auto", show_default=True,
              help="Processes that read shards; auto: measured in the first steps.")  # fmt: skip
@click.option("--threads", type=Count(1), default="auto", show_default=True,
              help="Of a processor; auto: cores that are free, or OMP_NUM_THREADS.")  # fmt: skip
@click.option("--from", "start", type=PATH,
              help="Begin with the weights of a run or file, as far as they fit.")  # fmt: skip
@click.option("--parts", default="", help="Of --from: restore, enhance or numbers from 0.")
@click.option("--dry-run", is_flag=True,
              help="Print shapes, operations, memory and hours after a few steps.")  # fmt: skip
@click.option("--data", type=click.Choice(["auto", "read", "resident"]), default="auto",
              show_default=True,
              help="resident: in the device's memory; auto: where a GPU has room.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True,
              help="What was trained, or would be, as JSON.")  # fmt: skip
def command(
    name: str, folder: Path, out: Path, preset: str | None, settings: Path | None,
    changes: tuple[str, ...], seed: int | None, only: str, device: str, devices: int, nodes: int,
    jobs: Any, threads: Any, start: Path | None, parts: str, dry_run: bool, data: Any,
    as_json: bool,
) -> None:  # fmt: skip
    """Train NAME from the shards in FOLDER: a preset, a network, or your own as module:callable.

    The same command goes on where a run was stopped.
    """
    from isptools.cli.extra import expect_train
    from isptools.cli.progress import shown

    expect_train()
    from isptools.train.job import Job
    from isptools.train.place import Place
    from isptools.train.run import train

    changes += () if seed is None else (f"seed={seed}",)
    try:
        chosen = _chosen(name, preset, settings, changes)
        if threads == "auto" and "OMP_NUM_THREADS" in os.environ:
            threads = 0  # torch's, which heeds it
        place = Place(device, devices, nodes, jobs, threads, data)
        with shown() as bar:

            def show(stage: str, step: int, of: int, loss: float | None) -> None:
                bar(stage, step, of, "" if loss is None else f"loss {loss:.4f}")

            job = Job(folder, out, place, only, show=show, tell=now().remark, code=Path.cwd(),
                      start=start, parts=parts)  # fmt: skip
            if dry_run:
                _plan(chosen, job, devices * nodes, as_json)
                return
            path = train(chosen, job)
    except ValueError as error:
        raise click.ClickException(str(error)) from None
    except OSError as error:
        raise click.ClickException(f"{error.filename or out}: {error.strerror or error}") from None
    except KeyboardInterrupt:
        click.echo(_stopped(out), err=True)
        raise click.exceptions.Exit(STOPPED) from None
    if as_json:
        click.echo(json.dumps(_told(chosen, job, path)))
        return
    more = " --code ." if ":" in chosen.network["name"] else ""
    click.echo(f"{path}: {chosen.title}; score it with: isptools eval {out} {folder}{more}")


def _told(chosen: "Settings", job: "Job", path: Path) -> dict[str, Any]:
    """What was trained: one stage alone makes no model yet."""
    stages = [stage.train for stage in chosen.stages if job.only in {"", stage.train}]
    weights = None if job.only else str(path)
    return {"out": str(job.out), "weights": weights, "stages": stages, "title": chosen.title,
            "network": chosen.network["name"], "seed": chosen.seed}  # fmt: skip


def _plan(chosen: "Settings", job: "Job", world: int, as_json: bool) -> None:
    from dataclasses import asdict

    from isptools.train import dry

    say = (lambda _: None) if as_json else click.echo
    nets, costs = [], []
    for net in dry.nets(chosen, job):
        say(str(net))
        nets.append(net)
    for cost in dry.costs(chosen, job, world):
        say(str(cost))
        costs.append(cost)
    say(dry.said(costs))
    if as_json:
        told = {"nets": [asdict(net) for net in nets], "stages": [asdict(cost) for cost in costs],
                "seconds": sum(cost.whole for cost in costs)}  # fmt: skip
        click.echo(json.dumps(told, indent=1))


def _stopped(out: Path) -> str:
    if not any(out.glob("*.safetensors")):
        return "stopped before the first checkpoint; the same command begins again"
    return f"stopped; the last checkpoint stays in {out}, run the same command to go on"


def _chosen(
    name: str, preset: str | None, settings: Path | None, changes: tuple[str, ...]
) -> "Settings":
    """The settings that NAME and the options ask for. ValueError in one line."""
    from isptools.train.settings import Settings, replaced_words

    if settings and preset:
        raise ValueError("give --preset or --settings, not both")
    given: dict[str, Any] = {"network": {"name": _stated(settings, name)}} if settings else {}
    words = given
    for word in changes:
        words = replaced_words(words, _decoded(word))
    path = settings or _preset(name, preset)
    try:
        return Settings.load(path, words)
    except ValueError as error:
        if changes:
            Settings.load(path, given)  # what is wrong with the file itself is told of the file
            said = str(error).removeprefix(f"{path}: ")
            raise ValueError(f"--set {' '.join(changes)}: {said}") from None
        raise


def _stated(settings: Path, name: str) -> str:
    """NAME, which a file of settings may leave out, but not contradict."""
    from isptools.train.settings import settings_words

    table = settings_words(settings).get("network", {})
    stated = table.get("name", name) if isinstance(table, dict) else name
    if stated != name:
        raise ValueError(f"{settings}: its network is {stated}, not {name}")
    return name


def _preset(name: str, preset: str | None) -> Path:
    """The file of a preset that ships, by its whole name or as one of a network's."""
    from isptools import shipped
    from isptools.train.networks import NAMES

    folder = shipped.folder("recipes") / "train"
    path = folder / (f"{name}-{preset}.toml" if preset else f"{name}.toml")
    if path.is_file():
        return path
    presets = sorted(file.stem for file in folder.glob("*.toml"))
    own = [one.removeprefix(f"{name}-") for one in presets if one.startswith(f"{name}-")]
    if own:
        raise ValueError(f"{name}: give --preset {' or '.join(own)}, or --settings FILE")
    if name in presets:
        raise ValueError(f"{name} is a preset itself; leave --preset {preset} out")
    if name in NAMES or ":" in name:
        raise ValueError(f"{name}: no preset of it ships; give --settings FILE")
    raise ValueError(
        f"no network or preset {name!r}; networks: {', '.join(NAMES)}; presets: "
        f"{', '.join(presets)}; your own network as module:callable"
    )


def _decoded(word: str) -> dict[str, Any]:
    """KEY=VALUE, as TOML has it: network.layers=3 is a word of a table."""
    import msgspec

    key, _, value = word.partition("=")
    try:
        decoded: dict[str, Any] = msgspec.toml.decode(f"{key} = {value}")
    except msgspec.DecodeError:
        raise ValueError(f"--set {word}: expected KEY=VALUE with a TOML value") from None
    return decoded
