"""What must be true of a flag document before anybody gets it, in whatever spelling it came.

Every fault is Invalid with the exact place (`flags.checkout.variants.blue.when`) and the mend. The first one is raised.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import NoReturn

from tidegate.core.errors import Invalid, quote
from tidegate.core.flags.codec import LazyFlags
from tidegate.core.flags.document import FlagDocument
from tidegate.core.flags.flag import Flag, Kind, Need, Variant
from tidegate.core.flags.jsonlogic import OPERATIONS
from tidegate.core.flags.pattern import pattern_fault
from tidegate.core.flags.rule import InSegment, Json, Logic, Matches, Node, Value, walk
from tidegate.core.flags.segment import Segment

LONGEST_NAME = 128
DEEPEST_VALUE = 40
LARGEST = 10**40
MOST_VARIANTS = 1000


def check(document: FlagDocument, what: str = "the flags", *, logic: bool = True) -> FlagDocument:
    """The document itself. Without `logic`, unknown operations of JsonLogic are left to answer PARSE_ERROR."""
    checker = _Checker(document, what, logic)
    for name, segment in document.segments.items():
        checker.segment(name, segment)
    for name, flag in document.flags.items():
        checker.flag(name, flag)
    checker.cycles()
    return document


def check_flag(document: FlagDocument, name: str, what: str = "the flags") -> FlagDocument:
    """The same where this flag is all that differs from a document that was checked: of ten thousand flags one is looked at,
    and those that need it."""
    checker = _Checker(document, what, logic=True)
    checker.flag(name, document.flags[name])
    for other in document.flags.needy() if isinstance(document.flags, LazyFlags) else document.flags.values():
        for index, need in enumerate(other.needs):
            if need.flag == name:
                checker.need(need, f"flags.{other.name}.needs[{index}]")
    checker.cycles([name])
    return document


def refuse(what: str, where: str, fault: str) -> NoReturn:
    """`fault` is a sentence, a line break and the mend."""
    sentence, _, mend = fault.partition("\n")
    raise Invalid(f"{what}: {where}: {sentence}", mend or "Correct it.", where)


def name_fault(name: str) -> str | None:
    if not name or len(name) > LONGEST_NAME or not name.isprintable() or name != name.strip():
        return f"{quote(name)} is not a name.\nUse 1 to {LONGEST_NAME} visible characters, without spaces around them."
    return None


def value_fault(value: Json) -> str | None:
    """What cannot be written down and sent on: it is no JSON, or would be another value on its way."""
    level = [value]
    for _ in range(DEEPEST_VALUE):
        for item in level:
            if fault := _atom_fault(item):
                return fault
        level = [inner for item in level for inner in _inside(item)]
        if not level:
            return None
    return f"it is nested deeper than {DEEPEST_VALUE} levels.\nWrite it flatter."


def _inside(item: Json) -> list[Json]:
    if isinstance(item, dict):
        return [*item.keys(), *item.values()]
    return item if isinstance(item, list) else []


def _atom_fault(item: Json) -> str | None:
    match item:
        case None | bool() | dict() | list():
            return None
        case str():
            return None if _is_sound(item) else "it has a broken character.\nWrite it as plain UTF-8."
        case int():
            return None if abs(item) < LARGEST else "a number has more than 40 digits.\nWrite it as a text."
        case float():
            return None if math.isfinite(item) else f"{item} is no number that JSON knows.\nWrite an ordinary number."
        case _:
            return f"{quote(item)} is no JSON.\nUse texts, numbers, true, false, lists and mappings."


def _is_sound(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def nearest(name: str, known: Iterable[str], none: str) -> str:
    names = list(known)
    close = difflib.get_close_matches(name, names[:5000], n=1, cutoff=0.5)
    if close:
        return f"Did you mean {close[0]!r}?"
    return f"Known: {', '.join(sorted(names)[:10])}{' ...' if len(names) > 10 else ''}." if names else none


class _Checker:
    def __init__(self, document: FlagDocument, what: str, logic: bool) -> None:
        self.document = document
        self.what = what
        self.logic = logic

    def segment(self, name: str, segment: Segment) -> None:
        where = f"segments.{name}"
        self._name(name, where)
        if segment.rule is None:
            return
        for node in walk(segment.rule):
            if isinstance(node, InSegment):
                fault = f"its rule asks for the segment {quote(node.name)}.\nWrite that segment's rule out here."
                refuse(self.what, f"{where}.when", fault)
        self._rule(segment.rule, f"{where}.when")

    def flag(self, name: str, flag: Flag) -> None:
        where = f"flags.{name}"
        self._name(name, where)
        for key, constraint in flag.attributes.items():
            fault = next(constraint.faults(), None) or (pattern_fault(constraint.pattern) if constraint.pattern else None)
            if fault:
                refuse(self.what, f"{where}.attributes.{key}", fault)
        for index, need in enumerate(flag.needs):
            self.need(need, f"{where}.needs[{index}]")
        if fault := _variants_fault(flag):
            refuse(self.what, f"{where}.variants", fault)
        for variant in flag.variants:
            self._variant(flag, variant, f"{where}.variants.{variant.name}")
        self._value({"off": flag.off, **flag.metadata}, where)
        if flag.targeting is not None:
            self._rule(flag.targeting, f"{where}.targeting")
        if flag.default is not None and flag.variant(flag.default) is None:
            mend = nearest(flag.default, (variant.name for variant in flag.variants), "Add it.")
            refuse(self.what, f"{where}.default", f"there is no variant {quote(flag.default)}.\n{mend}")

    def _name(self, name: str, where: str) -> None:
        if fault := name_fault(name):
            refuse(self.what, where[:80], fault)

    def _variant(self, flag: Flag, variant: Variant, where: str) -> None:
        self._name(variant.name, where)
        if variant.rule is not None:
            self._rule(variant.rule, f"flags.{flag.name}.when" if _is_switch(flag) else f"{where}.when")
        self._value(variant.value, where)
        if flag.kind is Kind.BOOLEAN and not isinstance(variant.value, bool):
            refuse(self.what, where, f"{quote(variant.value)} is neither true nor false.\nWrite true or false.")
        if flag.kind is Kind.ATTRIBUTES:
            self._attributes(flag, variant, where)

    def _value(self, value: Json, where: str) -> None:
        if fault := value_fault(value):
            refuse(self.what, where, fault)

    def _attributes(self, flag: Flag, variant: Variant, where: str) -> None:
        if not isinstance(variant.value, dict):
            refuse(self.what, where, f"{quote(variant.value)} is no mapping of attributes.\nWrite attributes: {{name: value}}.")
        given: Mapping[str, Json] = variant.value
        for key, value in given.items():
            constraint = flag.attributes.get(key)
            if constraint is None:
                mend = nearest(key, flag.attributes, "Declare it under attributes, with its type.")
                refuse(self.what, f"{where}.attributes.{key}", f"the flag has no attribute {quote(key)}.\n{mend}")
            if fault := constraint.fault(value):
                refuse(self.what, f"{where}.attributes.{key}", fault)
        for key, constraint in flag.attributes.items():
            if constraint.required and key not in given and variant.enabled:
                refuse(self.what, f"{where}.attributes", f"the attribute {quote(key)} is required.\nGive it a value.")

    def _rule(self, rule: Node, where: str) -> None:
        for node in walk(rule):
            match node:
                case InSegment(name=name) if name not in self.document.segments:
                    mend = nearest(name, self.document.segments, "Add it under segments.")
                    refuse(self.what, where, f"there is no segment {quote(name)}.\n{mend}")
                case Matches(pattern=pattern) if fault := pattern_fault(pattern):
                    refuse(self.what, where, fault)
                case Value(value=value):
                    self._value(value, where)
                case Logic(operator=operator) if self.logic and operator not in OPERATIONS:
                    refuse(self.what, where, f"{quote(operator)} is no operation of JsonLogic.\n{_nearest_operation(operator)}")

    def need(self, need: Need, where: str) -> None:
        other = self.document.flags.get(need.flag)
        if other is None:
            mend = nearest(need.flag, self.document.flags, "Add it.")
            refuse(self.what, where, f"there is no flag {quote(need.flag)}.\n{mend}")
        for name in need.variants:
            if other.variant(name) is None:
                mend = nearest(name, (variant.name for variant in other.variants), "Name one that it has.")
                refuse(self.what, where, f"{need.flag} has no variant {quote(name)}.\n{mend}")

    def cycles(self, starts: Iterable[str] | None = None) -> None:
        """Each flag is visited once; the way back to one that is still open is a cycle."""
        done: set[str] = set()
        for start in self.document.flags if starts is None else starts:
            path: dict[str, Iterator[Need]] = {}
            self._open(start, path, done)
            while path:
                name, needs = next(reversed(path.items()))
                need = next(needs, None)
                if need is None:
                    done.add(name)
                    path.popitem()
                else:
                    self._open(need.flag, path, done)

    def _open(self, name: str, path: dict[str, Iterator[Need]], done: set[str]) -> None:
        if name in path:
            circle = " needs ".join([*list(path)[list(path).index(name) :], name])
            refuse(self.what, f"flags.{name}.needs", f"{circle[:300]}: none could ever be on.\nRemove one of these.")
        if name not in done and (needs := self.document.flags[name].needs) is not None:
            path[name] = iter(needs)


def _is_switch(flag: Flag) -> bool:
    """Written with `when` alone: on for some, off for all others."""
    return flag.kind is Kind.BOOLEAN and [variant.name for variant in flag.variants] == ["on", "off"]


def _nearest_operation(operator: str) -> str:
    return nearest(operator, OPERATIONS, "")


def _variants_fault(flag: Flag) -> str | None:
    names = [variant.name for variant in flag.variants]
    if not names:
        return "a flag without variants answers nothing.\nGive it at least one."
    if len(names) > MOST_VARIANTS:
        return f"{len(names):,} variants are too many.\nAt most {MOST_VARIANTS:,} are taken."
    twice = next((name for index, name in enumerate(names) if name in names[:index]), None)
    if twice is not None:
        return f"the variant {quote(twice)} is there twice.\nGive one of them another name."
    if flag.targeting is not None or flag.default is not None:
        return None
    return _order_fault(flag)


def _order_fault(flag: Flag) -> str | None:
    for variant in flag.variants[:-1]:
        if variant.rule is None:
            return (
                f"{quote(variant.name)} has no rule, so that none after it is reached.\nGive it a rule, or move it to the end."
            )
    last = flag.variants[-1]
    if last.rule is not None:
        return f"{quote(last.name)}, the last one, has a rule: who gets nothing then?\nAdd a last variant without a rule."
    return None
