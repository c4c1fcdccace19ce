"""The GPU's kernels run on the processor, by Triton's interpreter."""

import sys
from collections.abc import Iterator
from importlib import import_module
from types import ModuleType

import pytest

KERNELS = tuple(f"isptools.gpu.{name}" for name in ("light", "window", "ahd", "demosaic", "steps"))
CONVOLVE = "isptools.train.convolve"
MODULES = (*KERNELS, CONVOLVE)


@pytest.fixture(scope="session")
def interpreted() -> Iterator[None]:
    """Triton asks when a kernel is defined whether it is to be interpreted.

    So all are imported anew, and again for tests behind these, that may have a GPU.
    """
    pytest.importorskip("torch")
    pytest.importorskip("triton", reason="Triton is not installed")
    before = {name: module for name in MODULES if (module := sys.modules.get(name))}
    _let(dict.fromkeys(MODULES))
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("TRITON_INTERPRET", "1")
        yield
    _let(dict.fromkeys(MODULES) | before)


def _let(modules: dict[str, ModuleType | None]) -> None:
    """Have these be imported, or not (None); a package gives its attribute before it imports."""
    for name, module in modules.items():
        package, _, leaf = name.rpartition(".")
        if module:
            sys.modules[name] = module
            setattr(sys.modules[package], leaf, module)
        elif sys.modules.pop(name, None):
            delattr(sys.modules[package], leaf)


@pytest.fixture(scope="session")
def kernels(interpreted: None) -> ModuleType:
    """isptools.gpu.steps, with few large blocks: the interpreter is slow by blocks."""
    light, window = (import_module(name) for name in KERNELS[:2])
    window.ROWS = window.COLUMNS = 64
    light.BLOCK = window.FRAME = 4096
    return import_module(KERNELS[-1])


@pytest.fixture(scope="session")
def convolve(interpreted: None) -> ModuleType:
    return import_module(CONVOLVE)
