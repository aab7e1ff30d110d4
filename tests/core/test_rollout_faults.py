"""Breaks the rollout's rules on purpose, one line at a time, and sees the promise fail that guards this line.

A promise that no fault turns red proves nothing. When a line here is no longer found in the core, find its successor.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

ROLLOUT, DECIDE, TIDYING = "rollout.py", "decide.py", "tidying.py"
INTERVENTION, SETTING = "intervention.py", "setting.py"

# file, the line as it is, the fault, the promise that must turn red
FAULTS = [
    (
        ROLLOUT,
        "return step.exposure if self.plan.harm is None or is_last else min(step.exposure, self.allowed)",
        "return self.plan.steps[max(0, self.step - int(self.paused))].exposure",
        "test_exposure_grows_or_holds_and_falls_only_to_zero",
    ),
    (
        DECIDE,
        "if unlike := _unlike(rollout, seen.applied):",
        "if unlike := (rollout.paused and _unlike(rollout, seen.applied)):",
        "test_a_step_is_wanted_only_after_the_step_before_was_seen_and_looked_at",
    ),
    (
        DECIDE,
        "return shift_to(rollout, rollout.step + 1, why)",
        "return shift_to(rollout, min(rollout.step + 2, len(rollout.plan.steps) - 1), why)",
        "test_nobody_gets_more_than_the_next_step_beyond_what_was_seen",
    ),
    (
        INTERVENTION,
        "if rollout.phase is Phase.SHIFTING:",
        "if rollout.phase is Phase.SHIFTING and rollout.step == last:",
        "test_nobody_gets_more_than_the_next_step_beyond_what_was_seen",
    ),
    (
        DECIDE,
        "if seen.verdict.judgement is Judgement.BAD:",
        "if seen.verdict.judgement is Judgement.BAD and not rollout.waiting and not rollout.paused:",
        "test_after_a_bad_verdict_nobody_is_let_in_again_and_it_ends_rolled_back",
    ),
    (
        DECIDE,
        "    if rollout.phase is Phase.ROLLING_BACK:\n        return _rolling_back(rollout, seen, now)\n    if not",
        "    if rollout.phase is Phase.ROLLING_BACK and seen.verdict.judgement is not Judgement.GOOD:\n"
        "        return _rolling_back(rollout, seen, now)\n    if not",
        "test_after_a_bad_verdict_nobody_is_let_in_again_and_it_ends_rolled_back",
    ),
    (
        DECIDE,
        "    if seen.applied.exposure != NONE:\n        return rollout\n",
        "    if seen.applied.exposure != NONE or seen.verdict.cause is Cause.BLIND:\n        return rollout\n",
        "test_nothing_blocks_a_rollback",
    ),
    (
        INTERVENTION,
        '    if not rollout.in_flight:\n        raise _ended(rollout, "aborted")',
        "    if not rollout.in_flight or rollout.paused:\n        return rollout",
        "test_an_abort_goes_back_from_wherever_it_is",
    ),
    (
        DECIDE,
        "watched = min(passed, rollout.plan.gap) if rollout.blind is None else timedelta(0)",
        "watched = passed if rollout.blind is None else timedelta(0)",
        "test_a_step_is_left_only_after_it_was_watched_for_its_hold",
    ),
    (
        DECIDE,
        "watched = min(passed, rollout.plan.gap) if rollout.blind is None else timedelta(0)",
        "watched = min(passed, rollout.plan.gap)",
        "test_a_step_is_left_only_after_it_was_watched_for_its_hold",
    ),
    (
        ROLLOUT,
        "step=step, watched=timedelta(0), blind=None",
        "step=step, blind=None",
        "test_a_step_is_left_only_after_it_was_watched_for_its_hold",
    ),
    (
        DECIDE,
        "    if rollout.paused:\n        return _paused(rollout)\n    if seen.verdict",
        "    if seen.verdict",
        "test_a_pause_holds",
    ),
    (
        DECIDE,
        "is_blind = verdict.judgement is Judgement.UNKNOWN and verdict.cause in (Cause.BLIND, None)",
        "is_blind = verdict.judgement is Judgement.UNKNOWN and verdict.cause is None",
        "test_a_blind_world_never_completes",
    ),
    (
        DECIDE,
        'return "the lever does not show what it applies"',
        'return ""',
        "test_a_blind_world_never_completes",
    ),
    (
        DECIDE,
        "return rollout.blind is not None and rollout.blind >= rollout.plan.patience",
        "return rollout.blind is not None and rollout.blind > rollout.plan.patience",
        "test_who_cannot_see_for_as_long_as_the_patience_goes_back_or_waits_for_a_person",
    ),
    (
        DECIDE,
        "if rollout.elapsed >= rollout.plan.deadline:",
        "if rollout.elapsed >= rollout.plan.deadline and not rollout.blind:",
        "test_what_is_not_finished_by_its_deadline_is_not_going_on",
    ),
    (
        TIDYING,
        "case Tidy.HAND_OVER if stable == winner:",
        "case Tidy.HAND_OVER:",
        "test_the_winner_is_handed_over_in_three_steps_each_seen_before_the_next",
    ),
    (
        TIDYING,
        "case Tidy.UNWEIGH if seen.applied.exposure == NONE:",
        "case Tidy.UNWEIGH:",
        "test_the_winner_is_handed_over_in_three_steps_each_seen_before_the_next",
    ),
    (
        TIDYING,
        "if rollout.tidy in (Tidy.UNWEIGH, Tidy.EMPTY) and stable",
        "if rollout.tidy is Tidy.UNWEIGH and stable",
        "test_settled_means_that_the_lever_is_free",
    ),
    (
        TIDYING,
        'case Tidy.EMPTY if seen.applied.slot == "":',
        "case Tidy.EMPTY if seen.applied.slot is not None:",
        "test_settled_means_that_the_lever_is_free",
    ),
    (
        ROLLOUT,
        "if self.tidied or (not self.in_flight and self.tidy is Tidy.RETIRE):",
        "if not self.in_flight:",
        "test_whatever_the_router_does_its_users_find_a_running_version",
    ),
    (
        DECIDE,
        "if not rollout.settled:\n        actions.append",
        "if not rollout.tidied:\n        actions.append",
        "test_settled_means_that_the_lever_is_free",
    ),
    (
        DECIDE,
        "if (rollout.watched < step.hold and not proven) or not rollout.watched:",
        "if rollout.watched < step.hold and not proven:",
        "test_deciding_twice_at_one_instant_asks_for_the_same",
    ),
    (
        DECIDE,
        "if step.hook and not rollout.hook_passed:\n        return decided",
        "if step.hook and not rollout.hook_passed and not step.gate and step.hold:\n        return decided",
        "test_a_hook_is_asked_for_until_it_has_passed_in_its_own_step",
    ),
    (
        ROLLOUT,
        "replace(shifting, judged=False, hook_passed=False, ready=False)",
        "replace(shifting, judged=False)",
        "test_a_hook_is_asked_for_until_it_has_passed_in_its_own_step",
    ),
    (
        "exposure.py",
        "core_schema.plain_serializer_function_ser_schema(say_share, return_schema",
        "core_schema.plain_serializer_function_ser_schema(lambda share: say_share(share // 100 * 100 + 100), return_schema",
        "test_a_rollout_survives_being_written_down_at_every_point",
    ),
    (
        TIDYING,
        "return replace(_now(rollout, Tidy.KEEP), freed=now)",
        "return replace(_now(rollout, Tidy.KEEP), freed=now, ended=None)",
        "test_the_end_is_the_end",
    ),
    (
        TIDYING,
        "case Tidy.RETIRE if seen.loser_gone:",
        "case Tidy.RETIRE if seen.loser_gone and rollout.phase is Phase.COMPLETED:",
        "test_every_story_comes_to_an_end_when_the_world_is_mended",
    ),
    (
        DECIDE,
        "return replace(rollout, judged=True, unverified=(*rollout.unverified, rollout.step))",
        "return replace(rollout, judged=not step.gate, unverified=(*rollout.unverified, rollout.step))",
        "test_an_unverified_step_is_named_once",
    ),
    (
        DECIDE,
        "elapsed = rollout.elapsed if held else rollout.elapsed + passed",
        "elapsed = rollout.elapsed + 500 * passed",
        "test_a_calm_world_completes",
    ),
]


def test_every_line_that_is_broken_here_is_still_there_once() -> None:
    for file, line, _, promise in FAULTS:
        assert (ROOT / "tidegate/core" / file).read_text().count(line) == 1, (promise, line)


def test_every_promise_has_a_fault() -> None:
    promises = (Path(__file__).parent / "test_rollout_promises.py").read_text()
    written = {line.split("(")[0].removeprefix("def ") for line in promises.splitlines() if line.startswith("def test_")}
    assert written == {promise for *_, promise in FAULTS}


@pytest.mark.nightly
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault[3].removeprefix("test_") + ": " + fault[2].strip()[:40])
def test_a_fault_turns_its_promise_red(fault: tuple[str, str, str, str], tmp_path: Path) -> None:
    file, line, instead, promise = fault
    shutil.copytree(ROOT / "tidegate/core", tmp_path / "tidegate/core", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "tidegate/__init__.py", tmp_path / "tidegate")
    shutil.copytree(ROOT / "tests/support", tmp_path / "tests/support", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "tests/__init__.py").touch()
    shutil.copy(ROOT / "tests/core/test_rollout_promises.py", tmp_path / "tests")
    broken = tmp_path / "tidegate/core" / file
    broken.write_text(broken.read_text().replace(line, instead))
    words = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", f"tests/test_rollout_promises.py::{promise}"]
    environment = {**os.environ, "PROMISES": "3000", "PYTHONPATH": str(tmp_path)}
    environment.pop("PYTEST_XDIST_WORKER", None)
    run = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=900, check=False)
    assert run.returncode == 1, run.stdout + run.stderr
    assert f"FAILED tests/test_rollout_promises.py::{promise}" in run.stdout
