"""Promises, for what ships and for what strangers write: call one in a test of your own."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from isptools.testing.networks import network
    from isptools.testing.rooms import room

__all__ = ["network", "room"]

HOMES = {"network": "networks", "room": "rooms"}


def __getattr__(name: str) -> Any:
    """Each is imported when it is asked for: the one for networks needs torch."""
    if name not in HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"isptools.testing.{HOMES[name]}"), name)
