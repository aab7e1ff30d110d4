"""The rules of evaluation as a plain interpreter of the tree, without anything that makes it fast: the oracle."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tidegate.core.exposure import bucket
from tidegate.core.flags.document import FlagDocument
from tidegate.core.flags.flag import Flag, Kind
from tidegate.core.flags.flagd_operations import GivenUp, fractional
from tidegate.core.flags.jsonlogic import FLAGD
from tidegate.core.flags.logic import LogicError, missing, missing_some, var
from tidegate.core.flags.logic_operations import PLAIN
from tidegate.core.flags.logic_value import UNDEFINED, loose_equal, strict_equal, to_text, truthy
from tidegate.core.flags.meeting import as_id, as_text, compare, equal, find, holds_text
from tidegate.core.flags.pattern import Pattern
from tidegate.core.flags.rule import (
    All,
    AnyOf,
    Attribute,
    Compare,
    Constant,
    Exists,
    In,
    InSegment,
    Listing,
    Logic,
    Matches,
    Node,
    Not,
    Split,
    TextTest,
    Value,
    Version,
)
from tidegate.core.flags.semver import version_holds


class Naive:
    def __init__(self, document: FlagDocument) -> None:
        self.document = document

    def answer(self, name: str, context: Mapping[str, Any]) -> tuple[str | None, str]:
        """Variant and reason, without telling a split from another match. A flag that cannot be worked out is off for those
        that need it."""
        try:
            return self._answer(name, context)
        except (LogicError, ValueError, RecursionError):
            return None, "ERROR"

    def _answer(self, name: str, context: Mapping[str, Any]) -> tuple[str | None, str]:
        flag = self.document.flags[name]
        if not flag.enabled:
            return None, "DISABLED"
        for need in flag.needs:
            variant, reason = self.answer(need.flag, context)
            other = self.document.flags[need.flag]
            if not _enabled(other, variant, reason) or (need.variants and variant not in need.variants):
                return None, "DISABLED"
        if flag.targeting is not None:
            return self._targeted(flag, context)
        if flag.default is not None:
            return flag.default, "STATIC"
        for variant in flag.variants:
            if variant.rule is None:
                return variant.name, "STATIC" if variant is flag.variants[0] else "DEFAULT"
            if self.holds(variant.rule, context, flag.name):
                return variant.name, "MATCH"
        raise AssertionError("the last variant has no rule")

    def _targeted(self, flag: Flag, context: Mapping[str, Any]) -> tuple[str | None, str]:
        assert flag.targeting is not None
        data = {**context, "$flagd": {"flagKey": flag.name, "timestamp": None}}
        try:
            name = self.logic(flag.targeting, data, flag.name)
        except GivenUp:
            return flag.default, "DEFAULT"
        if name is None or name is UNDEFINED:
            return flag.default, "DEFAULT"
        text = to_text(name)
        return (text, "MATCH") if flag.variant(text) else (None, "ERROR")

    # --- Rules -----------------------------------------------------------------------------------------------------------

    def holds(self, node: Node, context: Mapping[str, Any], flag: str) -> bool:
        return self.value(node, context, flag) is True

    def value(self, node: Node, context: Mapping[str, Any], flag: str) -> Any:
        match node:
            case Constant(value=value):
                return value
            case Attribute(name=name):
                return find(context, name)
            case Logic():
                return truthy(self.logic(node, context, flag))
            case All(rules=rules):
                return all(self.holds(rule, context, flag) for rule in rules)
            case AnyOf(rules=rules):
                return any(self.holds(rule, context, flag) for rule in rules)
            case Not(rule=rule):
                return not self.holds(rule, context, flag)
            case Compare(operator=operator, left=left, right=right):
                return compare(self._operand(left, context, flag), operator, self._operand(right, context, flag))
            case _:
                return self._test(node, context, flag)

    def _operand(self, node: Node, context: Mapping[str, Any], flag: str) -> Any:
        return self.logic(node, context, flag) if isinstance(node, Logic) else self.value(node, context, flag)

    def _test(self, node: Node, context: Mapping[str, Any], flag: str) -> bool:
        match node:
            case In(item=item, values=values):
                found = self._operand(item, context, flag)
                return any(equal(found, value) for value in values)
            case TextTest(operator=operator, text=text, part=part):
                return holds_text(operator, self._operand(text, context, flag), self._operand(part, context, flag))
            case Matches(text=text, pattern=pattern):
                found = as_text(self._operand(text, context, flag))
                return found is not None and Pattern(pattern).found_in(found)
            case Version(text=text, operator=operator, than=than):
                return version_holds(self._operand(text, context, flag), operator, than) is True
            case Exists(name=name):
                return find(context, name) is not None
            case Split(by=by, low=low, high=high, seed=seed):
                key = as_id(find(context, by))
                return key is not None and low <= bucket(key, flag if seed is None else seed) < high
            case InSegment(name=name):
                return self._in_segment(name, context)
        raise AssertionError(node)

    def _in_segment(self, name: str, context: Mapping[str, Any]) -> bool:
        segment = self.document.segments[name]
        if segment.rule is not None:
            return self.holds(segment.rule, context, name)
        key = find(context, segment.by)
        return as_id(key) in segment.members or (key in [""] and "" in segment.members)

    # --- JsonLogic -------------------------------------------------------------------------------------------------------

    def logic(self, node: Node, data: Any, flag: str) -> Any:
        match node:
            case Value(value=value):
                return value
            case Listing(items=items):
                return [self.logic(item, data, flag) for item in items]
            case Logic(operator=operator, arguments=arguments):
                return self._operation(operator, arguments, data, flag)
        raise AssertionError(node)

    def _operation(self, operator: str, arguments: tuple[Node, ...], data: Any, flag: str) -> Any:
        match operator:
            case "if" | "?:":
                return self._if(arguments, data, flag)
            case "and" | "or":
                value: Any = UNDEFINED
                for argument in arguments:
                    value = self.logic(argument, data, flag)
                    if truthy(value) == (operator == "or"):
                        break
                return value
            case "filter" | "map" | "all" | "some" | "none" | "reduce":
                return self._each(operator, arguments, data, flag)
        given = [self.logic(argument, data, flag) for argument in arguments]
        return _flagd(operator, given, data, flag) if operator in FLAGD else _eager(operator, given, data)

    def _if(self, arguments: tuple[Node, ...], data: Any, flag: str) -> Any:
        if not arguments:
            return None
        if len(arguments) == 1:
            return self.logic(arguments[0], data, flag)
        if truthy(self.logic(arguments[0], data, flag)):
            return self.logic(arguments[1], data, flag)
        return self._if(arguments[2:], data, flag)

    def _each(self, operator: str, arguments: tuple[Node, ...], data: Any, flag: str) -> Any:
        items = self.logic(arguments[0], data, flag) if arguments else None
        items = items if isinstance(items, list | tuple) else []
        logic = arguments[1] if len(arguments) > 1 else Value(UNDEFINED)
        if operator == "reduce":
            result = self.logic(arguments[2], data, flag) if len(arguments) > 2 else None
            for item in items:
                result = self.logic(logic, {"current": item, "accumulator": result}, flag)
            return result
        if operator in ("some", "none"):  # stops at the first, so that what is given up later is not looked at
            return any(truthy(self.logic(logic, item, flag)) for item in items) == (operator == "some")
        if operator == "all":
            return bool(items) and all(truthy(self.logic(logic, item, flag)) for item in items)
        worked = [self.logic(logic, item, flag) for item in items]
        if operator == "map":
            return [None if value is UNDEFINED else value for value in worked]
        return [item for item, value in zip(items, worked, strict=True) if truthy(value)]


def _eager(operator: str, given: list[Any], data: Any) -> Any:
    match operator:
        case "var":
            return var(data, *given)
        case "missing":
            return missing(data, *given)
        case "missing_some":
            return missing_some(data, *given)
        case "==" | "!=":
            return loose_equal(*_two(given)) == (operator == "==")
        case "===" | "!==":
            return strict_equal(*_two(given)) == (operator == "===")
    return PLAIN[operator](*given)


def _flagd(operator: str, given: list[Any], data: Any, flag: str) -> Any:
    if operator == "fractional":
        return fractional(flag, data, given)
    if operator == "sem_ver":
        held = version_holds(*given) if len(given) == 3 else None
        if held is None:
            raise GivenUp
        return held
    if len(given) != 2 or not all(isinstance(one, str) for one in given):
        raise GivenUp
    return given[0].startswith(given[1]) if operator == "starts_with" else given[0].endswith(given[1])


def _two(given: list[Any]) -> tuple[Any, Any]:
    return (*given, UNDEFINED, UNDEFINED)[:2]


def _enabled(flag: Flag, variant: str | None, reason: str) -> bool:
    if reason in ("DISABLED", "ERROR"):
        return False
    chosen = flag.variant(variant) if variant is not None else None
    if flag.kind is Kind.BOOLEAN:
        return chosen is not None and chosen.value is True
    return chosen is None or chosen.enabled
