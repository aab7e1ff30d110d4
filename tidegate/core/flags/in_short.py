"""A flag or segment in a line, and as the text that a person would write: the same on the command line and on pages."""

from __future__ import annotations

import json
from typing import Any


def as_yaml(content: object) -> str:
    import yaml  # noqa: PLC0415 - most who show flags write none

    return str(yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=120)).rstrip("\n").removesuffix("\n...")


def answer_in_short(content: Any) -> str:
    """Of a flag as a document has it."""
    if not isinstance(content, dict):
        return str(content)
    if isinstance(content.get("value"), dict):
        return json.dumps(content["value"], ensure_ascii=False)
    if content.get("enabled") is False:
        return "not enabled"
    if "when" in content:
        return f"on when {content['when']}"
    if "value" in content:
        value = content["value"]
        return answer_in_short(value) if not isinstance(value, bool) else "on" if value else "off"
    return ", ".join(str(name) for name in content.get("variants", {}))


def who_in_short(content: Any) -> str:
    """Of a segment as a document has it."""
    if isinstance(content, list):
        return f"{len(content):,} ids"
    if "when" in content:
        return f"when {content['when']}"
    return f"{len(content['members']):,} ids by {content.get('by', 'targetingKey')}"
