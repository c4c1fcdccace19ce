"""What the tables of a shard state about a frame."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from isptools.build.task import File
from isptools.develop.noise import Noise
from isptools.frame import Capture, Frame
from isptools.measure.exposure import Law, Shot, ratio
from isptools.shards.schema import FusionRow, InputRow, TruthRow

OF_TRUTH = ("exposure_s", "iso", "aperture", "orientation", "flip", "make", "model")
OF_INPUT = (
    *OF_TRUTH, "cfa", "black", "white", "as_shot", "daylight", "camera_to_srgb", "xyz_to_camera",
    "visible_origin", "active_area", "default_crop",
)  # fmt: skip
UNSET: dict[str, Any] = {
    "restoration_low": 0, "restoration_high": 0, "enhancement_low": 0, "enhancement_high": 0,
    "enhanced": "", "enhanced_sha256": "", "enhanced_turned": 0,
}  # fmt: skip

if TYPE_CHECKING:
    from isptools.burst import Fused  # takes long to load


@dataclass(frozen=True, slots=True)
class ReadFrame:
    """A file that was read."""

    file: File
    sha256: str
    frame: Frame
    fused: "Fused | None" = None  # where its pixels come from a burst
    noise: Noise | None = None  # of the frame, where it was looked at already


def columns(capture: Capture, names: tuple[str, ...]) -> dict[str, Any]:
    """The columns of a row that hold a fact as the capture has it."""
    return {name: getattr(capture, name) for name in names}


def input_row(
    read: ReadFrame, scene: str, noise: Noise, truth: ReadFrame, law: Law, limit: float
) -> InputRow:
    """The facts of an input; its row numbers of the truths and the measured ratio are still to be
    set."""
    exposure_ratio, origin = _ratio(read, truth, law, limit)
    return InputRow(
        key=read.file.key,
        scene=scene,
        restoration=-1,
        enhancement=-1,
        shot=noise.shot,
        read=noise.read,
        noise_origin=noise.origin,
        ratio=exposure_ratio,
        ratio_origin=origin,
        source=read.file.source.path,
        source_sha256=read.sha256,
        **columns(read.frame.capture, OF_INPUT),
    )


def truth_row(read: ReadFrame, scene: str, developed: Frame) -> TruthRow:
    """The facts of a truth; clipped counts and the user's own picture are still to be set."""
    return TruthRow(
        key=read.file.key,
        scene=scene,
        gains=developed.gains or None,
        balance_origin=developed.balance_origin,
        white=developed.white,
        source=read.file.source.path,
        source_sha256=read.sha256,
        **columns(read.frame.capture, OF_TRUTH),
        **UNSET,
    )


def fusion_row(key: str, fused: "Fused") -> FusionRow:
    """What a fused truth was made from; the share that is trusted is still to be counted."""
    return FusionRow(
        key=key,
        frames=len(fused.offsets_px) - len(fused.refused),
        refused=len(fused.refused),
        effective_frames=fused.effective_frames,
        trusted=0.0,
    )


def _ratio(read: ReadFrame, truth: ReadFrame, law: Law, limit: float) -> tuple[float | None, str]:
    """From the nominal exposures of the manifest, else from those the two files state."""
    for origin in ("manifest", "exif"):
        found = ratio(_shot(read, origin), _shot(truth, origin), law)
        if found is not None:
            return min(found, limit), origin
    return None, ""


def _shot(read: ReadFrame, origin: str) -> Shot:
    """Time from one place; ISO from the manifest where it states one, aperture from the file."""
    named, capture = read.file.named, read.frame.capture
    if origin == "manifest":
        return Shot(named.exposure_s, named.iso or capture.iso, capture.aperture)
    return Shot(capture.exposure_s, capture.iso, capture.aperture)
