"""A CodeDeploy and an ECS of ours, not AWS's: what their documentation says, in pretended time. No emulator has one that moves.

Every request is validated by botocore against the service's input model, every answer against its output model. What AWS does
otherwise than it says, no test here can find.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import botocore.session
from botocore.validate import ParamValidator

from tidegate.core.errors import NotFound, Refused
from tidegate.drivers.aws.call import Answer, Call

GONE = {"Succeeded", "Failed", "Stopped"}
INSTALLS = timedelta(seconds=10)
ROLLS_BACK = timedelta(seconds=10)
MINUTE = timedelta(minutes=1)
ACCOUNT = "arn:aws:ecs:us-east-1:123456789012"
AMAZONS = {
    "CodeDeployDefault.ECSAllAtOnce": {"type": "AllAtOnce"},
    "CodeDeployDefault.ECSLinear10PercentEvery1Minutes": {
        "type": "TimeBasedLinear",
        "timeBasedLinear": {"linearPercentage": 10, "linearInterval": 1},
    },
    "CodeDeployDefault.ECSCanary10Percent5Minutes": {
        "type": "TimeBasedCanary",
        "timeBasedCanary": {"canaryPercentage": 10, "canaryInterval": 5},
    },
}


@cache
def _model(service: str) -> Any:
    return botocore.session.get_session().get_service_model(service)


def operation_of(call: Call) -> Any:
    return _model(call.service).operation_model("".join(word.capitalize() for word in call.operation.split("_")))


def must_fit(call: Call, answer: Answer | None = None) -> None:
    """The request fits the service's input model, or the answer its output model, as botocore knows them."""
    operation = operation_of(call)
    what, shape = (call.parameters, operation.input_shape) if answer is None else (answer, operation.output_shape)
    if shape is None:
        assert not what, (str(call), "answers nothing")
        return
    report = ParamValidator().validate(dict(what), shape)
    assert not report.has_errors(), (str(call), report.generate_report())


@dataclass
class Made:
    """A deployment of ours."""

    id: str
    definition: str
    routing: Mapping[str, Any]
    described: str
    created: datetime
    status: str = "Created"
    creator: str = "user"
    config: str = "CodeDeployDefault.ECSAllAtOnce"
    let_in: datetime | None = None
    shifted: datetime | None = None
    weight: int = 0
    blue: str = ""
    ended: datetime | None = None
    error: dict[str, str] = field(default_factory=dict)
    rollback: str = ""
    undoes: str = ""


class OurCodeDeploy:
    """Implements call.Caller."""

    def __init__(
        self, clock: Callable[[], datetime], *, asks: bool = False, keeps: int = 10, minute: timedelta = MINUTE
    ) -> None:
        """`minute`: how long one of its minutes takes."""
        self._clock = clock
        self.minute = minute
        self.asks, self.keeps = asks, keeps
        self.controller = "CODE_DEPLOY"
        self.definitions: list[dict[str, Any]] = []
        self.tags: dict[str, list[dict[str, str]]] = {}
        self.configs: dict[str, Mapping[str, Any]] = dict(AMAZONS)
        self.made: list[Made] = []
        self.calls: list[Call] = []
        container = {"name": "web", "image": "shop/web:v0", "memory": 64, "essential": True, "environment": []}
        self._register({"family": "web", "containerDefinitions": [container]})
        self.sets: list[dict[str, Any]] = [self._set(self.definitions[0]["taskDefinitionArn"], "PRIMARY")]
        self.desired = 2

    def do(self, call: Call) -> Answer:
        must_fit(call)
        self.calls.append(call)
        for one in self.made:
            self._advance(one)
        answer: Answer = getattr(self, f"_{call.operation}")(**call.parameters)
        must_fit(call, answer)
        return answer

    # --- what happens by itself ---------------------------------------------------------------------------------------

    def _advance(self, one: Made) -> None:
        now = self._clock()
        if one.status in GONE:
            return
        if one.undoes:
            if now - one.created >= ROLLS_BACK * (self.minute / MINUTE):
                self._bring_back(one, now)
            return
        if one.status == "Created" and now > one.created:
            one.status, one.blue = "InProgress", self.primary
            self.sets.append(self._set(one.definition, "ACTIVE"))
        if one.let_in is None and one.status == "InProgress" and now - one.created >= INSTALLS * (self.minute / MINUTE):
            one.status, one.let_in = ("Ready", None) if self.asks else ("InProgress", now)
        if one.let_in is not None and one.shifted is None:
            one.weight = self._weight(one, now)
            if one.weight == 100:
                one.shifted = now
                for each in self.sets:
                    each["status"] = "PRIMARY" if each["taskDefinition"] == one.definition else "ACTIVE"
        if one.shifted is not None and now - one.shifted >= self.keeps * self.minute:
            self._end(one, "Succeeded")
            self.sets = [each for each in self.sets if each["taskDefinition"] == one.definition]

    def _weight(self, one: Made, now: datetime) -> int:
        assert one.let_in is not None
        passed = now - one.let_in
        match one.routing["type"]:
            case "TimeBasedCanary":
                how = one.routing["timeBasedCanary"]
                first = int(how["canaryPercentage"])
                return first if passed < how["canaryInterval"] * self.minute else 100
            case "TimeBasedLinear":
                how = one.routing["timeBasedLinear"]
                return min(100, int(how["linearPercentage"]) * (1 + passed // (how["linearInterval"] * self.minute)))
            case _:
                return 100

    def _bring_back(self, one: Made, now: datetime) -> None:
        undone = next(each for each in self.made if each.id == one.undoes)
        undone.weight = 0
        self.sets = [each for each in self.sets if each["taskDefinition"] == undone.blue] or self.sets
        self.sets[0]["status"] = "PRIMARY"
        self._end(one, "Succeeded")

    def _end(self, one: Made, status: str) -> None:
        one.status, one.ended = status, self._clock()

    def turn_back(self, one: Made, code: str, message: str) -> None:
        """As CodeDeploy does it: this one is stopped, and another one begins to bring back what was."""
        self._end(one, "Stopped")
        one.error = {"code": code, "message": message}
        if one.blue:
            one.rollback = self._new(one.blue, {"type": "AllAtOnce"}, "", creator="codeDeployRollback", undoes=one.id).id

    @property
    def primary(self) -> str:
        return next(each["taskDefinition"] for each in self.sets if each["status"] == "PRIMARY")

    @property
    def going(self) -> Made | None:
        return next((one for one in reversed(self.made) if one.status not in GONE), None)

    def users(self) -> dict[str, int]:
        """By image, its share of the traffic in percent."""
        last = next((one for one in reversed(self.made) if not one.undoes), None)
        if last is None or not last.blue or not 0 < last.weight < 100:
            return {self._image(self.primary): 100}
        return {self._image(last.blue): 100 - last.weight, self._image(last.definition): last.weight}

    def _image(self, arn: str) -> str:
        found = next(one for one in self.definitions if one["taskDefinitionArn"] == arn)
        return str(found["containerDefinitions"][0]["image"])

    def _new(self, definition: str, routing: Mapping[str, Any], described: str, **more: Any) -> Made:
        one = Made(f"d-{len(self.made) + 1:09d}", definition, routing, described, self._clock(), **more)
        self.made.append(one)
        return one

    # --- ECS ----------------------------------------------------------------------------------------------------------

    def _set(self, arn: str, status: str) -> dict[str, Any]:
        return {
            "id": f"ecs-svc/{arn.rpartition(':')[2]}",
            "taskDefinition": arn,
            "status": status,
            "runningCount": 2,
            "createdAt": self._clock(),
        }

    def _register(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        arn = f"{ACCOUNT}:task-definition/web:{len(self.definitions) + 1}"
        self.definitions.append(
            {**{key: value for key, value in parameters.items() if key != "tags"}, "taskDefinitionArn": arn}
        )
        self.tags[arn] = list(parameters.get("tags", ()))
        return self.definitions[-1]

    def _register_task_definition(self, **parameters: Any) -> Answer:
        return {"taskDefinition": self._register(parameters)}

    def _describe_task_definition(self, **parameters: Any) -> Answer:
        name = parameters["taskDefinition"]
        for one in self.definitions:
            if one["taskDefinitionArn"].endswith(name.rpartition("/")[2]):
                return {"taskDefinition": one, "tags": self.tags[one["taskDefinitionArn"]]}
        raise Refused(f"ecs:DescribeTaskDefinition is refused with ClientException: {name}", "Correct it.")

    def _list_task_definitions(self, **_: Any) -> Answer:
        return {"taskDefinitionArns": [one["taskDefinitionArn"] for one in reversed(self.definitions)]}

    def _describe_services(self, **_: Any) -> Answer:
        service = {
            "serviceName": "web",
            "status": "ACTIVE",
            "desiredCount": self.desired,
            "deploymentController": {"type": self.controller},
            "taskSets": [dict(one) for one in self.sets],
        }
        return {"services": [service]}

    def _update_service(self, **parameters: Any) -> Answer:
        self.desired = parameters["desiredCount"]
        return {"service": {"serviceName": "web", "desiredCount": self.desired}}

    # --- CodeDeploy ---------------------------------------------------------------------------------------------------

    def _get_deployment_group(self, **parameters: Any) -> Answer:
        ready = {"actionOnTimeout": "STOP_DEPLOYMENT", "waitTimeInMinutes": 60} if self.asks else None
        options: dict[str, Any] = {
            "terminateBlueInstancesOnDeploymentSuccess": {
                "action": "TERMINATE",
                "terminationWaitTimeInMinutes": self.keeps,
            },
            "deploymentReadyOption": ready or {"actionOnTimeout": "CONTINUE_DEPLOYMENT"},
        }
        services = [{"clusterName": "shop", "serviceName": "web"}]
        info = {**parameters, "ecsServices": services, "blueGreenDeploymentConfiguration": options, "computePlatform": "ECS"}
        return {"deploymentGroupInfo": info}

    def _list_deployments(self, **parameters: Any) -> Answer:
        statuses = parameters.get("includeOnlyStatuses")
        start = parameters.get("createTimeRange", {}).get("start")
        found = [
            one.id for one in self.made if (not statuses or one.status in statuses) and (start is None or one.created >= start)
        ]
        return {"deployments": found[::-1]}

    def _batch_get_deployments(self, deploymentIds: list[str]) -> Answer:  # noqa: N803 - as AWS names it
        return {"deploymentsInfo": [self._info(one) for one in self.made if one.id in deploymentIds]}

    def _info(self, one: Made) -> dict[str, Any]:
        info: dict[str, Any] = {
            "deploymentId": one.id,
            "status": one.status,
            "description": one.described,
            "creator": one.creator,
            "createTime": one.created,
            "deploymentConfigName": one.config,
            "instanceTerminationWaitTimeStarted": one.shifted is not None,
        }
        info |= {"completeTime": one.ended} if one.ended else {}
        info |= {"errorInformation": one.error} if one.error else {}
        return info | ({"rollbackInfo": {"rollbackDeploymentId": one.rollback}} if one.rollback else {})

    def _list_deployment_targets(self, deploymentId: str) -> Answer:  # noqa: N803
        if self._of(deploymentId).status == "Created":
            raise Refused("codedeploy:ListDeploymentTargets is refused with DeploymentNotStartedException: wait", "Wait.")
        return {"targetIds": ["shop:web"]}

    def _batch_get_deployment_targets(self, deploymentId: str, targetIds: list[str]) -> Answer:  # noqa: N803
        one = self._of(deploymentId)
        events = [("Install", one.let_in or one.status == "Ready"), ("AllowTraffic", one.shifted)]
        sets = [
            {
                "identifer": each["id"],
                "trafficWeight": float(one.weight if each["taskDefinition"] == one.definition else 100 - one.weight),
                "status": each["status"],
                "taskSetLabel": "Green" if each["taskDefinition"] == one.definition else "Blue",
            }
            for each in self.sets
        ]
        target = {
            "deploymentId": one.id,
            "targetId": targetIds[0],
            "status": "InProgress",
            "lifecycleEvents": [
                {"lifecycleEventName": name, "status": "Succeeded" if done else "InProgress"} for name, done in events
            ],
            "taskSetsInfo": sets,
        }
        return {"deploymentTargets": [{"deploymentTargetType": "ECSTarget", "ecsTarget": target}]}

    def _of(self, id_: str) -> Made:
        return next(one for one in self.made if one.id == id_)

    def _get_deployment_config(self, deploymentConfigName: str) -> Answer:  # noqa: N803
        if deploymentConfigName not in self.configs:
            raise NotFound(f"codedeploy:GetDeploymentConfig: {deploymentConfigName}", "Make it.")
        return {"deploymentConfigInfo": {"trafficRoutingConfig": self.configs[deploymentConfigName]}}

    def _create_deployment_config(self, **parameters: Any) -> Answer:
        name = parameters["deploymentConfigName"]
        if name in self.configs:
            raise Refused(f"refused with DeploymentConfigAlreadyExistsException: {name}", "Use it.")
        self.configs[name] = parameters["trafficRoutingConfig"]
        return {"deploymentConfigId": "1"}

    def _create_deployment(self, **parameters: Any) -> Answer:
        if self.going is not None:
            raise Refused(f"refused with DeploymentLimitExceededException: {self.going.id} is going", "Wait.")
        content = json.loads(parameters["revision"]["appSpecContent"]["content"])
        definition = content["Resources"][0]["TargetService"]["Properties"]["TaskDefinition"]
        routing, name = self.configs[parameters["deploymentConfigName"]], parameters["deploymentConfigName"]
        return {"deploymentId": self._new(definition, routing, parameters["description"], config=name).id}

    def _stop_deployment(self, deploymentId: str, autoRollbackEnabled: bool) -> Answer:  # noqa: N803
        one = self._of(deploymentId)
        assert autoRollbackEnabled
        if one.status in GONE:
            raise Refused("refused with DeploymentAlreadyCompletedException: over", "Nothing.")
        self.turn_back(one, "MANUAL_STOP", "stopped by a person")
        return {"status": "Pending"}

    def _continue_deployment(self, deploymentId: str, deploymentWaitType: str) -> Answer:  # noqa: N803
        one = self._of(deploymentId)
        if deploymentWaitType == "READY_WAIT" and one.status == "Ready":
            one.status, one.let_in = "InProgress", self._clock()
        elif deploymentWaitType == "TERMINATION_WAIT" and one.shifted is not None and one.status not in GONE:
            one.shifted -= self.keeps * self.minute
        else:
            raise Refused("refused with DeploymentIsNotInReadyStateException: not yet", "Wait.")
        return {}
