"""The store's promises, on SQLite and on a real PostgreSQL."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from tests.support import postgres
from tidegate.core.environment import Environment
from tidegate.core.errors import Conflict, NotFound, Refused, Stale, Unreachable
from tidegate.core.exposure import Exposure
from tidegate.core.harm import Counted, Harm
from tidegate.core.intervention import abort
from tidegate.core.plan import PlanFile
from tidegate.core.rollout import Phase, Rollout, Tidy
from tidegate.core.service import On, Service
from tidegate.ports import Change, DocumentRecord, EnvironmentRecord, Held, Start, Told, VersionRecord
from tidegate.store.database import HEAD
from tidegate.store.store import SqlStore

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LEASE = timedelta(seconds=30)
FILE = Service.model_validate(
    {"service": "web", "listener": {"port": 8080}, "tasks": {"command": ["web", "{port}"]}, "on": {"command": ["tell"]}}
)


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with postgres.running(tmp_path_factory.mktemp("postgres")) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'tidegate.db'}"
    found: str = request.getfixturevalue("postgres_url")
    engine = create_engine(found)
    with engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    engine.dispose()
    return found


@pytest.fixture
def store(url: str) -> Iterator[SqlStore]:
    opened = SqlStore(url)
    yield opened
    opened.close()


def rollout(id_: str = "web-1", candidate: str = "v1", baseline: str = "") -> Rollout:
    return Rollout(
        id=id_,
        subject="web",
        baseline=baseline,
        candidate=candidate,
        salt=f"salt-{id_}",
        plan=PlanFile.default().resolve(),
        by="ann",
        created=NOW,
        ticked=NOW,
    )


def begin(store: SqlStore, one: Rollout | None = None) -> Held:
    one = one or rollout()
    version = VersionRecord("web", one.candidate, FILE.tasks, NOW, "ann")
    return store.begin([Start(one, FILE, version, told=[Told("started", "web", "linear", one.id, "ann")])], NOW)[0]


def test_what_begins_is_read_back_equal(store: SqlStore) -> None:
    held = begin(store)
    assert store.held("web-1") == held
    assert store.history() == [held]
    record = store.service("web")
    assert record is not None
    assert (record.file, record.stable, record.number, record.salt) == (FILE, "", 1, "salt-web-1")
    assert store.services() == [record]
    assert store.version("web", "v1") == VersionRecord("web", "v1", FILE.tasks, NOW, "ann")
    assert [(event.at, event.told.actor, event.told.kind) for event in store.events()] == [(NOW, "ann", "started")]


def test_a_second_rollout_that_goes_forward_is_refused_and_leaves_nothing(store: SqlStore) -> None:
    begin(store)
    with pytest.raises(Conflict, match="another rollout at the same moment"):
        begin(store, rollout("web-2", "v2"))
    assert store.version("web", "v2") is None
    assert len(store.events()) == 1
    assert store.service("web").number == 1  # type: ignore[union-attr]


def test_a_superseded_rollout_makes_way_in_the_same_transaction(store: SqlStore) -> None:
    old = begin(store)
    dropped = Change(old, abort(old.rollout, "ann"), old.harm)
    store.begin([Start(rollout("web-2", "v2"), FILE, superseded=[dropped])], NOW)
    assert [held.rollout.phase for held in store.history()] == [Phase.PREPARING, Phase.ROLLING_BACK]


def test_nothing_begins_when_the_superseded_one_was_written_meanwhile(store: SqlStore) -> None:
    old = begin(store)
    dropped = Change(old, abort(old.rollout, "ann"), old.harm)
    store.commit([Change(old, replace(old.rollout, paused=True), old.harm)], NOW)
    with pytest.raises(Stale):
        store.begin([Start(rollout("web-2", "v2"), FILE, superseded=[dropped])], NOW)
    assert len(store.history()) == 1


def test_a_second_writer_with_an_old_claim_is_refused_and_the_others_are_written(store: SqlStore) -> None:
    one = begin(store)
    first = store.commit([Change(one, replace(one.rollout, paused=True), one.harm)], NOW)
    assert isinstance(first[0], Held)
    told = [Told("aborted", "web", "too late", one.rollout.id)]
    assert isinstance(store.commit([Change(one, abort(one.rollout, "bob"), one.harm, told=told)], NOW)[0], Stale)
    assert store.held("web-1") == first[0]
    assert [event.told.kind for event in store.events()] == ["started"]


def test_a_change_is_written_with_its_harm_its_events_its_letters_and_the_new_stable_version(store: SqlStore) -> None:
    held = begin(store)
    won = replace(held.rollout, phase=Phase.COMPLETED, tidy=Tidy.HAND_OVER, ended=NOW)
    harm = Harm(Counted(10, 9, 1, 1), Exposure(1000), NOW, NOW)
    letter = (On(command=("tell",)), {"event": "completed"})
    told = [Told("complete", "web", "good", "web-1", facts={"harm": 1})]
    after = store.commit([Change(held, won, harm, "seen", told, [letter], stable="v1")], NOW)[0]
    assert isinstance(after, Held)
    assert store.held("web-1") == after == Held(won, 2, harm, "seen")
    assert store.service("web").stable == "v1"  # type: ignore[union-attr]
    assert [(one.target, one.message, one.tries) for one in store.letters(NOW)] == [(*letter, 0)]
    assert store.events(after=1)[0].told == told[0]


def test_a_rollout_is_held_by_one_controller_until_its_lease_ends(store: SqlStore, url: str) -> None:
    begin(store)
    other = SqlStore(url)
    assert len(store.claim("a", NOW, LEASE)) == 1
    assert other.claim("b", NOW + LEASE / 2, LEASE) == []
    assert len(store.claim("a", NOW + LEASE / 2, LEASE)) == 1
    assert len(other.claim("b", NOW + 2 * LEASE, LEASE)) == 1
    assert store.claim("a", NOW + 2 * LEASE, LEASE) == []
    other.close()


def test_a_claim_sees_what_others_wrote_since(store: SqlStore, url: str) -> None:
    begin(store)
    held = store.claim("a", NOW, LEASE)[0]
    other = SqlStore(url)
    other.commit([Change(held, replace(held.rollout, paused=True), held.harm)], NOW)
    assert store.claim("a", NOW, LEASE)[0].rollout.paused
    other.close()


def test_tidied_rollouts_are_not_claimed_any_more(store: SqlStore) -> None:
    held = begin(store)
    done = replace(held.rollout, phase=Phase.ROLLED_BACK, tidy=Tidy.DONE, ended=NOW)
    store.commit([Change(held, done, held.harm)], NOW)
    assert store.claim("a", NOW, LEASE) == []


def test_a_removed_service_is_forgotten_and_its_history_stays(store: SqlStore) -> None:
    begin(store)
    store.remove("web", NOW, [Told("removed", "web", actor="ann")])
    assert store.services() == []
    assert store.version("web", "v1") is None
    assert store.claim("a", NOW, LEASE) == []
    assert len(store.history("web")) == 1
    assert [event.told.kind for event in store.events(subject="web")] == ["started", "removed"]


def test_what_is_remembered_of_a_service_is_the_last_that_was_written_and_goes_with_it(store: SqlStore) -> None:
    begin(store)
    store.remember({"web": "one", "gone": "x"}, NOW)
    store.remember({"web": "two"}, NOW)
    store.remember({}, NOW)
    assert dict(store.memories()) == {"web": "two"}
    store.remove("web", NOW, [])
    assert dict(store.memories()) == {}


def test_letters_come_again_when_due_until_delivered(store: SqlStore) -> None:
    held = begin(store)
    letters = [(On(command=("tell",)), {"event": "started"})]
    store.commit([Change(held, held.rollout, held.harm, letters=letters)], NOW)
    letter = store.letters(NOW)[0]
    store.undelivered(letter.id, "no answer", NOW + LEASE)
    assert store.letters(NOW) == []
    assert [one.tries for one in store.letters(NOW + LEASE)] == [1]
    store.delivered(letter.id, NOW)
    assert store.letters(NOW + LEASE) == []


def test_the_newest_events_come_in_order(store: SqlStore) -> None:
    begin(store)
    for number in range(5):
        store.apply(FILE, NOW, [Told(f"n{number}", "web")])
    assert [event.told.kind for event in store.events(limit=2, last=True)] == ["n3", "n4"]
    assert [event.told.kind for event in store.events(after=1, limit=2)] == ["n0", "n1"]


def test_a_store_is_opened_twice_with_what_was_in_it(store: SqlStore, url: str) -> None:
    begin(store)
    again = SqlStore(url)
    assert again.history() == store.history()
    again.close()


def test_a_database_of_a_newer_version_is_refused(url: str) -> None:
    SqlStore(url).close()
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(Refused, match=r"written by a newer Tidegate \(schema 9999"):
        SqlStore(url)


def test_the_migrations_make_just_the_tables_that_the_code_speaks_of(store: SqlStore, url: str) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    from tidegate.store.tables import metadata

    engine = create_engine(url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_the_schema_that_we_speak_is_that_of_the_newest_migration(store: SqlStore) -> None:
    """Else each start would begin with Alembic, for nothing."""
    with store._engine.connect() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar() == HEAD


def test_a_locked_database_is_unreachable_and_says_who_can_mend_it(tmp_path: Path) -> None:
    store = SqlStore(f"sqlite:///{tmp_path / 'tidegate.db'}?timeout=0.1")
    other = sqlite3.connect(tmp_path / "tidegate.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unreachable, match="was locked by another process"):
        begin(store)
    other.execute("ROLLBACK")
    other.close()
    begin(store)
    store.close()


@contextmanager
def _locked(url: str) -> Iterator[None]:
    """Somebody else has what he wants to write to himself."""
    if url.startswith("sqlite"):
        other = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        yield
        other.close()
        return
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("LOCK TABLE rollouts IN EXCLUSIVE MODE"))
        yield
    engine.dispose()


def test_what_bears_our_name_is_ours_while_the_claim_cannot_be_renewed(store: SqlStore, url: str) -> None:
    held = begin(store)
    assert store.claim("me", NOW, LEASE) == [held]
    with _locked(url):
        assert store.claim("me", NOW + LEASE * 100, LEASE) == [held], "nobody took it over, or his name would be read"
        with pytest.raises(Unreachable, match="was locked by another process"):
            store.claim("another", NOW + LEASE * 100, LEASE)
    assert store.claim("another", NOW + LEASE * 100, LEASE) == [held]
    with _locked(url), pytest.raises(Unreachable):
        store.claim("me", NOW + LEASE * 100, LEASE)


def test_who_is_in_a_hurry_does_not_wait_as_long_as_a_person(store: SqlStore, url: str) -> None:
    held = begin(store)
    paused = Change(held, replace(held.rollout, paused=True), held.harm)
    with _locked(url):
        begun = time.monotonic()
        with pytest.raises(Unreachable, match="was locked by another process"):
            store.commit([paused], NOW, hurry=True)
        assert time.monotonic() - begun < 4, "a tenth of a lease"
    assert isinstance(store.commit([paused], NOW)[0], Held)


def test_a_person_waits_until_somebody_else_has_written(tmp_path: Path) -> None:
    store = SqlStore(f"sqlite:///{tmp_path / 'tidegate.db'}")
    held = begin(store)
    paused = Change(held, replace(held.rollout, paused=True), held.harm)
    store.commit([paused], NOW, hurry=True)
    other = sqlite3.connect(tmp_path / "tidegate.db", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN EXCLUSIVE")
    soon = threading.Timer(1.0, lambda: other.execute("ROLLBACK"))
    soon.start()
    store.apply(FILE, NOW, [])
    soon.join()
    other.close()
    store.close()


def test_what_happened_earlier_is_told_with_its_own_time(store: SqlStore) -> None:
    begin(store)
    store.apply(FILE, NOW + LEASE, [Told("late", "web", at=NOW), Told("now", "web")])
    assert [event.at for event in store.events()][1:] == [NOW, NOW + LEASE]


def test_a_full_disk_is_unreachable_changes_nothing_and_passes(tmp_path: Path) -> None:
    store = SqlStore(f"sqlite:///{tmp_path / 'tidegate.db'}")
    held = begin(store)
    with store._engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
    told = [Told("long", "web", "x" * 100_000)]
    with pytest.raises(Unreachable, match="cannot be written: database or disk is full"):
        store.commit([Change(held, replace(held.rollout, paused=True), held.harm, told=told)], NOW)
    assert store.held("web-1") == held
    with store._engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 1000000")
    assert isinstance(store.commit([Change(held, replace(held.rollout, paused=True), held.harm, told=told)], NOW)[0], Held)
    store.close()


def test_what_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "tidegate.db").write_text("dear diary" * 1000)
    with pytest.raises(Refused, match="is not a sound database"):
        SqlStore(f"sqlite:///{tmp_path / 'tidegate.db'}")


def test_a_directory_that_is_missing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="cannot be opened for writing"):
        SqlStore(f"sqlite:///{tmp_path / 'nowhere' / 'tidegate.db'}")


def test_a_database_server_that_is_away_is_unreachable_without_its_password() -> None:
    with pytest.raises(Unreachable, match="did not answer") as error:
        SqlStore("postgresql+psycopg://ann:secret@127.0.0.1:1/tidegate")
    assert "secret" not in str(error.value)


def test_two_who_make_the_same_version_at_the_same_moment_get_a_conflict(store: SqlStore) -> None:
    begin(store)
    store.remove("web", NOW, [])
    begin(store, rollout("web-2", "v2"))
    with pytest.raises(Conflict, match="at the same moment"):
        begin(store, rollout("web-3", "v2"))


# --- Environments and flag documents ---------------------------------------------------------------------------------------

PROD = Environment(application="shop", environment="prod")


def flag_rollout(number: int, candidate: int, baseline: str = "") -> Rollout:
    return replace(
        rollout(f"shop-prod-{number}", str(candidate), baseline), subject="shop/prod", lever="flags", salt=f"salt-{number}"
    )


def flag_document(number: int) -> DocumentRecord:
    return DocumentRecord("shop", number, f'{{"number":{number}}}', "sha256:x", NOW, "ann", "dark")


def test_a_flag_document_begins_with_its_rollout_and_is_read_back_equal(store: SqlStore) -> None:
    held = store.begin([Start(flag_rollout(1, 1), PROD, flag_document(1))], NOW)[0]
    assert store.held("shop-prod-1") == held
    assert store.environment("shop/prod") == EnvironmentRecord(PROD, "", 1, "salt-1")
    assert store.environments() == [store.environment("shop/prod")]
    assert store.document("shop", 1) == flag_document(1)
    assert store.documents("shop") == [flag_document(1)]
    assert store.services() == []


def test_a_number_of_a_document_is_given_once(store: SqlStore) -> None:
    store.begin([Start(flag_rollout(1, 1), PROD, flag_document(1))], NOW)
    stage = Environment(application="shop", environment="stage")
    other = replace(flag_rollout(1, 1), id="shop-stage-1", subject="shop/stage")
    with pytest.raises(Conflict, match="at the same moment"):
        store.begin([Start(other, stage, flag_document(1))], NOW)
    assert store.environment("shop/stage") is None


def test_what_becomes_of_a_flag_rollout_is_written_to_its_environment(store: SqlStore) -> None:
    held = store.begin([Start(flag_rollout(1, 1), PROD, flag_document(1))], NOW)[0]
    won = replace(held.rollout, phase=Phase.COMPLETED, tidy=Tidy.HAND_OVER, ended=NOW)
    store.commit([Change(held, won, held.harm, stable="1")], NOW)
    assert store.environments()[0].stable == "1"
    store.configure(PROD.model_copy(update={"plan": PlanFile(all_at_once=True)}), NOW, [Told("applied", "shop/prod")])
    record = store.environments()[0]
    assert (record.stable, record.number, record.file.plan.all_at_once) == ("1", 1, True)


def test_serials_are_never_given_out_twice_and_a_new_environment_has_another_origin(store: SqlStore, url: str) -> None:
    stage = Environment(application="shop", environment="stage")
    for file in (PROD, stage):
        store.configure(file, NOW, [])
    first = store.reserve_serials("shop/prod", 100)
    other = SqlStore(url)
    second = other.reserve_serials("shop/prod", 100)
    other.close()
    assert (first.first, first.last, second.first, second.last) == (1, 100, 101, 200)
    assert first.origin == second.origin != store.reserve_serials("shop/stage", 1).origin
    with pytest.raises(NotFound, match="no environment 'shop/none'"):
        store.reserve_serials("shop/none", 1)


def test_what_is_remembered_of_an_environment_is_kept_with_it(store: SqlStore) -> None:
    store.configure(PROD, NOW, [])
    store.remember({"shop/prod": "a day", "shop/gone": "nothing"}, NOW)
    assert store.memories() == {"shop/prod": "a day"}


def test_a_removed_environment_is_forgotten_and_its_documents_and_history_stay(store: SqlStore) -> None:
    store.begin([Start(flag_rollout(1, 1), PROD, flag_document(1))], NOW)
    before = store.reserve_serials("shop/prod", 1)
    store.remove("shop/prod", NOW, [Told("removed", "shop/prod", actor="ann")])
    assert store.environments() == []
    assert store.claim("a", NOW, LEASE) == []
    assert len(store.history("shop/prod")) == len(store.documents("shop")) == 1
    store.configure(PROD, NOW, [])
    after = store.reserve_serials("shop/prod", 1)
    assert (after.first, after.origin != before.origin) == (1, True)


def _letters(store: SqlStore, rollout: str, *events: str, to: str = "tell") -> None:
    held = store.held("web-1") or begin(store)
    letters = [(On(command=(to,)), {"event": event, "rollout": rollout}) for event in events]
    store.commit([Change(held, held.rollout, held.harm, letters=letters)], NOW)


def _due(store: SqlStore, now: datetime = NOW) -> list[tuple[str, object]]:
    return [((letter.target.command or ("",))[0], letter.message["event"]) for letter in store.letters(now)]


def test_letters_of_a_rollout_arrive_in_order_and_none_waits_for_another_target(store: SqlStore) -> None:
    _letters(store, "web-1", "started", "completed")
    _letters(store, "web-1", "started", to="other")
    _letters(store, "api-1", "started")
    assert _due(store) == [("tell", "started"), ("other", "started"), ("tell", "started")]
    first = store.letters(NOW)[0]
    store.undelivered(first.id, "no answer", NOW + LEASE)
    assert ("tell", "completed") not in _due(store)
    store.delivered(first.id, NOW)
    assert ("tell", "completed") in _due(store)


def test_a_letter_that_is_given_up_lets_the_next_one_go(store: SqlStore) -> None:
    _letters(store, "web-1", "started", "completed")
    store.given_up(store.letters(NOW)[0].id)
    assert _due(store) == [("tell", "completed")]


def test_what_arrived_is_remembered_for_a_month_and_not_sent_again(store: SqlStore) -> None:
    _letters(store, "web-1", "started", "step", "completed")
    store.delivered(store.letters(NOW)[0].id, NOW)
    store.delivered(store.letters(NOW)[0].id, NOW + timedelta(days=31))
    assert _due(store, NOW + timedelta(days=365)) == [("tell", "completed")]
    with store._engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM outbox WHERE sent != ''").scalar() == 1
