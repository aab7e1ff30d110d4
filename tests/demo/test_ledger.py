"""The ledger of the demo's users."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from tidegate.demo.ledger import Entry, Ledger, Reading, parse

NAMES = st.text("abcdefghij-0123456789", min_size=1, max_size=12)


def entry(at: float, user: str, *saw: str, status: int = 200, lost: str = "") -> Entry:
    return Entry(at, user, "v1", frozenset(saw), status, lost)


@given(st.floats(0, 1e9), NAMES, NAMES, st.frozensets(NAMES), st.integers(0, 599))
def test_what_is_written_is_read_back(at: float, user: str, version: str, saw: frozenset[str], status: int) -> None:
    written = Entry(round(at, 4), user, version, saw, status)
    assert parse(written.line()) == written


def test_a_line_that_is_not_whole_yet_is_read_when_it_is(tmp_path: Path) -> None:
    reading, path = Reading(tmp_path / "users.tsv"), tmp_path / "users.tsv"
    assert list(reading.look()) == []
    one, two = entry(1.0, "ann").line(), entry(2.0, "bert").line()
    path.write_text(one + two[:5])
    assert [found.user for found in reading.look()] == ["ann"]
    path.write_text(one + two)
    assert [found.user for found in reading.look()] == ["ann", "bert"]


def test_who_had_it_and_lost_it_again_is_found_and_a_failure_is_no_loss() -> None:
    ledger = Ledger(
        [
            entry(3.0, "ann", "new"),
            entry(1.0, "ann", "old"),
            entry(1.0, "bert", "new"),
            entry(2.0, "bert", "old"),
            entry(1.0, "carl", "new"),
            entry(2.0, "carl", status=0, lost="ReadError"),
        ]
    )
    assert ledger.moved_back("new") == {"bert"}
    assert ledger.saw("new").users == {"ann", "bert", "carl"}
    assert [found.user for found in ledger.failed] == ["carl"]
    assert ledger.between(1.0, 2.0).users == {"ann", "bert", "carl"}
