"""Versions as revisions of a task definition: found again by their tags, registered when there is none, never changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tidegate.core.errors import Invalid, Refused
from tidegate.core.platform import EcsTasks
from tidegate.core.service import Service
from tidegate.drivers.aws import alb_requests as requests
from tidegate.drivers.aws.alb_seen import Definition
from tidegate.drivers.aws.call import Caller


class Revisions:
    """Those of one service."""

    def __init__(self, caller: Callable[[], Caller]) -> None:
        self._caller = caller
        self.known: Mapping[str, Definition] = {}  # they never change
        self._registered: dict[tuple[str, str], str] = {}  # by version and digest; AWS may show them a moment later

    def of(self, arn: str) -> Definition:
        if arn not in self.known:
            found = requests.read_definition(self._caller().do(requests.describe_definition(arn)))
            self.known = {**self.known, arn: found}
        return self.known[arn]

    def arn_for(self, file: Service, version: str, operation: str) -> str:
        """The revision of this version; registered for this operation when there is none."""
        return self._find(file, version) or self._register(file, version, operation)

    def _register(self, file: Service, version: str, operation: str) -> str:
        template = self._caller().do(requests.describe_definition(_template(file)))
        call = requests.register_definition(file, version, template, operation)
        arn = str(self._caller().do(call)["taskDefinition"]["taskDefinitionArn"])
        self._registered[version, requests.digest_of(file)] = arn
        return arn

    def _find(self, file: Service, version: str) -> str:
        """One that was registered for this version before, perhaps by a controller that died of it; "" when there is none."""
        digest = requests.digest_of(file)
        if arn := self._registered.get((version, digest)):
            return arn
        tasks = file.tasks.ecs
        answer = self._caller().do(requests.list_definitions(requests.family_of(tasks))) if tasks else {}
        for arn in answer.get("taskDefinitionArns", ()):
            found = self.of(arn)
            if (found.version, found.digest) == (version, digest):
                return found.arn
        return ""

    def check(self, tasks: EcsTasks) -> list[str]:
        """The containers of the template. Raises Invalid when one that gets an image is none of them."""
        template = self._caller().do(requests.describe_definition(tasks.task_definition))
        names = [str(container["name"]) for container in template["taskDefinition"]["containerDefinitions"]]
        if unknown := sorted(set(tasks.images) - set(names)):
            known = ", ".join(names)
            raise Invalid(
                f"{tasks.task_definition} has no container {unknown[0]!r}.", f"Its containers: {known}.", "tasks.ecs.images"
            )
        return names


def _template(file: Service) -> str:
    if file.tasks.ecs is None:
        raise Refused(f"{file.service} has no tasks.ecs.", "Say which task definition its versions begin from.")
    return file.tasks.ecs.task_definition
