"""A painted scene as a burst and as a pair of photographs; OpenCV's way to align the pair."""

import sys
from functools import cache
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
RATIO, WITHIN = 0.8, 3.0  # Lowe's; pixels
FEATURES = 8000  # the strongest of each whole picture
SCALE = 1.29  # 12 MP to 20


@cache
def scene(shape):
    """Linear RGB (H, W, 3) float32: two rooms and, below, their mirror images."""
    from isptools.synth import scenes

    rooms = [
        scenes.paint(np.random.Generator(np.random.PCG64(k)), shape[0] // 2, shape[1] // 2)
        for k in range(2)
    ]
    rows = [np.concatenate(rooms, 1), np.concatenate([room[:, ::-1] for room in rooms[::-1]], 1)]
    return np.clip(np.concatenate(rows), 0, 1)


def burst(light):
    """Eight noisy mosaics of it by a shaking hand, (8, H, W) uint16, and their frames."""
    from benchmarks.scenes import BORDER, burst

    around = ((BORDER, BORDER), (BORDER, BORDER), (0, 0))
    return burst(np.pad(light, around, "reflect"), None, exact=False, full=300).frames


def pair(light):
    """Two cameras' pictures, (H, W, 3) uint8, the second finer by SCALE, and the homography."""
    from tests.pair import views

    h, size = views.mapping(light.shape, 3.0, SCALE, tilt=(3e-6, -2e-6))
    picture = views.encoded(light * 1.5)
    return picture, views.other(picture, h, size, noise=0.005, blur=0.5), h


def sift(picture, other):
    """The homography as one would find it with OpenCV: SIFT on both whole pictures, ratio test,
    MAGSAC++, then ECC on whole pictures until it stops (its defaults)."""
    grays = [cv2.cvtColor(each, cv2.COLOR_RGB2GRAY) for each in (picture, other)]
    finder = cv2.SIFT_create(nfeatures=FEATURES)
    (here, first), (there, second) = (finder.detectAndCompute(gray, None) for gray in grays)
    matches = cv2.BFMatcher().knnMatch(first, second, 2)
    kept = [one for one, two in matches if one.distance < RATIO * two.distance]
    source = np.float32([here[one.queryIdx].pt for one in kept])
    target = np.float32([there[one.trainIdx].pt for one in kept])
    h, _ = cv2.findHomography(source, target, cv2.USAC_MAGSAC, WITHIN)
    _, h = cv2.findTransformECC(grays[0], grays[1], h.astype(np.float32), cv2.MOTION_HOMOGRAPHY)
    return h / h[2, 2]
