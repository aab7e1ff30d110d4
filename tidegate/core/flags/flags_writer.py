"""A document in Tidegate's own spelling, as short as a person would write it; flags_file.py reads it back as the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tidegate.core.flags.document import FlagDocument
from tidegate.core.flags.flag import Flag, Kind, Variant
from tidegate.core.flags.flag_codec import encode_flag
from tidegate.core.flags.flags_file import SWITCHES, simple_name
from tidegate.core.flags.rule import TARGETING_KEY, Json
from tidegate.core.flags.rule_words import say_rule
from tidegate.core.flags.segment import Segment

_ABOUT = ("description", "owner", "expires", "deprecated", "needs", "attributes", "targeting", "default", "metadata")


def write_flags(document: FlagDocument) -> dict[str, Json]:
    """The content of a YAML or JSON file. The document's number is not in it."""
    content: dict[str, Json] = {"application": document.application}
    if document.segments:
        content["segments"] = {name: write_segment(segment) for name, segment in document.segments.items()}
    return content | {"flags": {name: write_flag(flag) for name, flag in document.flags.items()}}


def write_segment(segment: Segment) -> Json:
    about = {"description": segment.description} if segment.description else {}
    if segment.rule is not None:
        return about | {"when": say_rule(segment.rule)}
    members = sorted(segment.members)
    by = {} if segment.by == TARGETING_KEY else {"by": segment.by}
    return about | by | {"members": members} if about or by else members


def write_flag(flag: Flag) -> Json:
    raw = encode_flag(flag)
    said: dict[str, Json] = {key: raw[key] for key in _ABOUT if key in raw}
    said |= {} if flag.enabled else {"enabled": False}
    if flag.off is not (False if flag.kind is Kind.BOOLEAN else None):
        said["off"] = flag.off
    said |= _answers(flag, said)
    value = said.get("value")
    return _short(value) if list(said) == ["value"] and _may_be_short(value) else said


def _answers(flag: Flag, said: Mapping[str, Any]) -> dict[str, Json]:
    only = flag.variants[0]
    plain = only == Variant(simple_name(only.value), only.value) and "targeting" not in said
    if plain and len(flag.variants) == 1 and (flag.kind is not Kind.ATTRIBUTES or flag.attributes):
        return {"value": only.value}
    if _is_switch(flag):
        return {"when": say_rule(only.rule)} if only.rule is not None else {}
    return {"variants": {variant.name: _variant(flag, variant) for variant in flag.variants}}


def _is_switch(flag: Flag) -> bool:
    """On for some, off for all others."""
    ruled = [(variant.name, variant.value, variant.rule is None) for variant in flag.variants]
    return flag.kind is Kind.BOOLEAN and flag.targeting is None and ruled == [("on", True, False), ("off", False, True)]


def _variant(flag: Flag, variant: Variant) -> Json:
    said: dict[str, Json] = {"attributes" if flag.kind is Kind.ATTRIBUTES else "value": variant.value}
    if variant.rule is not None:
        said["when"] = say_rule(variant.rule)
    if not variant.enabled:
        said["enabled"] = False
    return _short(variant.value) if list(said) == ["value"] and _may_be_short(variant.value) else said


def _may_be_short(value: Json) -> bool:
    """Whether it means the same without {value: ...} around it."""
    if isinstance(value, str):
        return value not in SWITCHES
    return not isinstance(value, dict) and value is not None


def _short(value: Json) -> Json:
    return value if not isinstance(value, bool) else "on" if value else "off"
