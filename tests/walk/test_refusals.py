"""Bad input, from the command line to the database: each is refused with its sentence and its mend, and nothing changes."""

from __future__ import annotations

import hashlib
import socket
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.crowd import Crowd
from tests.support.full_disk import fill
from tests.support.walk import CANARY, ERRORS, Tidegate, until
from tidegate.store.database import open_database

pytestmark = pytest.mark.real

FIRING = {"name": "few", "metric": "requests", "below": 1000, "period": "1s", "missing": "breaching", "of": "service"}


@pytest.fixture(scope="module")
def shop(tidegate: Tidegate) -> Tidegate:
    """A service that serves, shows metrics, and has had a metric pushed."""
    tidegate.serve("shop", tasks={"metrics": "/metrics"})
    tidegate.ask("POST", "/metrics/queue", value=1, service="shop")
    return tidegate


def _file(shop: Tidegate, *faults: str, **changes: Any) -> dict[str, Any]:
    return shop.file("shop", faults, **{"tasks": {"metrics": "/metrics"} | changes.pop("tasks", {}), **changes})


def _everything(tidegate: Tidegate) -> tuple[object, ...]:
    """What is written down, and what the router was told."""
    database = sqlite3.connect(f"file:{tidegate.home / 'tidegate.db'}?mode=ro", uri=True)
    try:
        services = database.execute("SELECT name, stable, number, salt, file FROM services ORDER BY name").fetchall()
        versions = database.execute("SELECT service, version, tasks FROM versions ORDER BY service, version").fetchall()
        rollouts = database.execute("SELECT id, phase FROM rollouts ORDER BY id").fetchall()
        last = database.execute("SELECT max(id) FROM events").fetchone()
    finally:
        database.close()
    told = hashlib.sha256()
    for path in sorted((tidegate.home / "envoy").glob("*/*.json")):
        told.update(path.read_bytes())
    return services, versions, rollouts, last, told.hexdigest()


def _refused(tidegate: Tidegate, content: dict[str, Any], version: str, *sentences: str) -> str:
    tidegate.write(content)
    before = _everything(tidegate)
    done = tidegate.tidegate("deploy", "-f", "service.yaml", "--version", version)
    said = done.stdout + done.stderr
    assert done.returncode == 2, said
    for sentence in sentences:
        assert sentence in " ".join(said.split()), said
    assert _everything(tidegate) == before, "something changed"
    assert "Traceback" not in said
    return said


def test_an_unknown_key_is_refused_with_the_nearest_name(shop: Tidegate) -> None:
    _refused(shop, _file(shop) | {"alrms": []}, "v2", "unknown key 'alrms'", "Did you mean 'alarms'?")
    deep = _file(shop) | {"plan": {"linear": {"step": "10%", "every": "1m"}, "bak": "1m"}}
    _refused(shop, deep, "v2", "unknown key 'plan.bak'", "Did you mean 'bake'?")


def test_a_taken_port_is_refused(shop: Tidegate) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        content = shop.file("other") | {"listener": {"port": port}}
        _refused(
            shop, content, "v1", f"Somebody else listens on 127.0.0.1 port {port} already.", "choose another listener.port"
        )


def test_a_command_that_is_not_found_is_refused(shop: Tidegate) -> None:
    content = _file(shop, tasks={"command": ["no-such-till", "{port}"]})
    _refused(shop, content, "v2", "The command 'no-such-till' was not found on the PATH", "Install it, write its whole path")


def test_the_name_of_a_version_with_another_content_is_refused(shop: Tidegate) -> None:
    content = _file(shop, "--hang")
    _refused(
        shop, content, "v1", "shop v1 already exists with other tasks", "A version never changes: give this one another name."
    )


def test_a_metric_that_does_not_exist_is_refused(shop: Tidegate) -> None:
    misspelt = _file(shop, alarms=[ERRORS | {"metric": "eror_rate"}])
    _refused(shop, misspelt, "v2", "There is no metric 'eror_rate'.", "Did you mean 'error_rate'?")
    scraped = {"name": "queue", "metric": "tasks:queue_lenght", "above": 3}
    _refused(shop, _file(shop, alarms=[scraped]), "v2", "queue_lenght", "Did you mean 'tasks:queue_length'?")
    pushed = {"name": "queue", "metric": "pushed:qeue", "above": 3}
    _refused(shop, _file(shop, alarms=[pushed]), "v2", "qeue", "Did you mean 'pushed:queue'?")


def test_a_plan_finer_than_the_grain_is_refused(shop: Tidegate) -> None:
    fine = _file(shop, plan={"linear": {"step": "0.001%", "every": "1m"}})
    _refused(shop, fine, "v2", "0.001% is finer than 0.01%")
    _refused(shop, _file(shop, plan="linear 0.005% every 1m"), "v2", "0.005% is finer than 0.01%")


def test_a_second_rollout_in_flight_is_refused(shop: Tidegate) -> None:
    id_ = shop.deploy("shop", "second-1", tasks={"metrics": "/metrics"}, plan=CANARY)
    shop.phase(id_, "watching")
    shop.ask("POST", "/services/shop/pause", reason="")  # so that nothing else is told meanwhile
    until(lambda: shop.rollout(id_)["paused"], 10, "it is paused")
    second = _file(shop, "--late", "0s")
    _refused(shop, second, "second-2", f"shop already has a rollout at 50% ({id_}, second-1).", "tidegate abort shop")
    shop.ask("POST", "/services/shop/abort", reason="")
    shop.tidied(id_)


def test_an_alarm_that_already_fires_refuses_the_start(tidegate: Tidegate) -> None:
    tidegate.serve("quiet", alarms=[FIRING])
    until(lambda: tidegate.ask("GET", "/services/quiet")["alarms"][0]["state"] == "firing", 20, "it fires")
    sentence = "The alarm few of quiet already fires"
    _refused(tidegate, tidegate.file("quiet", alarms=[FIRING]), "v2", sentence, "if_firing: ignore or compare")


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        (["--exit"], "3 times before it was ever healthy; its last words: the drawer is stuck"),
        (["--never"], "not healthy within 1s of its start: GET /healthz"),
    ],
)
def test_tasks_that_do_not_become_healthy_are_rolled_back_and_nobody_met_them(
    shop: Tidegate, fault: list[str], sentence: str
) -> None:
    """This is seen only when they run: it is a rollback, not a refusal, and nobody was exposed."""
    health = {"path": "/healthz", "interval": "100ms", "start_within": "1s"}
    shop.write(_file(shop, *fault, tasks={"health": health}))
    done = shop.tidegate("deploy", "-f", "service.yaml", "--version", fault[0].strip("-"))
    said = " ".join((done.stdout + done.stderr).split())
    assert done.returncode == 3, said
    assert sentence in said
    assert "No request reached it." in said
    service = shop.ask("GET", "/services/shop")
    assert service["stable"] == "v1"
    assert service["rollout"]["harm"]["requests"] == 0


# --- the database and the disk ----------------------------------------------------------------------------------------


def test_a_locked_database_is_told_and_afterwards_it_goes_on_by_itself(shop: Tidegate) -> None:
    id_ = shop.deploy("shop", "locked-2", tasks={"metrics": "/metrics"}, plan=CANARY)
    shop.phase(id_, "watching")
    other = sqlite3.connect(shop.home / "tidegate.db", isolation_level=None, timeout=10)
    try:
        other.execute("BEGIN IMMEDIATE")
        done = shop.tidegate("pause", "shop")
        assert done.returncode == 2
        assert "was locked by another process for too long" in done.stderr
        assert "it goes on by itself" in done.stderr
        assert shop.tidegate("status").returncode == 0, "reading goes on"
        other.execute("ROLLBACK")
    finally:
        other.close()
    shop.ask("POST", "/services/shop/abort", reason="")
    assert shop.tidied(id_)["phase"] == "rolled_back"


def test_a_database_of_a_newer_version_is_refused_before_anything_is_begun() -> None:
    tidegate = Tidegate()
    try:
        open_database(f"sqlite:///{tidegate.home / 'tidegate.db'}").dispose()
        database = sqlite3.connect(tidegate.home / "tidegate.db", isolation_level=None)
        database.execute("UPDATE alembic_version SET version_num = '9999'")
        database.close()
        for words in (("up", "--detach"), ("up",)):
            done = tidegate.tidegate(*words)
            assert done.returncode == 2
            assert "was written by a newer Tidegate (schema 9999;" in done.stderr
            assert "Install that version again" in done.stderr
            assert tidegate.processes() == []
    finally:
        tidegate.close()


def test_a_full_disk_changes_nothing_and_once_there_is_room_it_goes_on(small_disk: Path, tmp_path: Path) -> None:
    with Tidegate(home=small_disk / "home") as tidegate:
        tidegate.ledger = tmp_path / "ledger"  # the tills have room
        port = tidegate.serve("shop")
        tidegate.write(tidegate.file("shop"))
        with Crowd(port, rate=50) as crowd:
            filler = fill(small_disk)
            done = tidegate.tidegate("deploy", "-f", "service.yaml", "--version", "v2")
            assert done.returncode == 2, done.stdout
            assert "cannot be written: database or disk is full" in done.stderr
            assert "Free some disk space" in done.stderr
            filler.unlink()
            assert tidegate.tidied(tidegate.deploy("shop", "v2"))["phase"] == "completed"
            id_ = tidegate.deploy("shop", "v3", plan=CANARY)
            tidegate.phase(id_, "watching")
            filler = fill(small_disk)
            time.sleep(2)
            filler.unlink()
            tidegate.ask("POST", "/services/shop/promote", reason="", full=True)
            until(lambda: tidegate.rollout(id_)["applied"] == "100%", 15, "it goes on", tidegate.words)
        assert crowd.failures_told() == {}
