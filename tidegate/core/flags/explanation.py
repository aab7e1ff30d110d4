"""Why a flag answers as it does: of each rule whether it held, and of each of its tests with which value. Slow, for people."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from tidegate.core.errors import TidegateError
from tidegate.core.exposure import bucket, say_share
from tidegate.core.flags.compile_rule import Scope, compile_rule
from tidegate.core.flags.compile_set import Test, membership
from tidegate.core.flags.document import FlagDocument
from tidegate.core.flags.flag import Flag
from tidegate.core.flags.jsonlogic import write_logic
from tidegate.core.flags.meeting import as_id, find
from tidegate.core.flags.result import Reason, Result
from tidegate.core.flags.rule import All, AnyOf, Attribute, Exists, InSegment, Logic, Node, Not, Split, walk
from tidegate.core.flags.rule_words import say_name, say_rule

Evaluate = Callable[[str, Mapping[str, Any]], Result]


@dataclass(frozen=True, slots=True)
class Step:
    """One test, or the rule of a variant as a whole, at a depth."""

    depth: int
    text: str
    holds: bool
    why: str = ""

    def __str__(self) -> str:
        return f"{'  ' * self.depth}{'yes' if self.holds else 'no '} {self.text}{f'   ({self.why})' if self.why else ''}"


@dataclass(frozen=True, slots=True)
class Explanation:
    result: Result
    sentence: str
    steps: tuple[Step, ...] = ()

    def __str__(self) -> str:
        return "\n".join([self.sentence, *map(str, self.steps)])


def explain(document: FlagDocument, name: str, context: Mapping[str, Any], evaluate: Evaluate) -> Explanation:
    """Raises nothing; what cannot be explained is said to be so."""
    result = evaluate(name, context)
    try:
        flag = document.flags.get(name)
    except TidegateError:
        flag = None
    if flag is None or result.reason is Reason.ERROR:
        return Explanation(result, f"{name}: {result.message or result.error}")
    steps = tuple(_Explainer(document, flag, context, evaluate, result).steps())
    return Explanation(result, _sentence(flag, result), steps)


def _sentence(flag: Flag, result: Result) -> str:
    said = json.dumps(result.value, ensure_ascii=False, default=str)
    variant = f", variant {result.variant}" if result.variant is not None else ""
    value = "the caller's own default" if result.value is None else said
    return f"{flag.name} is {value}{variant}: {_WHY[result.reason]}" + (f" {result.message}" if result.message else "")


_WHY = {
    Reason.STATIC: "the same for everybody.",
    Reason.TARGETING_MATCH: "a rule held.",
    Reason.SPLIT: "the entity is in the share of a rule.",
    Reason.DEFAULT: "no rule held, this is the default.",
    Reason.DISABLED: "not enabled.",
    Reason.ERROR: "an error.",
}


class _Explainer:
    def __init__(
        self, document: FlagDocument, flag: Flag, context: Mapping[str, Any], evaluate: Evaluate, result: Result
    ) -> None:
        self.document = document
        self.result = result
        self.flag = flag
        self.context = context
        self.evaluate = evaluate

    def steps(self) -> Iterator[Step]:
        for need in self.flag.needs:
            other = self.evaluate(need.flag, self.context)
            met = other.enabled and (not need.variants or other.variant in need.variants)
            yield Step(0, f"needs {need.flag}", met, f"it is {other.variant or other.reason.value.lower()}")
        if self.flag.targeting is not None:
            said = json.dumps(write_logic(self.flag.targeting), ensure_ascii=False)[:500]
            yield Step(0, f"targeting {said}", self.result.reason is Reason.TARGETING_MATCH, f"gives {self.result.variant}")
            return
        if self.flag.default is not None:
            yield Step(0, f"{self.flag.default}: for everybody", True)
            return
        for variant in self.flag.variants:
            if variant.rule is None:
                yield Step(0, f"{variant.name}: for all others", True)
                return
            holds = self._holds(variant.rule)
            yield Step(0, f"{variant.name}: {say_rule(variant.rule)[:500]}", holds)
            yield from self._parts(variant.rule, 1)

    def _parts(self, node: Node, depth: int) -> Iterator[Step]:
        match node:
            case All(rules=rules) | AnyOf(rules=rules) if rules:
                for rule in rules:
                    yield self._step(rule, depth)
                    yield from self._parts(rule, depth + 1) if isinstance(rule, All | AnyOf | Not) else ()
            case Not(rule=All() | AnyOf() as rule):
                yield from self._parts(rule, depth)
            case _ if depth == 1:
                yield self._step(node, depth)

    def _step(self, node: Node, depth: int) -> Step:
        return Step(depth, say_rule(node)[:300], self._holds(node), self._seen(node))

    def _seen(self, node: Node) -> str:
        """The values that the test looked at."""
        seen: dict[str, str] = {}
        for inner in walk(node):
            match inner:
                case Attribute(name=name) | Exists(name=name):
                    seen[name] = _say(find(self.context, name))
                case Split():
                    return self._place(inner)
                case InSegment(name=name):
                    return self._in_segment(name)
                case Logic():
                    return ""
        return ", ".join(f"{say_name(name)} is {value}" for name, value in seen.items())

    def _place(self, split: Split) -> str:
        key = as_id(find(self.context, split.by))
        if key is None:
            return f"{say_name(split.by)} is {_say(find(self.context, split.by))}"
        place = bucket(key, self.flag.name if split.seed is None else split.seed)
        return f"{say_name(split.by)} {_say(key)} is at {say_share(place)}"

    def _in_segment(self, name: str) -> str:
        segment = self.document.segments.get(name)
        if segment is None:
            return "there is no such segment"
        if segment.rule is not None:
            return f"its rule: {say_rule(segment.rule)[:300]}"
        return f"{say_name(segment.by)} is {_say(find(self.context, segment.by))}"

    def _holds(self, node: Node) -> bool:
        try:
            return bool(compile_rule(node, Scope(self.flag.name, self._segment))(self.context))
        except Exception:
            return False

    def _segment(self, name: str) -> Test:
        segment = self.document.segments[name]
        if segment.rule is not None:
            return compile_rule(segment.rule, Scope(name, self._segment))
        return membership(segment.by, segment.members)


def _say(value: Any) -> str:
    if value is None:
        return "missing"
    if isinstance(value, str | int | float | date) and len(said := json.dumps(value, ensure_ascii=False, default=str)) <= 80:
        return said
    return f"a {type(value).__name__}" if not isinstance(value, str) else f"a text of {len(value)} characters"
