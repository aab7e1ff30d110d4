"""The paths of AWS AppConfig's agent, so that applications written for it need no change.

    GET /applications/shop/environments/prod/configurations/flags?flag=checkout
    Context: country=DE, plan=pro
    Entity-Id: ann

One flag answers its object, several a mapping of them, none the whole configuration. `Entity-Id` is the targeting key, by
which an entity gets the old or the new document during a rollout; `targetingKey` in the context is the same. The last part of
the path, the configuration profile, may be anything: an application has one flag document. But where it is named like a flag
whose values are mappings, it is a free-form configuration, and that value alone is the answer.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qsl

from tidegate.agent.agent import Agent
from tidegate.agent.answer import JSON, NOT_READY, Answer, dump, refuse
from tidegate.agent.cache import View
from tidegate.core.flags.appconfig import answer, is_free_form
from tidegate.core.flags.result import Fault
from tidegate.core.flags.rule import TARGETING_KEY

LONGEST_ENTITY = 2048
"""Bytes, as with Amazon's."""

RawHeaders = Iterable[tuple[bytes, bytes]]


def retrieve(agent: Agent, path: str, query: bytes, headers: RawHeaders) -> Answer:
    parts = path.split("/", 6)  # a profile may have slashes of its own
    if len(parts) != 7 or parts[3] != "environments" or parts[5] != "configurations" or not parts[6]:
        return refuse(404, f"There is nothing at {path[:200]}.", "Ask /applications/A/environments/E/configurations/P.")
    if parts[2] != agent.application or parts[4] != agent.environment:
        return refuse(
            404,
            f"This agent has {agent.application}/{agent.environment}, not {parts[2][:64]}/{parts[4][:64]}.",
            "Ask for that one, or start an agent for the other.",
        )
    context = _context(headers)
    if isinstance(context, Answer):
        return context
    view = agent.view
    if view is None:
        return NOT_READY
    flags = _flags(query)
    if len(flags) == 1:
        return _one(agent, view, flags[0], context)
    if not flags and is_free_form(view.staged, parts[6], context):
        return _free_form(agent, parts[6], context)
    return _several(agent, flags, context)


def _flags(query: bytes) -> list[str]:
    if not query:
        return []
    if query.startswith(b"flag=") and not any(sign in query for sign in b"&%+"):
        return [query[5:].decode("latin-1")]
    return [value for name, value in parse_qsl(query.decode("latin-1"), keep_blank_values=True) if name == "flag"]


def _one(agent: Agent, view: View, flag: str, context: dict[str, Any]) -> Answer:
    result = agent.evaluate(flag, context)
    if result.error == Fault.FLAG_NOT_FOUND:
        return _unknown([flag])
    return Answer(200, view.plain.of(result, answer), (JSON, _version(result.number)))


def _free_form(agent: Agent, flag: str, context: dict[str, Any]) -> Answer:
    result = agent.evaluate(flag, context)
    value = result.value
    return Answer(200, dump({} if value is None else value), (JSON, _version(result.number)))


def _several(agent: Agent, flags: list[str], context: dict[str, Any]) -> Answer:
    results = {flag: agent.evaluate(flag, context) for flag in flags} if flags else agent.evaluate_all(context)
    unknown = [flag for flag, result in results.items() if result.error == Fault.FLAG_NOT_FOUND]
    if unknown:
        return _unknown(unknown)
    number = next((result.number for result in results.values()), _number(agent))
    return Answer(200, dump({flag: answer(result) for flag, result in results.items()}), (JSON, _version(number)))


def _number(agent: Agent) -> int:
    view = agent.view
    return view.snapshot.baseline.number if view is not None else 0


def _unknown(flags: list[str]) -> Answer:
    names = ", ".join(repr(flag[:64]) for flag in flags[:10])
    return refuse(404, f"No flag {names} is known.", "Check its name, or deploy it first.")


def _version(number: int) -> tuple[bytes, bytes]:
    return b"configuration-version", str(number).encode()


# --- What is known of the caller ------------------------------------------------------------------------------------------


def _context(headers: RawHeaders) -> dict[str, Any] | Answer:
    """Values are texts. A rule that compares one with a number or with true reads it as such."""
    context: dict[str, Any] = {}
    entity: bytes | None = None
    for name, value in headers:
        if name == b"context":
            wrong = _add(context, _decoded(value))
            if wrong is not None:
                return wrong
        elif name == b"entity-id":
            if len(value) > LONGEST_ENTITY:
                return refuse(400, f"Entity-Id has {len(value):,} bytes.", f"Give at most {LONGEST_ENTITY:,}.")
            entity = value
    if entity is not None:
        context[TARGETING_KEY] = _decoded(entity).strip()
    return context


def _add(context: dict[str, Any], said: str) -> Answer | None:
    for pair in said.split(","):
        key, equals, value = pair.partition("=")
        key = key.strip()
        if equals and key:
            context[key] = value.strip()
        elif pair.strip():
            return refuse(400, f"Context has {pair.strip()[:60]!r}, which is no key=value.", "Write it as Context: country=DE")
    return None


def _decoded(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")
