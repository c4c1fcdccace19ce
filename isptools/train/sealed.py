"""A state as one safetensors file that proves itself: tensors, plain values, and a hash of it all.

Tensors stand under the names of the places they have in the state (`model.nets.0.weight`), so that
any reader of safetensors finds the weights. The rest is JSON in the file's one word of metadata,
and so is the sha256 of the whole file, taken with 64 zeros in its own place.
"""

import hashlib
import json
import re
from typing import Any

import torch
from safetensors.torch import load, save
from torch import Tensor

WORD = "isptools"
NONE = b"0" * 64
# JSON within JSON: quotes are escaped. The hash is the first thing behind the file's own header
DIGEST = re.compile(rb'\{"__metadata__":\{"isptools":"\{\\"sha256\\":\\"([0-9a-f]{64})\\"')
HEAD = 8  # bytes before it: its length


def seal(state: dict[str, Any]) -> bytes:
    """The file of a state of dicts, lists, tuples, tensors and plain values.

    The same state gives the same bytes. TypeError for anything else in it.
    """
    tensors: dict[str, Tensor] = {}
    words = {"sha256": NONE.decode(), "state": _taken_apart(state, "", tensors)}
    data = save(tensors, {WORD: json.dumps(words, separators=(",", ":"))})
    place = _place(data)
    digest = hashlib.sha256(data).hexdigest().encode()
    return b"".join((data[: place.start], digest, data[place.stop :]))


def unseal(data: bytes) -> dict[str, Any]:
    """The state of a file. ValueError in one line where it is none, or not what was sealed."""
    place = _place(data)
    view, digest = memoryview(data), hashlib.sha256()
    for part in (view[: place.start], NONE, view[place.stop :]):
        digest.update(part)
    if digest.hexdigest().encode() != data[place]:
        raise ValueError("its sha256 is not that of its bytes: it is damaged")
    length = int.from_bytes(data[:HEAD], "little")
    header = json.loads(data[HEAD : HEAD + length])
    found = _put_together(json.loads(header["__metadata__"][WORD])["state"], load(data))
    if not isinstance(found, dict):
        raise ValueError("it holds no state")
    return found


def _place(data: bytes) -> slice:
    """Where the hash stands."""
    found = DIGEST.match(data, HEAD)
    if not found:
        raise ValueError("it does not begin as one does: it is damaged, or something else")
    return slice(*found.span(1))


def _taken_apart(value: Any, name: str, tensors: dict[str, Tensor]) -> Any:
    """JSON of a value, its tensors apart."""
    if isinstance(value, Tensor):
        if name in tensors:
            raise TypeError(f"two tensors are called {name}")
        tensors[name] = value.detach().cpu().clone(memory_format=torch.contiguous_format)
        return {"tensor": name}
    if isinstance(value, dict):
        items = [[key, _taken_apart(v, f"{name}.{key}".lstrip("."), tensors)]
                 for key, v in value.items()]  # fmt: skip
        return {"items": items}
    if isinstance(value, list | tuple):
        members = [_taken_apart(v, f"{name}.{i}", tensors) for i, v in enumerate(value)]
        return {"tuple": members} if isinstance(value, tuple) else members
    if value is None or type(value) in {str, int, float, bool}:
        return value
    raise TypeError(f"{name} is a {type(value).__name__}: neither a tensor nor a plain value")


def _put_together(value: Any, tensors: dict[str, Tensor]) -> Any:
    if isinstance(value, list):
        return [_put_together(one, tensors) for one in value]
    if not isinstance(value, dict):
        return value
    ((kind, held),) = value.items()
    if kind == "tensor":
        return tensors[held]
    if kind == "items":
        return {key: _put_together(one, tensors) for key, one in held}
    if kind == "tuple":
        return tuple(_put_together(one, tensors) for one in held)
    raise ValueError(f"it holds a {kind!r}, which this version does not know")
