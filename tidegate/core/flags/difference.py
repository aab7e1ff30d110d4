"""What changes from one document to another, and for whom, in sentences that a person approves before the change is let in."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import date
from enum import StrEnum

from tidegate.core.exposure import say_share
from tidegate.core.flags.codec import changed_flags, segments_of
from tidegate.core.flags.document import FlagDocument
from tidegate.core.flags.flag import Flag, Kind, Need, Variant
from tidegate.core.flags.jsonlogic import write_logic
from tidegate.core.flags.rule import Json, Node, Split
from tidegate.core.flags.rule_words import say_rule
from tidegate.core.flags.segment import Segment

MOST_NAMED = 5


class Changed(StrEnum):
    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"
    CARRIED = "carried"
    """The same as it was, but resting on a segment or flag that is not."""


@dataclass(frozen=True, slots=True)
class Change:
    kind: Changed
    thing: str
    """flag or segment."""
    name: str
    sentences: tuple[str, ...]

    def __str__(self) -> str:
        return "\n".join([f"{self.thing} {self.name} ({self.kind})", *(f"  {sentence}" for sentence in self.sentences)])


def compare(old: FlagDocument, new: FlagDocument) -> tuple[Change, ...]:
    """Segments first, then flags, by name. Nothing for two documents that differ in their numbers alone."""
    return (*_segments(old, new), *_flags(old, new))


# --- Segments ---------------------------------------------------------------------------------------------------------------


def _segments(old: FlagDocument, new: FlagDocument) -> Iterator[Change]:
    for name in sorted({*old.segments, *new.segments}):
        before, after = old.segments.get(name), new.segments.get(name)
        if before is None and after is not None:
            yield Change(Changed.ADDED, "segment", name, (_say_segment(after),))
        elif after is None and before is not None:
            yield Change(Changed.REMOVED, "segment", name, (f"It was: {_say_segment(before)}",))
        elif before != after and before is not None and after is not None:
            yield Change(Changed.CHANGED, "segment", name, tuple(_segment_sentences(before, after)))


def _say_segment(segment: Segment) -> str:
    if segment.rule is not None:
        return f"Who: {say_rule(segment.rule)}."
    return f"{_count(len(segment.members), 'member')}, by {segment.by}{_named(segment.members)}."


def _segment_sentences(before: Segment, after: Segment) -> Iterator[str]:
    if before.rule is not None or after.rule is not None or before.by != after.by:
        yield f"{_say_segment(after)} Before: {_say_segment(before)}"
        return
    joined, left = after.members - before.members, before.members - after.members
    if joined:
        yield f"{_count(len(joined), 'member')} more{_named(joined)}."
    if left:
        yield f"{_count(len(left), 'member')} less{_named(left)}."
    if not joined and not left:
        yield f"Described as {after.description!r}."


def _count(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def _named(members: frozenset[str]) -> str:
    if not members:
        return ""
    said = ", ".join(sorted(members)[:MOST_NAMED])
    return f": {said}" if len(members) <= MOST_NAMED else f": {said} and {len(members) - MOST_NAMED:,} others"


# --- Flags ------------------------------------------------------------------------------------------------------------------


def _flags(old: FlagDocument, new: FlagDocument) -> Iterator[Change]:
    for name in sorted(changed_flags(old, new)):
        before, after = old.flags.get(name), new.flags.get(name)
        if before is None and after is not None:
            yield Change(Changed.ADDED, "flag", name, tuple(_says(after)))
        elif after is None and before is not None:
            yield Change(
                Changed.REMOVED, "flag", name, (f"Who asks for it gets his own default. It was: {' '.join(_says(before))}",)
            )
        elif before is not None and after is not None:
            sentences = tuple(_sentences(before, after))
            kind = Changed.CHANGED if sentences else Changed.CARRIED
            yield Change(kind, "flag", name, sentences or (_carried(old, new, after),))


def _carried(old: FlagDocument, new: FlagDocument, flag: Flag) -> str:
    segments = sorted(name for name in segments_of(flag) if old.segments.get(name) != new.segments.get(name))
    needed = sorted({need.flag for need in flag.needs} & changed_flags(old, new))
    rests = [f"segment {name}" for name in segments] + [f"flag {name}" for name in needed]
    return (
        f"It rests on {' and '.join(rests)}."
        if rests
        else "It is written otherwise, perhaps in another order, and its values are equal."
    )


def _says(flag: Flag) -> Iterator[str]:
    """What the flag answers, and to whom."""
    if not flag.enabled:
        yield f"Switched off: everybody gets {_off(flag)}."
    if flag.targeting is not None:
        yield f"By JsonLogic: {json.dumps(write_logic(flag.targeting), ensure_ascii=False)[:300]}."
        return
    for variant in flag.variants:
        yield f"{_value(flag, variant)} {_for(flag, variant)}."


def _for(flag: Flag, variant: Variant) -> str:
    """Of a share: for 10%. Of a condition: where plan == "pro"."""
    whom = _whom(flag, variant)
    return f"where {whom}" if variant.rule is not None and not whom[0].isdigit() else f"for {whom}"


def _whom(flag: Flag, variant: Variant) -> str:
    if variant.rule is not None:
        return say_rule(variant.rule)
    return "everybody" if len(flag.variants) == 1 or flag.default is not None else "all others"


def _value(flag: Flag, variant: Variant) -> str:
    if flag.kind is Kind.BOOLEAN:
        return "On" if variant.value else "Off"
    said = _json(variant.value)
    return f"{variant.name} ({said})" if variant.enabled else f"{variant.name} ({said}, not enabled)"


def _json(value: Json) -> str:
    said = json.dumps(value, ensure_ascii=False, default=str)
    return said if len(said) <= 120 else said[:120] + "..."


def _off(flag: Flag) -> str:
    return "his own default" if flag.off is None else _json(flag.off)


def _sentences(before: Flag, after: Flag) -> Iterator[str]:
    if before.enabled != after.enabled:
        yield "Switched on." if after.enabled else f"Switched off: everybody gets {_off(after)}."
    if before.off != after.off:
        yield f"While it is off everybody gets {_off(after)} instead of {_off(before)}."
    if before.kind is not after.kind:
        yield f"It is a flag of kind {after.kind} instead of {before.kind}."
    yield from _variant_sentences(before, after)
    if before.targeting != after.targeting or before.default != after.default:
        yield f"{' '.join(_targeting(after))} Before: {' '.join(_targeting(before))}"
    if before.needs != after.needs:
        yield f"It needs {_needs(after.needs)} instead of {_needs(before.needs)}."
    yield from _attribute_sentences(before, after)
    yield from _known(before, after)


def _targeting(flag: Flag) -> Iterator[str]:
    if flag.targeting is not None:
        yield from _says(flag)
    yield f"Default: {flag.default if flag.default is not None else 'none'}."


def _needs(needs: tuple[Need, ...]) -> str:
    said = [f"{need.flag} to be {' or '.join(need.variants)}" if need.variants else need.flag for need in needs]
    return " and ".join(said) or "nothing"


def _variant_sentences(before: Flag, after: Flag) -> Iterator[str]:
    for variant in after.variants:
        earlier = before.variant(variant.name)
        if earlier is None:
            yield f"New: {_value(after, variant)} {_for(after, variant)}."
        elif earlier != variant:
            yield from _one_variant(before, after, earlier, variant)
    for variant in before.variants:
        if after.variant(variant.name) is None:
            yield f"Gone: {_value(before, variant)} {_for(before, variant)}."
    names = [variant.name for variant in after.variants if before.variant(variant.name)]
    if names != [variant.name for variant in before.variants if after.variant(variant.name)]:
        yield f"Asked in another order: {', '.join(variant.name for variant in after.variants)}."


def _one_variant(before: Flag, after: Flag, earlier: Variant, variant: Variant) -> Iterator[str]:
    if earlier.rule != variant.rule:
        grown = _grown(earlier.rule, variant.rule)
        yield f"{_value(after, variant)} {_for(after, variant)} instead of {_whom(before, earlier)}.{grown}"
    if (earlier.value, earlier.enabled) != (variant.value, variant.enabled) or type(earlier.value) is not type(variant.value):
        yield f"{_value(after, variant)} instead of {_value(before, earlier)} {_for(after, variant)}."


def _grown(before: Node | None, after: Node | None) -> str:
    """Of one and the same share it can be said who comes and who goes."""
    if not (isinstance(before, Split) and isinstance(after, Split)) or (before.by, before.seed, before.low) != (
        after.by,
        after.seed,
        after.low,
    ):
        return ""
    more = after.high - before.high
    return f" {say_share(abs(more))} {'more; nobody leaves' if more > 0 else 'less; nobody comes'}."


def _attribute_sentences(before: Flag, after: Flag) -> Iterator[str]:
    for key in sorted({*before.attributes, *after.attributes}):
        earlier, later = before.attributes.get(key), after.attributes.get(key)
        if earlier is None and later is not None:
            yield f"New attribute {key}, a {later.type}."
        elif later is None:
            yield f"The attribute {key} is gone."
        elif earlier is not None and earlier != later:
            names = [field.name for field in fields(later) if getattr(earlier, field.name) != getattr(later, field.name)]
            changes = (f"{name} {_json(getattr(later, name))} instead of {_json(getattr(earlier, name))}" for name in names)
            yield f"The attribute {key}: {', '.join(changes)}."


_KNOWN = {
    "description": "description",
    "owner": "owner",
    "expires": "expiry",
    "deprecated": "deprecation",
    "deprecated_on": "day of deprecation",
    "metadata": "metadata",
}


def _known(before: Flag, after: Flag) -> Iterator[str]:
    for name, said in _KNOWN.items():
        earlier, later = getattr(before, name), getattr(after, name)
        if earlier != later:
            yield f"Its {said}: {_plain(later)} instead of {_plain(earlier)}."


def _plain(value: object) -> str:
    match value:
        case None | "" | False:
            return "none"
        case True:
            return "planned"
        case str():
            return repr(value[:80])
        case date():
            return value.isoformat()
        case Mapping():
            return _json(dict(value))
    return str(value)
