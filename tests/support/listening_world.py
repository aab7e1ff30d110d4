"""A world whose tasks listen, each at an address of loopback, for a load balancer that looks whether they do."""

from __future__ import annotations

import socket
from pathlib import Path
from types import TracebackType

from tests.support.aws_world import AwsWorld, Place

_SOON = 4096
"""Connections that nobody takes: who only looks gets no further than that."""


class ListeningWorld(AwsWorld):
    def __init__(self, tmp_path: Path, place: Place) -> None:
        self.answers = True
        """Whether tasks listen that are started now."""
        self._tasks: dict[str, list[socket.socket]] = {group: [] for group in place.groups}
        super().__init__(tmp_path, place)

    def __enter__(self) -> ListeningWorld:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for tasks in self._tasks.values():
            for task in tasks:
                task.close()

    def schedule(self) -> None:
        """In the place of ECS: its running tasks are the targets of their group."""
        services = self.ecs.describe_services(cluster=self.place.cluster, services=list(self.place.services))["services"]
        for service in services:
            side = self.place.services.index(service["serviceName"])
            group = self.place.groups[side]
            tasks, wanted = self._tasks[group], service["runningCount"]
            while len(tasks) < wanted:
                tasks.append(self._task(f"127.0.{1 + side}.{10 + len(tasks)}"))
                self.elb.register_targets(TargetGroupArn=group, Targets=[_target(tasks[-1])])
            while len(tasks) > wanted:
                self.elb.deregister_targets(TargetGroupArn=group, Targets=[_target(tasks[-1])])
                tasks.pop().close()

    def listen(self) -> None:
        """All of them, from now on."""
        self.answers = True
        for tasks in self._tasks.values():
            for task in tasks:
                task.listen(_SOON)

    def _task(self, address: str) -> socket.socket:
        """With an address of its own, as in AWS: moto knows targets by that alone."""
        task = socket.socket()
        task.bind((address, 0))
        if self.answers:
            task.listen(_SOON)
        return task


def _target(task: socket.socket) -> dict[str, object]:
    address, port = task.getsockname()
    return {"Id": address, "Port": port}
