"""What people did is found among everything that happened."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.support.served import service_file
from tidegate.ports import Told
from tidegate.store.store import SqlStore

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ACTORS = ("ann", "tidegate", "ann (dashboard)", "bob (token)", "annabel", "tidegate")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    store = SqlStore(f"sqlite:///{tmp_path / 'tidegate.db'}")
    store.apply(service_file(), NOW, [Told("paused", "web", "", actor=actor) for actor in ACTORS])
    yield store
    store.close()


def actors(store: SqlStore, **asked: object) -> list[str]:
    return [event.told.actor for event in store.events(**asked)]  # type: ignore[arg-type]


def test_a_person_is_found_from_wherever_he_acted(store: SqlStore) -> None:
    assert actors(store, by="ann") == ["ann", "ann (dashboard)"]
    assert actors(store, by="bob") == ["bob (token)"]
    assert actors(store, by="ann (dashboard)") == ["ann (dashboard)"]
    assert actors(store, by="a%") == []


def test_people_are_everybody_but_tidegate(store: SqlStore) -> None:
    assert actors(store, people=True) == ["ann", "ann (dashboard)", "bob (token)", "annabel"]
    assert actors(store, by="tidegate") == ["tidegate", "tidegate"]


def test_pages_go_back_from_an_event(store: SqlStore) -> None:
    newest = store.events(people=True, limit=2, last=True)
    assert [event.told.actor for event in newest] == ["bob (token)", "annabel"]
    assert actors(store, people=True, before=newest[0].id, limit=2, last=True) == ["ann", "ann (dashboard)"]


def test_people_are_found_without_reading_everything_else(store: SqlStore) -> None:
    with store._engine.connect() as connection:
        asked = "EXPLAIN QUERY PLAN SELECT * FROM events WHERE id > 0 AND actor != 'tidegate' ORDER BY id DESC LIMIT 2"
        assert "ix_events_people" in str(connection.execute(text(asked)).all())
