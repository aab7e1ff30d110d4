"""AppConfig's spelling: the JSON of AWS.AppConfig.FeatureFlags, version 1, and how its agent answers.

`flags` declares attributes and their constraints, `values` says what is answered: `enabled` with the attributes, or
`_variants` with rules. A flag without attributes is one that is on or off. A flag that has no value is off.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, StrictBool

from tidegate.core.document import Document, read
from tidegate.core.errors import quote
from tidegate.core.flags.appconfig_rule import read_appconfig_rule
from tidegate.core.flags.attribute import AttributeType, Constraint, constraint_for
from tidegate.core.flags.check import check, refuse
from tidegate.core.flags.compile_set import Context
from tidegate.core.flags.document import FlagDocument
from tidegate.core.flags.flag import Flag, Kind, Variant
from tidegate.core.flags.flags_file import Day, Number
from tidegate.core.flags.result import Reason, Result
from tidegate.core.flags.rule import Json, Node
from tidegate.core.flags.staged import Staged


class _Deprecation(Document):
    status: Literal["planned"] = "planned"
    date: Day | None = None


class _Elements(Document):
    type: Literal["string", "number"] | None = None
    required: StrictBool = False
    enum: tuple[str | int, ...] | None = None
    pattern: str | None = None
    minimum: Number | None = None
    maximum: Number | None = None


class _Constraints(_Elements):
    type: Literal["string", "number", "boolean", "array"]  # type: ignore[assignment]
    elements: _Elements | None = None


class _Attribute(Document):
    description: str = ""
    constraints: _Constraints | None = None


class _Flag(Document):
    name: str = ""
    description: str = ""
    created: Any = Field(default=None, alias="_createdAt")
    updated: Any = Field(default=None, alias="_updatedAt")
    deprecation: _Deprecation | None = Field(default=None, alias="_deprecation")
    attributes: dict[str, Any] = Field(default_factory=dict)


class _Variant(Document):
    name: str
    enabled: StrictBool
    rule: str | None = None
    attributes: dict[str, Any] = Field(default_factory=dict, alias="attributeValues")


class _Value(Document):
    model_config = ConfigDict(extra="allow")

    enabled: StrictBool = False
    created: Any = Field(default=None, alias="_createdAt")
    updated: Any = Field(default=None, alias="_updatedAt")
    variants: Annotated[tuple[Any, ...] | None, Field(alias="_variants")] = None


class _File(Document):
    begin_with = 'Start with {"version": "1", "flags": {}, "values": {}}.'

    version: Literal["1"]
    flags: dict[str, Any] = Field(default_factory=dict)
    values: dict[str, Any] = Field(default_factory=dict)


def read_appconfig(content: object, application: str, what: str = "the flags") -> FlagDocument:
    """Raises Invalid with the exact place and the mend."""
    file = read(_File, content, what)
    for name in file.values:
        if name not in file.flags:
            refuse(
                what, f"values.{name}", f"there is no flag {quote(name)} under flags.\nDeclare it there, or remove its value."
            )
    flags = {name: _Reader(what, name).flag(raw, file.values.get(name)) for name, raw in file.flags.items()}
    return check(FlagDocument(application, flags=flags), what)


def answer(result: Result) -> dict[str, Json]:
    """What AppConfig's agent answers for the flag: attributes only when it is enabled, `_variant` only where rules chose."""
    said: dict[str, Json] = {} if result.reason in (Reason.STATIC, Reason.DISABLED) else {"_variant": result.variant}
    if result.variant is None:
        said = {}
    value = result.value
    if result.enabled and isinstance(value, dict):
        said |= value
    elif result.enabled and not isinstance(value, bool) and value is not None:
        said["value"] = value
    return said | {"enabled": result.enabled}


def is_free_form(staged: Staged, profile: str, context: Context) -> bool:
    """Whether this configuration profile is a free-form one: named like a flag whose values are mappings, and no attributes.
    Every other profile is the whole flag document."""
    if staged.evaluate(profile, context).error:
        return False
    flag = staged.for_whom(context).document.flags[profile]
    return flag.kind is Kind.VALUE and all(isinstance(variant.value, dict) for variant in flag.variants)


class _Reader:
    """Of one flag and its value."""

    def __init__(self, what: str, name: str) -> None:
        self.what = what
        self.name = name

    def flag(self, raw: object, value: object) -> Flag:
        where = f"flags.{self.name}"
        declared = read(_Flag, raw, self.what, where)
        constraints = {
            key: self._constraint(read(_Attribute, content, self.what, f"{where}.attributes.{key}"))
            for key, content in declared.attributes.items()
        }
        valued = read(_Value, {} if value is None else value, self.what, f"values.{self.name}")
        kind, variants = self._variants(valued, bool(constraints))
        given = {key: item for variant in variants if isinstance(variant.value, dict) for key, item in variant.value.items()}
        guessed = {key: constraint or constraint_for(given.get(key, "")) for key, constraint in constraints.items()}
        return Flag(
            name=self.name,
            kind=kind,
            variants=variants,
            off=False if kind is Kind.BOOLEAN else None,
            attributes={key: constraint for key, constraint in guessed.items() if constraint is not None},
            description=declared.description,
            deprecated=declared.deprecation is not None,
            deprecated_on=_day(declared.deprecation),
            metadata={"name": declared.name} if declared.name else {},
        )

    def _variants(self, value: _Value, attributes: bool) -> tuple[Kind, tuple[Variant, ...]]:
        extra: Mapping[str, Any] = value.model_extra or {}
        if value.variants is not None:
            where = f"values.{self.name}._variants"
            ruled = [read(_Variant, raw, self.what, f"{where}[{index}]") for index, raw in enumerate(value.variants)]
            attributes = attributes or any(variant.attributes for variant in ruled)
            kind = Kind.ATTRIBUTES if attributes else Kind.BOOLEAN
            return kind, tuple(self._variant(variant, kind, f"{where}[{index}].rule") for index, variant in enumerate(ruled))
        if attributes or extra:
            return Kind.ATTRIBUTES, (Variant("default", dict(extra), enabled=value.enabled),)
        return Kind.BOOLEAN, (Variant("on" if value.enabled else "off", value.enabled),)

    def _variant(self, variant: _Variant, kind: Kind, where: str) -> Variant:
        rule = self._rule(variant.rule, where) if variant.rule else None
        value: Json = variant.enabled if kind is Kind.BOOLEAN else variant.attributes
        return Variant(variant.name, value, rule, True if kind is Kind.BOOLEAN else variant.enabled)

    def _rule(self, text: str, where: str) -> Node:
        try:
            return read_appconfig_rule(text)
        except ValueError as wrong:
            return refuse(self.what, where, str(wrong))

    def _constraint(self, attribute: _Attribute) -> Constraint | None:
        said = attribute.constraints
        if said is None:
            return None
        inner = said.elements or _Elements() if said.type == "array" else said
        kind = AttributeType(said.type) if said.type != "array" else _LISTS[str(inner.type or "string")]
        enum = None if inner.enum is None else tuple(map(str, inner.enum))
        return Constraint(kind, said.required, enum, inner.pattern, inner.minimum, inner.maximum, attribute.description)


_LISTS = {"string": AttributeType.STRINGS, "number": AttributeType.NUMBERS}


def _day(deprecation: _Deprecation | None) -> date | None:
    return None if deprecation is None else deprecation.date
