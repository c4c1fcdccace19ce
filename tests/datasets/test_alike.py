"""Groups of pictures that look alike are those of a look at each pair."""

from itertools import pairwise

import numpy as np
import pytest

from isptools.datasets.alike import Grouped, earlier, grouped, joined

Prints = list[tuple[str, int | None]]


def looked_at(prints: Prints, most: int) -> dict[str, Grouped]:
    """Each pair of pictures."""
    like: dict[str, str] = {}
    links: list[tuple[str, str]] = []
    for at, (scene, bits) in enumerate(prints):
        for other, known in prints[:at]:
            if bits is None or known is None or scene == other:
                continue
            if bin(bits ^ known).count("1") <= most:
                like.setdefault(scene, other)
                links.append((scene, other))
    groups = joined(dict.fromkeys(scene for scene, _ in prints), links)
    return {
        scene: Grouped(members[0], like.get(scene, "")) for members in groups for scene in members
    }


def clustered(seed: int, count: int, scenes: int) -> Prints:
    """Hashes some bits off a few, of scenes with several pictures each, some of nothing."""
    random = np.random.default_rng(seed)
    middles = random.integers(0, 2**64, max(count // 6, 1), dtype=np.uint64)
    found: Prints = []
    for _ in range(count):
        bits = int(random.choice(middles))
        for bit in random.integers(0, 64, random.integers(0, 9)):
            bits ^= 1 << int(bit)
        found.append((f"s{random.integers(scenes)}", bits if random.random() > 0.05 else None))
    return found


@pytest.mark.parametrize("most", [0, 1, 6, 20, 63, 64])
@pytest.mark.parametrize(("count", "scenes"), [(0, 1), (1, 1), (2, 2), (300, 40), (300, 400)])
def test_groups_are_those_of_a_look_at_each_pair(most: int, count: int, scenes: int) -> None:
    prints = clustered(count + most, count, scenes)
    wanted, found = looked_at(prints, most), grouped(prints, most)
    assert found == wanted
    assert list(found) == list(wanted)  # their order is what splits are given by


@pytest.mark.parametrize("owners", [1, 3, 300])
def test_of_another_split_is_the_first_one_before(owners: int) -> None:
    prints = clustered(owners, 300, owners)
    wanted = [
        next((i for i, (other, known) in enumerate(prints[:at]) if other != name and known
              is not None and bits is not None and bin(bits ^ known).count("1") <= 6), None)
        for at, (name, bits) in enumerate(prints)
    ]  # fmt: skip
    assert earlier(prints, 6) == wanted
    assert any(at is not None for at in wanted) == (owners > 1)


def test_hashes_that_share_no_run_but_one_are_found_wherever_it_is() -> None:
    """Each of the 7 runs of bits in turn is the only one that a pair of 6 has in common."""
    ends = [int(end) for end in np.linspace(0, 64, 8)]
    spread = [("a", 0)]
    for at, _ in enumerate(pairwise(ends)):
        differing = sum(1 << low for i, low in enumerate(ends[:-1]) if i != at)
        spread.append((f"b{at}", differing))
    random = np.random.default_rng(3)  # without others, every pair would be looked at
    spread += [(f"c{i}", int(b)) for i, b in enumerate(random.integers(0, 2**63, 600))]
    groups = grouped(spread, 6)
    assert {groups[f"b{at}"].like for at in range(7)} == {"a"}
    assert groups == looked_at(spread, 6)


def test_one_dense_group_is_one_group() -> None:
    """All near each other by chains: where buckets are no help, each pair is looked at."""
    prints: Prints = [(f"s{i}", (1 << i % 33) - 1) for i in range(400)]
    groups = grouped(prints, 1)
    assert groups == looked_at(prints, 1)
    assert {group.name for group in groups.values()} == {"s0"}
