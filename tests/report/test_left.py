"""The ledger with pictures."""

from pathlib import Path

import cv2
import numpy as np

from isptools.cli.ledger_pictures import Files
from isptools.report.left import EACH, LINES, left
from isptools.shards.ledger import Group, Line

GRAY = np.full((40, 60, 3), 90, np.uint8)


def group(kind: str, *files: str, detail: str = "odd") -> Group:
    return Group(kind, "why", tuple(Line("", "", file, kind, "why", detail) for file in files))


def test_refused_files_come_first_and_each_photograph_once() -> None:
    asked: list[str] = []

    def look(line: Line) -> list[tuple[str, np.ndarray]]:
        asked.append(line.file)
        return [(line.file, GRAY)]

    many = [f"r{i}.dng" for i in range(LINES + 5)]
    found = left(
        [group("missing", "gone.dng"), group("noted", "a.dng", "b.dng"),
         group("refused", "p.jpg@0,0,9,9", "p.jpg@9,0,9,9", *many)],
        {"b.dng": 7}, look,
    )  # fmt: skip
    assert [one.kind for one in found] == ["refused", "missing", "noted"]
    refused, _, noted = found
    assert (refused.count, len(refused.entries)) == (LINES + 7, LINES)
    assert [bool(one.pictures) for one in refused.entries[:3]] == [True, False, True]
    assert asked == ["p.jpg@0,0,9,9", *many[: EACH - 1], "a.dng"]
    assert [one.sample for one in noted.entries] == [None, 7]
    assert left([group("refused", "a.dng")], {}, None)[0].entries[0].pictures == ()


def test_files_that_a_line_names_are_shown_and_no_others(tmp_path: Path) -> None:
    root = tmp_path / "data"
    for name in ("phone/1.png", "dslr/my own 1.png"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(root / name), GRAY)
    (root / "phone/2.png").write_bytes(b"no picture")
    cv2.imwrite(str(tmp_path / "secret.png"), GRAY)

    def names(file: str, detail: str) -> list[str]:
        line = Line("", "", file, "refused", "alignment", detail)
        return [name for name, _ in Files([root]).pictures(line)]

    assert names("phone/1.png", "against dslr/my own 1.png: 3 matches, at least 40") == [
        "phone/1.png", "dslr/my own 1.png"
    ]  # fmt: skip
    assert names("phone/2.png", "its bytes are those of phone/1.png: one file") == ["phone/1.png"]
    assert names("../secret.png", f"{tmp_path / 'secret.png'}, ../secret.png") == []
    assert names("", "") == []
