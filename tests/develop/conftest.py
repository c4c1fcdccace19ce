"""What the comparisons with LibRaw compute again and again."""

from collections.abc import Iterator
from functools import cache

import pytest

from isptools.develop import tone


@pytest.fixture(scope="module", autouse=True)
def curves() -> Iterator[None]:
    """Every table of a tone curve is made once: with auto-bright there are more than are kept.

    All mixtures of choices need 450 of them, 5300 times; one takes 40 ms.
    """
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(tone, "curve", cache(tone.curve.__wrapped__))
        yield
