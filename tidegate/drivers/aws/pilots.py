"""Which pilot a service on AWS gets: the service file says who moves its weights."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from tidegate.core.errors import Refused
from tidegate.core.platform import Platform
from tidegate.drivers.aws.alb import AlbPilot
from tidegate.drivers.aws.call import Callers
from tidegate.drivers.aws.codedeploy import CodeDeployPilot
from tidegate.drivers.aws.lever import Pilot, Pilots
from tidegate.ports import Jotter


def pilots(callers: Callers, clock: Callable[[], datetime], jotter: Jotter | None = None) -> Pilots:
    """`callers` gives who asks AWS with an access; `jotter` keeps where countings stand."""

    def make(subject: str, platform: Platform) -> Pilot:
        access = platform.access(subject)
        if platform.ecs is not None:
            return AlbPilot(subject, platform.ecs, lambda: callers(access), clock, jotter)
        if platform.codedeploy is not None:
            return CodeDeployPilot(platform.codedeploy, lambda: callers(access), clock)
        raise Refused(f"{subject} names no platform.", "Give platform.ecs or platform.codedeploy.")

    return make
