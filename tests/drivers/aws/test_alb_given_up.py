"""ECS's circuit breaker goes back by itself, and soon says nothing more of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.core.test_platform import file
from tidegate.core.document import read as read_file
from tidegate.core.errors import Refused
from tidegate.core.rollout import Ready
from tidegate.core.service import Service
from tidegate.core.setting import Setting
from tidegate.drivers.aws import alb_next, alb_requests
from tidegate.drivers.aws.alb_given_up import GivenUp
from tidegate.drivers.aws.alb_next import Install, Wanted
from tidegate.drivers.aws.alb_seen import Answers, Definition, Seen, read
from tidegate.drivers.aws.call import Answer, Call, Caller
from tidegate.drivers.aws.last_words import last_words

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
SERVICE = read_file(Service, file(), "web.yaml")
assert SERVICE.platform is not None
assert SERVICE.platform.ecs is not None
PLACE = SERVICE.platform.ecs
KNOWN = {
    f"web:{number}": Definition(f"web:{number}", version, "digest") for number, version in ((1, "v0"), (2, "v1"), (3, "v2"))
}
WANTED = Wanted(PLACE, Setting("v1", "v2", 0, "salt", rollout="web-2"), {"v1": 2, "v2": 2})

SAID = {(PLACE.services[1], "web:3"): "exit 1"}


def service(
    name: str, definition: str, state: str, *, why: str = "", failed: str = "", events: Sequence[str] = ()
) -> dict[str, Any]:
    newest = {"status": "PRIMARY", "rolloutState": state, "rolloutStateReason": why, "taskDefinition": definition}
    deployments = [newest]
    if failed:
        deployments.append({"status": "ACTIVE", "rolloutState": "FAILED", "rolloutStateReason": failed})
    told = [{"message": event} for event in events]
    return {"serviceName": name, "taskDefinition": definition, "desiredCount": 2, "deployments": deployments, "events": told}


def seen(green: dict[str, Any]) -> Seen:
    services = {"services": [service(PLACE.services[0], "web:2", "COMPLETED"), green]}
    groups = [{"TargetGroupArn": group, "Weight": weight} for group, weight in zip(PLACE.target_groups, (999, 0), strict=True)]
    rules = {"Rules": [{"Actions": [{"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}]}]}
    return read(PLACE, Answers(rules, {}, services, ({}, {}), KNOWN), NOW)


def green(definition: str, state: str, **more: Any) -> Seen:
    return seen(service(PLACE.services[1], definition, state, **more))


def story(*looks: Seen) -> Seen:
    given_up, last = GivenUp(lambda service, definition: SAID.get((service, definition), "")), looks[0]
    for look in looks:
        last = replace(look, given_up=given_up.after(WANTED.setting, look))
    return last


def is_asked_for(look: Seen) -> bool:
    return any(isinstance(step, Install) and step.version == "v2" for step in alb_next.next_tasks(WANTED, look, NOW))


EMPTY = seen({**service(PLACE.services[1], "web:1", "COMPLETED"), "desiredCount": 0})


def test_a_version_that_was_never_there_is_asked_for() -> None:
    assert is_asked_for(story(EMPTY, EMPTY))


def test_a_version_that_ecs_put_back_is_given_up_and_not_asked_for_again() -> None:
    last = story(EMPTY, green("web:3", "IN_PROGRESS"), green("web:1", "IN_PROGRESS", failed="three tasks did not start."))
    assert not is_asked_for(last)
    found = alb_next.readiness(PLACE, last, "v2", 2, NOW)
    assert found.ready is Ready.FAILED
    assert (
        found.why == f"ECS put {PLACE.services[1]} back to what it ran before: three tasks did not start; its last task: exit 1"
    )


def test_a_version_that_ecs_gives_up_without_putting_anything_back_is_given_up_too() -> None:
    last = story(EMPTY, green("web:3", "FAILED", why="three tasks did not start."))
    found = alb_next.readiness(PLACE, last, "v2", 2, NOW)
    assert found.ready is Ready.FAILED
    assert found.why == "ECS gave up web-green: three tasks did not start; its last task: exit 1"


def test_it_stays_given_up_when_ecs_has_forgotten_the_deployment() -> None:
    began, failed = green("web:3", "IN_PROGRESS"), green("web:1", "COMPLETED", failed="no task started")
    last = story(began, failed, green("web:1", "COMPLETED"))
    assert (is_asked_for(last), alb_next.readiness(PLACE, last, "v2", 2, NOW).ready) == (False, Ready.FAILED)


def test_the_last_event_tells_why_when_no_failed_deployment_is_left() -> None:
    last = story(green("web:3", "IN_PROGRESS"), green("web:1", "COMPLETED", events=["rolling back", "older"]))
    assert "rolling back" in alb_next.readiness(PLACE, last, "v2", 2, NOW).why


def test_a_version_that_was_whole_and_is_taken_away_by_somebody_is_put_back() -> None:
    assert is_asked_for(story(green("web:3", "IN_PROGRESS"), green("web:3", "COMPLETED"), EMPTY))


def test_a_new_operation_may_try_it_again() -> None:
    given_up = GivenUp(lambda service, definition: SAID.get((service, definition), ""))
    given_up.after(WANTED.setting, green("web:3", "IN_PROGRESS"))
    assert "v2" in given_up.after(WANTED.setting, EMPTY)
    assert given_up.after(replace(WANTED.setting, rollout="web-3"), EMPTY) == {}


def test_what_failed_before_and_was_ended_is_deployed_anew() -> None:
    """Somebody mended what was missing, and deploys the same version again."""
    failed = seen({**service(PLACE.services[1], "web:3", "FAILED"), "desiredCount": 0})
    (step,) = [step for step in alb_next.next_tasks(WANTED, story(failed), NOW) if isinstance(step, Install)]
    assert alb_next.readiness(PLACE, story(failed), "v2", 2, NOW).ready is Ready.NOT_YET
    call = alb_requests.run(PLACE, step.side, "web:3", 2)
    assert (call.parameters["forceNewDeployment"], call.parameters["desiredCount"]) == (True, 2)
    assert "forceNewDeployment" not in alb_requests.run(PLACE, step.side, "web:4", 2).parameters


def test_a_deployment_that_failed_long_ago_and_has_no_tasks_keeps_nobody_from_being_ready() -> None:
    whole = green("web:3", "COMPLETED", failed="it was another one")
    sides = (whole.sides[0], replace(whole.sides[1], running=2, healthy=2))
    assert alb_next.readiness(PLACE, story(replace(whole, sides=sides)), "v2", 2, NOW).ready is Ready.YES


def answering(*tasks: dict[str, Any]) -> Caller:
    class Tasks:
        def do(self, call: Call) -> Answer:
            return {"taskArns": ["one", "two"]} if call.operation == "list_tasks" else {"tasks": list(tasks)}

    return Tasks()


def ended(why: str, second: int, definition: str = "web:3", **container: Any) -> dict[str, Any]:
    at = NOW + timedelta(seconds=second)
    told = {"taskDefinitionArn": definition, "stoppedReason": why, "stoppedAt": at}
    return told | {"containers": [{"name": "web"} | container, {"name": "agent", "exitCode": 0}]}


def test_the_task_of_this_version_that_ended_last_is_quoted() -> None:
    caller = answering(
        ended("Essential container in task exited", 2, exitCode=1),
        ended("older", 1),
        ended("of another version", 3, definition="web:2"),
    )
    assert last_words(caller, PLACE, "web-green", "web:3") == "Essential container in task exited; web: exit code 1"


def test_a_reason_of_a_container_is_quoted() -> None:
    caller = answering(ended("Task failed to start", 1, reason="CannotPullContainerError: no such tag."))
    assert last_words(caller, PLACE, "web-green", "web:3") == "Task failed to start; web: CannotPullContainerError: no such tag"


def test_whoever_may_not_ask_for_last_words_reads_the_rest() -> None:
    class Forbidden:
        def do(self, call: Call) -> Answer:
            raise Refused(f"AWS does not allow {call}", "Give the role the permission.")

    assert last_words(Forbidden(), PLACE, "web-green", "web:3") == ""
    assert last_words(answering(), PLACE, "web-green", "web:3") == ""
