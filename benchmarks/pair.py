"""Alignment against known mappings: how far off, what passes wrongly, how fast.

    python benchmarks/pair.py [--data DIR] [--quick] [--only NAME ...]

DIR is a folder of photographs (default: ISPTOOLS_DATA or ../shared/data). Each is warped by a
random homography and made another camera's picture: color matrix, tone curve, blur, noise, pasted
content. The truth is that homography; the corner error is the largest of the four corners', in
pixels of the warped picture. Prints Markdown tables.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import cv2
import numpy as np
from skimage.registration import phase_cross_correlation

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from isptools import patches
from isptools.datasets import miniature
from isptools.pair import plane, warp
from isptools.pair.accept import Search, accept
from isptools.pair.align import align
from isptools.pair.light import gray
from isptools.pair.warp import Choice
from isptools.synth import scenes, views

DATA = Path(os.environ.get("ISPTOOLS_DATA", Path(__file__).parents[2] / "shared" / "data"))
LARGE = (
    "raw/gopro_hero7black_pair/GOPR8508.JPG", "registration/sceaux/100_7102.JPG",
    "registration/sceaux/100_7103.JPG", "raw/canon_g2/IMG_0302.JPG",
    "fivek/a0001-jmac_DSC1459_C.jpg",
)  # fmt: skip
SMALL = tuple(
    f"testsets/kodak24/kodim{i:02}.png" for i in (1, 4, 7, 8, 13, 19, 20, 22, 23)
) + tuple(f"registration/boofcv/{name}_01.jpg" for name in ("apartment_building", "cave", "kayak"))
SECTIONS = (
    "speed", "large", "small", "published", "wrong", "shared", "local", "miniature", "decisions",
)  # fmt: skip


@dataclass(frozen=True)
class Hard:
    """What is done to a photograph."""

    name: str
    turn: float = 5.0  # degrees, at most
    scale: float = 1.25  # at most, either way
    color: float = 0.08
    blur: float = 0.5  # pixels, at most
    noise: float = 0.005
    paste: float = 0.0


CASES = (
    Hard("plain"),
    Hard("color and tone", color=0.25),
    Hard("blur", blur=2.5),
    Hard("noise", noise=0.05),
    Hard("30 % pasted", paste=0.3),
    Hard("15 degrees", turn=15),
    Hard("scale 2", scale=2.0),
    Hard("all at once", 15, 1.6, 0.25, 1.5, 0.03, 0.3),
)


def load(path, width=None):
    picture = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
    if width and picture.shape[1] != width:
        size = (width, round(width * picture.shape[0] / picture.shape[1]))
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC)
    return picture


def homography(shape, hard, rng):
    """A random mapping of centered coordinates, and the size of its picture."""
    height, width = shape[:2]
    turn = np.deg2rad(rng.uniform(hard.turn / 2, hard.turn)) * rng.choice((-1, 1))
    scale = (
        hard.scale ** rng.uniform(0.5, 1)
        if rng.random() < 0.5
        else hard.scale ** -rng.uniform(0.5, 1)
    )
    if width > 3000:
        scale = min(scale, 1.35)  # up to 20 MP
    size = (round(width * max(1, scale)), round(height * max(1, scale)))
    center = np.array([[1, 0, -(width - 1) / 2], [0, 1, -(height - 1) / 2], [0, 0, 1.0]])
    back = np.array([[1, 0, (size[0] - 1) / 2], [0, 1, (size[1] - 1) / 2], [0, 0, 1.0]])
    rotate = np.array(
        [[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]]
    )
    tilt = np.eye(3)
    tilt[2, :2] = rng.uniform(-0.06, 0.06, 2) / width
    tilt[:2, 2] = rng.uniform(-0.04, 0.04, 2) * width
    return plane.unit(back @ np.diag([scale, scale, 1]) @ tilt @ rotate @ center), size, scale


def photographed(picture, h, size, scale, hard, rng):
    """The same scene by another camera."""
    light = ((picture / np.float32(255)) ** 2.2).astype(np.float32)
    if scale < 1:
        light = cv2.GaussianBlur(light, (0, 0), 0.5 * np.sqrt(1 / scale**2 - 1) + 1e-3)
    light = cv2.warpPerspective(light, h, size, flags=cv2.INTER_LANCZOS4)
    mixed = light @ (np.eye(3) + rng.uniform(-hard.color, hard.color, (3, 3))).T.astype(np.float32)
    light = np.clip(mixed * rng.uniform(0.7, 1.3), 0, 1) ** rng.uniform(
        1 - hard.color * 2, 1 + hard.color * 2
    )
    if hard.blur:
        light = cv2.GaussianBlur(light, (0, 0), rng.uniform(0.3, max(0.31, hard.blur)))
    noise = rng.standard_normal(light.shape, np.float32) * np.float32(hard.noise)
    light = np.clip(light + noise * np.sqrt(np.clip(light, 0.02, 1)), 0, 1)
    return np.rint(light ** (1 / 2.2) * 255).astype(np.uint8)


def pasted(picture, other, share, shown, rng):
    """Foreign rectangles over a share of what both pictures show (`shown`, a mask)."""
    height, width = picture.shape[:2]
    other = cv2.resize(other, (width, height))
    mask = ~shown
    area = shown.sum()
    while (left := share * area - (mask & shown).sum()) > 1e-3 * area:
        h, w = height * rng.uniform(0.15, 0.35), width * rng.uniform(0.15, 0.35)
        smaller = min(1.0, (left / (h * w)) ** 0.5)  # the last one is cut to what is wanted
        h, w = int(h * smaller) + 1, int(w * smaller) + 1
        y, x = rng.integers(height - h), rng.integers(width - w)
        y2, x2 = rng.integers(height - h), rng.integers(width - w)
        picture[y : y + h, x : x + w] = other[y2 : y2 + h, x2 : x2 + w]
        mask[y : y + h, x : x + w] = True
    return picture


def shown_by_both(picture, h, size):
    """Where the other camera's picture shows what is in `picture`."""
    whole = np.ones(picture.shape[:2], np.uint8)
    return cv2.warpPerspective(whole, h, size, flags=cv2.INTER_NEAREST) > 0


def corner_error(found, h, shape):
    if found.mapping is None:
        return np.inf
    corners = plane.corners(shape)
    return float(
        np.hypot(*(plane.apply(found.mapping.h, corners) - plane.apply(h, corners)).T).max()
    )


def accuracy(title, photographs, width, repeats):
    print(f"\n### {title}\n")
    print(
        "| case | pairs | median px | 95 % px | worst px | fail verdicts | of these off by < 1 px | passes off by > 3 px | s/pair |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    everything = []
    failing = []
    for number, hard in enumerate(CASES):
        rows = []
        for repeat in range(repeats):
            for index, name in enumerate(photographs):
                rng = np.random.default_rng((number, repeat, index, width or 0))
                picture = load(DATA / name, width)
                h, size, scale = homography(picture.shape, hard, rng)
                other = photographed(picture, h, size, scale, hard, rng)
                if hard.paste:
                    foreign = load(DATA / photographs[index - 1], width)
                    shown = shown_by_both(picture, h, size)
                    other = pasted(other, foreign, hard.paste, shown, rng)
                start = time.perf_counter()
                found = align(picture, other)
                seconds = time.perf_counter() - start
                rows.append((corner_error(found, h, picture.shape), found.passed, seconds))
                if not found.passed:
                    failing.append(
                        f"{hard.name}, {Path(name).name}: off by {rows[-1][0]:.2f} px; {'; '.join(found.reasons)}"
                    )
        everything += rows
        report(hard.name, rows)
    report("**all**", everything)
    if failing:
        print("\nCases that fail:\n")
        print("\n".join(f"- {line}" for line in failing))


def report(name, rows):
    errors = np.array([row[0] for row in rows])
    passed = np.array([row[1] for row in rows])
    right = errors[passed]
    seconds = np.median([row[2] for row in rows])
    print(
        f"| {name} | {len(rows)} | {np.median(errors):.3f} | {np.percentile(errors, 95, method='lower'):.3f} "
        f"| {errors.max():.3f} | {(~passed).sum()} | {(errors[~passed] < 1).sum()} | {(right > 3).sum()} | {seconds:.2f} |",
        flush=True,
    )


def published():
    print("\n### Published homographies (graf, 800 x 640)\n")
    print("| pair | corner px | median over the overlap px | verdict |\n|---|---|---|---|")
    folder = DATA / "registration" / "graf"
    pictures = [load(folder / f"img{i}.png") for i in (1, 2, 3)]
    first, second = (np.loadtxt(folder / f"H1to{i}p") for i in (2, 3))
    pairs = (
        ("1-2", 0, 1, first),
        ("1-3", 0, 2, second),
        ("2-3", 1, 2, second @ np.linalg.inv(first)),
    )
    for name, i, j, h in pairs:
        found = align(pictures[i], pictures[j])
        y, x = np.mgrid[0:640:20, 0:800:20]
        points = np.stack([x.ravel(), y.ravel()], 1).astype(float)
        target = plane.apply(h, points)
        inside = ((target >= 0) & (target < (800, 640))).all(1)
        off = np.hypot(*(plane.apply(found.mapping.h, points) - target).T)[inside]
        verdict = "pass" if found.passed else "fail: " + "; ".join(found.reasons)
        print(
            f"| {name} | {corner_error(found, h, pictures[i].shape):.2f} | {np.median(off):.2f} | {verdict} |"
        )


def wrong():
    """Pairs that are none."""
    print("\n### Pairs that must not pass\n\n| case | pairs | passed |\n|---|---|---|")
    pictures = [load(DATA / name) for name in (*LARGE[:2], LARGE[3], *SMALL)]
    different = [align(a, b).passed for a, b in combinations(pictures, 2)]
    print(f"| different scenes | {len(different)} | {sum(different)} |")
    mirrored = [align(a, np.ascontiguousarray(a[:, ::-1])).passed for a in pictures]
    print(f"| mirrored | {len(mirrored)} | {sum(mirrored)} |")
    blank = [align(a, np.full_like(a, 90)).passed for a in pictures]
    print(f"| one side blank | {len(blank)} | {sum(blank)} |")
    apart = [align(*_halves(a)).passed for a in pictures]
    print(f"| two halves without overlap | {len(apart)} | {sum(apart)} |")
    rng = np.random.default_rng(7)
    tiled = [align(*_tiles(a, rng)).passed for a in pictures]
    print(f"| repeated texture, a period apart | {len(tiled)} | {sum(tiled)} |", flush=True)


def shared():
    """Different scenes that have one identical region: a part of the one pasted into the other."""
    print("\n### Different scenes that share one identical region\n")
    print(
        "The region takes at most the given part of either frame; painted scenes, then photographs.\n"
    )
    print(
        "| region | place | pairs | passed | passed without the rule | highest part of the frame found alike |\n|---|---|---|---|---|---|"
    )
    painted = [_painted(seed) for seed in range(6)]
    photographs = [load(DATA / name) for name in (*SMALL[:6], *SMALL[9:])]
    for number, share in enumerate((0.1, 0.15, 0.2, 0.3, 0.4)):
        for same in (True, False):
            found = []
            for index in range(16):
                rng = np.random.default_rng((23, number, same, index))
                kind = photographs if index % 2 else painted
                i, j = rng.choice(len(kind), 2, replace=False)
                found.append(align(kind[i], _with_region(kind[i], kind[j], share, same, rng)))
            passed = sum(one.passed for one in found)
            content = [all(reason.startswith("other content") for reason in one.reasons)
                       for one in found]  # fmt: skip
            without = sum(content)
            alike = max(one.numbers.get("frame", 0.0) for one in found)
            place = "the same" if same else "elsewhere"
            print(f"| {share:.0%} | {place} | {len(found)} | {passed} | {without} | {alike:.2f} |",
                  flush=True)  # fmt: skip


def _painted(seed):
    """Painted scenes have one layout: turned and moved round they have none in common."""
    rng = np.random.Generator(np.random.PCG64(500 + seed))
    picture = np.clip(1.5 * scenes.paint(rng, 600, 800), 0, 1) ** (1 / 2.2)
    picture = picture[:: -1 if seed & 1 else 1, :: -1 if seed & 2 else 1]
    picture = np.roll(picture, (110 * seed, 170 * seed), (0, 1))
    return np.ascontiguousarray(np.rint(picture * 255).astype(np.uint8))


def _with_region(one, other, share, same, rng):
    """The other scene, with a part of the one in it, by another camera."""
    scale = rng.choice((1.0, 1.3, 0.77))
    size = np.minimum(one.shape[:2], other.shape[:2]) * share**0.5
    own, given = (size / max(1.0, scale)).astype(int), (size * min(1.0, scale)).astype(int)
    top, left = (int(rng.integers(room)) for room in np.array(one.shape[:2]) - own)
    part = cv2.resize(one[top : top + own[0], left : left + own[1]], given[::-1].tolist())
    room = np.array(other.shape[:2]) - given
    y, x = np.minimum((top, left), room) if same else rng.integers(room)
    made = other.copy()
    made[y : y + given[0], x : x + given[1]] = part
    hard = Hard("", color=0.1, blur=0.6, noise=0.006)
    return photographed(made, np.eye(3), made.shape[1::-1], 1, hard, rng)


def _halves(picture):
    middle = picture.shape[1] // 2
    return np.ascontiguousarray(picture[:, :middle]), np.ascontiguousarray(picture[:, middle:])


def _tiles(picture, rng):
    tile = cv2.resize(picture[100:228, 100:228], (90, 90))
    wall = np.tile(tile, (12, 15, 1)).astype(np.float32)
    one, other = (
        np.clip(wall + rng.normal(0, 4, wall.shape), 0, 255).astype(np.uint8) for _ in "ab"
    )
    return one[:900, :1200], other[90:990, 90:1290]


def bent(picture, rng, strength=0.004, parallax=3.0):
    """Another view that no plane explains: radial distortion and a smooth parallax. Returns it and
    the function from places of `picture` to it."""
    height, width = picture.shape[:2]
    middle, reach = np.array([(width - 1) / 2, (height - 1) / 2]), width / 2
    phase = rng.uniform(0, 6, 2)

    def back(places):
        """From the other view to the picture."""
        unit = (places - middle) / reach
        bend = 1 + strength * (unit**2).sum(1, keepdims=True)
        swing = np.sin(2.2 * unit + phase) @ np.array([[1, 0], [0, 0.3]]) * parallax
        return middle + unit * bend * reach + swing + (4.2, -2.6)

    y, x = np.mgrid[0:height, 0:width]
    places = back(np.stack([x.ravel(), y.ravel()], 1).astype(float)).reshape(height, width, 2)
    maps = places.astype(np.float32)
    other = cv2.remap(
        picture, maps[..., 0], maps[..., 1], cv2.INTER_LANCZOS4, borderMode=cv2.BORDER_REFLECT
    )
    return other, back


def local(photographs, width):
    """What is left behind the local offsets, against the truth and by phase correlation."""
    print("\n### Radial distortion and parallax: residual shift of kept 100 x 100 patches\n")
    print(
        "| photograph | verdict | kept | refused | truth: median px | 95 % | phase correlation: median px | 95 % |\n|---|---|---|---|---|---|---|---|"
    )
    for index, name in enumerate(photographs):
        rng = np.random.default_rng((91, index))
        picture = load(DATA / name, width)
        other, back = bent(picture, rng)
        other = photographed(
            other, np.eye(3), other.shape[1::-1], 1, Hard("", color=0.15, blur=0.7), rng
        )
        found = align(picture, other)
        if found.mapping is None:
            print(f"| {Path(name).name} | fail | | | | | | |")
            continue
        on = warp.canvas(found.mapping, picture.shape, other.shape, Choice())
        pair = warp.warp(picture, other, found.mapping, on)
        still, moving = gray(pair.phone), gray(pair.dslr)
        places = [window[:2] for window in patches.grid(still.shape, 100, 1)]
        kept = [v for v in accept(still, moving, places, 100, Search()) if v.kept]
        centers = np.array([(v.left + 49.5, v.top + 49.5) for v in kept])
        moved = centers + [(v.dx, v.dy) for v in kept]
        own = warp.towards(centers, "phone", found.mapping, on)
        off = np.hypot(*(back(warp.towards(moved, "dslr", found.mapping, on)) - own).T)
        phase = np.array([_phase(still, moving, v) for v in kept])
        verdict = "pass" if found.passed else "fail"
        print(
            f"| {Path(name).name} | {verdict} | {len(kept)} | {len(places) - len(kept)} | {np.median(off):.3f} | "
            f"{np.percentile(off, 95):.3f} | {np.median(phase):.3f} | {np.percentile(phase, 95):.3f} |",
            flush=True,
        )


def own_miniature():
    """The miniature of DPED's photographs: the mapping is known to its code."""
    print(
        "\n### The miniature: residual shift of kept 100 x 100 patches outside of its other depth\n"
    )
    print(
        "| pair | verdict | kept | refused | truth: median px | 95 % |\n|---|---|---|---|---|---|"
    )
    with tempfile.TemporaryDirectory() as folder:
        miniature("dped-originals", Path(folder))
        truth = json.loads((Path(folder) / "truth.json").read_text())
        for name, facts in truth.items():
            phone, dslr = (
                load(Path(folder) / name),
                load(Path(folder) / name.replace("/phone/", "/canon/")),
            )
            view, found = views.View(**facts), align(phone, dslr)
            on = warp.canvas(found.mapping, phone.shape, dslr.shape, Choice())
            pair = warp.warp(phone, dslr, found.mapping, on)
            places = [window[:2] for window in patches.grid(pair.phone.shape[:2], 100, 1)]
            kept = [
                v
                for v in accept(gray(pair.phone), gray(pair.dslr), places, 100, Search())
                if v.kept
            ]
            centers = np.array([(v.left + 49.5, v.top + 49.5) for v in kept])
            there = warp.towards(centers + [(v.dx, v.dy) for v in kept], "dslr", found.mapping, on)
            right = view.to_dslr(warp.towards(centers, "phone", found.mapping, on))
            left, top, end, bottom = view.layer
            near = ((right > (left - 70, top - 70)) & (right < (end + 70, bottom + 70))).all(1)
            off = np.hypot(*(there - right)[~near].T) / plane.scale(found.mapping.h, centers[:1])
            verdict = "pass" if found.passed else "fail"
            print(
                f"| {name} | {verdict} | {len(kept)} | {len(places) - len(kept)} | {np.median(off):.3f} | {np.percentile(off, 95):.3f} |"
            )


def _phase(still, moving, v):
    """What phase correlation (another method) says is left at the adjusted window."""
    turn, size = np.deg2rad(v.turn_deg), 100
    rotate = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    center = np.array([v.left + 49.5, v.top + 49.5])
    offset = center + np.array((v.dx, v.dy)) - rotate @ (49.5, 49.5)
    cut = cv2.warpAffine(
        moving.astype(np.float32),
        np.column_stack([rotate, offset]).astype(np.float32),
        (size, size),
        flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
    )
    window = np.outer(np.hanning(size), np.hanning(size))
    one = still[v.top : v.top + size, v.left : v.left + size].astype(np.float32)
    pair = [(part - (part * window).sum() / window.sum()) * window for part in (one, cut)]
    return float(
        np.hypot(*phase_cross_correlation(*pair, upsample_factor=50, normalization=None)[0])
    )


def decisions(photographs):
    """Patches of known displacement: what is kept, refused, and where it ends."""
    print("\n### Patch decisions (100 x 100, reach 4 px)\n")
    print(
        "Textured: the smaller eigenvalue of the mean structure tensor is at least 20 (gray levels squared), in the still picture.\n"
    )
    print(
        "| displacement px | textured patches | kept | refused | of the kept: median error px | 95 % | within 0.5 px |\n|---|---|---|---|---|---|---|"
    )
    search, off = Search(), Search(shift_px=0)
    cases = [(0, 0), (0.4, -0.3), (2.3, -1.7), (-3.6, 3.2), (7, 0), (0, -8.5), (6.5, 7.5), (12, -3)]
    for shift in cases:
        _decided(f"{shift}", photographs, shift, search)
    _decided("(0.2, -0.1), search off", photographs, (0.2, -0.1), off)
    _decided("(3, 0), search off", photographs, (3, 0), off)
    _decided("(-2.2, 2.2), search off", photographs, (-2.2, 2.2), off)
    _decided("other content", photographs, None, search)


def _decided(name, photographs, shift, search):
    kept, total, errors = 0, 0, []
    for index, path in enumerate(photographs):
        rng = np.random.default_rng((17, index))
        picture = load(DATA / path)
        hard = Hard("", color=0.12, blur=0.6, noise=0.006)
        other = photographed(picture, np.eye(3), picture.shape[1::-1], 1, hard, rng)
        if shift is None:
            other = np.ascontiguousarray(np.roll(other, (213, 187), (0, 1)))
        else:
            move = np.array([[1, 0, shift[0]], [0, 1, shift[1]]], np.float32)
            other = cv2.warpAffine(other, move, picture.shape[1::-1], flags=cv2.INTER_LANCZOS4)
        still, moving = gray(picture), gray(other)
        places = [p for w in patches.grid(still.shape, 100, 1) if _textured(still, p := w[:2])]
        for verdict in accept(still, moving, places, 100, search):
            total += 1
            if verdict.kept:
                kept += 1
                if shift is not None:
                    errors.append(np.hypot(verdict.dx - shift[0], verdict.dy - shift[1]))
    told = ""
    if errors and search.shift_px:
        told = f"{np.median(errors):.3f} | {np.percentile(errors, 95):.3f} | {np.mean(np.array(errors) <= 0.5):.2%}"
    print(
        f"| {name} | {total} | {kept / total:.2%} | {1 - kept / total:.2%} | {told or ' | | '} |",
        flush=True,
    )


def _textured(still, place):
    top, left = place
    height, width = still.shape
    if not (20 <= top < height - 120 and 20 <= left < width - 120):
        return False
    part = still[top : top + 100, left : left + 100].astype(np.float64)
    dy, dx = np.gradient(cv2.GaussianBlur(part, (0, 0), 1.0))
    a, b, c = (dx * dx).mean(), (dx * dy).mean(), (dy * dy).mean()
    return (a + c) / 2 - np.hypot((a - c) / 2, b) >= 20


def speed():
    print(f"\n### Speed ({os.cpu_count()} cores, best of 5)\n\n| what | |\n|---|---|")
    picture = load(DATA / LARGE[0], 4000)
    rng = np.random.default_rng(3)
    hard = Hard("", turn=3, scale=1.29)
    h, _, _ = homography(picture.shape, Hard("", turn=3, scale=1.0001), rng)
    grow = np.diag([1.29, 1.29, 1])
    size = (5160, 3870)
    other = photographed(picture, grow @ h, size, 1.29, hard, rng)

    def best(call):
        times = []
        for _ in range(5):
            start = time.perf_counter()
            result = call()
            times.append(time.perf_counter() - start)
        return min(times), result

    seconds, found = best(lambda: align(picture, other))
    print(
        f"| align {picture.shape[1]} x {picture.shape[0]} + {size[0]} x {size[1]}, with local offsets | {seconds:.2f} s |"
    )
    on = warp.canvas(found.mapping, picture.shape, other.shape, Choice())
    seconds, pair = best(lambda: warp.warp(picture, other, found.mapping, on))
    print(f"| warp onto {on.size[1]} x {on.size[0]} | {seconds:.2f} s |")
    still, moving = gray(pair.phone), gray(pair.dslr)
    places = [window[:2] for window in patches.grid(still.shape, 100, 1)]
    seconds, _ = best(lambda: accept(still, moving, places, 100, Search()))
    print(
        f"| 100 x 100 windows with shift and turn search | {len(places) / seconds:.0f} a second |"
    )


def main():
    options = arguments()
    global DATA
    DATA = options.data
    few, large, small = options.quick, LARGE, SMALL
    if few:
        large, small = LARGE[:2], SMALL[:3]
    sections = {
        "speed": speed,
        "large": lambda: accuracy("Corner error at 12 MP and up", large, 4000, 1 if few else 2),
        "small": lambda: accuracy("Corner error on small photographs as they are", small, None, 1),
        "published": published,
        "wrong": wrong,
        "shared": shared,
        "local": lambda: local(LARGE[:2], 4000),
        "miniature": miniature,
        "decisions": lambda: decisions((*LARGE[:2], *SMALL)),
    }
    for name in options.only or SECTIONS:
        sections[name]()


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA, help="photographs [%(default)s]")
    parser.add_argument("--quick", action="store_true", help="few photographs")
    parser.add_argument("--only", nargs="+", choices=SECTIONS, metavar="NAME",
                        help=f"of: {', '.join(SECTIONS)}")  # fmt: skip
    return parser.parse_args()


if __name__ == "__main__":
    main()
