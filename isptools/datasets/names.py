"""The rooms that ship: the only list in the code in which data sets stand by name."""

# generic rooms first; a data set's `dataset.toml` names its room
ROOMS = (
    "table", "folders", "bursts", "photographs",
    "dped", "eld", "fivek", "hdrplus", "msr", "s7_isp", "sid", "sidd", "zurich",
)  # fmt: skip
