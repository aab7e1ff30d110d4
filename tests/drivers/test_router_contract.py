"""What every router promises; run against the memory twin and against a real Envoy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.drivers.envoy.contract_benches import (
    ContractBench,
    EnvoyContractBench,
    MemoryContractBench,
    another_port,
)
from tidegate.core.errors import Refused
from tidegate.core.exposure import FULL, NONE, Exposure, bucket
from tidegate.ports import UNSEEN, Applied, Routing, Slot

USERS = [f"user-{number}" for number in range(60)]
FEW = USERS[:4]
"""Fewer failures than it takes for a local brake."""


@pytest.fixture(params=["twin", pytest.param("real", marks=pytest.mark.real)])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ContractBench]:
    bench: ContractBench = MemoryContractBench() if request.param == "twin" else EnvoyContractBench(tmp_path)
    yield bench
    bench.close()


def routed(bench: ContractBench, exposure: int = 5000, salt: str = "s") -> Routing:
    routing = Routing(bench.service(), salt, bench.side("v1"), bench.side("v2"), Exposure(exposure))
    bench.router.route([routing])
    bench.settle(routing)
    return routing


def test_what_is_routed_is_seen_applied(bench: ContractBench) -> None:
    routed(bench, 1234)
    assert bench.router.applied("web") == Applied(Exposure(1234), "v1", "v2", "s")


def test_empty_sides_are_seen_as_empty(bench: ContractBench) -> None:
    routing = replace(routed(bench), slot=None, exposure=NONE)
    bench.router.route([routing])
    bench.settle(routing)
    assert bench.router.applied("web") == Applied(NONE, "v1", "", "s")


def test_nothing_is_seen_of_a_service_that_is_not_routed_or_not_any_more(bench: ContractBench) -> None:
    assert bench.router.applied("web") == UNSEEN
    routed(bench)
    bench.router.route([])
    bench.router.look()
    reading = bench.router.look()
    assert reading is not None
    assert "web" not in reading.services
    assert bench.router.applied("web") == UNSEEN


def test_users_go_where_the_hash_says(bench: ContractBench) -> None:
    routed(bench, 5000)
    exposed = [user for user in USERS if Exposure(5000).covers(bucket(user, "s"))]
    assert bench.ask("web", USERS) == {"v2": exposed, "v1": [user for user in USERS if user not in exposed]}


def test_requests_are_counted_by_slot_and_version(bench: ContractBench) -> None:
    routed(bench, 5000)
    went = bench.ask("web", USERS)
    reading = bench.router.look()
    assert reading is not None
    for slot, version in ((Slot.STABLE, "v1"), (Slot.CANDIDATE, "v2")):
        tally = reading.services["web"].tallies[slot, version]
        assert (tally.begun, tally.finished, tally.failed) == (len(went[version]), len(went[version]), 0)
        assert tally.latency.count == tally.finished
    assert reading.services["web"].seen_failures == 0


def test_failures_are_counted_and_those_that_users_of_the_candidate_saw(bench: ContractBench) -> None:
    routed(bench, 10_000)
    bench.ask("web", FEW, fails={"v2"})
    reading = bench.router.look()
    assert reading is not None
    tally = reading.services["web"].tallies[Slot.CANDIDATE, "v2"]
    assert (tally.finished, tally.failed) == (len(FEW), len(FEW))
    assert reading.services["web"].seen_failures == len(FEW)


def test_failures_of_the_baseline_are_nobody_elses(bench: ContractBench) -> None:
    routed(bench, 0)
    bench.ask("web", FEW, fails={"v1"})
    reading = bench.router.look()
    assert reading is not None
    assert reading.services["web"].tallies[Slot.STABLE, "v1"].failed == len(FEW)
    assert reading.services["web"].seen_failures == 0


def test_counts_only_grow_and_survive_changes(bench: ContractBench) -> None:
    routing = routed(bench, 10_000)
    bench.ask("web", FEW)
    for exposure in (NONE, FULL):
        routing = replace(routing, exposure=exposure)
        bench.router.route([routing])
        bench.settle(routing)
        bench.ask("web", FEW)
    reading = bench.router.look()
    assert reading is not None
    tallies = reading.services["web"].tallies
    assert tallies[Slot.CANDIDATE, "v2"].finished == 2 * len(FEW)
    assert tallies[Slot.STABLE, "v1"].finished == len(FEW)


def test_a_router_that_does_not_answer_is_not_seen(bench: ContractBench) -> None:
    routed(bench)
    bench.silence()
    assert bench.router.look() is None
    assert bench.router.applied("web") == UNSEEN


def test_after_a_restart_it_counts_from_zero_under_a_new_epoch_and_routes_as_before(bench: ContractBench) -> None:
    routing = routed(bench)
    before = bench.ask("web", USERS)
    old = bench.router.look()
    bench.restart()
    bench.settle(routing)
    new = bench.router.look()
    assert old is not None
    assert new is not None
    assert new.epoch != old.epoch
    assert sum(tally.begun for tally in new.services["web"].tallies.values()) == 0
    assert bench.router.applied("web") == Applied(Exposure(5000), "v1", "v2", "s")
    assert bench.ask("web", USERS) == before


def test_routing_the_same_again_is_nothing(bench: ContractBench) -> None:
    routing = routed(bench)
    bench.ask("web", FEW)
    before = bench.router.look()
    for _ in range(3):
        bench.router.route([routing])
    assert bench.router.look() == before
    assert bench.router.applied("web") == Applied(Exposure(5000), "v1", "v2", "s")


def test_several_services_are_counted_apart(bench: ContractBench) -> None:
    routings = [
        Routing(bench.service(name, listener={"path": f"/{name}"}), "s", bench.side("v1"), bench.side("v2"), Exposure(exposure))
        for name, exposure in (("one", 0), ("two", 10_000))
    ]
    bench.router.route(routings)
    bench.settle(*routings)
    bench.ask("one", FEW)
    bench.ask("two", USERS)
    reading = bench.router.look()
    assert reading is not None
    assert reading.services["one"].tallies[Slot.STABLE, "v1"].finished == len(FEW)
    assert reading.services["two"].tallies[Slot.CANDIDATE, "v2"].finished == len(USERS)


def test_a_port_that_somebody_else_has_is_refused(bench: ContractBench) -> None:
    service = another_port(bench.service())
    bench.router.check(service, [])
    bench.take_port(service)
    with pytest.raises(Refused, match=str(service.listener.port)):
        bench.router.check(service, [])


def test_two_services_in_one_place_are_refused(bench: ContractBench) -> None:
    with pytest.raises(Refused, match="two"):
        bench.router.check(bench.service("two"), [bench.service("one")])


def test_the_grain_is_the_finest_exposure(bench: ContractBench) -> None:
    assert bench.router.grain == 1
    routed(bench, 1)
    assert bench.router.applied("web").exposure == Exposure(1)
