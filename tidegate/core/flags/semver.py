"""Semantic versions as flagd's `sem_ver` takes them: `v` in front, and parts that are missing count as zero.

Build metadata is ignored. What is no version compares to nothing: None, which is never true.
"""

from __future__ import annotations

import re
from typing import Any

_NUMBER = r"(0|[1-9]\d{0,50})"
_FORM = re.compile(
    rf"[vV]?{_NUMBER}(?:\.{_NUMBER})?(?:\.{_NUMBER})?"
    r"(?:-((?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*))?"
    r"(?:\+[0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*)?",
    re.ASCII,
)

SemVer = tuple[int, int, int, tuple[tuple[int, int, str], ...]]
"""Ordered as versions are: a version without a pre-release comes after all with one."""

_RELEASED = ((2, 0, ""),)


def parse_version(value: object) -> SemVer | None:
    """Numbers are taken as their text: 1.2 is version 1.2.0."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    if isinstance(value, int) and not 0 <= value < 10**50:
        return None
    found = _FORM.fullmatch(text) if len(text := str(value)) <= 256 else None
    if found is None:
        return None
    before = tuple(_part(part) for part in found[4].split(".")) if found[4] else _RELEASED
    return int(found[1]), int(found[2] or 0), int(found[3] or 0), before


def _part(text: str) -> tuple[int, int, str]:
    """Numbers come before words, and compare as numbers."""
    return (0, int(text), "") if text.isdigit() else (1, 0, text)


def compare_versions(left: SemVer, operator: str, right: SemVer) -> bool | None:
    """None for an operator that is none."""
    match operator:
        case "=" | "==":
            return left == right
        case "!=":
            return left != right
        case "<":
            return left < right
        case "<=":
            return left <= right
        case ">":
            return left > right
        case ">=":
            return left >= right
        case "^":
            return left[0] == right[0]
        case "~":
            return left[:2] == right[:2]
    return None


def version_holds(left: Any, operator: Any, right: Any) -> bool | None:
    """None where a side is no version or the operator is none."""
    one, other = parse_version(left), parse_version(right)
    if one is None or other is None or not isinstance(operator, str):
        return None
    return compare_versions(one, operator, other)
