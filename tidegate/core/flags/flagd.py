"""flagd's spelling: flags whose `targeting`, JsonLogic, works out the name of a variant.

    {"flags": {"theme": {"state": "ENABLED", "variants": {"dark": "#000", "light": "#fff"}, "defaultVariant": "light",
                         "targeting": {"if": [{"$ref": "is_staff"}, "dark"]}}},
     "$evaluators": {"is_staff": {"in": [{"var": "email"}, ["ann@example.org"]]}}}

Shared `$evaluators` are written into the flags that refer to them. Flags may also be a list whose items have a `key`. A flag
that is DISABLED, or whose targeting works out to null where there is no `defaultVariant`, answers the caller's own default.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tidegate.core.errors import quote
from tidegate.core.flags.check import check, nearest, refuse
from tidegate.core.flags.document import FlagDocument
from tidegate.core.flags.flag import Flag, Kind, Variant
from tidegate.core.flags.jsonlogic import DEEPEST, read_logic
from tidegate.core.flags.rule import Json, Logic, Node

_KEYS = ("state", "variants", "defaultVariant", "targeting", "metadata")
_IGNORED = ("key", "source", "selector", "flagSetId", "priority")
_NOBODY: Node = Logic("if", ())
"""Works out to null: the caller's own default."""
_NO_LOGIC: Node = Logic("targeting that is no JsonLogic", ())


def read_flagd(content: object, application: str, what: str = "the flags", *, strict: bool = True) -> FlagDocument:
    """Raises Invalid with place and mend. Unless it is strict, a wrong targeting is left to answer PARSE_ERROR."""
    if not isinstance(content, Mapping):
        refuse(what, "flags", 'the document is no mapping.\nWrite {"flags": {...}}, as for flagd.')
    reader = _Reader(what, _mapping(content, "$evaluators", what), _mapping(content, "metadata", what), strict)
    flags = {name: reader.flag(name, raw) for name, raw in _named(content.get("flags"), what)}
    return check(FlagDocument(application, flags=flags), what, logic=strict)


def _mapping(content: Mapping[str, Any], key: str, what: str) -> Mapping[str, Any]:
    found = content.get(key)
    if found is not None and not isinstance(found, Mapping):
        refuse(what, key, f"{quote(found)} is no mapping.\nWrite {{name: ...}}.")
    return found or {}


def _named(flags: object, what: str) -> Iterator[tuple[str, Any]]:
    if isinstance(flags, Mapping):
        yield from flags.items()
        return
    if not isinstance(flags, list):
        refuse(what, "flags", f"{quote(flags)} is neither a mapping nor a list of flags.\nWrite {{name: flag}}.")
    seen: set[str] = set()
    for index, flag in enumerate(flags):
        key = flag.get("key") if isinstance(flag, Mapping) else None
        if not isinstance(key, str) or key in seen:
            refuse(what, f"flags[{index}].key", f"{quote(key)} is no key of its own.\nGive each flag of the list its own key.")
        seen.add(key)
        yield key, flag


class _Reader:
    def __init__(self, what: str, evaluators: Mapping[str, Any], metadata: Mapping[str, Any], strict: bool) -> None:
        self.what = what
        self.evaluators = evaluators
        self.metadata = metadata
        self.strict = strict

    def flag(self, name: str, raw: Any) -> Flag:
        where = f"flags.{name}"
        if not isinstance(raw, Mapping):
            refuse(self.what, where, f"{quote(raw)} is no flag.\nWrite {{state: ENABLED, variants: {{...}}}}.")
        for key in raw:
            if key not in _KEYS and key not in _IGNORED:
                refuse(self.what, f"{where}.{key}", f"flagd knows no key {quote(key)}.\n{nearest(str(key), _KEYS, '')}")
        if raw.get("state") not in ("ENABLED", "DISABLED"):
            refuse(self.what, f"{where}.state", f"{quote(raw.get('state'))} is no state.\nWrite ENABLED or DISABLED.")
        variants = self._variants(raw.get("variants"), f"{where}.variants")
        boolean = all(isinstance(variant.value, bool) for variant in variants)
        default = self._default(raw.get("defaultVariant"), f"{where}.defaultVariant")
        targeting = self._targeting(raw.get("targeting"), f"{where}.targeting")
        return Flag(
            name=name,
            kind=Kind.BOOLEAN if boolean else Kind.VALUE,
            variants=variants,
            enabled=raw["state"] == "ENABLED",
            targeting=_NOBODY if targeting is None and default is None else targeting,
            default=default,
            metadata={**self.metadata, **self._metadata(raw.get("metadata"), f"{where}.metadata")},
        )

    def _variants(self, raw: Any, where: str) -> tuple[Variant, ...]:
        if not isinstance(raw, Mapping) or not raw:
            refuse(self.what, where, f"{quote(raw)} are no variants.\nWrite {{name: value}}, at least one.")
        for name, value in raw.items():
            if value is None:
                refuse(self.what, f"{where}.{name}", "null is no value of a variant.\nGive it a value, or remove it.")
        return tuple(Variant(str(name), value) for name, value in raw.items())

    def _default(self, raw: Any, where: str) -> str | None:
        if isinstance(raw, bool):
            return "true" if raw else "false"
        if raw is not None and not isinstance(raw, str):
            refuse(self.what, where, f"{quote(raw)} names no variant.\nWrite the name of one, or leave it out.")
        return raw or None

    def _metadata(self, raw: Any, where: str) -> Mapping[str, Json]:
        if raw is not None and not isinstance(raw, Mapping):
            refuse(self.what, where, f"{quote(raw)} is no mapping.\nWrite {{name: value}}.")
        return raw or {}

    def _targeting(self, raw: Any, where: str) -> Node | None:
        if raw is None or raw == {}:
            return None
        if not isinstance(raw, Mapping) and self.strict:
            refuse(self.what, where, f'{quote(raw)} is no JsonLogic.\nWrite {{"if": [condition, "variant"]}}.')
        if not isinstance(raw, Mapping):
            return _NO_LOGIC
        try:
            return read_logic(self._resolved(raw, where, 0))
        except ValueError as wrong:
            if self.strict:
                refuse(self.what, where, str(wrong))
            return _NO_LOGIC

    def _resolved(self, logic: Json, where: str, depth: int) -> Json:
        """With every {"$ref": name} replaced. What refers to itself is too deep."""
        if depth > 2 * DEEPEST:
            raise ValueError("the logic is nested too deep, or an evaluator refers to itself.\nWrite it flatter.")
        if isinstance(logic, list):
            return [self._resolved(item, where, depth + 1) for item in logic]
        if not isinstance(logic, Mapping):
            return logic
        name = logic.get("$ref")
        if len(logic) == 1 and isinstance(name, str):
            if name in self.evaluators:
                return self._resolved(self.evaluators[name], where, depth + 1)
            if self.strict:
                mend = nearest(name, self.evaluators, "Add it under $evaluators.")
                refuse(self.what, where, f"there is no evaluator {quote(name)}.\n{mend}")
        return {key: self._resolved(value, where, depth + 1) for key, value in logic.items()}
