"""Both notations of the recipe inside a shard, read against texts written by hand."""

import pytest

from isptools.shards.made import Kept, made_by

FIRST = """{"name":"a","title":"A","manifest":"x","input":"burst","truth":"fused","exclude":["bad"],
"tile":36,"restoration":{"at":"xyz","dtype":"float32","full_scale":1.25,"source":"develop"},
"enhancement":{"at":"srgb","dtype":"uint8","full_scale":1.0,"source":"published"},"sample":true}"""
SECOND = """{"name":"a","title":"A","source":{"data_set":"x","inputs":"burst","exclude":["bad"]},
"storage":{"tile":36},"truth":{"make":"develop","fuse":"truth","restoration":{"from":"kept",
"at":"xyz","dtype":"float32","full_scale":1.25},"enhancement":{"from":"published","at":"srgb",
"dtype":"uint8"}}}"""


@pytest.mark.parametrize(("number", "text"), [(1, FIRST), (2, SECOND)])
def test_both_notations_say_the_same(number, text) -> None:
    made = made_by({"format": number, "recipe": text})
    assert (made.name, made.title, made.tile, made.exclude) == ("a", "A", 36, ("bad",))
    assert (made.fused, made.shaken) == (True, True)
    assert made.pictures == {
        "restoration": Kept("xyz", "float32", 1.25, "develop"),
        "enhancement": Kept("srgb", "uint8", 1.0, "published"),
    }


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("text", ["", "{", "[]", "3", '{"name":1,"title":"A"}', '{"name":"a"}'])
def test_a_text_that_is_no_recipe_is_one_line(number, text) -> None:
    with pytest.raises(ValueError, match=r"^the recipe inside is n[^\n]*$"):
        made_by({"format": number, "recipe": text})
