"""Where the recipes and manifests that come with the project lie."""

from pathlib import Path

DISTRIBUTION = "isptools-raw"  # what pip calls it; `isptools` on PyPI is another project
HERE = Path(__file__).parent


def folder(name: str) -> Path:
    """`recipes` or `manifests`: inside an installed wheel, or at the top of a checkout."""
    inside = HERE / name
    return inside if inside.is_dir() else HERE.parent / name
