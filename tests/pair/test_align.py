"""The mapping against homographies that are known or were published, and pairs that are none."""

import os
import subprocess
import sys
from itertools import pairwise

import cv2
import numpy as np
import pytest

from isptools.cli import raws
from isptools.pair import plane
from isptools.pair.align import Limits, align
from isptools.pair.area import reduced
from isptools.pair.light import gray
from isptools.pair.match import match
from tests.pair import views


@pytest.fixture(scope="module")
def picture():
    return views.scene()


@pytest.mark.parametrize(
    ("turn", "scale", "noise", "blur"),
    [(0.5, 1.0, 0.005, 0.5), (15, 1.3, 0.01, 0.8), (-8, 0.75, 0.03, 1.2), (4, 2.0, 0.01, 0.8)],
)
def test_corners_end_where_the_known_homography_puts_them(picture, turn, scale, noise, blur):
    h, size = views.mapping(picture.shape, turn, scale)
    found = align(picture, views.other(picture, h, size, noise=noise, blur=blur))
    assert found.passed, found.reasons
    assert views.corner_error(found.mapping.h, h, picture.shape) < 0.5


def test_pasted_content_does_not_pull_it_away(picture):
    h, size = views.mapping(picture.shape)
    warped = views.other(picture, h, size)
    foreign = cv2.resize(views.scene(seed=77), size)
    warped[100:600, 700:1350] = foreign[100:600, 700:1350]  # 30 % of the picture
    found = align(picture, warped)
    assert found.passed, found.reasons
    assert views.corner_error(found.mapping.h, h, picture.shape) < 0.6


def test_published_homographies(shared_data):
    folder = shared_data / "registration" / "graf"
    one, two = (cv2.imread(str(folder / f"img{i}.png"))[..., ::-1] for i in (1, 2))
    found = align(np.ascontiguousarray(one), np.ascontiguousarray(two))
    published = np.loadtxt(folder / "H1to2p")
    assert found.passed, found.reasons
    points = np.stack(np.meshgrid(np.arange(40.0, 760, 40), np.arange(40.0, 600, 40)), -1)
    points = points.reshape(-1, 2)
    off = np.hypot(*(plane.apply(found.mapping.h, points) - plane.apply(published, points)).T)
    assert np.median(off) < 1


def test_a_raw_pair_ends_at_the_known_shift(shared_data):
    """Canon G2: the camera's JPEG is its raw shifted by about (-20, -8) pixels."""
    folder = shared_data / "raw" / "canon_g2"
    found = align(
        raws.upright(folder / "CRW_0304.CRW"),
        raws.upright(folder / "IMG_0302.JPG"),
    )
    assert found.passed, found.reasons
    middle = np.array([[1150.0, 860.0]])
    shift = (plane.apply(found.mapping.h, middle) - middle)[0]
    np.testing.assert_allclose(shift, (-20, -8), atol=2)


def test_held_out_error_is_of_matches_that_were_not_fitted(picture):
    h, size = views.mapping(picture.shape)
    found = match(gray(picture), gray(views.other(picture, h, size)))
    assert not (found.inlier & found.held_out).any()
    mapped = plane.apply(found.h, found.phone[found.held_out])
    off = np.hypot(*(mapped - found.dslr[found.held_out]).T)
    assert found.heldout_rmse == pytest.approx(np.sqrt((off[off < 3 * 1.3] ** 2).mean()), rel=0.3)


def test_a_radial_distortion_is_taken_up_by_offsets(picture):
    height, width = picture.shape[:2]
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    u, v = (x - width / 2) / width, (y - height / 2) / width
    bend = 1 + 0.06 * (u * u + v * v)
    maps = u * bend * width + width / 2, v * bend * width + height / 2
    bent = cv2.remap(picture, *maps, cv2.INTER_LANCZOS4, borderMode=cv2.BORDER_REFLECT)
    found = align(picture, bent)
    assert found.passed, found.reasons
    assert found.mapping.field is not None
    rows, columns = np.mgrid[150:750:50, 200:1000:50]
    target = np.stack([columns.ravel(), rows.ravel()], 1).astype(float)  # in the bent picture
    source = np.stack([m[rows.ravel(), columns.ravel()] for m in maps], 1).astype(float)
    with_offsets = np.hypot(*(found.mapping.to_dslr(source) - target).T)
    plane_alone = np.hypot(*(plane.apply(found.mapping.h, source) - target).T)
    assert np.percentile(with_offsets, 95) < 0.5 < np.percentile(plane_alone, 95)
    back = found.mapping.to_phone(found.mapping.to_dslr(source))
    np.testing.assert_allclose(back, source, atol=0.01)


def test_pictures_of_different_scenes_fail(shared_data):
    names = ("kodim01", "kodim08", "kodim13", "kodim19", "kodim23")
    pictures = [cv2.imread(str(shared_data / f"testsets/kodak24/{name}.png")) for name in names]
    for one, other in pairwise(pictures):
        found = align(one, other)
        assert not found.passed
        assert found.reasons


def _tiled(picture):
    tile = cv2.resize(picture[300:390, 500:590], (90, 90))
    wall = np.tile(tile, (10, 14, 1))
    noise = np.random.default_rng(4).integers(-3, 4, (2, *wall.shape))
    one, two = np.clip(wall + noise, 0, 255).astype(np.uint8)
    return one[:720, :1080], two[90:810, 90:1170]


BAD = {
    "other scene": lambda p: (p, views.scene(seed=91)),
    "mirrored": lambda p: (p, np.ascontiguousarray(p[:, ::-1])),
    "blank": lambda p: (p, np.full_like(p, 93)),
    "black": lambda p: (np.zeros_like(p), p),
    "noise": lambda p: (p, np.random.default_rng(2).integers(0, 255, p.shape).astype(np.uint8)),
    "no overlap": lambda p: (p[:, :600].copy(), p[:, 600:].copy()),
    "repeated": _tiled,
    "tiny": lambda p: (p[:20, :20].copy(), p[:20, :20].copy()),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_pair_fails_with_a_reason(picture, name):
    found = align(*BAD[name](picture))
    assert not found.passed
    assert all(reason and "\n" not in reason for reason in found.reasons)


def test_limits_are_what_decides(picture):
    h, size = views.mapping(picture.shape)
    warped = views.other(picture, h, size)
    assert align(picture, warped).passed
    strict = align(picture, warped, Limits(inliers=10**6))
    assert not strict.passed
    assert "too few matches" in strict.reasons[0]


THREADS = """
import sys, cv2, numpy as np
cv2.setNumThreads(int(sys.argv[1]))
from tests.pair import views
from isptools.pair.align import align
p = views.scene(600, 800)
h, size = views.mapping(p.shape)
found = align(p, views.other(p, h, size))
print(found.mapping.h.tobytes().hex(), found.residual.tobytes().hex())
"""


def test_the_same_on_one_thread_and_on_three():
    def run(threads):
        environment = os.environ | {"OMP_NUM_THREADS": threads}
        command = [sys.executable, "-c", THREADS, threads]
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, check=True
        ).stdout

    assert run("1") == run("3")


@pytest.mark.parametrize("size", [(75, 101), (200, 300), (67, 299), (40, 60)])
def test_a_reduced_picture_is_the_mean_over_areas(size):
    picture = np.random.default_rng(1).integers(0, 256, (200, 300)).astype(np.uint8)
    found = reduced(picture, *size)
    expected = cv2.resize(picture, size[::-1], interpolation=cv2.INTER_AREA)
    assert np.abs(found.astype(int) - expected).max() <= 1
    assert (found != expected).mean() < 2e-3  # rounded after other sums
    across = [cover(300, size[1], k) for k in range(size[1])]
    down = [cover(200, size[0], k) for k in range(size[0])]
    assert np.abs(found - down @ picture @ np.transpose(across)).max() < 0.501


def cover(size, fewer, k):
    """Which part of each of `size` pixels lies in the k-th of `fewer`, over their sum."""
    edges = np.array([k, k + 1]) * size / fewer
    inside = np.clip(np.arange(size) + 1, *edges) - np.clip(np.arange(size), *edges)
    return inside / inside.sum()
