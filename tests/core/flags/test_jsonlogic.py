"""JsonLogic, operation by operation: what json-logic-js does, also where JavaScript is strange."""

from __future__ import annotations

import math
from typing import Any

import pytest

from tidegate.core.flags.logic import LogicError, json_logic

SHOP = {
    "user": {"name": "ann", "tags": ["beta", "staff"], "address": None},
    "cart": [{"price": 5, "sku": "tea"}, {"price": 12, "sku": "pot"}],
    "age": 41,
    "zero": 0,
    "empty": "",
    "null": None,
    "flat.name": "never found by a path",
}


@pytest.mark.parametrize(
    ("rule", "value"),
    [
        # What is no operation stands for itself
        (None, None),
        ("text", "text"),
        (4.5, 4.5),
        ({}, {}),
        ({"a": 1, "b": {"var": "age"}}, {"a": 1, "b": {"var": "age"}}),
        ([1, {"var": "age"}, [{"var": "zero"}]], [1, 41, [0]]),
        # var
        ({"var": "age"}, 41),
        ({"var": ["age"]}, 41),
        ({"var": "user.name"}, "ann"),
        ({"var": "user.tags.1"}, "staff"),
        ({"var": "user.tags.7"}, None),
        ({"var": "user.tags.length"}, 2),
        ({"var": "user.name.0"}, "a"),
        ({"var": "cart.1.sku"}, "pot"),
        ({"var": ["nothing", "else"]}, "else"),
        ({"var": ["user.nothing.at.all", 7]}, 7),
        ({"var": ["null", 7]}, None),
        ({"var": ["null.x", 7]}, 7),
        ({"var": "flat.name"}, None),
        ({"var": ["x", {"var": "age"}]}, 41),
        ({"var": {"cat": ["user", ".", "name"]}}, "ann"),
        ({"var": ""}, SHOP),
        ({"var": None}, SHOP),
        ({"var": []}, SHOP),
        # missing, missing_some
        ({"missing": ["age", "size", "user.name", "user.size"]}, ["size", "user.size"]),
        ({"missing": "empty"}, ["empty"]),
        ({"missing": ["zero"]}, []),
        ({"missing": {"merge": ["a", ["age", "b"]]}}, ["a", "b"]),
        ({"missing_some": [1, ["age", "x"]]}, []),
        ({"missing_some": [2, ["age", "x", "y"]]}, ["x", "y"]),
        ({"missing_some": [0, ["x"]]}, []),
        # if
        ({"if": []}, None),
        ({"if": ["only"]}, "only"),
        ({"if": [True, "yes"]}, "yes"),
        ({"if": [False, "yes"]}, None),
        ({"if": [0, 1, "", 2, [], 3, None, 4, 5]}, 5),
        ({"if": [0, 1, {"var": "age"}, 2, True, 3]}, 2),
        ({"?:": [{}, "objects are true", "no"]}, "objects are true"),
        # and, or, !, !!
        ({"and": [1, "0", {"var": "age"}]}, 41),
        ({"and": [1, [], 3]}, []),
        ({"or": [0, "", None]}, None),
        ({"or": [0, "0"]}, "0"),
        ({"!": [[]]}, True),
        ({"!": "0"}, False),
        ({"!": [[0]]}, False),
        ({"!!": ["false"]}, True),
        ({"!!": [0.0]}, False),
        ({"!!": [{"+": "no number"}]}, False),
        ({"if": [{"/": [0, 0]}, 1, 2]}, 2),
        # == and ===
        ({"==": [41, {"var": "age"}]}, True),
        ({"==": ["41", {"var": "age"}]}, True),
        ({"==": [" 41 ", 41]}, True),
        ({"==": ["0x29", 41]}, True),
        ({"==": ["41x", 41]}, False),
        ({"==": [True, 1]}, True),
        ({"==": [True, "1"]}, True),
        ({"==": [True, "true"]}, False),
        ({"==": [None, 0]}, False),
        ({"==": [None, {"var": "nothing"}]}, True),
        ({"==": ["", 0]}, True),
        ({"==": [[1], 1]}, True),
        ({"==": [[1, 2], "1,2"]}, True),
        ({"==": [[1], [1]]}, False),
        ({"==": [{"var": "cart"}, {"var": "cart"}]}, True),
        ({"!=": ["1", 1]}, False),
        ({"===": ["1", 1]}, False),
        ({"===": [1, 1.0]}, True),
        ({"===": [True, 1]}, False),
        ({"===": [None, None]}, True),
        ({"!==": ["1", 1]}, True),
        # order
        ({"<": [1, 2]}, True),
        ({"<": [1, 2, 3]}, True),
        ({"<": [1, 3, 3]}, False),
        ({"<=": [1, 3, 3]}, True),
        ({"<=": [4, 3, 5]}, False),
        ({"<": ["10", "9"]}, True),
        ({"<": ["10", 9]}, False),
        ({"<": [None, 1]}, True),
        ({">": [{"var": "nothing"}, 0]}, False),
        ({">=": [{"var": "nothing"}, 0]}, True),
        ({">": ["b", "a"]}, True),
        ({">": ["abc", 1]}, False),
        ({"<": ["abc", 1]}, False),
        ({">=": [[2], 1]}, True),
        # arithmetic
        ({"+": [1, "2", 3.5]}, 6.5),
        ({"+": "3.25 apples"}, 3.25),
        ({"+": []}, 0),
        ({"-": [7]}, -7),
        ({"-": ["7", 2]}, 5),
        ({"-": [None, 1]}, -1),
        ({"*": [2, "3", 4]}, 24),
        ({"*": ["5"]}, "5"),
        ({"/": [1, 4]}, 0.25),
        ({"/": [4, 2]}, 2),
        ({"/": [1, 0]}, math.inf),
        ({"/": [-1, 0]}, -math.inf),
        ({"%": [7, 3]}, 1),
        ({"%": [-7, 3]}, -1),
        ({"%": [5.5, 2]}, 1.5),
        ({"max": [1, "12", 5]}, 12),
        ({"min": [1, "12", -5]}, -5),
        ({"max": []}, -math.inf),
        ({"min": []}, math.inf),
        # texts
        ({"cat": ["a", 1, True, None, 2.0, [3, [None, 4]]]}, "a1true23,,4"),
        ({"cat": "one"}, "one"),
        ({"cat": []}, ""),
        ({"cat": [1e21, " ", 1e-7, " ", 123456789012345680000]}, "1e+21 1e-7 123456789012345680000"),
        ({"cat": [{"var": "user"}]}, "[object Object]"),
        ({"substr": ["tidegate", 4]}, "gate"),
        ({"substr": ["tidegate", -4]}, "gate"),
        ({"substr": ["tidegate", -40]}, "tidegate"),
        ({"substr": ["tidegate", 0, 4]}, "tide"),
        ({"substr": ["tidegate", 1, -4]}, "ide"),
        ({"substr": ["tidegate", -4, -1]}, "gat"),
        ({"substr": ["tidegate", 2, -40]}, ""),
        ({"substr": [12345, 1, 2]}, "23"),
        ({"in": ["gate", "tidegate"]}, True),
        ({"in": [1, "123"]}, True),
        ({"in": ["", ""]}, False),
        ({"in": ["beta", {"var": "user.tags"}]}, True),
        ({"in": ["1", [1]]}, False),
        ({"in": [1, [1.0]]}, True),
        ({"in": [[1], [[1]]]}, False),
        ({"in": ["x", None]}, False),
        # lists
        ({"merge": [1, [2, [3]], [], None]}, [1, 2, [3], None]),
        ({"merge": []}, []),
        ({"map": [{"var": "cart"}, {"*": [{"var": "price"}, 2]}]}, [10, 24]),
        ({"map": [{"var": "age"}, 1]}, []),
        ({"filter": [{"var": "cart"}, {">": [{"var": "price"}, 6]}]}, [{"price": 12, "sku": "pot"}]),
        ({"filter": [{"var": "nothing"}, True]}, []),
        ({"reduce": [{"var": "cart"}, {"+": [{"var": "accumulator"}, {"var": "current.price"}]}, 0]}, 17),
        ({"reduce": [{"var": "nothing"}, 1, 9]}, 9),
        ({"reduce": [[1, 2], {"cat": [{"var": "accumulator"}, {"var": "current"}]}]}, "12"),
        ({"all": [{"var": "cart"}, {">": [{"var": "price"}, 4]}]}, True),
        ({"all": [[], True]}, False),
        ({"none": [{"var": "cart"}, {">": [{"var": "price"}, 99]}]}, True),
        ({"none": [[], True]}, True),
        ({"some": [{"var": "cart"}, {"==": [{"var": "sku"}, "tea"]}]}, True),
        ({"some": [[], True]}, False),
        ({"log": "said"}, "said"),
    ],
)  # fmt: skip
def test_json_logic_works_out(rule: Any, value: Any) -> None:
    worked = json_logic(rule, SHOP)
    assert worked == value
    assert isinstance(worked, bool) == isinstance(value, bool)


@pytest.mark.parametrize(
    "rule", [{"/": [0, 0]}, {"+": "no number"}, {"-": []}, {"%": [1, 0]}, {"max": ["x"]}, {"*": [None, 1]}]
)
def test_what_is_no_number_is_nan(rule: Any) -> None:
    assert math.isnan(json_logic(rule, {}))


@pytest.mark.parametrize(
    ("data", "value"), [(None, None), (5, None), (["a", "b"], "b"), ("xyz", "y"), ({"1": "one"}, "one"), ([["p", "q"]], None)]
)
def test_data_may_be_anything(data: Any, value: Any) -> None:
    assert json_logic({"var": 1}, data) == value
    assert json_logic({"var": "1"}, data) == value


@pytest.mark.parametrize(
    "rule",
    [
        {"nonsense": [1]},
        {"*": []},
        {"starts_with": [1, "a"]},
        {"reduce": [[1] * 30, {"cat": [{"var": "accumulator"}, {"var": "accumulator"}]}, "x"]},
        {"reduce": [[1] * 30, {"merge": [{"var": "accumulator"}, {"var": "accumulator"}]}, [1]]},
    ],
)
def test_what_cannot_be_worked_out_raises_one_error(rule: Any) -> None:
    with pytest.raises(LogicError):
        json_logic(rule, {})


def test_logic_that_is_nested_without_end_is_refused() -> None:
    rule: Any = True
    for _ in range(50):
        rule = {"!": rule}
    with pytest.raises(LogicError, match="nested deeper"):
        json_logic(rule, {})


def test_numbers_grow_as_floats_do() -> None:
    assert json_logic({"*": [1e200, 1e200]}, {}) == math.inf
    assert json_logic({"+": [10**400, 1]}, {}) == math.inf
    assert json_logic({"reduce": [[10**9] * 60, {"*": [{"var": "accumulator"}, {"var": "current"}]}, 1]}, {}) == math.inf
