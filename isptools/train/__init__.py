"""Training: `Patches` and `Form` for loops of one's own; the rest is what `isptools train` runs."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from isptools.train.patches import Form, Patches

__all__ = ["Form", "Patches"]


def __getattr__(name: str) -> Any:
    """Imported when asked for: settings and names alone need no torch."""
    if name in __all__:
        from isptools.train import patches  # noqa: PLC0415 - needs torch

        return getattr(patches, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
