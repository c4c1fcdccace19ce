"""Words that prove themselves: the hash by hand, and no byte can be another."""

import hashlib
import json
import random

import pytest

from isptools.shards.proof import proved, proven

SEED = 5
WORDS = '{"name":"ä \\"proof\\": \\"0123456789abcdef\\"}","number":1.5,"lines":[{"a":1},{}]}'


@pytest.mark.parametrize("indent", [-1, 1])
def test_the_hash_is_that_of_the_bytes_with_zeros_in_its_place(indent: int) -> None:
    data = proved(WORDS.encode(), indent)
    told = json.loads(data)
    place = data.rindex(told["proof"].encode())
    blank = data[:place] + b"0" * 16 + data[place + 16 :]
    assert told.pop("proof") == hashlib.sha256(blank).hexdigest()[:16]
    assert told == json.loads(WORDS) == proven(data, ())


@pytest.mark.parametrize("indent", [-1, 1])
def test_every_single_flip_is_seen(indent: int) -> None:
    data = proved(WORDS.encode(), indent)
    for at in range(len(data)):
        for bit in range(8):
            other = data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :]
            with pytest.raises(ValueError, match="it is damaged"):
                proven(other, json.loads(WORDS))


def test_what_has_no_proof_has_only_words_of_that_time() -> None:
    assert proven(WORDS.encode(), ("name", "number", "lines")) == json.loads(WORDS)
    with pytest.raises(ValueError, match="words that nobody wrote"):
        proven(WORDS.encode(), ("name", "number"))


def test_anything_else_is_one_line() -> None:
    chance = random.Random(SEED)
    for data in (b"", b"[]", b"3", b"{", b'{"a":"\xff"}', b"[" * 100_000, chance.randbytes(500)):
        with pytest.raises(ValueError, match="it is damaged") as caught:
            proven(data, ())
        assert "\n" not in str(caught.value)
