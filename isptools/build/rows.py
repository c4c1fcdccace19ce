"""What the tables of a shard state about a frame."""

from dataclasses import dataclass

from isptools.build.plan import File
from isptools.burst import Fused
from isptools.develop.noise import Noise
from isptools.frame import Frame
from isptools.measure.exposure import Law, Shot, ratio
from isptools.shards.schema import FusionRow, InputRow, TruthRow


@dataclass(frozen=True, slots=True)
class Read:
    """A file that was read."""

    file: File
    sha256: str
    frame: Frame
    fused: Fused | None = None  # where its pixels come from a burst


def input_row(read: Read, noise: Noise, truth: Read, law: Law, limit: float) -> InputRow:
    """The facts of an input; its row numbers of the truths are still to be set."""
    capture = read.frame.capture
    exposure_ratio, origin = _ratio(read, truth, law, limit)
    return InputRow(
        key=read.file.key,
        scene=read.file.entry.scene,
        restoration=-1,
        enhancement=-1,
        cfa=capture.cfa,
        black=capture.black,
        white=capture.white,
        as_shot=capture.as_shot,
        daylight=capture.daylight,
        camera_to_srgb=capture.camera_to_srgb,
        xyz_to_camera=capture.xyz_to_camera,
        shot=noise.shot,
        read=noise.read,
        noise_origin=noise.origin,
        exposure_s=capture.exposure_s,
        iso=capture.iso,
        aperture=capture.aperture,
        ratio=exposure_ratio,
        ratio_origin=origin,
        orientation=capture.orientation,
        flip=capture.flip,
        visible_origin=capture.visible_origin,
        active_area=capture.active_area,
        default_crop=capture.default_crop,
        make=capture.make,
        model=capture.model,
        source=read.file.source.path,
        source_sha256=read.sha256,
    )


def truth_row(read: Read, developed: Frame) -> TruthRow:
    """The facts of a truth; clipped counts and the user's own picture are still to be set."""
    capture = read.frame.capture
    return TruthRow(
        key=read.file.key,
        scene=read.file.entry.scene,
        gains=developed.gains or None,
        white=developed.white,
        restoration_low=0,
        restoration_high=0,
        enhancement_low=0,
        enhancement_high=0,
        exposure_s=capture.exposure_s,
        iso=capture.iso,
        aperture=capture.aperture,
        orientation=capture.orientation,
        flip=capture.flip,
        make=capture.make,
        model=capture.model,
        source=read.file.source.path,
        source_sha256=read.sha256,
        enhanced="",
        enhanced_sha256="",
        enhanced_turned=0,
    )


def fusion_row(key: str, fused: Fused) -> FusionRow:
    """What a fused truth was made from; the share that is trusted is still to be counted."""
    return FusionRow(
        key=key,
        frames=len(fused.offsets_px) - len(fused.refused),
        refused=len(fused.refused),
        effective_frames=fused.effective_frames,
        trusted=0.0,
    )


def _ratio(read: Read, truth: Read, law: Law, limit: float) -> tuple[float | None, str]:
    """From the nominal exposures of the manifest, else from those the two files state."""
    for origin in ("manifest", "exif"):
        found = ratio(_shot(read, origin), _shot(truth, origin), law)
        if found is not None:
            return min(found, limit), origin
    return None, ""


def _shot(read: Read, origin: str) -> Shot:
    """Time from one place; ISO from the manifest where it states one, aperture from the file."""
    entry, capture = read.file.entry, read.frame.capture
    if origin == "manifest":
        return Shot(entry.exposure_s, entry.iso or capture.iso, capture.aperture)
    return Shot(capture.exposure_s, capture.iso, capture.aperture)
