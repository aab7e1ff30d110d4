"""A flag document as AWS.AppConfig.FeatureFlags, version 1. Refused, with the reason, where it would mean something else.

AppConfig's own limits are checked here and nowhere else. Segments are written out where they are asked for. What only people
read (owner, expiry) goes into the description. `split` keeps the share, and AWS chooses the entities.
"""

from __future__ import annotations

import json
import re
from typing import NoReturn

from tidegate.core.errors import Invalid, quote
from tidegate.core.flags.appconfig_rule_writer import RuleWriter
from tidegate.core.flags.attribute import AttributeType, Constraint, constraint_for
from tidegate.core.flags.document import FlagDocument
from tidegate.core.flags.flag import Flag, Kind, Variant
from tidegate.core.flags.rule import Json

MOST_VARIANTS = 32
MOST_ATTRIBUTES = 25
MOST_ENUM = 100
LONGEST_RULE = 16384
LONGEST_TEXT = 1024
LARGEST = 2 * 1024 * 1024
"""Bytes of a configuration in AppConfig's hosted store, unless AWS grants more."""

_NAME = re.compile(r"[a-z][a-zA-Z\d_-]{0,63}")


def write_appconfig(document: FlagDocument) -> dict[str, Json]:
    """Raises Invalid, with the place."""
    writers = {name: _Writer(document, flag) for name, flag in document.flags.items()}
    content: dict[str, Json] = {
        "version": "1",
        "flags": {name: writer.declaration() for name, writer in writers.items()},
        "values": {name: writer.value() for name, writer in writers.items()},
    }
    size = len(json.dumps(content, ensure_ascii=False).encode())
    if size > LARGEST:
        raise Invalid(f"The flags are {size:,} bytes for AppConfig.", f"It takes {LARGEST:,}: split the application.")
    return content


class _Writer:
    def __init__(self, document: FlagDocument, flag: Flag) -> None:
        self.document = document
        self.flag = flag
        self._check()

    def _refuse(self, what: str, mend: str, at: str = "") -> NoReturn:
        where = f"flags.{self.flag.name}{at}"
        raise Invalid(f"{where}: {what}", mend, where)

    def _check(self) -> None:
        flag = self.flag
        if not _NAME.fullmatch(flag.name):
            self._refuse(
                f"AppConfig takes no flag called {quote(flag.name)}.", "It wants a-z first, then letters, digits, - and _."
            )
        if flag.targeting is not None:
            self._refuse("its targeting is JsonLogic, which AppConfig does not know.", "Write its variants with rules.")
        if flag.needs:
            self._refuse("AppConfig knows no prerequisites.", "Write them into the rules, or remove them.")
        if set(flag.metadata) - {"name"}:
            self._refuse("AppConfig keeps no metadata.", "Remove it first.")
        if flag.off is not None and flag.off is not False:
            self._refuse("AppConfig answers nothing while a flag is off.", "Remove `off`.")
        if not flag.enabled and len(flag.variants) > 1:
            self._refuse(
                "it is switched off and has several variants: AppConfig would forget which of them are on.",
                "Switch it on first, or keep the variant that you want.",
            )
        if len(flag.variants) > MOST_VARIANTS:
            self._refuse(f"it has {len(flag.variants)} variants.", f"AppConfig takes {MOST_VARIANTS}.")

    # --- What it is ------------------------------------------------------------------------------------------------------

    def declaration(self) -> dict[str, Json]:
        flag = self.flag
        said: dict[str, Json] = {"name": str(flag.metadata.get("name", flag.name))[:64]}
        known = [flag.owner and f"owner {flag.owner}", flag.expires and f"expires {flag.expires}"]
        about = "; ".join(str(item) for item in known if item)
        description = f"{flag.description} ({about})".strip() if about else flag.description
        if description:
            said["description"] = self._short(description, ".description")
        if flag.deprecated:
            said["_deprecation"] = {"status": "planned"} | (
                {"date": flag.deprecated_on.isoformat()} if flag.deprecated_on else {}
            )
        constraints = self._constraints()
        if len(constraints) > MOST_ATTRIBUTES:
            self._refuse(f"it has {len(constraints)} attributes.", f"AppConfig takes {MOST_ATTRIBUTES}.", ".attributes")
        if constraints:
            said["attributes"] = {key: self._attribute(key, constraint) for key, constraint in constraints.items()}
        return said

    def _constraints(self) -> dict[str, Constraint]:
        if self.flag.kind is not Kind.VALUE:
            return dict(self.flag.attributes)
        constraint = constraint_for(self._shown()[0].value)
        if constraint is None:
            self._refuse("its value is no text, number, boolean or list of one kind.", "AppConfig has no others.", ".value")
        return {"value": constraint}

    def _attribute(self, key: str, constraint: Constraint) -> dict[str, Json]:
        at = f".attributes.{key}"
        if not _NAME.fullmatch(key) or key == "enabled":
            self._refuse(f"AppConfig takes no attribute called {quote(key)}.", "It wants a-z first; not `enabled`.", at)
        said = {"description": self._short(constraint.description, at)} if constraint.description else {}
        return said | {"constraints": self._constraint(constraint, at)}

    def _constraint(self, constraint: Constraint, at: str) -> dict[str, Json]:
        if constraint.enum is not None and constraint.pattern is not None:
            self._refuse("AppConfig takes either an enum or a pattern.", "Remove one of them.", at)
        if constraint.enum is not None and len(constraint.enum) > MOST_ENUM:
            self._refuse(f"its enum has {len(constraint.enum)} values.", f"AppConfig takes {MOST_ENUM}.", at)
        for limit in (constraint.minimum, constraint.maximum):
            if isinstance(limit, float) and not limit.is_integer():
                self._refuse(f"the limit {limit} is no whole number.", "AppConfig takes whole limits: round it.", at)
        limits: dict[str, Json] = {
            "enum": list(constraint.enum) if constraint.enum is not None else None,
            "pattern": constraint.pattern,
            "minimum": None if constraint.minimum is None else int(constraint.minimum),
            "maximum": None if constraint.maximum is None else int(constraint.maximum),
        }
        kept = {key: value for key, value in limits.items() if value is not None}
        required = {"required": True} if constraint.required else {}
        if constraint.type in (AttributeType.STRINGS, AttributeType.NUMBERS):
            inner = {"type": "string" if constraint.type is AttributeType.STRINGS else "number"}
            return {"type": "array", "elements": inner | kept} | required
        return {"type": constraint.type.value} | kept | required

    # --- What it answers -------------------------------------------------------------------------------------------------

    def value(self) -> dict[str, Json]:
        shown = self._shown()
        if len(shown) == 1:
            return self._answer(shown[0], "") | {"enabled": self._enabled(shown[0])}
        return {"_variants": [self._variant(variant) for variant in shown]}

    def _shown(self) -> tuple[Variant, ...]:
        """The variants that can be answered."""
        chosen = self.flag.variant(self.flag.default) if self.flag.default is not None else None
        return self.flag.variants if chosen is None else (chosen,)

    def _enabled(self, variant: Variant) -> bool:
        return self.flag.enabled and (variant.value is True if self.flag.kind is Kind.BOOLEAN else variant.enabled)

    def _variant(self, variant: Variant) -> dict[str, Json]:
        at = f".variants.{variant.name}"
        if len(variant.name) > 64:
            self._refuse(f"the variant's name has {len(variant.name)} characters.", "AppConfig takes 64.", at)
        said: dict[str, Json] = {"name": variant.name, "enabled": self._enabled(variant)}
        values = self._answer(variant, at)
        if values:
            said["attributeValues"] = values
        if variant.rule is not None:
            said["rule"] = rule = RuleWriter(self.document.segments, f"flags.{self.flag.name}{at}.when").say(variant.rule)
            if len(rule) > LONGEST_RULE:
                mend = f"AppConfig takes {LONGEST_RULE:,}: use a smaller segment, or an attribute that says who belongs to it."
                self._refuse(f"its rule has {len(rule):,} characters.", mend, f"{at}.when")
        return said

    def _answer(self, variant: Variant, at: str) -> dict[str, Json]:
        match self.flag.kind:
            case Kind.BOOLEAN:
                return {}
            case Kind.VALUE:
                values = {"value": variant.value}
            case _:
                values = dict(variant.value)
        for key, value in values.items():
            for item in value if isinstance(value, list) else [value]:
                if isinstance(item, str):
                    self._short(item, f"{at}.{key}")
        return values

    def _short(self, text: str, at: str) -> str:
        if len(text) > LONGEST_TEXT:
            self._refuse(f"a text has {len(text):,} characters.", f"AppConfig takes {LONGEST_TEXT:,}.", at)
        return text
