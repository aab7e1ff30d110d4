"""Changes under load: no request meets a hole, whatever is changed, and in whatever state Envoy is started again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.drivers.envoy.bench import Bench, a_service, free_port, side
from tests.support.client import Answer, Broken, Client, Load
from tidegate.core.errors import NotRouted, Refused
from tidegate.core.exposure import NONE, Exposure
from tidegate.drivers.envoy import names
from tidegate.ports import Applied, Routing

pytestmark = pytest.mark.real


def any_user(client: Client, number: int) -> Answer:
    method = ("GET", "POST", "PUT")[number % 3]
    return client.ask(method, "/", {"x-user-id": f"u{number}"}, body=b"x" if method != "GET" else b"")


def two_sides(bench: Bench, exposure: int = 0) -> Routing:
    v1, v2 = bench.backend("v1"), bench.backend("v2")
    routing = Routing(bench.web(), "salt", side("v1", v1.port), side("v2", v2.port), Exposure(exposure))
    bench.route(routing)
    bench.healthy("web.stable", "web.candidate")
    return routing


def changes(bench: Bench, count: int) -> None:
    two_sides(bench)
    with Load(any_user, bench.port) as load:
        for number in range(count):
            bench.router.route([replace(bench.routings["web"], exposure=Exposure(number * 37 % 10_001))])
            load.until_asked(3)
    assert load.failures == []
    assert load.asked >= 3 * count
    assert {version for version, _ in load.answers} == {"v1", "v2"}


def test_a_hundred_changes_of_exposure_under_load_fail_no_request(bench: Bench) -> None:
    changes(bench, 100)


@pytest.mark.nightly
def test_a_thousand_changes_of_exposure_under_load_fail_no_request(bench: Bench) -> None:
    changes(bench, 1000)


def replacements(bench: Bench, count: int) -> None:
    """Each task is replaced by a new one: taken in, the old one taken out, then ended."""
    v1, v2 = bench.backend("v1"), bench.backend("v2")
    now = Routing(bench.web(), "salt", side("v1", v1.port), side("v2", v2.port), Exposure(5000))
    bench.route(now)
    bench.healthy("web.stable", "web.candidate")
    stable, candidate = v1, v2
    with Load(any_user, bench.port) as load:
        for number in range(count):
            fresh = bench.backend("v1" if number % 2 else "v2")
            if number % 2:
                old, stable = stable, fresh
            else:
                old, candidate = candidate, fresh
            now = Routing(now.service, now.salt, side("v1", stable.port), side("v2", candidate.port), now.exposure)
            bench.route(now)
            begun = -1
            while old.begun != begun:  # drained
                begun = old.begun
                load.until_asked(20)
            old.die()
    assert load.failures == []


def test_replaced_tasks_under_load_fail_no_request(bench: Bench) -> None:
    replacements(bench, 20)


@pytest.mark.nightly
def test_three_hundred_replaced_tasks_under_load_fail_no_request(bench: Bench) -> None:
    replacements(bench, 300)


def test_a_killed_task_is_not_seen_by_users_who_repeat_safely(bench: Bench) -> None:
    """One after the other: of two that die in the same moment a request may meet both."""
    one, other, v2 = bench.backend("v1"), bench.backend("v1"), bench.backend("v2")
    bench.route(Routing(bench.web(), "salt", side("v1", one.port, other.port), side("v2", v2.port), Exposure(3000)))
    bench.healthy("web.stable", "web.candidate")
    with Load(lambda client, number: client.get("/", {"x-user-id": f"u{number}"}), bench.port) as load:
        load.until_asked(200)
        one.die()
        load.until_asked(300)
        one.revive()
        bench.until(lambda: not knows_dead(bench, "web.stable", one.port), "it is back")
        begun = one.begun
        bench.until(lambda: one.begun > begun + 20, "it is asked again")
        other.die()
        load.until_asked(300)
        bench.until(lambda: knows_dead(bench, "web.candidate", other.port), "it is known to be dead")
        load.until_asked(100)
        v2.die()
        load.until_asked(300)
    assert load.failures == []


def knows_dead(bench: Bench, cluster: str, port: int) -> bool:
    return f"{cluster}::127.0.0.1:{port}::health_flags::/failed_active_hc" in bench.router._admin.get("/clusters")


def test_the_hand_over_harms_nobody_at_any_point_of_it(bench: Bench) -> None:
    """Stable side, weight, slot; and between any two of these Envoy is killed and finds a broken weights file."""
    start = two_sides(bench, exposure=10_000)
    assert start.slot is not None
    steps = [
        start,
        replace(start, stable=start.slot),
        replace(start, stable=start.slot, exposure=NONE),
        replace(start, stable=start.slot, exposure=NONE, slot=None),
    ]
    with Load(any_user, bench.port) as load:
        load.until_asked(100)
        for step in steps[1:]:
            bench.route(step)
            load.until_asked(100)
    assert load.failures == []
    for number, step in enumerate(steps):
        bench.route(start)
        for before in steps[: number + 1]:
            bench.route(before)
        bench.process.kill()
        (bench.run_dir / names.RTDS_FILE).write_text('{"version_info": "1", "resources": [{"bro')
        bench.start()
        bench.until(lambda: bench.status()[0] == 200, "it serves")
        with Client(bench.port) as client:
            for user in range(30):
                assert any_user(client, user).status == 200, step
        bench.router.route([step])
        bench.applied(step)


def listens(bench: Bench) -> bool:
    try:
        return bench.client().get("/").status > 0
    except Broken:
        return False


def test_a_broken_weights_file_at_the_start_sends_everybody_to_the_stable_side(bench: Bench) -> None:
    two_sides(bench, exposure=10_000)
    bench.process.kill()
    (bench.run_dir / names.RTDS_FILE).write_text("")
    bench.start()
    bench.until(lambda: listens(bench), "it listens")  # its admin answers a moment before its listeners do
    assert {bench.client().get("/", {"x-user-id": f"u{user}"}).version for user in range(30)} == {"v1"}
    bench.seen()
    assert bench.router.applied("web").exposure is None
    bench.router.route([bench.routings["web"]])
    bench.applied(bench.routings["web"])
    assert bench.client().get("/").version == "v2"


def test_a_broken_weights_file_while_it_runs_changes_nothing_and_is_mended(bench: Bench) -> None:
    two_sides(bench, exposure=10_000)
    path = bench.run_dir / names.RTDS_FILE
    aside = bench.run_dir / "broken"
    aside.write_text("{")
    aside.replace(path)
    bench.seen()
    assert bench.client().get("/").version == "v2"
    bench.expose(5000)
    assert bench.router.applied("web").exposure == 5000


def test_a_weight_that_somebody_else_wrote_is_seen_and_put_back(bench: Bench) -> None:
    two_sides(bench, exposure=2000)
    path = bench.run_dir / names.RTDS_FILE
    text = path.read_text()
    aside = bench.run_dir / "theirs"
    aside.write_text(text.replace("2000", "9000").replace("8000", "1000"))
    aside.replace(path)

    def moved() -> bool:
        bench.router.look()
        return bench.router.applied("web").exposure == 9000

    bench.until(moved, "the drift is seen")
    bench.router.route(list(bench.routings.values()))
    bench.applied(bench.routings["web"])


def test_routing_the_same_again_writes_nothing_not_even_after_a_restart_of_the_controller(bench: Bench) -> None:
    routing = two_sides(bench, exposure=1234)
    before = {path: path.stat().st_mtime_ns for path in bench.run_dir.rglob("*.json")}
    bench.router.route([routing])
    bench.next_controller()
    bench.router.route([routing])
    assert {path: path.stat().st_mtime_ns for path in bench.run_dir.rglob("*.json")} == before
    bench.seen()
    assert bench.router.applied("web") == Applied(Exposure(1234), "v1", "v2", "salt")


def test_a_new_controller_sees_what_is_in_force_before_it_routes_anything(bench: Bench) -> None:
    two_sides(bench, exposure=4321)
    bench.client().get("/")
    bench.next_controller()
    assert bench.router.applied("web") == Applied()
    bench.seen()
    assert bench.router.applied("web") == Applied(Exposure(4321), "v1", "v2", "salt")


def test_only_the_weights_are_written_for_a_step(bench: Bench) -> None:
    two_sides(bench, exposure=1000)
    before = {path: path.stat().st_mtime_ns for path in bench.run_dir.rglob("*.json")}
    bench.expose(2000)
    after = {path: path.stat().st_mtime_ns for path in bench.run_dir.rglob("*.json")}
    assert [path.name for path in after if before[path] != after[path]] == ["weights.json"]


def test_files_are_for_nobody_else_to_read(bench: Bench) -> None:
    two_sides(bench)
    assert {path.stat().st_mode & 0o777 for path in bench.run_dir.rglob("*.json")} == {0o600}
    assert (bench.run_dir / "admin.sock").stat().st_mode & 0o777 == 0o600


def envoys_files(bench: Bench) -> dict[str, str]:
    return {str(path): path.read_text() for path in bench.run_dir.glob("*/*.json")}


def test_what_envoy_rejects_is_refused_with_its_reason_and_changes_nothing(bench: Bench) -> None:
    good = two_sides(bench, exposure=5000)
    files = envoys_files(bench)
    elsewhere = bench.web(listener={"address": "192.0.2.7"})
    with Load(any_user, bench.port) as load:
        with pytest.raises(Refused, match=r"configuration of web: .*192\.0\.2\.7") as refused:
            bench.router.route([replace(good, service=elsewhere)])
        load.until_asked(50)
    assert load.failures == []
    assert "last good" in refused.value.mend
    assert envoys_files(bench) == files
    bench.applied(good)
    bench.process.kill()
    bench.start()
    assert bench.client().get("/").status == 200


def test_a_rejected_second_service_does_not_touch_the_first(bench: Bench) -> None:
    good = two_sides(bench, exposure=5000)
    bad = a_service("two", port=free_port(), listener={"address": "192.0.2.7"})
    with Load(any_user, bench.port) as load:
        with pytest.raises(Refused, match="configuration of two"):
            bench.router.route([good, Routing(bad, "s", None, None)])
        load.until_asked(50)
    assert load.failures == []
    bench.applied(good)


def test_a_rejected_service_holds_up_neither_the_others_nor_its_own_rollback(bench: Bench) -> None:
    good = two_sides(bench, exposure=5000)
    backend = bench.backend("b1")
    other = Routing(
        a_service("other", port=free_port()), "s", side("b1", backend.port), side("b2", backend.port), Exposure(700)
    )
    bench.route(other)
    bad = replace(other, service=a_service("other", port=free_port(), listener={"address": "192.0.2.7"}))
    for _ in range(2):
        with pytest.raises(NotRouted) as refused:
            bench.router.route([replace(good, exposure=Exposure(6000)), replace(bad, exposure=NONE)])
        assert refused.value.services == ("other",)
        bench.applied(replace(good, exposure=Exposure(6000)))
        bench.applied(replace(other, exposure=NONE))
        bench.next_controller()
        bench.seen()
    assert bench.status(other.service.listener.port) == (200, "b1")
    bench.router.route([good, other])
    bench.applied(other)


def test_what_was_rejected_is_not_tried_again_at_every_turn(bench: Bench) -> None:
    good = two_sides(bench, exposure=5000)
    bad = replace(good, service=bench.web(listener={"address": "192.0.2.7"}))
    for _ in range(3):
        with pytest.raises(NotRouted, match="web"):
            bench.router.route([bad])
    assert (bench.run_dir / "envoy.log").read_text().count("config update rejected") == 1


def test_services_that_come_and_go_do_not_disturb_the_others(bench: Bench) -> None:
    good = two_sides(bench, exposure=5000)
    backend = bench.backend("b1")
    with Load(any_user, bench.port) as load:
        for number in range(6):
            port = bench.port if number % 2 else free_port()
            other = a_service("other", port=port, listener={"host": "other.org"})
            routing = Routing(other, "s", side("b1", backend.port), None)
            bench.route(routing)
            bench.until(lambda port=port: bench.status(port, host="other.org") == (200, "b1"), "it is served")
            bench.router.route([good])
            bench.routings.pop("other")
            bench.until(lambda: "other.stable" not in bench.router._admin.get("/clusters"), "the other is gone")
            load.until_asked(50)
    assert load.failures == []
    assert sorted(path.name for path in (bench.run_dir / "eds").iterdir()) == ["web.candidate.json", "web.stable.json"]
