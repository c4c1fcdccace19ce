"""Figures as tables of a page."""

import math
from pathlib import Path
from typing import Any

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


def put(path: Path, tables: str) -> None:
    """Between the markers of a page. ValueError where it has none."""
    text = path.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, behind = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{path}: has no lines {BEGIN} and {END}")
    path.write_text(f"{before}{BEGIN}\n\n{tables}\n{END}{behind}", encoding="utf-8")


def number(value: Any) -> str:
    """Short enough to read: three digits, small ones as a power."""
    if not isinstance(value, float):
        return "" if value is None else str(value)
    if math.isnan(value):
        return ""
    if value == 0 or 0.001 <= abs(value) < 1000:
        return f"{value:.3g}"
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.1e}"


def table(rows: list[dict[str, Any]], columns: dict[str, str]) -> str:
    """`columns`: the key of a row, its head. Rows of several runs say of which they are."""
    columns = columns | ({"run": "run"} if any("run" in row for row in rows) else {})
    lines = [f"| {' | '.join(columns.values())} |", "|---" * len(columns) + "|"]
    lines += [f"| {' | '.join(number(row.get(key)) for key in columns)} |" for row in rows]
    return "\n".join(lines) + "\n"


STEPS = {
    "network": "network", "stage": "stage", "mode": "how", "patch": "patch", "batch": "batch",
    "ms": "ms a step", "mp_s": "MP/s", "tflops": "TFLOP/s", "mfu_percent": "MFU, %",
    "real_percent": "of the measured peak, %", "memory_gb": "GB", "loss": "loss",
}  # fmt: skip
FRAMES = {
    "network": "network", "how": "how", "ms": "ms", "tflops": "TFLOP/s", "memory_gb": "GB",
}  # fmt: skip
DEVELOP = {
    "network": "network", "precision": "precision", "tile": "tile", "ms": "ms from host to host",
    "memory_gb": "GB", "apart": "largest difference from the whole frame",
    "largest": "largest value",
}  # fmt: skip


PROVEN = ("equal", "proofs", "memory")
CHAIN = {
    "what": "what", "method": "method", "replayed_ms": "ms in a graph", "gp_s": "GP/s",
    "ms": "ms called", "called_gp_s": "GP/s called",
}  # fmt: skip


def tables(found: dict[str, Any]) -> str:
    card = found.get("card", {})
    out = [_card(card, found)]
    if "chain" in found:
        out += ["### The chain, from digital numbers to sRGB\n", table(found["chain"], CHAIN)]
    if "steps" in found:
        peak = card.get("matmul_tflops", {}).get("bf16")
        out += ["### Training steps\n", table([_step(row, peak) for row in found["steps"]], STEPS)]
    if "feeding" in found:
        columns = {"data": "data", "workers": "readers", "patch": "patch", "mp_s": "MP/s",
                   "mfu": "MFU", "waiting": "waiting"}  # fmt: skip
        out += ["### The whole loop, as its log tells it\n", table(found["feeding"], columns)]
    if "frames" in found:
        rows = [row | {"how": row["precision"] + ", compiled" * row["compiled"]}
                for row in found["frames"]]  # fmt: skip
        out += ["### The network alone on a whole frame\n", table(rows, FRAMES)]
    if "develop" in found:
        out += ["### `isptools develop`, whole and tiled\n", table(found["develop"], DEVELOP)]
    if held := [row for key in PROVEN for row in found.get(key, ())]:
        rows = [row | {"held": "yes" if row["held"] else "NO"} for row in held]
        columns = {"what": "what", "held": "holds", "said": "seen", "seconds": "s"}
        out += ["### What must hold\n", table(rows, columns)]
    for row in found.get("profiles", ()):
        out += _profile(row)
    for key, said in (("failed", "Failed"), ("left_out", "Left out for want of time")):
        out += [f"{said}: {'; '.join(found[key])}.\n"] if found.get(key) else []
    return "\n".join(out)


def _card(card: dict[str, Any], found: dict[str, Any]) -> str:
    products = ", ".join(f"{k} {v:.4g}" for k, v in card.get("matmul_tflops", {}).items())
    sheet = card.get("datasheet_tflops")
    return (
        f"{card.get('name')}, {card.get('memory_gb', '?')} GB; torch {card.get('torch')}, CUDA "
        f"{card.get('cuda')}, cuDNN {card.get('cudnn')}, Python {card.get('python')}. Matrix "
        f"products of 8192: {products} TFLOP/s (data sheet, bf16: {sheet}); copies "
        f"{card.get('copy_gb_s', 0):.0f} GB/s, read and written. All in "
        f"{found.get('seconds', 0):.0f} s.\n"
    )


def _step(row: dict[str, Any], peak: float | None) -> dict[str, Any]:
    known = not math.isnan(row["mfu"])
    return row | {
        "mfu_percent": 100 * row["mfu"] if known else None,
        "real_percent": 100 * row["tflops"] / peak if peak and known else None,
        "loss": f"{row['loss_first']:.3g} to {row['loss_last']:.3g} in {row['steps']}",
    }


def _profile(row: dict[str, Any]) -> list[str]:
    run = f", run {row['run']}" if "run" in row else ""
    head = f"### Where the time goes: {row['network']}, {row['mode']}{run}\n"
    said = f"{row['stage']}: {row['busy_ms']:.3g} ms of kernels, {row['launches']} launches.\n"
    kinds = [
        {"kind": k, "ms": v, "share": 100 * v / row["busy_ms"]} for k, v in row["kinds"].items()
    ]
    kernels = [one | {"name": f"`{one['name'][:90]}`"} for one in row["kernels"][:12]]
    return [
        head, said, table(kinds, {"kind": "kind", "ms": "ms", "share": "%"}),
        table(kernels, {"name": "kernel", "calls": "calls", "ms": "ms"}),
    ]  # fmt: skip


def brief(key: str, out: Any) -> str:
    """A line for the one who waits."""
    rows = out if isinstance(out, list) else [out]
    words = {"steps": ("ms", "mp_s", "mfu", "memory_gb", "falls"), "frames": ("ms", "tflops"),
             "develop": ("tile", "ms", "apart"), "proofs": ("held", "said"),
             "feeding": ("mp_s", "mfu", "waiting"),
             "memory": ("held", "said"), "equal": ("held", "said"),
             "chain": ("what", "method", "ms", "gp_s"),
             "profiles": ("busy_ms", "launches"),
             "card": ("name", "matmul_tflops", "copy_gb_s")}[key]  # fmt: skip
    return "; ".join(" ".join(f"{word} {number(row.get(word))}" for word in words) for row in rows)
