"""Patch decisions against displacements that are known."""

import cv2
import numpy as np
import pytest

from isptools import patches
from isptools.pair.accept import Search, accept
from isptools.pair.light import gray
from tests.pair import views

SIZE = 100


@pytest.fixture(scope="module")
def still():
    return gray(views.scene(1000, 1400, seed=9))


@pytest.fixture(scope="module")
def textured(still):
    """Places with texture across every direction, by the structure tensor."""
    dy, dx = np.gradient(cv2.GaussianBlur(still.astype(np.float64), (0, 0), 1))
    places = []
    for top, left, height, width in shifted(still.shape):
        part = slice(top, top + height), slice(left, left + width)
        a, b, c = ((one[part] * two[part]).mean() for one, two in ((dx, dx), (dx, dy), (dy, dy)))
        inside = 100 <= top < 800 and 100 <= left < 1200
        if inside and (a + c) / 2 - np.hypot((a - c) / 2, b) > 20:
            places.append((top, left))
    assert len(places) >= 30
    return places


def shifted(shape):
    """The grid, and the grid moved by half a window."""
    windows = list(patches.grid(shape, SIZE, 1))
    return windows + [(top + 50, left + 50, *size) for top, left, *size in windows]


def moved(still, x, y, turn=0.0, center=(0, 0)):
    """The still picture with its content moved by x, y and turned about a place."""
    matrix = cv2.getRotationMatrix2D(center, -turn, 1.0)
    matrix[:, 2] += (x, y)
    noisy = cv2.warpAffine(still, matrix, still.shape[::-1], flags=cv2.INTER_LANCZOS4)
    noisy = cv2.GaussianBlur(noisy, (0, 0), 0.4) + np.random.default_rng(1).normal(
        0, 2, still.shape
    )
    return np.clip(255 * (np.clip(noisy, 0, 255) / 255) ** 1.2, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("shift", [(0, 0), (0.4, -0.3), (2.6, -1.7), (-3.7, 3.4)])
def test_windows_within_reach_are_kept_and_end_at_the_truth(still, textured, shift):
    verdicts = accept(still, moved(still, *shift), textured, SIZE, Search())
    kept = [v for v in verdicts if v.kept]
    assert len(kept) >= len(verdicts) - 1  # one shows bars that a shift of half a pixel blurs
    off = [np.hypot(v.dx - shift[0], v.dy - shift[1]) for v in kept]
    assert max(off) < 0.5
    assert np.median(off) < 0.1


@pytest.mark.parametrize("shift", [(7, 0), (0, -7.5), (6, 7), (-9, 2), (40, 10)])
def test_windows_beyond_reach_are_refused(still, textured, shift):
    verdicts = accept(still, moved(still, *shift), textured, SIZE, Search())
    assert sum(v.kept for v in verdicts) <= 0.01 * len(verdicts)


def test_without_search_a_moved_window_is_refused_and_a_still_one_is_not(still, textured):
    off = Search(shift_px=0)
    assert not any(v.kept for v in accept(still, moved(still, 3, 0), textured, SIZE, off))
    fine = accept(still, moved(still, 0.1, 0.1), textured, SIZE, off)
    assert sum(v.kept for v in fine) >= 0.97 * len(fine)
    assert {(v.dx, v.dy, v.turn_deg) for v in fine if v.kept} == {(0.0, 0.0, 0.0)}


def test_a_turned_window_is_turned_back(still, textured):
    for top, left in textured[:6]:
        center = (left + 49.5, top + 49.5)
        other = moved(still, 1.2, -0.7, 0.8, center)
        (verdict,) = accept(still, other, [(top, left)], SIZE, Search())
        assert verdict.kept, verdict
        assert (verdict.dx, verdict.dy) == pytest.approx((1.2, -0.7), abs=0.25)
        assert verdict.turn_deg == pytest.approx(0.8, abs=0.1)
        (verdict,) = accept(still, moved(still, 0, 0, 2.5, center), [(top, left)], SIZE, Search())
        assert not verdict.kept


def test_other_content_is_refused(still, textured):
    other = np.ascontiguousarray(np.roll(still, (300, 400), (0, 1)))
    verdicts = accept(still, other, textured, SIZE, Search())
    assert sum(v.kept for v in verdicts) <= 0.01 * len(verdicts)


def test_flat_windows_follow_the_stated_rule():
    rng = np.random.default_rng(8)
    flat = np.clip(rng.normal(120, 1.5, (400, 400)), 0, 255).astype(np.uint8)
    places = [(100, 100), (200, 200)]
    assert {v.reason for v in accept(flat, flat, places, SIZE, Search())} == {"flat"}
    kept = accept(flat, flat, places, SIZE, Search(keep_flat=True))
    assert {v.reason for v in kept} == {"kept"}
    assert {(v.dx, v.dy) for v in kept} == {(0.0, 0.0)}


def test_weak_texture_above_the_noise_is_decided_by_correlation(still, textured):
    """A sky's few gray levels are no reason to refuse a window, other content of that kind is."""
    rng = np.random.default_rng(3)

    def weak(picture):
        dim = (
            100 + (picture - picture.mean()) * (6 / picture.std()) + rng.normal(0, 0.3, still.shape)
        )
        return np.clip(np.rint(dim), 0, 255).astype(np.uint8)

    one = weak(still)
    places = [(t, x) for t, x in textured if 2.5 < one[t : t + SIZE, x : x + SIZE].std() < 4]
    assert len(places) > 5
    here = accept(one, weak(moved(still, 1.3, -2.4)), places, SIZE, Search())
    kept = [v for v in here if v.kept]
    assert len(kept) >= 0.9 * len(here)
    assert max(np.hypot(v.dx - 1.3, v.dy + 2.4) for v in kept) < 0.5
    for other in (moved(still, 7, 2), np.roll(still, (300, 400), (0, 1))):
        assert not any(v.kept for v in accept(one, weak(other), places, SIZE, Search()))
    noise = [100 + rng.normal(0, 3, still.shape) for _ in "ab"]
    sides = [np.rint(each).astype(np.uint8) for each in noise]
    assert {v.reason for v in accept(*sides, places, SIZE, Search())} == {"flat"}


def test_an_edge_alone_is_flat_and_one_with_an_end_is_not():
    """Along an edge every place is as good: a window is only as sure as its weakest direction."""
    rng = np.random.default_rng(6)

    def noisy(picture):
        return np.clip(picture + rng.normal(0, 2, picture.shape), 0, 255).astype(np.uint8)

    edge = np.full((300, 300), 60.0)
    edge[:, 150:] = 180
    edge = cv2.GaussianBlur(edge, (0, 0), 1.5)
    (verdict,) = accept(noisy(edge), noisy(edge), [(100, 100)], SIZE, Search())
    assert verdict.reason == "flat"
    edge[:145, 150:] = 60
    (verdict,) = accept(noisy(edge), noisy(np.roll(edge, 2, 0)), [(100, 100)], SIZE, Search())
    assert verdict.kept
    assert (verdict.dx, verdict.dy) == pytest.approx((0, 2), abs=0.3)


def test_the_correlation_is_that_of_numpy(still, textured):
    other = moved(still, 0, 0)
    off = Search(shift_px=0, least=-1)
    for v in accept(still, other, textured[:5], SIZE, off):
        part = slice(v.top, v.top + SIZE), slice(v.left, v.left + SIZE)
        plain = np.corrcoef(still[part].ravel(), other[part].ravel())[0, 1]
        assert v.correlation == pytest.approx(plain, abs=1e-6)


def test_windows_do_not_depend_on_threads(still, textured, monkeypatch):
    other = moved(still, 1.3, 0.4)
    runs = []
    for threads in ("1", "3"):
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
        runs.append(accept(still, other, textured * 4, SIZE, Search()))
    assert runs[0] == runs[1]
