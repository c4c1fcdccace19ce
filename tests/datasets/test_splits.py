"""Splits of data sets that publish none keep their promise."""

import hashlib

import pytest

from isptools.datasets.splits import by_names, hashed, in_tenths


def tenth(name: str) -> int:
    return hashlib.sha256(name.encode()).digest()[0] % 10


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 9, 40])
@pytest.mark.parametrize("stem", ["IMG_", "pairs/", "scene "])
def test_from_two_scenes_on_there_is_a_test_scene_and_from_five_a_validation_scene(
    stem: str, count: int
) -> None:
    names = [f"{stem}{i}" for i in range(count)]
    splits = by_names([[name] for name in names])
    assert set(splits) == set(names)
    there = set(splits.values())
    assert there >= {"train", *(["test"] if count > 1 else []), *(["val"] if count > 4 else [])}
    by_hand = dict.fromkeys(names, ("train",) * 8 + ("val", "test"))
    by_hand = {name: tenths[tenth(name)] for name, tenths in by_hand.items()}
    if set(by_hand.values()) == {"train", "val", "test"}:
        assert splits == by_hand  # each by its own name: it stays when others come
    else:
        assert list(splits.values()).count("train") >= count * 0.5


def test_groups_stay_whole_and_are_called_by_their_first_name() -> None:
    groups = [[f"{i}", f"{i}-again"] for i in range(40)]
    splits = by_names(groups)
    assert all(splits[one] == splits[other] == hashed(one) for one, other in groups)
    few = groups[:2]
    assert by_names(few) == in_tenths(few)
    assert {frozenset({by_names(few)[name] for name in group}) for group in few} == {
        frozenset({"train"}), frozenset({"test"})
    }  # fmt: skip
