"""The snapshot: one text, to the letter or not at all."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.core.errors import Invalid
from tidegate.core.exposure import FULL, NONE, Exposure
from tidegate.core.flags.document import FlagDocument
from tidegate.core.flags.flags_file import read_flags
from tidegate.core.flags.snapshot import Snapshot, decode_snapshot, encode_snapshot

OLD = read_flags({"application": "shop", "flags": {"new": "off", "title": "Grüße \u2028 an ✓"}}).numbered(7)
NEW = read_flags({"application": "shop", "flags": {"new": "on", "title": "Hallo"}}).numbered(8)
PLAIN = Snapshot("shop", "prod", 3, "db-1", OLD)
MOVING = Snapshot("shop", "prod", 4, "db-1", OLD, NEW, "salt", Exposure(1250), "shop-prod-2")


@pytest.mark.parametrize("snapshot", [PLAIN, MOVING])
def test_what_was_written_is_read_back(snapshot: Snapshot) -> None:
    read = decode_snapshot(encode_snapshot(snapshot))
    assert read == snapshot
    assert encode_snapshot(read) == encode_snapshot(snapshot)


@given(st.text(), st.text(), st.text(), st.integers(0, 2**70), st.integers(0, 10000))
def test_any_names_and_numbers_come_back(environment: str, origin: str, salt: str, serial: int, points: int) -> None:
    snapshot = Snapshot("shop", environment, serial, origin, OLD, NEW, salt, Exposure(points), "r")
    assert decode_snapshot(encode_snapshot(snapshot)) == snapshot


def test_it_is_one_line_of_plain_ascii() -> None:
    text = encode_snapshot(MOVING)
    assert text.isascii()
    assert len(text.splitlines()) == 1
    assert json.loads(text)["serial"] == 4


@given(st.data())
def test_a_text_with_any_letter_changed_is_refused(data: st.DataObject) -> None:
    text = encode_snapshot(MOVING)
    place = data.draw(st.integers(0, len(text) - 1))
    letter = data.draw(st.characters().filter(lambda letter: letter != text[place]))
    with pytest.raises(Invalid):
        decode_snapshot(text[:place] + letter + text[place + 1 :])


@given(st.integers(min_value=0))
def test_a_text_that_was_cut_is_refused(kept: int) -> None:
    text = encode_snapshot(MOVING)
    with pytest.raises(Invalid):
        decode_snapshot(text[: kept % len(text)])


@given(st.text())
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        decode_snapshot(text)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("serial", -1),
        ("serial", True),
        ("serial", "4"),
        ("baseline", None),
        ("baseline", "{}"),
        ("exposure", 12),
        ("exposure", "101%"),
        ("candidate", None),
        ("application", "other"),
        ("salt", 1),
        ("tidegate", 2),
    ],
)
def test_a_wrong_content_is_refused_even_with_the_right_digest(key: str, value: object) -> None:
    content = {name: item for name, item in json.loads(encode_snapshot(MOVING)).items() if name != "digest"}
    rest = json.dumps(content | {key: value}, separators=(",", ":"))[1:]
    with pytest.raises(Invalid):
        decode_snapshot(f'{{"digest":"sha256:{hashlib.sha256(rest.encode()).hexdigest()}",{rest}')


def test_a_document_without_a_number_is_no_snapshot() -> None:
    with pytest.raises(Invalid, match="without a number"):
        Snapshot("shop", "prod", 1, "db", FlagDocument("shop"))


def test_it_evaluates_as_its_two_documents_do() -> None:
    everybody = replace(MOVING, exposure=FULL).staged()
    assert everybody.evaluate("new", {"targetingKey": "ann"}).value is True
    assert MOVING.moved(NONE, 5).staged().evaluate("new", {"targetingKey": "ann"}).value is False
    assert PLAIN.staged().evaluate("new", {"targetingKey": "ann"}).number == 7


def test_only_a_greater_serial_of_the_same_origin_follows() -> None:
    assert PLAIN.follows(None)
    assert MOVING.follows(PLAIN)
    assert not PLAIN.follows(PLAIN)
    assert not PLAIN.follows(MOVING)
    assert replace(PLAIN, origin="db-2").follows(MOVING)
