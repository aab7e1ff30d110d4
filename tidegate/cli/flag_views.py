"""Flags, environments and documents as people read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from tidegate.cli.screen import clean_line
from tidegate.cli.service_views import plain_table
from tidegate.core.flags.in_short import answer_in_short, who_in_short
from tidegate.core.flags.in_short import as_yaml as as_yaml


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
    table = plain_table("agent", "version", ">serial", ">exposure", ">age", ">heard")
    for one in agents:
        table.add_row(
            clean_line(one["id"]),
            clean_line(one["version"]),
            str(one["serial"]),
            one["exposure"],
            one.get("age") or "-",
            f"{one['heard']} ago",
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
        table.add_row(Text(clean_line(name), "bold"), clean_line(answer_in_short(content))[:100], clean_line(owner))
    return table


def all_segments(segments: Mapping[str, Any]) -> Table:
    table = plain_table("segment", "who")
    for name, content in segments.items():
        table.add_row(Text(clean_line(name), "bold"), clean_line(who_in_short(content))[:100])
    return table


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
