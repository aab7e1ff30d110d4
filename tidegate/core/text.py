"""Texts that people write, YAML or JSON, as plain content. What YAML is famous for hiding is refused, with line and column.

YAML is read by the rules of its version 1.2: `on`, `yes` and `1:30` are texts, as written. Keys are always texts. Aliases,
tags, keys that are given twice, more than one document and deep nesting are refused; so are NUL and broken characters.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

import yaml

from tidegate.core.errors import Invalid

MOST_BYTES = 256 * 1024
"""Of a document. Thousand steps and a hundred alarms are a quarter of it."""
DEEPEST = 40
_TAG = "tag:yaml.org,2002:"


def read_yaml(text: str, what: str, most: int = MOST_BYTES) -> Any:
    """Raises Invalid. `what` names the text in the error: `web.yaml`."""
    _check_size(text, what, most)
    try:
        node = yaml.compose(text, Loader=_Strict)
    except yaml.MarkedYAMLError as wrong:
        raise _not_yaml(wrong, what) from wrong
    except yaml.reader.ReaderError as wrong:
        place = _place(text, wrong.position)
        raise Invalid(f"{what}, {place}: a character that no text has.", "Remove it; save the file as plain UTF-8.") from wrong
    return _tame(_value(node, what), what) if node is not None else None


def read_json(text: str, what: str, most: int = MOST_BYTES) -> Any:
    """Raises Invalid."""
    _check_size(text, what, most)
    try:
        content = json.loads(
            text,
            object_pairs_hook=lambda pairs: _once(pairs, what),
            parse_constant=lambda name: _refuse(name, what),
        )
    except json.JSONDecodeError as wrong:
        place = f"line {wrong.lineno}, column {wrong.colno}"
        raise Invalid(f"{what} is not JSON: {wrong.msg} ({place}).", "Correct it there.") from wrong
    except RecursionError as wrong:
        raise _too_deep(what) from wrong
    except ValueError as wrong:
        raise Invalid(f"{what} is not JSON: {str(wrong)[:100]}.", "Correct it.") from wrong
    return _tame(content, what)


class _Strict(yaml.SafeLoader):
    """Composes nodes only: no value is made by the loader."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - the library wants it on the class
    depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(problem="aliases (*name) are refused", problem_mark=mark)
        self.depth += 1
        if self.depth > DEEPEST:
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(problem=f"it is nested deeper than {DEEPEST} levels", problem_mark=mark)
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


for _kind, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("int", r"[-+]?[0-9]{1,18}|0x[0-9a-fA-F]{1,15}", "-+0123456789"),
    ("float", r"[-+]?(\.[0-9]{1,30}|[0-9]{1,30}(\.[0-9]{0,30})?)([eE][-+]?[0-9]{1,4})?", "-+.0123456789"),
):
    _Strict.add_implicit_resolver(_TAG + _kind, re.compile(rf"^(?:{_pattern})\Z"), list(_first))


def _value(node: yaml.Node, what: str) -> Any:
    match node:
        case yaml.MappingNode() if node.tag == _TAG + "map":
            return _once([(_key(key, what), _value(value, what)) for key, value in node.value], what, node)
        case yaml.SequenceNode() if node.tag == _TAG + "seq":
            return [_value(item, what) for item in node.value]
        case yaml.ScalarNode():
            return _scalar(node, what)
        case _:
            raise _at(node, what, f"the tag {node.tag[-40:]!r} is not known here", "Remove it.")


def _scalar(node: yaml.ScalarNode, what: str) -> Any:
    text = str(node.value)
    match node.tag.removeprefix(_TAG):
        case "str":
            return text
        case "null":
            return None
        case "bool":
            return text.lower() == "true"
        case "int":
            return int(text, 16) if text.startswith("0x") else int(text)
        case "float":
            return float(text)
        case _:
            raise _at(node, what, f"the tag {node.tag[-40:]!r} is not known here", "Remove it.")


def _key(node: yaml.Node, what: str) -> str:
    if not isinstance(node, yaml.ScalarNode):
        raise _at(node, what, "a key is a list or a mapping", "Use a plain word as key.")
    return str(node.value)


def _once(pairs: list[tuple[str, Any]], what: str, node: yaml.Node | None = None) -> dict[str, Any]:
    """A mapping. The second of two equal keys would silently win."""
    content = dict(pairs)
    if len(content) < len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        place = f", {_mark(node.start_mark)}" if node is not None else ""
        raise Invalid(f"{what}{place}: the key {twice[:60]!r} is there twice.", "Keep one of them.", twice[:60])
    return content


def _tame(content: Any, what: str) -> Any:
    """Whatever is in it can be written down and sent on."""
    level = [content]
    for _ in range(DEEPEST + 1):
        if not level:
            return content
        for item in level:
            _check_atom(item, what)
        level = [inner for item in level for inner in _inside(item)]
    raise _too_deep(what)


def _inside(item: Any) -> list[Any]:
    if isinstance(item, dict):
        return [*item.keys(), *item.values()]
    return item if isinstance(item, list) else []


def _check_atom(item: Any, what: str) -> None:
    if isinstance(item, float) and not math.isfinite(item):
        raise Invalid(f"{what} has a number that is not finite.", "Write an ordinary number.")
    if isinstance(item, str) and ("\0" in item or not _is_sound(item)):
        raise Invalid(f"{what} has a text with a NUL or a broken character.", "Remove it; save the file as plain UTF-8.")


def _is_sound(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _check_size(text: str, what: str, most: int) -> None:
    if len(text) > most:
        raise Invalid(f"{what} has {len(text):,} characters.", f"At most {most:,} are taken: is it the right file?")


def _refuse(name: str, what: str) -> NoReturn:
    raise Invalid(f"{what} has the number {name}.", "Write an ordinary number.")


def _too_deep(what: str) -> Invalid:
    return Invalid(f"{what} is nested deeper than {DEEPEST} levels.", "Write it flatter.")


def _not_yaml(wrong: yaml.MarkedYAMLError, what: str) -> Invalid:
    problem = wrong.problem or "it cannot be read"
    mark = wrong.problem_mark or wrong.context_mark
    if "another document" in problem:
        return Invalid(f"{what} has more than one document ({_mark(mark)}).", "Keep one in this file.")
    return Invalid(f"{what} is not YAML: {problem} ({_mark(mark)}).", _mend(problem))


def _mend(problem: str) -> str:
    if r"'\t'" in problem:
        return "Indent with spaces: YAML knows no tabs."
    if "aliases" in problem:
        return "Write the value out."
    if "nested" in problem:
        return "Write it flatter."
    return "Look at the indentation, colons and quotes there."


def _mark(mark: yaml.Mark | None) -> str:
    return f"line {mark.line + 1}, column {mark.column + 1}" if mark else "at its end"


def _place(text: str, position: int) -> str:
    before = text[:position]
    return f"line {before.count(chr(10)) + 1}, column {position - (before.rfind(chr(10)) + 1) + 1}"


def _at(node: yaml.Node, what: str, problem: str, mend: str) -> Invalid:
    return Invalid(f"{what}, {_mark(node.start_mark)}: {problem}.", mend)
