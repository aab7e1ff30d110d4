"""JsonLogic at work: an operation becomes a function of the data. Exact to json-logic-js, with flagd's four operations."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tidegate.core.flags.flagd_operations import COMPARING, GivenUp, fractional
from tidegate.core.flags.jsonlogic import read_logic
from tidegate.core.flags.logic_operations import PLAIN, LogicError, as_list, null
from tidegate.core.flags.logic_value import NAN, UNDEFINED, less, loose_equal, to_text, truthy
from tidegate.core.flags.rule import Json, Listing, Logic, Node, Value

_PLAIN = PLAIN | COMPARING

Worked = Callable[[Any], Any]
"""The value for some data."""


def json_logic(rule: Json, data: Json) -> Json:
    """JsonLogic alone. Raises LogicError, and for misuse of flagd's operations too."""
    try:
        value = compile_logic(read_logic(rule))(data)
    except (GivenUp, ValueError, RecursionError) as wrong:
        raise LogicError(str(wrong)) from wrong
    return None if value is UNDEFINED else value


def compile_logic(node: Node, flag: str = "") -> Worked:
    """`flag` is the name that flagd's `fractional` mixes in when it is told no value."""
    match node:
        case Value(value=value):
            return lambda _: value
        case Listing(items=items):
            worked = [compile_logic(item, flag) for item in items]
            return lambda data: [work(data) for work in worked]
        case Logic(operator=operator, arguments=arguments):
            return _compile_operation(operator, arguments, flag)
    raise LogicError(f"{type(node).__name__} is no JsonLogic.")


def _compile_operation(operator: str, arguments: tuple[Node, ...], flag: str) -> Worked:
    short = _SHORT.get(operator)
    if short is not None and (worked := short(arguments)) is not None:
        return worked
    given = [compile_logic(argument, flag) for argument in arguments]
    if operator in _LAZY:
        return _LAZY[operator](given)
    if operator in _WITH_DATA:
        with_data = _WITH_DATA[operator]
        return lambda data: with_data(data, *[work(data) for work in given])
    if operator == "fractional":
        return lambda data: fractional(flag, data, [work(data) for work in given])
    if operator in _PLAIN:
        plain = _PLAIN[operator]
        return lambda data: plain(*[work(data) for work in given])
    raise LogicError(f"{operator!r} is no operation of JsonLogic.")


# --- Where not every argument is worked out ---------------------------------------------------------------------------------


def _if(given: Sequence[Worked]) -> Worked:
    pairs = [(given[index], given[index + 1]) for index in range(0, len(given) - 1, 2)]
    otherwise = given[-1] if len(given) % 2 else lambda _: None

    def work(data: Any) -> Any:
        for condition, result in pairs:
            if truthy(condition(data)):
                return result(data)
        return otherwise(data)

    return work


def _and(given: Sequence[Worked]) -> Worked:
    def work(data: Any) -> Any:
        value = UNDEFINED
        for one in given:
            value = one(data)
            if not truthy(value):
                return value
        return value

    return work


def _or(given: Sequence[Worked]) -> Worked:
    def work(data: Any) -> Any:
        value = UNDEFINED
        for one in given:
            value = one(data)
            if truthy(value):
                return value
        return value

    return work


def _nothing(_: Any) -> Any:
    return UNDEFINED


def _list_and_logic(given: Sequence[Worked]) -> tuple[Worked, Worked]:
    return given[0] if given else _nothing, given[1] if len(given) > 1 else _nothing


def _filter(given: Sequence[Worked]) -> Worked:
    items, logic = _list_and_logic(given)
    return lambda data: [item for item in as_list(items(data)) if truthy(logic(item))]


def _map(given: Sequence[Worked]) -> Worked:
    items, logic = _list_and_logic(given)
    return lambda data: [null(logic(item)) for item in as_list(items(data))]


def _all(given: Sequence[Worked]) -> Worked:
    items, logic = _list_and_logic(given)

    def work(data: Any) -> bool:
        found = as_list(items(data))
        return len(found) > 0 and all(truthy(logic(item)) for item in found)

    return work


def _some(given: Sequence[Worked]) -> Worked:
    items, logic = _list_and_logic(given)
    return lambda data: any(truthy(logic(item)) for item in as_list(items(data)))


def _none(given: Sequence[Worked]) -> Worked:
    some = _some(given)
    return lambda data: not some(data)


def _reduce(given: Sequence[Worked]) -> Worked:
    items, logic = _list_and_logic(given)
    first = given[2] if len(given) > 2 else lambda _: None

    def work(data: Any) -> Any:
        result = first(data)
        for item in as_list(items(data)):
            result = logic({"current": item, "accumulator": result})
        return result

    return work


_LAZY: dict[str, Callable[[Sequence[Worked]], Worked]] = {
    "if": _if,
    "?:": _if,
    "and": _and,
    "or": _or,
    "filter": _filter,
    "map": _map,
    "all": _all,
    "some": _some,
    "none": _none,
    "reduce": _reduce,
}


# --- What looks at the data -------------------------------------------------------------------------------------------------


def var(data: Any, path: Any = UNDEFINED, default: Any = None, *_: Any) -> Any:
    if path is UNDEFINED or path is None or path == "":
        return data
    for part in to_text(path).split("."):
        data = _inside(data, part)
        if data is UNDEFINED:
            return null(default)
    return data


def _inside(data: Any, part: str) -> Any:
    if isinstance(data, Mapping):
        return data.get(part, UNDEFINED)
    if not isinstance(data, list | tuple | str):
        return UNDEFINED
    if part == "length":
        return len(data)
    index = int(part) if part.isascii() and part.isdigit() and len(part) < 10 and (part == "0" or part[0] != "0") else -1
    return data[index] if 0 <= index < len(data) else UNDEFINED


def missing(data: Any, *keys: Any) -> list[Any]:
    wanted = keys[0] if keys and isinstance(keys[0], list | tuple) else keys
    return [key for key in wanted if (value := _at(data, key)) is None or (isinstance(value, str) and not value)]


def _at(data: Any, key: Any) -> Any:
    """As {"var": key}: a list is its arguments."""
    return var(data, *key) if isinstance(key, list | tuple) else var(data, key)


def missing_some(data: Any, needed: Any = UNDEFINED, options: Any = UNDEFINED, *_: Any) -> list[Any]:
    lacking = missing(data, *options) if isinstance(options, list | tuple) else missing(data, options)
    size = len(options) if isinstance(options, list | tuple | str) else NAN
    return [] if less(needed, size - len(lacking), or_equal=True) else lacking


_WITH_DATA: dict[str, Callable[..., Any]] = {"var": var, "missing": missing, "missing_some": missing_some}


# --- Short ways for what most rules consist of ------------------------------------------------------------------------------


def _short_var(arguments: tuple[Node, ...]) -> Worked | None:
    """The name of an attribute, without a path: one look."""
    match arguments:
        case (Value(value=str() as name),) if name and "." not in name and name != "length" and not name.isdigit():
            return lambda data: data.get(name) if data.__class__ is dict else var(data, name)
    return None


def _short_equal(arguments: tuple[Node, ...]) -> Worked | None:
    """A value beside a text."""
    match arguments:
        case (Logic(operator="var") as one, Value(value=str() as text)) | (
            Value(value=str() as text),
            Logic(operator="var") as one,
        ):
            worked = compile_logic(one)
            return lambda data: (value == text) if (value := worked(data)).__class__ is str else loose_equal(value, text)
    return None


def _short_in(arguments: tuple[Node, ...]) -> Worked | None:
    """A value in a list of texts."""
    match arguments:
        case (Logic(operator="var") as one, Value(value=list() as items)) if all(isinstance(item, str) for item in items):
            worked, texts = compile_logic(one), frozenset(items)
            return lambda data: isinstance(value := worked(data), str) and value in texts
    return None


_SHORT: dict[str, Callable[[tuple[Node, ...]], Worked | None]] = {"var": _short_var, "==": _short_equal, "in": _short_in}
