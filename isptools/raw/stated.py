"""A DNG's own statements before LibRaw's: levels, floating point pixels, filters, white balance.

The order of trust is the file's tags, then LibRaw. Each part gives the frame as the file states it
and, where LibRaw says another number, a line that names both.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isptools.frame import Capture, Frame, Matrix, usable
from isptools.raw import dng, dng_levels, filters, floats, white
from isptools.raw.tags import Tags

F64 = NDArray[np.float64]

APART = 1.0  # DN; a cut fraction is less
WHITE_XY, SIGNATURE, PROFILE_SIGNATURE = 50729, 50931, 50932


@dataclass(frozen=True, slots=True)
class Source:
    """What the parts look at beside the frame that LibRaw gave."""

    data: bytes
    tags: Tags
    filters: filters.Filters | None
    masked: F64 | None  # black as measured in the masked areas, per CFA position


def settled(frame: Frame, source: Source) -> tuple[Frame, tuple[str, ...]]:
    """The frame as its file states it, and a line for each number that LibRaw has otherwise.

    TagError where tags contradict their own specification.
    """
    lines = []
    for part in (_floats, _black, _white, _filters, _white_balance):
        frame, line = part(frame, source)
        lines += [line] if line else []
    return frame, tuple(lines)


def _floats(frame: Frame, source: Source) -> tuple[Frame, str]:
    tags, facts = source.tags, frame.capture
    if not floats.is_floating_point(tags):
        return frame, ""
    top, left = facts.visible_origin
    height, width = frame.pixels.shape[:2]
    numbers = floats.decoded(source.data, tags)[top : top + height, left : left + width]
    stated = floats.white_of(tags)
    pixels = floats.integers(
        numbers[..., :3] if facts.kind == "linear" else numbers[..., 0], stated
    )
    factor, full = floats.scale_of(stated)
    how = f"floating point numbers, {factor:.7g} times as large and cut to integers"
    origins = (*facts.origins, ("pixels", how))
    ours = replace(frame, pixels=pixels, capture=replace(facts, white=full, origins=origins))
    if full == facts.white and np.array_equal(pixels, frame.pixels):
        return ours, ""
    line = (
        f"pixels: floating point numbers up to {float(numbers.max()):.4g}, white is {stated:g}; "
        f"LibRaw scales them by another number, here {full} is white"
    )
    return ours, line


def _black(frame: Frame, source: Source) -> tuple[Frame, str]:
    facts = frame.capture
    libraw = dng_levels.libraw_black(source.tags, facts)
    facts = replace(facts, black=tuple(map(float, libraw)), black_libraw=libraw)
    frame = replace(frame, capture=facts)
    found = dng_levels.stated_black(source.tags, facts, frame.pixels.shape)
    if found is None:
        return _measured(frame, source.masked)
    field, title = found
    if floats.is_floating_point(source.tags):
        field = field.scaled(floats.scale_of(floats.white_of(source.tags))[0])
    low, high, mean = field.positions(dng_levels.PERIODS[facts.kind])
    if (high - low).max() < APART and mean.min() >= 0:
        return _per_position(frame, mean, title)
    target = max(0, round(float(high.max())))
    line = (
        f"black: {title} say {low.min():g} to {high.max():g} DN within one CFA position, LibRaw "
        f"{spelled(libraw)}; pixels were raised to black {target}"
    )
    black = (float(target),) * len(libraw)
    origins = (*facts.origins, ("black", f"tag {title}"),
               ("pixels", f"raised to one black level, {target} DN (tag {title})"))  # fmt: skip
    facts = replace(facts, black=black, black_libraw=(target,) * len(libraw), origins=origins)
    return replace(
        frame, pixels=dng_levels.evened(frame.pixels, field, target), capture=facts
    ), line


def _measured(frame: Frame, masked: F64 | None) -> tuple[Frame, str]:
    """No tag says what black is; masked areas are what DNG has for that."""
    apart = masked is not None and _apart(masked, frame.capture.black_libraw)
    if masked is None or not apart:
        return frame, ""
    return _per_position(frame, masked, "MaskedAreas")


def _per_position(frame: Frame, black: F64, title: str) -> tuple[Frame, str]:
    facts = frame.capture
    ours = tuple(float(level) for level in black.ravel())
    libraw, line = facts.black_libraw, ""
    if _apart(black, libraw):
        line = f"black: {title} says {spelled(ours)} DN, LibRaw {spelled(libraw)}; {title} holds"
        libraw = tuple(int(level) for level in ours)
    origins = (*facts.origins, ("black", f"tag {title}"))
    facts = replace(facts, black=ours, black_libraw=libraw, origins=origins)
    return replace(frame, capture=facts), line


def _apart(black: F64, libraw: tuple[int, ...]) -> bool:
    return bool(np.abs(black.ravel() - np.array(libraw)).max() >= APART)


def spelled(levels_: Iterable[float]) -> str:
    """Levels as people read them; one number where all are the same."""
    texts = [f"{level:g}" for level in levels_]
    return texts[0] if len(set(texts)) == 1 else " ".join(texts)


def _white(frame: Frame, source: Source) -> tuple[Frame, str]:
    facts, value = frame.capture, dng_levels.stated_white(source.tags)
    if value is None or abs(value - facts.white) < APART:
        return frame, ""
    title = "WhiteLevel" if source.tags.find(dng_levels.WHITE) else "BitsPerSample"
    line = f"white: {title} says {value}, LibRaw {facts.white}; {title} holds"
    origins = (*facts.origins, ("white", f"tag {title}"))
    return replace(frame, capture=replace(facts, white=value, origins=origins)), line


def _filters(frame: Frame, source: Source) -> tuple[Frame, str]:
    facts, stated = frame.capture, source.filters
    if stated is None:
        return frame, ""
    line = ""
    if facts.cfa != stated.cfa:
        tags = "CFAPattern" if stated.planes == "RGB" else "CFAPattern, CFAPlaneColor"
        line = f"cfa: {tags} says {stated.cfa}, LibRaw {facts.cfa}; the file's holds"
        facts = replace(facts, cfa=stated.cfa, origins=(*facts.origins, ("cfa", f"tag {tags}")))
    if stated.planes != "RGB":
        facts = by_color(facts, ["RGB".index(letter) for letter in stated.planes])
        facts = _with_own_matrix(facts)
    return replace(frame, capture=facts), line


def by_color(facts: Capture, planes: list[int]) -> Capture:
    """Facts that stand in the order of the file's planes, in the order R, G, B.

    `planes[i]` is the color (0 R, 1 G, 2 B) of plane i.
    """
    order = np.argsort(planes)

    def rows(name: str) -> Any:
        value: Matrix | None = getattr(facts, name)
        return None if value is None else tuple(value[i] for i in order)

    def columns(matrix: Matrix | None) -> Matrix | None:
        return None if matrix is None else tuple(tuple(row[i] for i in order) for row in matrix)

    def gains(four: tuple[float, ...]) -> tuple[float, float, float, float]:
        return four[order[0]], four[order[1]], four[order[2]], four[3]

    profile = facts.noise_profile
    return replace(
        facts,
        as_shot=gains(facts.as_shot),
        daylight=gains(facts.daylight),
        camera_to_srgb=columns(facts.camera_to_srgb),
        xyz_to_camera=rows("xyz_to_camera"),
        color_matrix_1=rows("color_matrix_1"),
        color_matrix_2=rows("color_matrix_2"),
        camera_calibration_1=columns(rows("camera_calibration_1")),
        camera_calibration_2=columns(rows("camera_calibration_2")),
        forward_matrix_1=columns(facts.forward_matrix_1),
        forward_matrix_2=columns(facts.forward_matrix_2),
        analog_balance=rows("analog_balance"),
        noise_profile=rows("noise_profile") if profile and len(profile) == 3 else profile,
    )


def _white_balance(frame: Frame, source: Source) -> tuple[Frame, str]:
    facts, tags = frame.capture, source.tags
    told: tuple[float, ...] = tags.find(WHITE_XY) or ()
    if len(told) != 2 or facts.kind == "monochrome":
        return frame, ""
    found = white.neutral(facts, (told[0], told[1]), _same_calibration(tags))
    if found is None:
        return frame, ""
    facts = _with_own_matrix(facts)
    line = ""
    if not usable(facts.as_shot):
        red, green, blue = (float(np.float32(1 / one)) for one in found)
        spell = f"AsShotWhiteXY {told[0]:g} {told[1]:g}"
        line = (
            f"as_shot: {spell} makes gains {red:.4f} 1 {blue:.4f}, LibRaw states none "
            f"({spelled(facts.as_shot)}); {spell} holds"
        )
        origins = (*facts.origins, ("as_shot", "tag AsShotWhiteXY"))
        facts = replace(facts, as_shot=(red, green, blue, 0.0), origins=origins)
    return replace(frame, capture=facts), line


def _same_calibration(tags: Tags) -> bool:
    """CameraCalibration holds where the profile was made with the same (both may be empty)."""
    return (tags.find(SIGNATURE) or "") == (tags.find(PROFILE_SIGNATURE) or "")


def _with_own_matrix(facts: Capture) -> Capture:
    """The color facts as LibRaw has them of a file that states AsShotNeutral, in planes R, G, B.

    Of AsShotWhiteXY it makes another matrix, its columns multiplied by that white over D65; of
    planes in another order none, where the first element is small.
    """
    names = (*dng.MATRICES, *dng.ILLUMINANTS, "analog_balance")
    stated = {name: getattr(facts, name) for name in names}
    chosen = dng.as_libraw_chooses({k: (v, "") for k, v in stated.items() if v is not None})
    if not chosen:
        return facts
    kept = [one for one in facts.origins if one[0] not in chosen]
    told = [(fact, f"tag {title}") for fact, (_, title) in chosen.items()]
    values: dict[str, Any] = {fact: value for fact, (value, _) in chosen.items()}
    return replace(facts, **values, origins=(*kept, *told))
