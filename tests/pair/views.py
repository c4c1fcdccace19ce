"""Two cameras' pictures of one painted scene, related by a mapping that the test chose."""

import cv2
import numpy as np

from isptools.synth import scenes


def scene(height=900, width=1200, seed=5):
    """A picture from code, (H, W, 3) uint8."""
    rng = np.random.Generator(np.random.PCG64(seed))
    return encoded(np.clip(scenes.paint(rng, height, width) * 1.5, 0, 1))


def encoded(light):
    return np.rint(np.clip(light, 0, 1) ** (1 / 2.2) * 255).astype(np.uint8)


def linear(picture):
    return ((picture / np.float32(255)) ** 2.2).astype(np.float32)


def mapping(shape, turn=6.0, scale=1.2, tilt=(3e-5, -2e-5), shift=(12.3, -7.8)):
    """A homography about the picture's middle, and the size of the picture it leads to."""
    height, width = shape[:2]
    size = (round(width * max(1, scale)), round(height * max(1, scale)))
    angle = np.deg2rad(turn)
    center = np.array([[1, 0, -(width - 1) / 2], [0, 1, -(height - 1) / 2], [0, 0, 1.0]])
    back = np.array([[1, 0, (size[0] - 1) / 2], [0, 1, (size[1] - 1) / 2], [0, 0, 1.0]])
    rotate = np.eye(3)
    rotate[:2, :2] = scale * np.array(
        [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    )
    bend = np.eye(3)
    bend[2, :2], bend[:2, 2] = tilt, shift
    h = back @ bend @ rotate @ center
    return h / h[2, 2], size


def other(picture, h, size, seed=1, noise=0.01, blur=0.6):
    """The picture through another camera: mapped by h, another color, tone, sharpness and noise."""
    rng = np.random.Generator(np.random.PCG64(seed))
    light = cv2.warpPerspective(linear(picture), h, size, flags=cv2.INTER_LANCZOS4)
    matrix = np.array([[0.9, 0.2, -0.1], [0.1, 0.8, 0.1], [-0.05, 0.15, 0.9]], np.float32)
    light = np.clip(light @ matrix.T, 0, 1) ** 0.8
    light = cv2.GaussianBlur(light, (0, 0), blur)
    return encoded(light + rng.normal(0, noise, light.shape).astype(np.float32) * np.sqrt(light))


def corner_error(found, h, shape):
    """The largest distance of the four mapped corners, by plain arithmetic."""
    right, bottom = shape[1] - 1, shape[0] - 1
    corners = np.array([[0, 0, 1], [right, 0, 1], [right, bottom, 1], [0, bottom, 1]], float).T
    here, there = found @ corners, h @ corners
    return np.abs(here[:2] / here[2] - there[:2] / there[2]).max()
