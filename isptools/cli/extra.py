"""Commands that need the extra `train` say so in one line."""

import click


def expect_train() -> None:
    """ClickException where torch or lightning is not installed."""
    from importlib.util import find_spec

    missing = [name for name in ("torch", "lightning") if find_spec(name) is None]
    if missing:
        raise click.ClickException(
            f"this needs {' and '.join(missing)}: in isptools' own folder, pip install '.[train]'"
        )
