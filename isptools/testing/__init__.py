"""Promises, for what ships and for what strangers write: call one in a test of your own."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from isptools.testing.networks import network

__all__ = ["network"]


def __getattr__(name: str) -> Any:
    """Each is imported when it is asked for: the one for networks needs torch."""
    if name == "network":
        from isptools.testing.networks import network  # noqa: PLC0415 - when it is asked for

        return network
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
