"""States of comparisons as plain JSON and back, to the last bit: a restart goes on exactly where it was.

Python writes the shortest decimal that reads back as the same float, and no state holds an infinity.
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any, TypeVar, get_type_hints

import numpy as np

T = TypeVar("T")


def dump(thing: object) -> Any:
    """A dataclass of arrays, numbers and texts as nested dictionaries and lists."""
    if is_dataclass(thing):
        return {field.name: dump(getattr(thing, field.name)) for field in fields(thing)}
    if isinstance(thing, (np.ndarray, np.generic)):
        return thing.tolist()
    return list(thing) if isinstance(thing, (tuple, frozenset)) else thing


def load(kind: type[T], content: Any) -> T:
    """What `dump` wrote, as this dataclass again."""
    return kind(**{name: _read(hint, content[name]) for name, hint in get_type_hints(kind).items()})


def _read(hint: Any, content: Any) -> Any:
    if is_dataclass(hint):
        return load(hint, content)  # type: ignore[arg-type]
    if hint in (int, float, str, bool):
        return content
    if getattr(hint, "__origin__", None) is tuple:
        return tuple(content)
    return np.asarray(content)
