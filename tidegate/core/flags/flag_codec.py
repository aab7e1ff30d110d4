"""One flag in the canonical form: what is as it is by default is left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from datetime import date
from typing import Any

from tidegate.core.errors import Invalid
from tidegate.core.flags.attribute import AttributeType, Constraint
from tidegate.core.flags.flag import Flag, Kind, Need, Variant
from tidegate.core.flags.jsonlogic import read_logic, write_logic
from tidegate.core.flags.rule import Node
from tidegate.core.flags.rule_text import parse_rule
from tidegate.core.flags.rule_words import say_rule

_CONSTRAINT_KEYS = tuple(field.name for field in fields(Constraint) if field.name != "type")


def encode_flag(flag: Flag) -> dict[str, Any]:
    said: dict[str, Any] = {
        "attributes": {name: _encode_constraint(constraint) for name, constraint in flag.attributes.items()},
        "default": flag.default,
        "deprecated": flag.deprecated_on.isoformat() if flag.deprecated_on else flag.deprecated,
        "description": flag.description,
        "expires": flag.expires.isoformat() if flag.expires else None,
        "metadata": dict(flag.metadata),
        "needs": [_encode_need(need) for need in flag.needs],
        "off": flag.off,
        "owner": flag.owner,
    }
    kept = {key: value for key, value in said.items() if not (value is None or value is False or value in ("", {}, []))}
    if flag.off is not None:
        kept["off"] = flag.off
    if flag.targeting is not None:
        kept["targeting"] = write_logic(flag.targeting)
    if not flag.enabled:
        kept["enabled"] = False
    return kept | {"kind": flag.kind.value, "variants": [_encode_variant(variant) for variant in flag.variants]}


def _encode_variant(variant: Variant) -> dict[str, Any]:
    said: dict[str, Any] = {"name": variant.name, "value": variant.value}
    if variant.rule is not None:
        said["when"] = say_rule(variant.rule)
    return said if variant.enabled else said | {"enabled": False}


def _encode_need(need: Need) -> dict[str, Any]:
    return {"flag": need.flag, "variants": list(need.variants)} if need.variants else {"flag": need.flag}


def _encode_constraint(constraint: Constraint) -> dict[str, Any]:
    said: dict[str, Any] = {"type": constraint.type.value}
    for key in _CONSTRAINT_KEYS:
        value = getattr(constraint, key)
        if value is not None and value is not False and value != "":
            said[key] = list(value) if isinstance(value, tuple) else value
    return said


def decode_flag(name: str, raw: Mapping[str, Any]) -> Flag:
    """Raises Invalid for what was not written by `encode_flag`."""
    try:
        return _decode(name, raw)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as wrong:
        raise Invalid(
            f"flags.{name} cannot be read: {say_damage(wrong)}.", "Fetch the document again.", f"flags.{name}"
        ) from wrong


def _decode(name: str, raw: Mapping[str, Any]) -> Flag:
    deprecated = raw.get("deprecated", False)
    return Flag(
        name=name,
        kind=Kind(raw["kind"]),
        variants=tuple(_decode_variant(variant) for variant in raw["variants"]),
        enabled=raw.get("enabled", True),
        off=raw.get("off"),
        attributes={key: _decode_constraint(said) for key, said in raw.get("attributes", {}).items()},
        needs=tuple(Need(need["flag"], tuple(need.get("variants", ()))) for need in raw.get("needs", ())),
        targeting=read_logic(raw["targeting"]) if "targeting" in raw else None,
        default=raw.get("default"),
        description=raw.get("description", ""),
        owner=raw.get("owner", ""),
        expires=_day(raw.get("expires")),
        deprecated=bool(deprecated),
        deprecated_on=_day(deprecated) if isinstance(deprecated, str) else None,
        metadata=raw.get("metadata", {}),
    )


def _day(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)


def _decode_variant(raw: Mapping[str, Any]) -> Variant:
    when = raw.get("when")
    return Variant(raw["name"], raw["value"], None if when is None else parsed(when), raw.get("enabled", True))


def _decode_constraint(raw: Mapping[str, Any]) -> Constraint:
    said: dict[str, Any] = {key: tuple(raw[key]) if key == "enum" else raw[key] for key in _CONSTRAINT_KEYS if key in raw}
    return Constraint(type=AttributeType(raw["type"]), **said)


def parsed(when: Any) -> Node:
    if not isinstance(when, str):
        raise TypeError(f"a rule is a {type(when).__name__}")
    return parse_rule(when)


def say_damage(wrong: Exception) -> str:
    return str(wrong).replace("\n", " ")[:120] or type(wrong).__name__
