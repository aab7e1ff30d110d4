"""The manners of every document: frozen, strict about keys, and errors with place, value and mend."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError, field_validator

from tidegate.core.document import Document, read
from tidegate.core.duration import Duration
from tidegate.core.errors import Invalid, quote


class Leaf(Document):
    colour: str = "green"
    count: int = 1
    wait: Duration | None = None

    @field_validator("colour")
    @classmethod
    def _no_red(cls, colour: str) -> str:
        if colour == "red":
            raise ValueError("red is no colour of a leaf.\nTake green.")
        if colour == "grey":
            raise ValueError("grey is no colour of a leaf.")
        return colour


class Branch(Document):
    leaf: Leaf
    leaves: tuple[Leaf, ...] = ()
    either: Leaf | None = None
    notes: dict[str, int] | None = None


class Sentence(Document):
    takes_sentences = True
    word: str


def wrong(content: object, kind: type[Document] = Branch) -> Invalid:
    with pytest.raises(Invalid) as refused:
        read(kind, content, "the tree")
    return refused.value


def test_a_document_is_frozen() -> None:
    with pytest.raises(ValidationError):
        read(Leaf, {}, "the leaf").colour = "brown"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("content", "where", "what", "mend"),
    [
        ({"leaf": {}, "leef": 1}, "leef", "the tree: unknown key 'leef'.", "Did you mean 'leaf'?"),
        ({"leaf": {"color": "x"}}, "leaf.color", "the tree: unknown key 'leaf.color'.", "Did you mean 'colour'?"),
        (
            {"leaf": {}, "leaves": [{}, {"cnt": 1}]},
            "leaves[1].cnt",
            "the tree: unknown key 'leaves[1].cnt'.",
            "Did you mean 'count'?",
        ),
        ({"leaf": {}, "either": {"x": 1}}, "either.x", "the tree: unknown key 'either.x'.", "Known keys: colour, count, wait."),
        ({"laef": {}}, "laef", "the tree: unknown key 'laef' (1 more).", "Did you mean 'leaf'?"),
        ({}, "leaf", "the tree: 'leaf' is missing.", "Add 'leaf'."),
        ({"leaf": {"colour": "red"}}, "leaf.colour", "the tree: leaf.colour: red is no colour of a leaf.", "Take green."),
        ({"leaf": {"colour": "grey"}}, "leaf.colour", "the tree: leaf.colour: grey is no colour of a leaf.", "Correct it."),
        ({"leaf": {"wait": 5}}, "leaf.wait", "the tree: leaf.wait: 5 is not a duration.", "Write a number with a unit, as"),
        (
            {"leaf": {"colour": "red", "wait": 5}},
            "leaf.colour",
            "the tree: leaf.colour: red is no colour of a leaf. (1 more)",
            "Take",
        ),
        (
            {"leaf": {"count": "x"}},
            "leaf.count",
            "the tree: 'leaf.count': input should be a valid integer",
            "Correct this value",
        ),
        (
            {"leaf": []},
            "leaf",
            "the tree: 'leaf': input should be a valid dictionary or instance of Leaf.",
            "Correct this value",
        ),
        ({"leaf": {}, "notes": {"a": "x"}}, "notes.a", "the tree: 'notes.a': input should be a valid integer", "Correct this"),
        (
            {"leaf": {}, "x" * 10_000: 1},
            None,
            f"the tree: unknown key '{'x' * 60}...'.",
            "Known keys: either, leaf, leaves, notes.",
        ),
        ({"leaf": {}, "a\nb": 1}, None, "the tree: unknown key 'a\\\\nb'.", "Known keys: either, leaf, leaves, notes."),
    ],
)
def test_an_error_says_the_place_the_value_and_the_mend(content: object, where: str | None, what: str, mend: str) -> None:
    refused = wrong(content)
    assert refused.what.startswith(what)
    assert refused.mend.startswith(mend)
    assert where is None or refused.where == where


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (None, "empty"),
        ([], "a list"),
        ("x", "a text"),
        (1, "a number"),
        (1.5, "a number"),
        (True, "true or false"),
        (b"", "a bytes"),
    ],
)
def test_what_is_no_mapping_is_named_for_what_it_is(content: object, kind: str) -> None:
    assert wrong(content).what == f"the tree is {kind}, not a mapping of keys."


def test_only_some_documents_may_be_a_sentence() -> None:
    assert "is a text, not a mapping" in wrong("x", Leaf).what
    assert "is a text, not a mapping" not in wrong("x", Sentence).what


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("x", "'x'"),
        ("x" * 61, f"'{'x' * 60}'..."),
        ("a\nb", "'a\\nb'"),
        (None, "None"),
        (True, "True"),
        (1.5, "1.5"),
        (-12, "-12"),
        (10**5000, "a very large number"),
        ([], "a list"),
        ({"a": 1}, "a dict"),
        (b"x", "a bytes"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_wrong_value_is_quoted_on_one_short_line(value: Any, said: str) -> None:
    assert quote(value) == said
