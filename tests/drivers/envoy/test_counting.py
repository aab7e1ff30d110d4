"""What the candidate fails is counted in full, and hidden from users wherever that is safe."""

from __future__ import annotations

import threading

import pytest

from tests.drivers.envoy.bench import Bench, side
from tests.support.backend import Backend, Fault
from tests.support.client import Broken, Client
from tidegate.core.exposure import FULL, Exposure
from tidegate.ports import Routing, Slot

pytestmark = pytest.mark.real

_TOLERANT = 1_000_000
"""Ejection would dry up the sample, and is tested on its own."""


def two_sides(bench: Bench, exposure: int = 10_000, **service: object) -> tuple[Backend, Backend]:
    v1, v2 = bench.backend("v1"), bench.backend("v2")
    bench.route(Routing(bench.web(**service), "salt", side("v1", v1.port), side("v2", v2.port), Exposure(exposure)))
    bench.healthy("web.stable", "web.candidate")
    return v1, v2


def ask(client: Client, method: str, number: int) -> int:
    """The status, 0 when the answer broke off."""
    try:
        return client.ask(method, "/", {"x-user-id": f"u{number}"}, body=b"x" if method == "POST" else b"").status
    except Broken:
        return 0


@pytest.mark.parametrize("kind", ["500", "503", "reset", "close"])
def test_users_see_no_failure_of_repeatable_requests_and_the_counts_see_them_all(bench: Bench, kind: str) -> None:
    _, v2 = two_sides(bench)
    v2.fault = Fault(kind, share=0.2, methods={"GET", "PUT", "DELETE"})
    client = bench.client()
    statuses = [ask(client, method, number) for number in range(100) for method in ("GET", "PUT", "DELETE")]
    assert statuses == [200] * 300
    assert v2.failed == 60
    reading = bench.reading()
    candidate = reading.tallies[Slot.CANDIDATE, "v2"]
    assert (candidate.begun, candidate.finished, candidate.failed) == (300, 300, 60)
    assert reading.tallies[Slot.CANDIDATE, "v1"].finished == 60
    assert reading.tallies[Slot.CANDIDATE, "v1"].failed == 0
    assert reading.seen_failures == 0


@pytest.mark.parametrize(("kind", "status"), [("500", 500), ("reset", 503), ("close", 503)])
def test_users_see_failed_posts_which_are_not_sent_twice(bench: Bench, kind: str, status: int) -> None:
    v1, v2 = two_sides(bench)
    v2.fault = Fault(kind, share=0.2, methods={"POST"})
    client = bench.client()
    statuses = [ask(client, "POST", number) for number in range(100)]
    assert (statuses.count(200), statuses.count(status)) == (80, 20)
    assert v1.seen["POST"] == 0
    reading = bench.reading()
    candidate = reading.tallies[Slot.CANDIDATE, "v2"]
    assert (candidate.begun, candidate.finished, candidate.failed) == (100, 100, 20)
    assert reading.seen_failures == 20


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_answer_cut_off_in_mid_body_is_a_failure_that_users_see(bench: Bench, method: str) -> None:
    _, v2 = two_sides(bench)
    v2.fault = Fault("truncate", share=0.5)
    client = bench.client()
    statuses = [ask(client, method, number) for number in range(8)]
    assert (statuses.count(200), statuses.count(0)) == (4, 4)
    reading = bench.reading()
    assert reading.tallies[Slot.CANDIDATE, "v2"].failed == 4
    assert reading.seen_failures == 4


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_candidate_that_refuses_connections_harms_nobody(bench: Bench, method: str) -> None:
    # Checked once a minute, so that Envoy does not know.
    health = {"interval": "1m", "timeout": "1s", "healthy_after": 1, "unhealthy_after": 1}
    _, v2 = two_sides(bench, tasks={"health": health})
    client = bench.client()
    assert ask(client, method, 0) == 200
    v2.die()
    assert [ask(client, method, number) for number in range(50)] == [200] * 50
    reading = bench.reading()
    candidate = reading.tallies[Slot.CANDIDATE, "v2"]
    assert candidate.failed == candidate.finished - 1
    assert 5 <= candidate.failed <= 8  # the brake needs a moment
    assert reading.seen_failures == 0
    assert (reading.ejected_hard, reading.ejected_soft) == (1, 0)


def test_a_request_that_takes_too_long_is_ended_with_504_and_is_a_failure(bench: Bench) -> None:
    _, v2 = two_sides(bench, listener={"timeout": "300ms"})
    v2.fault = Fault("hang", share=0.5)
    client = bench.client()
    statuses = [ask(client, method, number) for number in range(2) for method in ("GET", "GET", "POST", "POST")]
    assert (statuses.count(200), statuses.count(504)) == (4, 4)
    reading = bench.reading()
    candidate = reading.tallies[Slot.CANDIDATE, "v2"]
    assert (candidate.begun, candidate.finished, candidate.failed) == (8, 8, 4)
    assert reading.seen_failures == 4
    assert candidate.latency.slower_than(250_000) == 4
    assert candidate.latency.count == 8


def test_a_hanging_candidate_begins_and_does_not_finish(bench: Bench) -> None:
    _, v2 = two_sides(bench)
    client = bench.client()
    assert ask(client, "GET", 0) == 200
    v2.fault = Fault("hang", seconds=2)
    waiting = [threading.Thread(target=ask, args=(bench.client(), "GET", number)) for number in range(5)]
    for thread in waiting:
        thread.start()
    bench.until(lambda: bench.candidate().begun == 6, "five more began")
    assert bench.candidate().finished == 1
    for thread in waiting:
        thread.join()
    assert (bench.candidate().begun, bench.candidate().finished, bench.candidate().failed) == (6, 6, 0)


def test_a_client_that_goes_away_is_nobodys_failure(bench: Bench) -> None:
    _, v2 = two_sides(bench)
    v2.fault = Fault("hang", seconds=30)
    for number in range(3):
        with Client(bench.port, timeout=0.2) as client:
            assert ask(client, "GET", number) == 0
    bench.until(lambda: bench.candidate().finished == 3, "all are over")
    reading = bench.reading()
    assert reading.tallies[Slot.CANDIDATE, "v2"].failed == 0
    assert reading.seen_failures == 0


def test_what_was_begun_never_falls_when_tasks_leave_with_requests_in_flight(bench: Bench) -> None:
    _, v2 = two_sides(bench)
    other = bench.backend("v2")
    v2.fault = Fault("hang", seconds=1)
    waiting = [threading.Thread(target=ask, args=(bench.client(), "GET", number)) for number in range(4)]
    for thread in waiting:
        thread.start()
    bench.until(lambda: bench.candidate().begun == 4, "four began")
    now = bench.routings["web"]
    bench.route(Routing(now.service, now.salt, now.stable, side("v2", other.port), now.exposure))
    assert bench.candidate().begun == 4
    assert bench.candidate().finished < 4
    for thread in waiting:
        thread.join()
    assert (bench.candidate().begun, bench.candidate().finished) == (4, 4)


def test_baseline_and_candidate_are_counted_apart_each_with_its_latency(bench: Bench) -> None:
    v1, v2 = two_sides(bench, exposure=5000)
    v2.fault = Fault("slow", seconds=0.05)
    client = bench.client()
    statuses = [ask(client, "GET", number) for number in range(60)]
    assert statuses == [200] * 60
    stable, candidate = bench.stable(), bench.candidate()
    assert (stable.finished, candidate.finished) == (v1.begun, v2.begun)
    assert stable.failed == candidate.failed == 0
    assert stable.latency.count == v1.begun
    assert candidate.latency.count == candidate.latency.slower_than(45_000) == v2.begun
    assert stable.latency.slower_than(45_000) == 0


def test_failures_of_the_baseline_are_its_own_and_are_not_retried(bench: Bench) -> None:
    v1, _ = two_sides(bench, exposure=0)
    v1.fault = Fault("500", share=0.5)
    client = bench.client()
    statuses = [ask(client, "GET", number) for number in range(20)]
    assert statuses.count(500) == 10
    reading = bench.reading()
    stable = reading.tallies[Slot.STABLE, "v1"]
    assert (stable.begun, stable.finished, stable.failed) == (20, 20, 10)
    assert reading.seen_failures == 0


@pytest.mark.parametrize(("kind", "hard", "soft"), [("500", 0, 1), ("503", 0, 1), ("reset", 1, 0), ("close", 1, 0)])
def test_the_local_brake_holds_a_failing_candidate_back_and_says_for_what(
    bench: Bench, kind: str, hard: int, soft: int
) -> None:
    _, v2 = two_sides(bench)
    v2.fault = Fault(kind)
    client = bench.client()
    assert [ask(client, "GET", number) for number in range(60)] == [200] * 60
    assert 5 <= v2.failed <= 20  # five in a row; Envoy's workers hear of it a moment later
    reading = bench.reading()
    assert (reading.ejected_hard, reading.ejected_soft) == (hard, soft)


def test_the_brake_holds_although_the_health_check_is_content(bench: Bench) -> None:
    _, v2 = two_sides(bench)
    v2.fault = Fault("500")
    client = bench.client()
    with Client(v2.port) as direct:
        for number in range(20):
            ask(client, "GET", number)
        checked = direct.get("/healthz")
    assert checked.status == 200
    bench.until(lambda: bench.reading().ejected_soft == 1, "it is held back")
    for _ in range(30):
        assert bench.reading().ejected_soft == 1
    assert 5 <= v2.failed <= 20


def test_when_both_sides_fail_alike_the_candidate_is_blamed_softly(bench: Bench) -> None:
    v1, v2 = two_sides(bench, exposure=5000)
    v1.fault = v2.fault = Fault("500")
    client = bench.client()
    statuses = [ask(client, "GET", number) for number in range(60)]
    assert 200 not in statuses
    reading = bench.reading()
    assert reading.tallies[Slot.STABLE, "v1"].failed == reading.tallies[Slot.STABLE, "v1"].finished
    assert reading.ejected_hard == 0


def test_a_shared_outage_leaves_nobody_without_a_try_and_nobody_when_it_is_over(bench: Bench) -> None:
    v1, v2 = two_sides(bench, exposure=5000)
    v1.fault = v2.fault = Fault("500")
    client = bench.client()
    for number in range(100):
        ask(client, "GET", number)
    asked = v1.begun + v2.begun
    assert asked > 100
    v1.fault = v2.fault = Fault()
    assert {ask(client, "GET", number) for number in range(100)} == {200}


def test_the_reason_survives_a_change_from_soft_to_hard(bench: Bench) -> None:
    _, v2 = two_sides(bench)
    client = bench.client()
    v2.fault = Fault("500", share=0.5)
    for number in range(40):
        ask(client, "GET", number)
    assert bench.reading().ejected_soft == 0
    v2.fault = Fault("reset")
    for number in range(20):
        ask(client, "GET", number)
    reading = bench.reading()
    assert (reading.ejected_hard, reading.ejected_soft) == (1, 0)


def test_when_nobody_is_left_users_are_told_and_that_is_seen(bench: Bench) -> None:
    service = bench.web()
    bench.route(Routing(service, "salt", None, None))
    client = bench.client()
    assert ask(client, "GET", 1) == 503
    v2 = bench.backend("v2")
    bench.route(Routing(service, "salt", None, side("v2", v2.port), FULL))
    bench.healthy("web.candidate")
    assert ask(client, "GET", 1) == 200


def test_counts_begin_anew_with_a_new_life_of_envoy(bench: Bench) -> None:
    two_sides(bench)
    ask(bench.client(), "GET", 1)
    before = bench.seen()
    assert before.services["web"].tallies[Slot.CANDIDATE, "v2"].begun == 1
    bench.process.kill()
    assert bench.router.look() is None
    assert bench.router.applied("web").exposure is None
    bench.start()
    after = bench.seen()
    assert after.epoch != before.epoch
    assert after.services["web"].tallies[Slot.CANDIDATE, "v2"].begun == 0


def test_counts_go_on_over_changes_of_routes_and_tasks(bench: Bench) -> None:
    v1, v2 = two_sides(bench)
    client = bench.client()
    for number in range(5):
        ask(client, "GET", number)
    bench.route(Routing(bench.web(listener={"timeout": "7s"}), "salt2", side("v1", v1.port), side("v2", v2.port), FULL))
    for number in range(5):
        ask(client, "GET", number)
    assert bench.candidate().finished == 10
    assert bench.candidate().latency.count == 10
