"""Exposure and the frozen hash: who sees the candidate."""

from __future__ import annotations

import contextlib
import re
from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from tidegate.core.errors import Invalid
from tidegate.core.exposure import FULL, NONE, WHOLE, Exposure, bucket, parse_share, say_share

# --- the hash -----------------------------------------------------------------------------------------------------------

# Frozen for ever: a change of one of these numbers moves users. Each was computed by xxhash and by `xxh64` below.
VECTORS = [
    ("", "", 1481),
    ("", "salt", 7214),
    ("1", "", 1026),
    ("1", "web-1", 569),
    ("2", "web-1", 9826),
    ("ann", "web-1", 3319),
    ("ann", "web-2", 2283),
    ("ann@example.org", "web-1", 8859),
    ("3f2b8c1e-5d7a-4e0f-9b6c-0a1d2e3f4a5b", "web-1", 1550),
    ("Zoë", "web-1", 8709),
    ("Zoe\u0308", "web-1", 5698),
    ("用户-42", "salz-ß", 3292),
    ("🦑", "web-1", 7268),
    ("\ud800", "web-1", 6649),
    (" ann ", "web-1", 5266),
    ("a:b", "c", 256),
    ("b", "c:a", 256),
    ("x" * 31, "web-1", 8454),
    ("x" * 1000, "web-1", 7690),
    ("x" * 1_000_000, "web-1", 586),
]
_P = (11400714785074694791, 14029467366897019727, 1609587929392839161, 9650029242287828579, 2870177450012600261)
_M = (1 << 64) - 1


def _rotate(value: int, by: int) -> int:
    return ((value << by) | (value >> (64 - by))) & _M


def _round(lane: int, word: int) -> int:
    return _rotate((lane + word * _P[1]) & _M, 31) * _P[0] & _M


def xxh64(data: bytes) -> int:
    """XXH64 with seed 0, written from its public description: what a second implementation would compute."""
    place, total = 0, _P[4]
    if len(data) >= 32:
        lanes = [(_P[0] + _P[1]) & _M, _P[1], 0, -_P[0] & _M]
        while place <= len(data) - 32:
            for number in range(4):
                lanes[number] = _round(lanes[number], int.from_bytes(data[place : place + 8], "little"))
                place += 8
        total = sum(_rotate(lane, by) for lane, by in zip(lanes, (1, 7, 12, 18), strict=True)) & _M
        for lane in lanes:
            total = ((total ^ _round(0, lane)) * _P[0] + _P[3]) & _M
    total = (total + len(data)) & _M
    for size in (8, 4, 1):
        while place <= len(data) - size:
            total = _mixed(total, int.from_bytes(data[place : place + size], "little"), size)
            place += size
    for shift, prime in ((33, _P[1]), (29, _P[2])):
        total = (total ^ (total >> shift)) * prime & _M
    return total ^ (total >> 32)


def _mixed(total: int, word: int, size: int) -> int:
    if size == 8:
        return (_rotate(total ^ _round(0, word), 27) * _P[0] + _P[3]) & _M
    if size == 4:
        return (_rotate(total ^ (word * _P[0] & _M), 23) * _P[1] + _P[2]) & _M
    return _rotate(total ^ (word * _P[4] & _M), 11) * _P[0] & _M


@pytest.mark.parametrize(
    ("data", "digest"),
    [(b"", 0xEF46DB3751D8E999), (b"a", 0xD24EC4F1A98C6E5B), (b"abc", 0x44BC2CF5AD770999)],
)
def test_the_second_implementation_agrees_with_the_published_vectors(data: bytes, digest: int) -> None:
    assert xxh64(data) == digest


@pytest.mark.parametrize(("entity", "salt", "place"), VECTORS, ids=lambda value: ascii(value)[:24])
def test_a_bucket_is_frozen(entity: str, salt: str, place: int) -> None:
    assert bucket(entity, salt) == place


@given(st.text(st.characters(), max_size=100), st.text(max_size=40))
def test_a_bucket_is_what_another_implementation_computes_of_the_same_bytes(entity: str, salt: str) -> None:
    data = salt.encode("utf-8", "surrogatepass") + b":" + entity.encode("utf-8", "surrogatepass")
    assert bucket(entity, salt) == xxh64(data) % 10_000


def _chi2(counts: list[int]) -> float:
    expected = sum(counts) / len(counts)
    return sum((count - expected) ** 2 / expected for count in counts)


IDS = {
    "numbers": [str(number) for number in range(100_000)],
    "padded numbers": [f"{number:08d}" for number in range(100_000)],
    "even numbers": [str(2 * number) for number in range(100_000)],
    "addresses": [f"user{number}@example.org" for number in range(100_000)],
}


@pytest.mark.parametrize("kind", IDS)
def test_users_are_spread_evenly_whatever_their_names_look_like(kind: str) -> None:
    counts = [0] * 100
    for entity in IDS[kind]:
        counts[bucket(entity, "web-1") // 100] += 1
    assert _chi2(counts) < 148.2  # 99 degrees of freedom, 1 in 1000


def test_two_salts_are_independent_so_that_not_always_the_same_users_are_first() -> None:
    counts = [0] * 100
    for entity in IDS["numbers"]:
        counts[bucket(entity, "web-1") // 1000 * 10 + bucket(entity, "web-2") // 1000] += 1
    assert _chi2(counts) < 148.2


@given(st.text(max_size=20), st.text(max_size=10), st.lists(st.integers(0, WHOLE), min_size=2))
def test_growing_exposure_moves_a_user_at_most_once_and_never_back(entity: str, salt: str, shares: list[int]) -> None:
    seen = [Exposure(share).covers(bucket(entity, salt)) for share in sorted(shares)]
    assert all(after or not before for before, after in pairwise(seen))


@given(st.text(max_size=20), st.text(max_size=10))
def test_nobody_is_nobody_and_everybody_is_everybody(entity: str, salt: str) -> None:
    assert not NONE.covers(bucket(entity, salt))
    assert FULL.covers(bucket(entity, salt))


# --- shares --------------------------------------------------------------------------------------------------------------

ADAPTER: TypeAdapter[Exposure] = TypeAdapter(Exposure)
PATTERN = re.compile(ADAPTER.json_schema()["pattern"])


@pytest.mark.parametrize(
    ("text", "points"),
    [
        ("0%", 0),
        ("10%", 1000),
        ("2.5%", 250),
        ("0.01%", 1),
        ("100%", 10_000),
        ("100.00%", 10_000),
        (" 10 % ", 1000),
        ("007%", 700),
    ],
)
def test_a_share_is_a_percentage(text: str, points: int) -> None:
    assert parse_share(text) == points
    assert PATTERN.search(text), "the schema that editors use says no"


WRONG = [
    *(
        "",
        "%",
        "10",
        "0.1",
        "1e1%",
        "-1%",
        "+1%",
        "10%%",
        "% 10",
        "ten%",
        "10,5%",
        "1_0%",
        ".5%",
        "5.%",
        "inf%",
        "nan%",
        "٣%",
        "1 0%",
    ),
    *("9" * 1_000_000 + "%", "%" * 1_000_000, " " * 1_000_000 + "%", "1:30", "10%\x00", "0x1%"),
]


@pytest.mark.timeout(5)
@pytest.mark.parametrize("text", WRONG, ids=lambda text: repr(text[:20]))
def test_what_is_no_share_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(Invalid) as wrong:
        parse_share(text)
    assert "is not a share" in wrong.value.what
    assert len(wrong.value.what) < 120
    assert wrong.value.mend == "Write a percentage, as 10%, 2.5% or 0.01%."
    if len(text) < 40:
        assert not PATTERN.search(text), "the schema that editors use says yes"


DEEP: list[object] = []
for _ in range(5000):
    DEEP = [DEEP]


@pytest.mark.parametrize(
    "value",
    [None, True, 10, 0.1, 10**5000, float("nan"), b"10%", [], {}, object(), DEEP, timedelta(1)],
    ids=lambda v: type(v).__name__,
)
def test_a_bare_number_is_no_share_is_it_a_tenth_or_ten(value: object) -> None:
    with pytest.raises(Invalid, match="is not a share") as wrong:
        parse_share(value)
    assert len(wrong.value.what) < 120


@pytest.mark.parametrize("text", ["0.001%", "2.555%", "99.999999999%"])
def test_nothing_is_finer_than_a_ten_thousandth(text: str) -> None:
    with pytest.raises(Invalid, match=r"is finer than 0\.01%"):
        parse_share(text)


@pytest.mark.parametrize("text", ["100.01%", "101%", "999999%"])
def test_nothing_is_more_than_everybody(text: str) -> None:
    with pytest.raises(Invalid, match="is more than everybody"):
        parse_share(text)


@pytest.mark.parametrize("points", [-1, 10_001, 0.5, 10.0, True, "10", None, float("nan")])
def test_an_exposure_is_a_whole_number_of_ten_thousandths(points: object) -> None:
    with pytest.raises(Invalid, match="is not a share in ten-thousandths"):
        Exposure(points)  # type: ignore[arg-type]


@given(st.integers(0, WHOLE))
def test_what_is_said_is_read_back_as_the_same(points: int) -> None:
    said = say_share(points)
    assert parse_share(said) == points
    assert PATTERN.search(said)
    assert ADAPTER.validate_json(ADAPTER.dump_json(Exposure(points))) == points
    assert str(Exposure(points)) == said


@given(st.text())
def test_every_text_is_a_share_or_refused(text: str) -> None:
    with contextlib.suppress(Invalid):
        assert 0 <= parse_share(text) <= WHOLE


def test_a_document_says_where_it_is_wrong() -> None:
    with pytest.raises(ValidationError, match="is not a share"):
        ADAPTER.validate_python(10)
