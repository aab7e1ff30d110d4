"""Flags, environments and documents as people read them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from tidegate.cli.screen import clean_line
from tidegate.cli.service_views import plain_table


def as_yaml(content: object) -> str:
    import yaml  # noqa: PLC0415

    return str(yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=120)).rstrip("\n").removesuffix("\n...")


def all_environments(environments: Sequence[Mapping[str, Any]]) -> Table:
    table = plain_table("environment", ">document", ">flags", "rollout", ">agents", "plan")
    for one in environments:
        rollout = one["rollout"]
        going = f"{rollout['candidate']} {rollout['phase']} {rollout['wanted']}" if rollout and rollout["in_flight"] else "-"
        table.add_row(
            Text(clean_line(one["name"]), "bold"),
            str(one["document"] or "-"),
            str(one["flags"]),
            clean_line(going),
            str(len(one["agents"])),
            clean_line(one["plan"]),
        )
    return table


def all_agents(agents: Sequence[Mapping[str, Any]]) -> Table:
    table = plain_table("agent", "version", ">serial", ">exposure", ">heard")
    for one in agents:
        table.add_row(
            clean_line(one["id"]), clean_line(one["version"]), str(one["serial"]), one["exposure"], f"{one['heard']} ago"
        )
    return table


def say_sessions(environment: Mapping[str, Any]) -> str:
    """Of clients without an agent, for which no rollout waits; nothing when there are none."""
    count, lag = environment["sessions"]["count"], environment["sessions"]["lag"]
    if not count:
        return ""
    return f"{count:,} {'session polls' if count == 1 else 'sessions poll'} without an agent, and may be {lag} late."


def all_flags(flags: Mapping[str, Any]) -> Table:
    table = plain_table("flag", "answer", "owner")
    for name, content in flags.items():
        owner = str(content.get("owner", "")) if isinstance(content, dict) else ""
        table.add_row(Text(clean_line(name), "bold"), clean_line(_answer(content))[:100], clean_line(owner))
    return table


def _answer(content: Any) -> str:
    if not isinstance(content, dict):
        return str(content)
    if isinstance(content.get("value"), dict):
        return json.dumps(content["value"], ensure_ascii=False)
    if content.get("enabled") is False:
        return "not enabled"
    if "when" in content:
        return f"on when {content['when']}"
    if "value" in content:
        return _answer(content["value"]) if not isinstance(content["value"], bool) else "on" if content["value"] else "off"
    return ", ".join(str(name) for name in content.get("variants", {}))


def all_segments(segments: Mapping[str, Any]) -> Table:
    table = plain_table("segment", "who")
    for name, content in segments.items():
        table.add_row(Text(clean_line(name), "bold"), clean_line(_who(content))[:100])
    return table


def _who(content: Any) -> str:
    if isinstance(content, list):
        return f"{len(content):,} ids"
    if "when" in content:
        return f"when {content['when']}"
    return f"{len(content['members']):,} ids by {content.get('by', 'targetingKey')}"


def all_documents(documents: Sequence[Mapping[str, Any]]) -> Table:
    table = plain_table(">number", "made", "by", "why")
    for one in documents:
        table.add_row(
            str(one["number"]), str(one["created"])[:19].replace("T", " "), clean_line(one["by"]), clean_line(one["why"])
        )
    return table


def said_changes(changes: Sequence[Mapping[str, Any]]) -> list[str]:
    """A line for each flag or segment, and one for each sentence about it."""
    lines = []
    for change in changes:
        lines.append(f"{change['thing']} {clean_line(change['name'])} ({change['kind']})")
        lines += [f"  {clean_line(sentence)}" for sentence in change["sentences"]]
    return lines
