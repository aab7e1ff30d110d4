"""Whatever is handed in as a document is read, or refused with place and mend: nothing else ever comes out of a reader."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.flags.made import JSON, LOGIC
from tidegate.core.errors import Invalid
from tidegate.core.flags.appconfig import read_appconfig
from tidegate.core.flags.codec import decode, digest, encode
from tidegate.core.flags.document import FlagDocument
from tidegate.core.flags.evaluate import Evaluator
from tidegate.core.flags.flagd import read_flagd
from tidegate.core.flags.flags_file import read_flags
from tidegate.core.flags.flags_writer import write_flags

RULES = st.sampled_from(
    [
        'a == "b"',
        "25%",
        "in segment s",
        "not (a < 5)",
        'a in ["x", 1]',
        "true",
        "in segment none",
        "a ==",
        'version(a) > "1"',
        "",
        5,
    ]
)
ODD = st.one_of(
    JSON, st.sampled_from([float("nan"), float("inf"), "\ud800", 10**400, {"a": {"b": float("nan")}}, [[[[["deep"]]]]]])
)


def keyed(*always: str, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Some of these keys, at times with another value than fits."""
    loose = {name: field if name in always else st.one_of(*[field] * 9, ODD) for name, field in fields.items()}
    fixed = {name: loose.pop(name) for name in always}
    return st.fixed_dictionaries(fixed, optional=loose)


NAMES = st.sampled_from(["a", "b", "s", "on"] * 4 + ["Ä", "", "x" * 200, "\n"])
VARIANT = keyed(
    value=JSON, attributes=st.dictionaries(NAMES, JSON, max_size=2), when=RULES, share=st.just("10%"), enabled=st.booleans()
)
CONSTRAINT = keyed(
    type=st.sampled_from(["string", "number", "boolean", "string[]", "number[]"]),
    enum=st.lists(st.text(max_size=2), max_size=2),
    pattern=st.sampled_from(["a", "(", "(a)\\1"]),
    minimum=st.integers(),
    maximum=st.floats(),
    required=st.booleans(),
)
FLAG = keyed(
    value=JSON,
    when=RULES,
    variants=st.dictionaries(NAMES, st.one_of(JSON, VARIANT), max_size=3),
    attributes=st.dictionaries(NAMES, CONSTRAINT, max_size=2),
    needs=st.one_of(NAMES, st.lists(st.one_of(NAMES, keyed(flag=NAMES, variants=st.lists(NAMES, max_size=2))), max_size=2)),
    targeting=LOGIC,
    default=NAMES,
    expires=st.sampled_from(["2027-01-01", "x"]),
    deprecated=st.one_of(st.booleans(), st.just("2027-01-01")),
    enabled=st.booleans(),
    off=JSON,
    metadata=st.dictionaries(NAMES, JSON, max_size=1),
)
SEGMENT = st.one_of(
    st.lists(st.one_of(NAMES, st.integers()), max_size=3), keyed(members=st.lists(NAMES, max_size=2), by=NAMES, when=RULES)
)
OURS = keyed(
    "application",
    "flags",
    application=st.just("shop"),
    flags=st.dictionaries(NAMES, st.one_of(FLAG, FLAG, JSON), max_size=3),
    segments=st.dictionaries(NAMES, SEGMENT, max_size=2),
)
FLAGD = keyed(
    "flags",
    flags=st.dictionaries(
        NAMES,
        keyed(
            "state",
            "variants",
            state=st.sampled_from(["ENABLED", "DISABLED"]),
            variants=st.dictionaries(NAMES, JSON, max_size=3),
            defaultVariant=NAMES,
            targeting=st.one_of(LOGIC, st.just({"$ref": "e"}), st.just({"if": [{"$ref": "e"}, "a"]})),
            metadata=st.dictionaries(NAMES, JSON, max_size=1),
        ),
        max_size=3,
    ),
    **{"$evaluators": st.dictionaries(st.just("e"), st.one_of(LOGIC, st.just({"!": {"$ref": "e"}})), max_size=1)},
)
S_RULES = st.sampled_from(['(eq $a "b")', "(split pct::10 by::$a)", '(exists key::"a")', "(", "", '(in $a ["x"])', "(eq)"])
VALUE = keyed(
    enabled=st.booleans(),
    a=JSON,
    _variants=st.lists(
        keyed(name=NAMES, enabled=st.booleans(), rule=S_RULES, attributeValues=st.dictionaries(NAMES, JSON, max_size=1)),
        max_size=3,
    ),
)
APPCONFIG = keyed(
    "version",
    "flags",
    version=st.just("1"),
    flags=st.dictionaries(
        NAMES, keyed(name=NAMES, attributes=st.dictionaries(NAMES, keyed(constraints=CONSTRAINT), max_size=2)), max_size=2
    ),
    values=st.dictionaries(NAMES, VALUE, max_size=2),
)


Reader = Callable[[], FlagDocument]


def read_or_refused(read: Reader) -> FlagDocument | None:
    with suppress(Invalid):
        return read()
    return None


def sound(document: FlagDocument) -> None:
    """Whatever was read can be written, sent, evaluated and explained."""
    text = encode(document)
    again = decode(text, digest(document))
    assert encode(again.numbered(0)) == text
    evaluator = Evaluator(again)
    for name in document.flags:
        assert evaluator.evaluate(name, {"a": "b"}).error in ("", "GENERAL", "PARSE_ERROR")
        assert str(evaluator.explain(name, {}))


@given(st.one_of(OURS, OURS, OURS, ODD))
@settings(max_examples=200)
def test_any_content_is_a_document_of_ours_or_is_refused(content: Any) -> None:
    document = read_or_refused(lambda: read_flags(content, "the file"))
    if document is not None:
        sound(document)
        assert read_flags(write_flags(document)) == document


@given(st.one_of(FLAGD, FLAGD, ODD), st.booleans())
@settings(max_examples=200)
def test_any_content_is_a_document_of_flagd_or_is_refused(content: Any, strict: bool) -> None:
    document = read_or_refused(lambda: read_flagd(content, "shop", "the file", strict=strict))
    if document is not None:
        sound(document)


@given(st.one_of(APPCONFIG, APPCONFIG, ODD))
@settings(max_examples=200)
def test_any_content_is_a_document_of_appconfig_or_is_refused(content: Any) -> None:
    document = read_or_refused(lambda: read_appconfig(content, "shop", "the file"))
    if document is not None:
        sound(document)
