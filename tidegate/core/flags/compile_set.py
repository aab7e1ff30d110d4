"""Sets of entities as functions: who is a member, and whose bucket lies in a part. All but the id is worked out before."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import xxhash

from tidegate.core.exposure import WHOLE
from tidegate.core.flags.meeting import as_id, find
from tidegate.core.flags.rule import Split

Context = Mapping[str, Any]
Test = Callable[[Context], bool]


def attribute(name: str) -> Callable[[Context], Any]:
    """What the context has of this name."""
    if "." in name:
        return lambda context: find(context, name)
    return lambda context: context.get(name)


def membership(by: str, members: frozenset[str]) -> Test:
    value = attribute(by)

    def test(context: Context) -> bool:
        found = value(context)
        if found.__class__ is str:
            return found in members
        text = as_id(found)
        return text is not None and text in members

    return test


def split_test(split: Split, flag: str) -> Test:
    """Exactly `low <= bucket(id, seed) < high`, with the seed's bytes made before."""
    name, low, high = split.by, split.low, split.high
    place = placed(flag if split.seed is None else split.seed)
    if "." in name:
        return lambda context: low <= place(find(context, name)) < high
    if low == 0:
        return lambda context: place(context.get(name)) < high
    return lambda context: low <= place(context.get(name)) < high


def placed(seed: str) -> Callable[[Any], int]:
    """bucket(id, seed) of core/exposure.py, with the seed's bytes made before; beyond everybody for what is no id."""
    begin = f"{seed}:".encode(errors="surrogatepass")
    digest = xxhash.xxh64_intdigest

    def place(value: Any) -> int:
        if value.__class__ is not str:
            value = as_id(value)
        if not value:
            return WHOLE
        try:
            return digest(begin + value.encode()) % WHOLE
        except UnicodeEncodeError:
            return digest(begin + value.encode(errors="surrogatepass")) % WHOLE

    return place
