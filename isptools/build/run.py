"""Run units: in this process, in children, or where joblib was told to."""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from types import ModuleType

from isptools.apart import time_limit, used_by
from isptools.build import cluster
from isptools.build.journal import Made
from isptools.build.plan import told_fault
from isptools.build.task import Undone, Unit, Wait
from isptools.build.work import Work
from isptools.children import Crew, DiedError, Limits, StartError, decoders, safe_path
from isptools.datasets.listing import BuildError
from isptools.decode import files as decode
from isptools.recipe import Align, Develop, Maker, Unprocess
from isptools.sources import FaultError


@contextmanager
def started(
    units: Sequence[Unit], work: Work, jobs: int, where: str | None = None
) -> Iterator[Crew | None]:
    """The children that `run_units` needs; they load what makes the units meanwhile.

    `jobs` counts them, each has one OpenMP and one numba thread; 1 works in this process, and gives
    None, -1 takes every core.
    """
    if where or _chosen_by_caller() or jobs == 1 or len(units) < 2:
        yield None
        return
    many = min(jobs if jobs > 0 else os.cpu_count() or 1, len(units))
    with Crew(many, partial(load, work.recipe.truth)) as crew:
        yield crew


def load(truth: Maker) -> None:
    """What makes units of a truth, and the process that decodes for it."""
    _maker(truth)
    decoders.call(decode.load, limits=Limits())


def run_units(
    units: Sequence[Unit],
    work: Work,
    crew: Crew | None,
    where: str | None = None,
    tell: Callable[[str], None] = lambda _text: None,
) -> Iterator[Made | Undone]:
    """Make every unit and yield it when it is finished, or left undone, in no fixed order.

    `crew` are the children that were `started`. `where` names a Dask cluster
    (isptools.build.cluster), and `tell` is called with what that waits for, and with "" when it has
    come. A backend that the caller chose with `joblib.parallel_config` is used instead. Wherever it
    is, files are decoded in another process. A unit is left undone where the machine fails: a
    source that can't be read, a child that is killed.
    """
    if where and units:
        yield from cluster.run(units, _anywhere(work), where, made, tell)
    elif _chosen_by_caller():
        yield from _parallel(units, work)
    elif crew is None:
        yield from (made(unit, work) for unit in units)
    else:
        yield from _children(units, work, crew)


def made(unit: Unit, work: Work) -> Made | Undone:
    """One unit, here."""
    try:
        with time_limit(work.seconds), used_by(work.shadow.used if work.shadow else None):
            return _made(unit, work)
    except FaultError as error:
        return undone(unit, told_fault(error, work.root))
    except StartError as error:
        return undone(unit, str(error))
    except MemoryError:
        return undone(unit, "memory ran out")


def _made(unit: Unit, work: Work) -> Made:
    truth = work.recipe.truth
    made: Made = _maker(truth).make(unit, work, truth)
    return made


def _maker(truth: Maker) -> ModuleType:
    """Who makes units of a truth, loaded for who makes one: each brings libraries of its own."""
    if isinstance(truth, Develop):
        from isptools.build import develop  # noqa: PLC0415 - see above

        return develop
    if isinstance(truth, Align):
        from isptools.build import align  # noqa: PLC0415

        return align
    if isinstance(truth, Unprocess):
        from isptools.build import unprocess  # noqa: PLC0415

        return unprocess
    from isptools.build import released  # noqa: PLC0415

    return released


def undone(unit: Unit, why: str) -> Undone:
    """A unit that is left for the next run, with one reason for each of its scenes."""
    return Undone(unit.name, tuple(Wait(task.scene, why) for task in unit.tasks))


def _children(units: Sequence[Unit], work: Work, crew: Crew) -> Iterator[Made | Undone]:
    """The largest first: then children end at about the same time."""
    try:
        largest = sorted(units, key=lambda unit: -unit.rows)
        for unit, answer in crew.each(partial(_made_of, _anywhere(work)), largest):
            if isinstance(answer, DiedError):
                yield undone(unit, f"{unit.name}: {answer}")
            else:
                yield answer
    except StartError as error:
        raise BuildError(str(error)) from None


def _made_of(work: Work, unit: Unit) -> Made | Undone:
    return made(unit, work)


def _parallel(units: Sequence[Unit], work: Work) -> Iterator[Made | Undone]:
    from joblib import Parallel, delayed  # noqa: PLC0415 - for who chose it
    from joblib.externals.loky.process_executor import (  # noqa: PLC0415
        TerminatedWorkerError,
    )

    workers = Parallel(return_as="generator_unordered", batch_size=1)
    work = _anywhere(work)
    try:
        with safe_path():
            yield from workers(delayed(made)(unit, work) for unit in units)
    except TerminatedWorkerError:
        raise BuildError(
            "a worker process was killed, most likely because memory ran out; run the same "
            "command with fewer workers, what is finished is kept"
        ) from None


def _anywhere(work: Work) -> Work:
    """The same with absolute paths: a worker stays in the folder where it was started.

    joblib keeps workers for the next call, and this process may have changed its folder meanwhile.
    """
    pictures = work.pictures.absolute() if work.pictures else None
    root, out = work.root.absolute(), work.out.absolute()
    return replace(work, root=root, out=out, pictures=pictures)


def _chosen_by_caller() -> bool:
    if "joblib" not in sys.modules:
        return False
    from joblib.parallel import get_active_backend  # noqa: PLC0415 - it is there already

    backend, jobs = get_active_backend()
    return type(backend).__name__ != "LokyBackend" or jobs not in {None, 1}
