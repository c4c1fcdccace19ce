"""What the numbers of a pair mean, in a few words; docs/check.md has how they are measured."""

MEANINGS = {
    "turned": "whether the truth is turned or mirrored",
    "phase": "whether each color filter stands where it is said to",
    "place": "how far the truth lies off its input",
    "same": "whether the truth is the input itself, with its noise",
    "curve": "whether the truth's light rises as the input's does",
    "clipping": "how much of the truth ends below white",
    "white level": "whether the input saturates at the stated white",
    "matrix": "whether colors mix as the camera's matrix says",
    "light": "whether the ratio of both is the same all over the frame",
    "level": "whether the input is as bright as stated beside its truth",
    "white": "whether both have one white balance",
    "plane": "whether one color of the mosaic is off alone",
    "black": "whether the stated black is the input's",
    "sharpness": "whether the truth is as sharp as its input",
    "noise": "the input's noise beside the stated model",
    "hot pixels": "single pixels that stand out of the truth alone",
}
