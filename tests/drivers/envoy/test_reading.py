"""Envoy's statistics, read without an Envoy."""

from __future__ import annotations

from tests.drivers.envoy.bench import a_service, side
from tidegate.core.latency import EDGES, Latencies, bin_of
from tidegate.core.tally import Tally
from tidegate.drivers.envoy.acks import Ack, read_acks
from tidegate.drivers.envoy.counts import Counts, Host, host_name, read_counts, read_latencies
from tidegate.drivers.envoy.ejections import Kind, held_back
from tidegate.drivers.envoy.readings import Readings
from tidegate.ports import Routing, Slot

KEY = ("web", Slot.CANDIDATE, "1.2.3+b-7")


def stats(values: dict[str, int]) -> Counts:
    return read_counts([{"name": name, "value": value} for name, value in values.items()])


def counts(*, failed: int = 0, unanswered: int = 0) -> Counts:
    return Counts(failed={KEY: failed}, unanswered={KEY: unanswered})


def test_names_are_taken_apart_whatever_a_version_is_called() -> None:
    found = stats(
        {
            "gate.odd.side.web/candidate/1.2.3+b-7.code.500.flags.-.grpc.": 2,
            "gate.odd.side.web/candidate/1.2.3+b-7.code.0.flags.UC.grpc.": 1,
            "gate.odd.side.web/candidate/1.2.3+b-7.code.0.flags.-.grpc.": 4,
            "gate.odd.side.web/candidate/1.2.3+b-7.code.200.flags.UPE,DC.grpc.": 1,
            "gate.odd.side.web/candidate/1.2.3+b-7.code.200.flags.-.grpc.14": 1,
            "gate.odd.side.a-b/stable/code.500.flags.code.503.flags.-.grpc.": 3,
            "gate.odd.side.web/tester/v2.code.500.flags.-.grpc.": 9,
        }
    )
    odd = ("a-b", Slot.STABLE, "code.500.flags")
    assert found.failed == {KEY: 5, odd: 3}
    assert found.unanswered == {KEY: 1, odd: 0}
    assert found.lost == {KEY: 5, odd: 0}


def test_only_failures_of_users_in_the_slot_are_seen_failures() -> None:
    found = stats(
        {
            "gate.seen.cluster.web.candidate.side.web/candidate/v2.code.500.flags.-.grpc..details.via_upstream": 3,
            "gate.seen.cluster.web.candidate.side.web/candidate/v1.code.500.flags.-.grpc..details.via_upstream": 1,
            "gate.seen.cluster.web.candidate.side..code.503.flags.UH.grpc..details.via_upstream": 1,
            "gate.seen.cluster.web.candidate.side.-.code.503.flags.UH.grpc..details.via_upstream": 1,
            "gate.seen.cluster.web.stable.side.web/stable/v1.code.500.flags.-.grpc..details.via_upstream": 7,
            "gate.seen.cluster.web.tester.side.web/tester/v2.code.500.flags.-.grpc..details.via_upstream": 7,
        }
    )
    assert found.seen == {"web": 6}
    assert not found.failed


def test_a_timeout_is_told_by_the_request_and_charged_to_its_last_attempt() -> None:
    found = stats({"gate.seen.cluster.web.candidate.side.web/candidate/v2.code.504.flags.UT.grpc..details.response_timeout": 2})
    key = ("web", Slot.CANDIDATE, "v2")
    assert found.failed == found.unanswered == found.timed_out == {key: 2}
    deadline = stats(
        {"gate.seen.cluster.web.candidate.side.web/candidate/v2.code.200.flags.-.grpc.4.details.max_duration_timeout": 2}
    )
    assert deadline.failed == {key: 2}
    assert deadline.timed_out == {key: 0}
    told_by_the_task = stats(
        {"gate.seen.cluster.web.candidate.side.web/candidate/v2.code.200.flags.-.grpc.4.details.via_upstream": 2}
    )
    assert not told_by_the_task.failed


def test_bins_of_envoy_fall_into_ours_also_where_it_writes_229_99999() -> None:
    buckets = [
        {"lower_bound": 229.99999999999997, "width": 10, "count": 2},
        {"lower_bound": 3, "width": 1, "count": 1},
        {"lower_bound": 1800, "width": 100, "count": 4},
    ]
    details = [{"name": "gate.took.side.web/candidate/v2", "totals": buckets}]
    found = read_latencies([{"histograms": {"details": details}}])[("web", Slot.CANDIDATE, "v2")]
    assert found.bins == {bin_of(230): 2, 0: 1, bin_of(1800): 4}
    assert EDGES[bin_of(230)] == 230


def test_what_was_begun_is_what_ended_and_what_is_in_flight_and_never_falls() -> None:
    routing = Routing(a_service(), "s", side("v1", 9001), side("v2", 9002))
    readings = Readings()
    active: dict[Host, int] = {
        ("web", Slot.CANDIDATE, host_name("127.0.0.1", 9002)): 4,
        ("web", Slot.CANDIDATE, "127.0.0.1_9001"): 9,
    }
    key = (Slot.CANDIDATE, "v2")

    def look(epoch: str, ended: int, active: dict[tuple[str, Slot, str], int]) -> Tally:
        answered = {("web", *key): Latencies({5: ended - 1})}
        found = Counts(lost={("web", *key): 1}, latencies=answered, active=active)
        return readings.read(epoch, found, [routing], {})["web"].tallies[key]

    def counted(tally: Tally) -> tuple[int, int]:
        return tally.begun, tally.finished

    assert counted(look("1", 10, active)) == (14, 10)
    assert counted(look("1", 12, {})) == (14, 12)
    assert counted(look("1", 15, {})) == (15, 15)
    assert counted(look("2", 2, {})) == (2, 2)


def test_hosts_are_named_as_envoy_names_them() -> None:
    assert host_name("127.0.0.1", 80) == "127.0.0.1_80"
    assert host_name("::1", 80) == "[__1]_80"


def test_the_newest_failures_say_for_what_a_task_is_held_back() -> None:
    kind = Kind()
    assert not kind.is_hard(KEY)
    kind.note(counts(failed=100))
    assert not kind.is_hard(KEY)
    kind.note(counts(failed=103, unanswered=3))
    assert kind.is_hard(KEY)  # 3 of the last 5
    kind.note(counts(failed=110, unanswered=3))
    assert not kind.is_hard(KEY)
    kind.note(counts(failed=110, unanswered=3))
    kind.note(counts(failed=115, unanswered=8))
    assert kind.is_hard(KEY)


def test_a_controller_that_starts_later_judges_by_all_there_is() -> None:
    kind = Kind()
    kind.note(counts(failed=6, unanswered=5))
    assert kind.is_hard(KEY)


def test_only_the_candidates_own_tasks_count_as_held_back() -> None:
    def host(priority: int, *, out: bool) -> dict[str, object]:
        health = {"failed_outlier_check": True} if out else {"eds_health_status": "HEALTHY"}
        return {"health_status": health} | ({"priority": priority} if priority else {})

    clusters = [
        {"name": "web.candidate", "host_statuses": [host(0, out=True), host(0, out=False), host(1, out=True)]},
        {"name": "web.stable"},
    ]
    assert held_back(clusters) == {"web.candidate": 1, "web.stable": 0}


def test_acknowledgements_are_told_by_file() -> None:
    found = read_acks(
        [
            {"name": "cluster_manager.cds.version_text", "value": "a"},
            {"name": "listener_manager.lds.update_rejected", "value": 2},
            {"name": "listener_manager.lds.update_failure", "value": 1},
            {"name": "http.in.rds.port-80.version_text", "value": "b"},
            {"name": "cluster.web.stable.version_text", "value": "c"},
            {"name": "runtime.version_text", "value": "d"},
            {"name": "cluster.web.stable.upstream_rq_total", "value": 7},
        ]
    )
    assert dict(found.by_path) == {
        "cds/clusters.json": Ack("a"),
        "lds/listeners.json": Ack("", 3),
        "rds/port-80.json": Ack("b"),
        "eds/web.stable.json": Ack("c"),
        "rtds/weights.json": Ack("d"),
    }
