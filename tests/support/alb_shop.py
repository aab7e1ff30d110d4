"""A shop on ECS behind an ALB with users, released by the commands of a person: what its walks have in common."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.alb_envoy import EnvoyForAlb, Visit, Visitors, is_listening
from tests.support.aws_world import Place
from tests.support.walk import Tidegate, until

LINEAR = {"linear": {"step": "50%", "every": "2s"}, "bake": "2s", "keep_baseline": "1s", "unsure": {"no_data": "promote"}}
CANARY = {"canary": {"first": "20%", "hold": "2m"}, "bake": "3s", "keep_baseline": "1s"}


@dataclass
class Shop:
    place: Place
    tidegate: Tidegate
    visitors: Visitors
    repository: str = "shop/web"
    """Where its images are."""

    def file(self, version: str, **changes: Any) -> str:
        place = self.place
        metric = f'cloudwatch:{place.cluster}/{{}}{{{{TargetGroup="{{{{target_group}}}}"}}}}'
        ecs = {
            "cluster": place.cluster,
            "services": place.services,
            "target_groups": place.groups,
            "listener_rule": place.rule,
            "sticky": "3s",
            "counts": {"requests": metric.format("Requests"), "failed": metric.format("Failed"), "period": "1s", "late": "3s"},
        }
        tasks = {"ecs": {"task_definition": f"{place.family}:1", "images": {"web": f"{self.repository}:{version}"}}, "count": 1}
        return self.tidegate.write({"service": "web", "platform": {"ecs": ecs}, "tasks": tasks, "plan": CANARY} | changes)

    def deploy(self, version: str, **changes: Any) -> int:
        """By a person, who follows it to its end; the exit code."""
        done = self.tidegate.tidegate(
            "deploy", "-f", self.file(version, **changes), "--version", version, "--plain", "-y", within=200
        )
        self.said = done.stdout + done.stderr
        return done.returncode

    def last(self) -> str:
        return str(self.tidegate.ask("GET", "/rollouts")[0]["id"])

    def of(self, version: str) -> list[Visit]:
        return [visit for visit in self.visitors.visits if visit.version == version]

    def gone(self, version: str) -> list[Visit]:
        """The visits to a version, once nobody comes to it any more: the last ones are pinned for three seconds."""
        until(lambda: time.monotonic() - self.of(version)[-1].at > 5, 60, f"nobody comes to {version}")
        return self.of(version)

    def told(self, rollout: str, by: str, visits: list[Visit]) -> None:
        """Waits until the harm account has what users saw, to the last request, and prints what it cost."""
        failed = sum(visit.status >= 500 for visit in visits)

        def whole() -> bool:
            harm = self.tidegate.rollout(rollout)["harm"]
            return (harm["requests"], harm["failed"], harm["seen"]) == (len(visits), failed, failed)

        until(whole, 60, "all is counted", lambda: (self.tidegate.rollout(rollout)["harm"], len(visits), failed))
        seconds = visits[-1].at - visits[0].at
        print(f"\nrolled back by {by}: {seconds:.1f} s with users on it, {len(visits)} requests, {failed} failed")  # noqa: T201


@contextmanager
def open_shop(place: Place, ports: Mapping[str, int], directory: Path, repository: str = "shop/web") -> Iterator[Shop]:
    """v1 serves users. `ports`: where the task of each image listens, on loopback."""
    with EnvoyForAlb(directory, place, ports) as alb, Tidegate(tick="200ms") as tidegate:
        visitors = Visitors(alb.port)
        shop = Shop(place, tidegate, visitors, repository)
        assert shop.deploy("v1") == 0, shop.said
        until(lambda: is_listening(alb.port), 30, "Envoy listens")
        with visitors:
            until(lambda: len(shop.of("v1")) > 50, 30, "v1 serves")
            yield shop
        assert alb.trouble == []
