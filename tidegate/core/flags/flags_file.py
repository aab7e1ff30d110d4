"""Tidegate's own spelling of a flag document: from the content of a YAML or JSON file to the document.

One line for a flag that is the same for everybody: `new-search: on`, `page-size: 20`, `banner: Summer sale`. `on`, `off`, true
and false make a flag that is on or off; a flag with the text "on" is written {value: "on"}. See the package's page for all.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import date
from typing import Annotated, Any, NoReturn, TypeVar

from pydantic import BeforeValidator, Field, PlainSerializer, StrictBool, WithJsonSchema, model_validator

from tidegate.core.document import Document, read
from tidegate.core.errors import Invalid, quote
from tidegate.core.exposure import WHOLE, Exposure, say_share
from tidegate.core.flags.attribute import AttributeType, Constraint
from tidegate.core.flags.check import check, refuse
from tidegate.core.flags.document import FlagDocument
from tidegate.core.flags.flag import Flag, Kind, Need, Variant
from tidegate.core.flags.jsonlogic import read_logic
from tidegate.core.flags.rule import ALWAYS, NEVER, TARGETING_KEY, All, Json, Node, Split
from tidegate.core.flags.rule_text import parse_rule
from tidegate.core.flags.segment import Segment
from tidegate.core.service_texts import Name

MOST_BYTES = 32 * 1024 * 1024
"""Of a flag document's text: a segment of 100,000 ids is about two of them."""
SWITCHES = {"on": True, "off": False, True: True, False: False}


def _read_day(value: Any) -> Any:
    if isinstance(value, str) and len(value) == 10:
        with suppress(ValueError):
            return date.fromisoformat(value)
    raise ValueError(f"{quote(value)} is not a day.\nWrite it as 2027-03-31.")


Day = Annotated[
    date,
    BeforeValidator(_read_day),
    PlainSerializer(date.isoformat, return_type=str),
    WithJsonSchema({"type": "string", "format": "date"}),
]
Number = Annotated[int, Field(strict=True)] | Annotated[float, Field(strict=True, allow_inf_nan=False)]
Text = Annotated[str, Field(max_length=2000)]


class ConstraintFile(Document):
    """An attribute: its type, and what its values must be."""

    begin_with = "Write {type: string}, or number, boolean, string[], number[]."

    type: AttributeType
    required: StrictBool = False
    enum: tuple[str, ...] | None = None
    pattern: str | None = None
    minimum: Number | None = None
    maximum: Number | None = None
    description: Text = ""

    def built(self) -> Constraint:
        return Constraint(self.type, self.required, self.enum, self.pattern, self.minimum, self.maximum, self.description)


def _read_members(members: Any) -> Any:
    """A long list may be a text with an id on each line: YAML reads that five times faster than a list, JSON still faster."""
    return tuple(filter(None, map(str.strip, members.splitlines()))) if isinstance(members, str) else members


class SegmentFile(Document):
    """A list of ids, {by: attribute, members: [ids]}, or {when: rule}. Members may be a text with an id on each line."""

    begin_with = "Write a list of ids, {by: attribute, members: [ids]}, or {when: rule}."

    members: Annotated[tuple[Any, ...] | None, BeforeValidator(_read_members)] = None
    by: Annotated[str, Field(min_length=1, max_length=200)] = TARGETING_KEY
    """The attribute that is compared with the ids."""
    when: Any = None
    description: Text = ""

    @model_validator(mode="after")
    def _one_of_them(self) -> SegmentFile:
        if (self.members is None) == (self.when is None):
            raise ValueError("give one of members and when.\nMembers are ids, when is a rule.")
        return self


class NeedFile(Document):
    """Another flag that must be on, or have one of these variants."""

    begin_with = "Write the name of a flag, or {flag: name, variants: [names]}."

    flag: str
    variants: tuple[str, ...] = ()


class VariantFile(Document):
    """What is answered, and to whom. Without `when` and `share`: to all others."""

    begin_with = "Write {value: ..., when: ...}, or {attributes: ..., when: ...}."

    value: Any = None
    attributes: dict[str, Any] | None = None
    when: Any = None
    share: Exposure | None = None
    """A part of all entities of its own, after the shares of the variants before it."""
    enabled: StrictBool = True

    @model_validator(mode="after")
    def _one_of_them(self) -> VariantFile:
        if (self.value is None) == (self.attributes is None):
            raise ValueError("give one of value and attributes.\nA variant answers exactly one of them.")
        return self


class FlagFile(Document):
    """A flag that is more than a value. Exactly one of `value`, `when` and `variants` says what is answered."""

    begin_with = "Write on, off, a value, or a mapping with value, when or variants."

    description: Text = ""
    owner: Text = ""
    expires: Day | None = None
    deprecated: StrictBool | Day = False
    """true when it is planned to go, or the day."""
    enabled: StrictBool = True
    needs: Any = ()
    value: Any = None
    when: Any = None
    """Of a flag that is on for some and off for all others."""
    variants: dict[str, Any] | None = None
    attributes: dict[str, Any] = Field(default_factory=dict)
    by: Annotated[str, Field(min_length=1, max_length=200)] = TARGETING_KEY
    """The attribute that `share` goes by."""
    seed: Text | None = None
    """What `share` is mixed with; by default the flag's name."""
    targeting: Any = None
    """JsonLogic that works out the name of a variant, as in flagd."""
    default: str | None = None
    """With targeting: the variant when it works out to null."""
    off: Any = None
    """Answered while the flag is not enabled; null for the caller's own default. By default false for what is on or off."""
    metadata: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one_of_them(self) -> FlagFile:
        given = [name for name in ("value", "when", "variants") if getattr(self, name) is not None]
        if len(given) != 1:
            said = " and ".join(given) if given else "none of value, when and variants"
            raise ValueError(f"it has {said}.\nGive exactly one: a value, a rule for a flag that is on or off, or variants.")
        return self


class FlagsFile(Document):
    """One file: the flags and segments of an application."""

    begin_with = "Start with two lines: application: shop, and flags: {new-search: on}."

    application: Name
    segments: dict[str, Any] = Field(default_factory=dict)
    flags: dict[str, Any] = Field(default_factory=dict)


D = TypeVar("D", bound=Document)


def read_flags(content: object, what: str = "the flags") -> FlagDocument:
    """Raises Invalid with the exact place and the mend."""
    file = read(FlagsFile, content, what)
    segments = {name: _Reader(what, f"segments.{name}").segment(name, raw) for name, raw in file.segments.items()}
    flags = {name: _Reader(what, f"flags.{name}").flag(name, raw) for name, raw in file.flags.items()}
    return check(FlagDocument(file.application, flags=flags, segments=segments), what)


def read_flag(name: str, content: object, what: str = "the flag") -> Flag:
    """One flag alone; what it asks of other flags and segments is checked with the whole document."""
    return _Reader(what, f"flags.{name}").flag(name, content)


def read_segment(name: str, content: object, what: str = "the segment") -> Segment:
    """One segment alone."""
    return _Reader(what, f"segments.{name}").segment(name, content)


class _Reader:
    """Of one flag or segment, at its place."""

    def __init__(self, what: str, at: str) -> None:
        self.what = what
        self.at = at

    def _read(self, kind: type[D], content: object, at: str) -> D:
        return read(kind, content, self.what, at)

    def _refuse(self, fault: str, at: str = "") -> NoReturn:
        refuse(self.what, self.at + at, fault)

    # --- Segments --------------------------------------------------------------------------------------------------------

    def segment(self, name: str, raw: object) -> Segment:
        file = self._read(SegmentFile, {"members": raw} if isinstance(raw, list | str) else raw, self.at)
        rule = None if file.when is None else self._rule(file.when, ".when")
        return Segment(name, self._members(file.members or ()), file.by, rule, file.description)

    def _members(self, members: tuple[Any, ...]) -> frozenset[str]:
        for index, member in enumerate(members):
            if isinstance(member, bool) or not isinstance(member, str | int) or member == "":
                self._refuse(f"{quote(member)} is no id.\nWrite ids as texts or whole numbers.", f".members[{index}]")
        return frozenset(map(str, members))

    # --- Flags -----------------------------------------------------------------------------------------------------------

    def flag(self, name: str, raw: object) -> Flag:
        if not isinstance(raw, Mapping):
            if raw is None:
                self._refuse(f"it is empty.\n{FlagFile.begin_with}")
            kind, value = _simple(raw)
            return Flag(name, kind, (Variant(simple_name(value), value),), off=_off(kind))
        file = self._read(FlagFile, raw, self.at)
        attributes = {
            key: self._read(
                ConstraintFile, {"type": content} if isinstance(content, str) else content, f"{self.at}.attributes.{key}"
            )
            for key, content in file.attributes.items()
        }
        kind, variants = self._variants(file)
        return Flag(
            name=name,
            kind=kind,
            variants=variants,
            enabled=file.enabled,
            off=file.off if "off" in file.model_fields_set else _off(kind),
            attributes={key: constraint.built() for key, constraint in attributes.items()},
            needs=self._needs(file.needs),
            targeting=self._targeting(file),
            default=file.default,
            description=file.description,
            owner=file.owner,
            expires=file.expires,
            deprecated=file.deprecated is not False,
            deprecated_on=None if isinstance(file.deprecated, bool) else file.deprecated,
            metadata=file.metadata,
        )

    def _variants(self, file: FlagFile) -> tuple[Kind, tuple[Variant, ...]]:
        if file.when is not None:
            rule = self._rule(file.when, ".when")
            return Kind.BOOLEAN, (Variant("on", True, rule), Variant("off", False))
        if file.variants is None:
            kind = Kind.ATTRIBUTES if file.attributes else Kind.BOOLEAN if isinstance(file.value, bool) else Kind.VALUE
            return kind, (Variant(simple_name(file.value), file.value),)
        read_ones = {name: self._variant(name, raw) for name, raw in file.variants.items()}
        kind = self._kind(file, read_ones)
        return kind, tuple(self._ruled(file, read_ones))

    def _variant(self, name: str, raw: object) -> VariantFile:
        at = f"{self.at}.variants.{name}"
        if raw is None:
            refuse(self.what, at, f"it is empty.\n{VariantFile.begin_with}")
        return self._read(VariantFile, raw if isinstance(raw, Mapping) else {"value": _simple(raw)[1]}, at)

    def _kind(self, file: FlagFile, variants: Mapping[str, VariantFile]) -> Kind:
        if file.attributes or any(variant.attributes is not None for variant in variants.values()):
            for name, variant in variants.items():
                if variant.attributes is None:
                    self._refuse("it has a value, but the flag has attributes.\nGive it attributes.", f".variants.{name}")
            return Kind.ATTRIBUTES
        kinds = {_type_of(variant.value): name for name, variant in variants.items()}
        if len(kinds) > 1:
            (one, name), (other, second) = list(kinds.items())[:2]
            self._refuse(f"{name} is {one} and {second} is {other}.\nGive all variants values of one type.", ".variants")
        return Kind.BOOLEAN if "true or false" in kinds else Kind.VALUE

    def _ruled(self, file: FlagFile, variants: Mapping[str, VariantFile]) -> list[Variant]:
        """With the shares laid one after the other."""
        ruled, taken = [], 0
        for name, variant in variants.items():
            rule = None if variant.when is None else self._rule(variant.when, f".variants.{name}.when")
            if variant.share is not None:
                begin = taken if variant.share else 0
                split = Split(file.by, begin, begin + variant.share, file.seed)
                taken += variant.share
                if taken > WHOLE:
                    fault = f"the shares up to here are {say_share(taken)}.\nTogether they may be 100% at most."
                    self._refuse(fault, f".variants.{name}.share")
                rule = split if rule is None else All((rule, split))
            value = variant.value if variant.attributes is None else variant.attributes
            ruled.append(Variant(name, value, rule, variant.enabled))
        return ruled

    def _needs(self, needs: Any) -> tuple[Need, ...]:
        listed = needs if isinstance(needs, list | tuple) else [needs]
        read_ones = []
        for index, need in enumerate(listed):
            file = self._read(NeedFile, {"flag": need} if isinstance(need, str) else need, f"{self.at}.needs[{index}]")
            read_ones.append(Need(file.flag, file.variants))
        return tuple(read_ones)

    def _targeting(self, file: FlagFile) -> Node | None:
        if file.targeting is None:
            return None
        try:
            return read_logic(file.targeting)
        except ValueError as wrong:
            self._refuse(str(wrong), ".targeting")

    def _rule(self, text: object, at: str) -> Node:
        if isinstance(text, bool):
            return ALWAYS if text else NEVER
        try:
            if not isinstance(text, str):
                raise ValueError(f'{quote(text)} is no rule.\nWrite one as a text, as country == "DE" or 25% by userId.')
            return parse_rule(text)
        except ValueError as wrong:
            sentence, _, mend = str(wrong).partition("\n")
            raise Invalid(f"{self.what}: {self.at}{at}: {sentence}", mend, self.at + at) from wrong


def _simple(raw: object) -> tuple[Kind, Json]:
    if isinstance(raw, str | bool) and raw in SWITCHES:
        return Kind.BOOLEAN, SWITCHES[raw]
    return Kind.VALUE, raw


def _off(kind: Kind) -> Json:
    return False if kind is Kind.BOOLEAN else None


def simple_name(value: Json) -> str:
    """Of the only variant, which nobody named."""
    return "default" if not isinstance(value, bool) else "on" if value else "off"


def _type_of(value: Json) -> str:
    match value:
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case str():
            return "a text"
        case list():
            return "a list"
        case _:
            return "a mapping"
