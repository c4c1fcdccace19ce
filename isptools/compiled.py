"""Compiled loops that cost nothing until one of them runs: numba takes longer to load than most."""

import sys
import threading
from collections.abc import Callable
from functools import cache, update_wrapper
from importlib import import_module
from typing import Any, TypeVar, cast

Function = TypeVar("Function", bound=Callable[..., Any])
_one_at_a_time = threading.Lock()


class _Kernel:
    """A function that numba compiles when it is first called, or named in another kernel."""

    def __init__(self, function: Callable[..., Any], **options: Any) -> None:
        update_wrapper(self, function)
        self.function, self.options = function, options
        self.dispatcher: Any = None

    def compiled(self) -> Any:
        if self.dispatcher is None:
            options: dict[str, Any] = {"nogil": True, "cache": True, "error_model": "numpy"}
            self.dispatcher = numba_module().njit(**options, **self.options)(self.function)
        return self.dispatcher

    def __call__(self, *args: Any) -> Any:
        return (self.dispatcher or self.compiled())(*args)

    @property
    def _numba_type_(self) -> Any:
        """What numba asks a global for while it compiles another kernel."""
        return self.compiled()._numba_type_


@cache
def numba_module() -> Any:
    """numba, without a third of SciPy: it would load that to see whether it is there, which it is.

    Who compiles a product of matrices still has it loaded then.
    """
    import numba  # noqa: PLC0415 - the reason for `_Kernel`
    from numba.np import linalg  # noqa: PLC0415

    with _one_at_a_time:  # `load_ahead` has a thread: what it put there for now must not be kept
        look = getattr(linalg, "ensure_blas", None)
        if look and "numba.np.arraymath" not in sys.modules:
            linalg.ensure_blas = lambda: None
            try:
                arraymath = import_module("numba.np.arraymath")
            finally:
                linalg.ensure_blas = look
            vars(arraymath)["ensure_blas"] = look
    return numba


def kernel(function: Function) -> Function:
    """Compile without the GIL and keep the machine code on disk for the next process."""
    return cast(Function, _Kernel(function))


def part(function: Function) -> Function:
    """A kernel of short rows that stands within others, without the cost of a call."""
    return cast(Function, _Kernel(function, forceinline=True))


def is_loaded() -> bool:
    """Whether compiled loops cost no more than themselves in this process."""
    return "numba" in sys.modules


@kernel
def _nothing(number: int) -> int:
    return number


def load_ahead() -> None:
    """Load numba beside what this process waits for: the first loop then finds it there."""
    threading.Thread(target=_nothing, args=(0,)).start()
