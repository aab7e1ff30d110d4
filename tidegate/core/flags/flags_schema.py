"""The JSON Schema of the flag file, for editors: the keys as the reader knows them, and the short forms that it takes, too.

Rules are texts in it. Whether they say something is told by `tidegate flags validate`.
"""

from __future__ import annotations

from typing import Any

from tidegate.core.document import Document
from tidegate.core.flags.attribute import AttributeType
from tidegate.core.flags.flags_file import ConstraintFile, FlagFile, FlagsFile, NeedFile, SegmentFile, VariantFile

Schema = dict[str, Any]

_DEFS = "#/$defs/{model}"
_TEXT: Schema = {"type": "string"}
_ID: Schema = {"type": ["string", "integer"]}
_IDS: Schema = {"anyOf": [{"type": "array", "items": _ID}, {"type": "string", "description": "An id on each line."}]}
_RULE: Schema = {
    "type": ["string", "boolean"],
    "description": "A rule: where it holds.",
    "examples": ['country == "DE"', "25% by userId", "in segment staff", 'plan == "pro" and version(app) >= "2.1"'],
}
_VALUE: Schema = {"type": ["boolean", "string", "number", "array", "object"], "description": "What is answered."}
_PLAIN: Schema = {"type": ["boolean", "string", "number", "array"], "description": "A value; on and off switch."}


def flags_schema() -> Schema:
    schema = FlagsFile.model_json_schema()
    schema["properties"]["segments"]["additionalProperties"] = {"anyOf": [*_IDS["anyOf"], _ref("Segment")]}
    schema["properties"]["flags"]["additionalProperties"] = {"anyOf": [_ref("Flag"), _PLAIN]}
    schema["$defs"] = {
        "Segment": _known(SegmentFile, one_of=("members", "when"), members=_IDS, when=_RULE),
        "Flag": _known(
            FlagFile,
            one_of=("value", "when", "variants"),
            value=_VALUE,
            when=_RULE,
            variants={"type": "object", "additionalProperties": {"anyOf": [_ref("Variant"), _PLAIN]}},
            attributes={"type": "object", "additionalProperties": {"anyOf": [_ref("Attribute"), _TYPE]}},
            needs={"anyOf": [_NEED, {"type": "array", "items": _NEED}], "description": "Other flags that must be on."},
            targeting={"description": "JsonLogic that works out the name of a variant, as in flagd."},
            off={"description": "Answered while it is off; null for the caller's own default."},
        ),
        "Variant": _known(VariantFile, one_of=("value", "attributes"), value=_VALUE, when=_RULE),
        "Attribute": _known(ConstraintFile, type=_TYPE),
        "Need": _known(NeedFile),
    }
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "Tidegate flag file"}


def _ref(model: str) -> Schema:
    return {"$ref": _DEFS.format(model=model)}


_NEED: Schema = {"anyOf": [{"type": "string", "description": "The name of a flag."}, _ref("Need")]}
_TYPE: Schema = {"enum": [one.value for one in AttributeType]}


def _known(kind: type[Document], *, one_of: tuple[str, ...] = (), **properties: Schema) -> Schema:
    """The keys of this mapping, some of them said more exactly than its reader does."""
    schema = kind.model_json_schema()
    schema.pop("$defs", None)
    schema["title"] = schema["title"].removesuffix("File")
    if one_of:
        schema["anyOf"] = [{"required": [name]} for name in one_of]
    for name, exact in properties.items():
        schema["properties"][name] = {**_default(schema["properties"][name]), **exact}
    return schema


def _default(said: Schema) -> Schema:
    return {key: said[key] for key in ("default",) if said.get(key) is not None}
