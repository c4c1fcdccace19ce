"""DPED: patches of three phones and a DSLR, and the photographs they were cut from.

Which folders hold the two sides stands in the data set's rules; here are its miniatures.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from isptools.datasets.card import Card
from isptools.datasets.folders import Select, find, small
from isptools.synth import scenes, views
from isptools.synth.files import written
from isptools.synth.views import generator, jpeg

__all__ = ["Select", "find", "miniature", "small"]

PATCHES, ORIGINALS = 11, 12  # part of the seeds


def miniature(card: Card, out: Path, seed: int = 0) -> list[Path]:
    """Patches, or photographs; `truth.json` says how the latter lie on each other."""
    if card.name == "dped":
        return [*written(_patches(seed), out), views.known(out, {})]
    seen = {number: _photographs(number, seed) for number in range(8)}
    files = [file for _, files in seen.values() for file in files]
    truth = {f"iphone/phone/{number}.jpg": view for number, (view, _) in seen.items()}
    return [*written(files, out), views.known(out, truth)]


def _photographs(number: int, seed: int) -> tuple[views.View, list[tuple[str, bytes]]]:
    """One of eight scenes, of which the last is nearly the first."""
    scene = number % 7
    rng = generator(seed, ORIGINALS, number)
    painted = scenes.paint(generator(seed, ORIGINALS, 100 + scene), *views.DSLR)
    picture = views.turned(painted, scene)
    view = views.view_of(rng)
    phone = f"iphone/phone/{number}.jpg", jpeg(views.seen(picture, view, rng), 92)
    return view, [phone, (f"iphone/canon/{number}.jpg", jpeg(views.toned(picture), 95))]


def _patches(seed: int) -> Iterator[tuple[str, bytes]]:
    """Patches that are aligned as well as the released ones are; one pair is black."""
    places = {"iphone/training_data/{}": range(40), "iphone/test_data/patches/{}": range(12)}
    for code, (folder, numbers) in enumerate(places.items()):
        picture = np.empty((0, 0, 3), np.float32)
        for number in numbers:
            rng = generator(seed, PATCHES, code, number)
            if number % 8 == 0:
                picture = scenes.paint(generator(seed, PATCHES, code, 1000 + number), 480, 640)
            top, left = int(rng.integers(60, 320)), int(rng.integers(60, 480))
            part = picture[top - 8 : top + 108, left - 8 : left + 108]
            moved = views.shifted(part, rng.uniform(-0.4, 0.4, 2))
            phone, canon = views.phone_look(moved, rng), views.toned(part)
            black = np.float32(0 if number == 7 else 1)
            for camera, whole in (("iphone", phone), ("canon", canon)):
                cut = np.ascontiguousarray(whole[8:108, 8:108]) * black
                yield f"{folder.format(camera)}/{number}.jpg", jpeg(cut, 95)
