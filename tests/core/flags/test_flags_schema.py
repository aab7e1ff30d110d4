"""The schema of the flag file: editors take what the reader takes, and mark what it refuses."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given

from tests.core.flags.made import documents
from tidegate.core.document import read
from tidegate.core.environment import Environment
from tidegate.core.environment_schema import environment_schema
from tidegate.core.errors import Invalid
from tidegate.core.flags.flags_file import read_flags
from tidegate.core.flags.flags_schema import flags_schema
from tidegate.core.flags.flags_writer import write_flags

TYPES = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "integer": int,
    "number": (int, float),
    "null": type(None),
}


class Editor:
    """Takes a document as an editor does; as much of JSON Schema as ours have."""

    def __init__(self, schema: dict[str, Any]) -> None:
        self._defs = schema.get("$defs", {})
        self._schema = schema

    def takes(self, content: Any) -> bool:
        return self._fits(content, self._schema)

    def _fits(self, content: Any, schema: dict[str, Any]) -> bool:
        if "$ref" in schema:
            return self._fits(content, self._defs[schema["$ref"].rpartition("/")[2]])
        if "anyOf" in schema and not any(self._fits(content, one) for one in schema["anyOf"]):
            return False
        if "enum" in schema and content not in schema["enum"]:
            return False
        if "type" in schema and not self._is(content, schema["type"]):
            return False
        if isinstance(content, str):
            return len(content) >= schema.get("minLength", 0) and bool(re.search(schema.get("pattern", ""), content))
        if isinstance(content, list):
            return all(self._fits(item, schema.get("items", {})) for item in content)
        return not isinstance(content, dict) or self._mapping(content, schema)

    def _is(self, content: Any, said: str | list[str]) -> bool:
        kinds = [said] if isinstance(said, str) else said
        if isinstance(content, bool):
            return "boolean" in kinds
        return any(isinstance(content, TYPES[kind]) for kind in kinds)  # type: ignore[arg-type]

    def _mapping(self, content: dict[str, Any], schema: dict[str, Any]) -> bool:
        known, others = schema.get("properties", {}), schema.get("additionalProperties", True)
        if not set(schema.get("required", ())) <= content.keys():
            return False
        unknown = content.keys() - known.keys()
        if others is False and unknown:
            return False
        fits = isinstance(others, bool) or all(self._fits(content[name], others) for name in unknown)
        return fits and all(self._fits(content[name], known[name]) for name in content.keys() & known.keys())


FLAGS = Editor(flags_schema())


@given(documents())
def test_every_document_that_can_be_written_and_read_is_taken(document: Any) -> None:
    content = json.loads(json.dumps(write_flags(document)))
    try:
        read_flags(content)
    except Invalid:  # a value that no file can have, as null
        return
    assert FLAGS.takes(content)


@pytest.mark.parametrize(
    "flags",
    [
        {"a": "on", "b": False, "c": 20, "d": ["x"], "e": "Summer sale"},
        {"a": {"when": "in segment staff", "owner": "me", "expires": "2027-03-01", "needs": "b"}, "b": True},
        {"a": {"value": {"deep": {"x": [1]}}, "deprecated": True, "off": None}},
        {"a": {"variants": {"dark": {"value": 1, "share": "30%"}, "light": 2}, "seed": "s", "by": "userId"}},
        {"a": {"attributes": {"x": "string"}, "variants": {"v": {"attributes": {"x": "y"}}}}},
        {"a": {"variants": {"on": True, "off": False}, "targeting": {"if": [True, "on"]}, "default": "off"}},
        {"a": True, "b": {"when": True, "needs": ["a", {"flag": "a", "variants": ["on"]}]}},
    ],
)
def test_what_the_reader_takes_is_taken(flags: Any) -> None:
    content = {"application": "shop", "segments": {"staff": ["a", 7], "dach": {"when": "true"}, "many": "a\nb"}, "flags": flags}
    read_flags(content)
    assert FLAGS.takes(content)


@pytest.mark.parametrize(
    "content",
    [
        {"flags": {}},
        {"application": "Shop"},
        {"application": "shop", "flag": {}},
        {"application": "shop", "flags": {"a": {"vaule": 1}}},
        {"application": "shop", "flags": {"a": {"owner": "me"}}},
        {"application": "shop", "flags": {"a": {"value": 1, "enabled": "yes"}}},
        {"application": "shop", "flags": {"a": {"variants": {"b": {"value": 1, "share": 30}}}}},
        {"application": "shop", "flags": {"a": {"value": 1, "attributes": {"x": "text"}}}},
        {"application": "shop", "segments": {"staff": {"by": "id"}}},
        {"application": "shop", "segments": {"staff": [["a"]]}},
    ],
)
def test_what_the_reader_refuses_for_its_form_is_marked(content: Any) -> None:
    assert not FLAGS.takes(content)


def test_the_environment_file_has_a_schema_of_its_own() -> None:
    editor = Editor(environment_schema())
    content = {"application": "shop", "environment": "prod", "plan": "linear 10% every 1m", "compare": "off"}
    read(Environment, content, "prod.yaml")
    assert editor.takes(content)
    assert not editor.takes({**content, "tasks": {}})
    assert not editor.takes({"application": "shop"})
