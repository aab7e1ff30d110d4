"""JsonLogic as JSON, to nodes and back. What an operation does is in logic.py; an unknown one is found by check.py.

A mapping with exactly one key is an operation; its value is the list of arguments, or the only one. Every other mapping and
every text, number, boolean and null stands for itself; the items of a list are worked out.
"""

from __future__ import annotations

from typing import cast

from tidegate.core.flags.rule import Json, Listing, Logic, Node, Value

DEEPEST = 40
LAZY = frozenset(("if", "?:", "and", "or", "filter", "map", "reduce", "all", "none", "some"))
EAGER = frozenset(("==", "!=", "===", "!==", "<", "<=", ">", ">=", "!", "!!", "+", "-", "*", "/", "%", "min", "max", "cat"))
EAGER |= {"in", "substr", "merge", "var", "missing", "missing_some", "log"}
FLAGD = frozenset(("fractional", "starts_with", "ends_with", "sem_ver"))
OPERATIONS = LAZY | EAGER | FLAGD


def read_logic(content: Json, depth: int = 0) -> Node:
    """Raises ValueError only for what is nested too deep."""
    if depth > DEEPEST:
        raise ValueError(f"the logic is nested deeper than {DEEPEST} levels.\nWrite it flatter.")
    if isinstance(content, list):
        items = tuple(read_logic(item, depth + 1) for item in content)
        return Value(content) if all(isinstance(item, Value) for item in items) else Listing(items)
    if not isinstance(content, dict) or len(content) != 1:
        return Value(content)
    ((operator, arguments),) = content.items()
    given = arguments if isinstance(arguments, list) else [arguments]
    return Logic(operator, tuple(read_logic(argument, depth + 1) for argument in given))


def write_logic(node: Node) -> Json:
    match node:
        case Listing(items=items):
            return [write_logic(item) for item in items]
        case Logic(operator=operator, arguments=arguments):
            return {operator: [write_logic(argument) for argument in arguments]}
        case _:
            return cast("Value", node).value
