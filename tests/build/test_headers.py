"""Headers are looked into once, as long as nothing that they depend on changes."""

from isptools.build import headers
from isptools.build.journal import FOLDER
from isptools.raw import Header

HEADER = Header(30, 40, "bayer", "RGGB", "Make", "Model", 0, 100.0, 0.1, 5)


def looked(found, *facts):
    """Whether a look was needed."""
    seen = []

    def look():
        seen.append(1)
        return HEADER

    assert found.of(*facts, look=look) == HEADER
    return bool(seen)


def test_a_file_is_looked_into_again_only_where_it_is_another(tmp_path):
    first = headers.loaded(tmp_path, "card", {"libraw": "1"})
    assert looked(first, "a.dng", 100, 7)
    first.save(tmp_path)
    again = headers.loaded(tmp_path, "card", {"libraw": "1"})
    assert not looked(again, "a.dng", 100, 7)
    assert looked(again, "a.dng", 101, 7)
    assert looked(again, "a.dng", 100, 8)
    assert looked(headers.loaded(tmp_path, "card", {"libraw": "2"}), "a.dng", 100, 7)
    assert looked(headers.loaded(tmp_path, "other", {"libraw": "1"}), "a.dng", 100, 7)


def test_what_is_no_longer_asked_for_is_dropped(tmp_path):
    first = headers.loaded(tmp_path)
    looked(first, "a.dng")
    looked(first, "b.dng")
    first.save(tmp_path)
    second = headers.loaded(tmp_path)
    looked(second, "b.dng")
    second.save(tmp_path)
    assert looked(headers.loaded(tmp_path), "a.dng")
    assert not looked(headers.loaded(tmp_path), "b.dng")


def test_a_damaged_file_is_as_none(tmp_path):
    first = headers.loaded(tmp_path)
    looked(first, "a.dng")
    first.save(tmp_path)
    path = tmp_path / FOLDER / headers.NAME
    path.write_bytes(path.read_bytes().replace(b'"height":30', b'"height":31'))
    assert looked(headers.loaded(tmp_path), "a.dng")
