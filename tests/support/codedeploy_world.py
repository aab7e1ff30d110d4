"""A service that our CodeDeploy (see `our_codedeploy.py`, it is not AWS's) releases, under the real loop in pretended time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.support.aws_world import AwsWorld, Crash, Fused
from tests.support.house import World
from tests.support.our_codedeploy import OurCodeDeploy
from tidegate.core.errors import TidegateError
from tidegate.core.service import Service

PLACE = {"application": "shop", "deployment_group": "web", "container": "web", "port": 80}
CANARY = {"canary": {"first": "10%", "hold": "5m"}, "bake": "1m", "keep_baseline": "1m"}


class CodeDeployWorld(AwsWorld):
    def __init__(self, tmp_path: Path, **options: Any) -> None:
        self.deaths = 0
        self.broken, self.written = [], []
        self.options = options
        self.caller = Fused()
        World.__init__(self, tmp_path)
        self.codedeploy = OurCodeDeploy(lambda: self.now, **options)
        self.caller.real = self.codedeploy

    def file(self, image: str = "shop/web:1", **changes: Any) -> Service:
        content: dict[str, Any] = {
            "service": "web",
            "platform": {"codedeploy": PLACE},
            "tasks": {"ecs": {"task_definition": "web:1", "images": {"web": image}}, "count": 2},
            "plan": CANARY,
        }
        return Service.model_validate(content | changes)

    def tick(self) -> None:
        """Five seconds."""
        self.now += timedelta(seconds=5)
        try:
            self.loop.tick(self.now)
            self.alb.turn("web")
        except Crash:
            self.deaths += 1
            self.start_controller()
        except TidegateError:
            pass

    def seconds_until(self, done: Callable[[], bool], within: int = 2000) -> None:
        for _ in range(within // 5):
            if done():
                return
            self.tick()
        raise AssertionError(f"not within {within} s: {self.rollout()}, {self.codedeploy.made}, {self.codedeploy.sets}")

    def forward(self) -> list[str]:
        """Who was deployed, without CodeDeploy's own ways back."""
        return [one.described for one in self.codedeploy.made if not one.undoes]

    def told(self) -> list[str]:
        """The story of the last rollout."""
        return [event.told.kind for event in self.store.events(rollout=self.rollout().id)]
