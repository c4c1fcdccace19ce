"""Captions, and dark pictures brightened."""

import numpy as np

from isptools.report.sheet import GAP, LINE, Captioned, brightened, said, sheet


def test_a_dark_picture_is_brightened_and_says_by_how_much():
    """16 of 255 to 230: a factor of 14.3 on numbers, on light 14.3 ** 2.2, which is 8.5 stops."""
    dark = np.full((20, 30, 3), 16, np.uint8)
    shown, stops = brightened(dark)
    assert abs(int(shown.max()) - 0.9 * 255) <= 2
    assert abs(stops - 2.2 * np.log2(0.9 * 255 / 16)) < 1e-3
    assert said(stops) == ("shown 8.5 stops brighter",)
    light = np.full((20, 30, 3), 128, np.uint8)
    same, none = brightened(light)
    assert same is light
    assert (none, said(none)) == (0.0, ())


def test_pictures_stand_in_rows_above_their_captions():
    red, blue = np.zeros((2, 40, 60, 3), np.uint8)
    red[..., 0] = blue[..., 2] = 200
    made = sheet([Captioned(red, ("red",)), Captioned(blue, ("blue", "two lines"))], 2, 60)
    assert made.shape == (40 + 2 * LINE + 2 * GAP, 2 * (60 + GAP) + GAP, 3)
    assert (made[GAP : GAP + 40, GAP : GAP + 60] == red).all()
    assert (made[GAP : GAP + 40, 2 * GAP + 60 : 2 * GAP + 120] == blue).all()
    below = made[GAP + 40 :]
    assert below[:LINE, GAP : GAP + 60].min() < 100  # ink
    assert below[LINE:, GAP : GAP + 60].min() > 200  # red has one line
    assert len(sheet([Captioned(red, ("a" * 99,))] * 3, 2, 60)) == 2 * (40 + LINE + 2 * GAP)
