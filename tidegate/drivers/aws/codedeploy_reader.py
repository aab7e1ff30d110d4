"""Reads from CodeDeploy and ECS what concerns one service: its group, its sets of tasks, and the deployments that matter.
Changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from tidegate.core.codedeploy import CodeDeploy
from tidegate.core.errors import Refused
from tidegate.core.setting import Setting
from tidegate.drivers.aws import codedeploy_requests as requests
from tidegate.drivers.aws import codedeploy_seen
from tidegate.drivers.aws.call import Answer, Call, Caller
from tidegate.drivers.aws.codedeploy_group import Group, read_group
from tidegate.drivers.aws.codedeploy_seen import Deployment, Seen
from tidegate.drivers.aws.pages import pages
from tidegate.drivers.aws.revisions import Revisions

EARLIER = timedelta(minutes=5)
"""By so much AWS's clock may be behind ours."""


class Reader:
    """Of one service. `revisions` are those of its task definition."""

    def __init__(self, place: CodeDeploy, caller: Callable[[], Caller], revisions: Revisions) -> None:
        self._place = place
        self._caller = caller
        self._revisions = revisions

    def group(self) -> Group:
        """Raises NotFound or Invalid when there is none that could be used."""
        return read_group(self._place, self._caller().do(requests.group(self._place)))

    def service(self, group: Group) -> tuple[Mapping[str, Any], Sequence[Mapping[str, Any]]]:
        """The ECS service, empty when there is none; and its sets of tasks."""
        return codedeploy_seen.read_service(self._caller().do(requests.service(group.cluster, group.service)))

    def look(self, group: Group, setting: Setting, now: datetime) -> Seen:
        service, sets = self.service(group)
        for one in sets:
            self._revisions.of(one["taskDefinition"])
        seen = Seen(
            codedeploy_seen.task_sets(sets, self._revisions.known),
            tuple(self._that_matter(setting)),
            service.get("desiredCount", 0),
            now,
        )
        return self._with_targets(seen)

    def in_flight(self) -> list[Deployment]:
        return [one for one in self._described(self._ids(requests.running(self._place))) if one.in_flight]

    def _that_matter(self, setting: Setting) -> list[Deployment]:
        """All that are in flight, and those since the rollout began."""
        ids = dict.fromkeys(self._ids(requests.running(self._place)))
        if setting.errand is not None:
            ids |= dict.fromkeys(self._ids(requests.since(self._place, setting.errand.since - EARLIER)))
        return self._described(ids)

    def _ids(self, call: Call) -> Iterator[str]:
        """Of all pages."""
        for page in pages(self._caller(), call):
            yield from page.get("deployments", ())

    def _described(self, ids: Iterable[str]) -> list[Deployment]:
        """Oldest first."""
        every = list(ids)
        infos: list[Any] = []
        for begin in range(0, len(every), requests.MOST):
            some = every[begin : begin + requests.MOST]
            infos += self._caller().do(requests.deployments(some)).get("deploymentsInfo", ())
        return codedeploy_seen.read_deployments({"deploymentsInfo": infos})

    def _with_targets(self, seen: Seen) -> Seen:
        """Of the one that moves the traffic, or moved it last."""
        forward = [one for one in seen.deployments if not one.is_rollback and one.status not in ("Created", "Queued")]
        if not forward or (not forward[-1].in_flight and len(seen.living) < 2):
            return seen
        last = forward[-1]
        try:
            ids = [id_ for page in pages(self._caller(), requests.targets(last.id)) for id_ in page.get("targetIds", ())]
            answer: Answer = self._caller().do(requests.describe_targets(last.id, ids)) if ids else {}
        except Refused as refused:
            if "DeploymentNotStarted" not in refused.what:
                raise
            return seen
        known = codedeploy_seen.with_target(last, answer)
        return replace(seen, deployments=tuple(known if one is last else one for one in seen.deployments))
