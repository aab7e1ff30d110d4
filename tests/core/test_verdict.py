"""What all guards together say: bad beats blind beats held beats no data beats good."""

from __future__ import annotations

from itertools import permutations, product

import pytest

from tidegate.core.verdict import GOOD, Cause, GuardSeen, Judgement, TaskHealth, Verdict, bad, combine, hard_gate, unknown

SOUND = TaskHealth(wanted=2, healthy=2)
SICK = TaskHealth(wanted=2, healthy=0, hurt=2, why="web-v1-1: status 500")
HURT = TaskHealth(wanted=2, healthy=1, hurt=1, why="web-v2-1: status 500")


def gate(
    candidate: TaskHealth | None = SOUND, baseline: TaskHealth | None = SOUND, hard: int = 0, soft: int = 0
) -> tuple[Judgement, Cause | None]:
    verdict = hard_gate(candidate=candidate, baseline=baseline, ejected_hard=hard, ejected_soft=soft)
    assert verdict.why or verdict == GOOD
    return verdict.judgement, verdict.cause


BAD, FINE = (Judgement.BAD, None), (Judgement.GOOD, None)
HELD, BLIND = (Judgement.UNKNOWN, Cause.HELD), (Judgement.UNKNOWN, Cause.BLIND)


def test_healthy_tasks_are_good() -> None:
    assert gate() == FINE


@pytest.mark.parametrize("trouble", [{"candidate": HURT}, {"hard": 1}])
def test_trouble_of_the_candidate_alone_is_bad(trouble: dict[str, object]) -> None:
    assert gate(**trouble) == BAD


@pytest.mark.parametrize("trouble", [{"candidate": HURT}, {"hard": 1}])
def test_trouble_of_both_sides_blames_nobody_and_holds(trouble: dict[str, object]) -> None:
    assert gate(**trouble, baseline=SICK) == HELD


@pytest.mark.parametrize("trouble", [{"candidate": HURT}, {"hard": 1}])
def test_trouble_beside_a_baseline_that_cannot_be_seen_is_blind_and_does_not_claim_to_know_it(
    trouble: dict[str, object],
) -> None:
    assert gate(**trouble, baseline=None) == BLIND


def test_ejection_for_5xx_only_holds() -> None:
    assert gate(soft=1) == HELD


def test_tasks_that_cannot_be_seen_are_blind_and_never_good() -> None:
    assert gate(candidate=None) == BLIND


def test_what_the_router_ejected_is_bad_also_when_the_tasks_cannot_be_seen() -> None:
    assert gate(candidate=None, hard=1) == BAD


@pytest.mark.parametrize(
    ("wanted", "healthy", "sound"), [(1, 1, True), (1, 0, False), (2, 1, True), (3, 1, False), (4, 2, True), (0, 0, False)]
)
def test_a_side_is_sound_with_at_least_half_of_its_tasks(wanted: int, healthy: int, sound: bool) -> None:
    assert TaskHealth(wanted, healthy).sound is sound


RANKED = ("firing", "blind", "held", "no_data", "ok")


def guards(*states: str) -> list[GuardSeen]:
    return [GuardSeen(f"guard{number}", state, why="it says so") for number, state in enumerate(states)]


def rank(verdict: Verdict) -> str:
    if verdict.judgement is Judgement.BAD:
        return "firing"
    return verdict.cause.value if verdict.cause else "ok"


def test_the_worst_guard_decides_in_whatever_order_they_come() -> None:
    for count in range(1, 6):
        for states in permutations(RANKED, count):
            worst = min(states, key=RANKED.index)
            assert rank(combine(GOOD, guards(*states))) == worst


def test_the_gate_counts_like_a_guard() -> None:
    gates = {"firing": bad("gate"), "ok": GOOD} | {cause.value: unknown(cause, "gate") for cause in Cause}
    for own, state in product(RANKED, RANKED):
        assert rank(combine(gates[own], guards(state))) == min(own, state, key=RANKED.index)


def test_the_guard_that_decides_is_named() -> None:
    seen = [GuardSeen("fine", "ok"), GuardSeen("errors", "firing", why="2% is above 1%"), GuardSeen("slow", "firing")]
    assert combine(GOOD, seen) == bad("errors: 2% is above 1%")


def test_a_guard_that_may_not_roll_back_decides_nothing() -> None:
    for state in RANKED:
        assert combine(GOOD, [GuardSeen("told only", state, rollback=False)]) == GOOD


@pytest.mark.parametrize("state", ["ok", "not_armed", "not_applicable"])
def test_a_guard_without_complaint_is_good(state: str) -> None:
    assert combine(GOOD, guards(state)) == GOOD


@pytest.mark.parametrize("state", ["", "alarm", "FIRING", "error"])
def test_a_state_that_nobody_knows_is_blind_and_not_good(state: str) -> None:
    assert combine(GOOD, guards(state)).cause is Cause.BLIND


def test_a_gate_that_knows_nothing_and_not_why_is_not_good() -> None:
    assert combine(Verdict(Judgement.UNKNOWN, "who knows"), guards("ok")).judgement is Judgement.UNKNOWN


def test_no_guards_at_all_are_good() -> None:
    assert combine(GOOD, []) == GOOD
