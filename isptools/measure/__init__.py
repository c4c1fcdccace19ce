"""How close two pictures are: arrays to numbers, with numpy and scipy alone."""

from isptools.measure.color import color_angle, lab_of_srgb, s_cielab
from isptools.measure.fidelity import bits_per_pixel, ms_ssim, psnr, ssim
from isptools.measure.klatzer import linear_psnr, srgb_psnr

__all__ = [
    "bits_per_pixel",
    "color_angle",
    "lab_of_srgb",
    "linear_psnr",
    "ms_ssim",
    "psnr",
    "s_cielab",
    "srgb_psnr",
    "ssim",
]
