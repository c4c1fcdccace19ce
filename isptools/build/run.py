"""Run units: in this process, in spawned workers, or where joblib was told to."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import msgspec
from joblib import Parallel, delayed
from joblib.externals.loky.process_executor import TerminatedWorkerError
from joblib.parallel import get_active_backend

from isptools.build import align, develop, released, unprocess
from isptools.build.journal import Made
from isptools.build.task import Unit
from isptools.build.work import Work
from isptools.children import safe_path
from isptools.datasets.listing import BuildError
from isptools.recipe import Align, Develop, Unprocess


def run_units(units: Sequence[Unit], work: Work, jobs: int) -> Iterator[Made]:
    """Make every unit and yield it when it is finished, in no fixed order.

    `jobs` counts loky's spawned workers (a forked one would deadlock in LibRaw), each with one
    OpenMP and one numba thread; 1 works in this process. A backend that the caller chose with
    `joblib.parallel_config` (Dask, say) is used instead.
    """
    if _chosen_by_caller():
        yield from _parallel(units, work, Parallel(return_as="generator_unordered", batch_size=1))
    elif jobs == 1 or len(units) < 2:
        yield from (_made(unit, work) for unit in units)
    else:
        workers = Parallel(
            n_jobs=jobs,
            backend="loky",
            inner_max_num_threads=1,
            return_as="generator_unordered",
            batch_size=1,
        )
        yield from _parallel(units, work, workers)


def _made(unit: Unit, work: Work) -> Made:
    truth = work.recipe.truth
    if isinstance(truth, Develop):
        return develop.make(unit, work, truth)
    if isinstance(truth, Align):
        return align.make(unit, work, truth)
    if isinstance(truth, Unprocess):
        return unprocess.make(unit, work, truth)
    return released.make(unit, work, truth)


def _parallel(units: Sequence[Unit], work: Work, workers: Parallel) -> Iterator[Made]:
    work = _anywhere(work)
    try:
        with safe_path():
            yield from workers(delayed(_made)(unit, work) for unit in units)
    except TerminatedWorkerError:
        raise BuildError(
            "a worker process was killed, most likely because memory ran out; run the same "
            "command with fewer --jobs, what is finished is kept"
        ) from None


def _anywhere(work: Work) -> Work:
    """The same with absolute paths: a worker stays in the folder where it was started.

    loky keeps workers for the next call, and this process may have changed its folder meanwhile.
    """
    pictures = work.pictures.absolute() if work.pictures else None
    card = msgspec.structs.replace(work.card, folder=work.card.folder.absolute())
    root, out = work.root.absolute(), work.out.absolute()
    return replace(work, root=root, out=out, pictures=pictures, card=card)


def _chosen_by_caller() -> bool:
    backend, jobs = get_active_backend()
    return type(backend).__name__ != "LokyBackend" or jobs not in {None, 1}
