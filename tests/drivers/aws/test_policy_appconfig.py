"""What `tidegate aws plan` says of flags in AppConfig: what is there, and policies, compared with what was asked for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.drivers.aws.test_appconfig import HALVES, OFF, ON, SLOW
from tests.drivers.aws.test_policy import plan
from tests.support.appconfig_place import Place, make_place
from tests.support.appconfig_world import AppConfigWorld
from tests.support.fault_proxy import FaultProxy
from tests.support.flag_agents import SUBJECT
from tidegate.core.environment import Environment
from tidegate.core.rollout import Phase
from tidegate.drivers.aws.appconfig_data import AppConfigData
from tidegate.drivers.aws.calls import Calls
from tidegate.drivers.aws.cloudwatch import CloudWatch
from tidegate.drivers.aws.findings import FlagArns
from tidegate.drivers.aws.policy import actions_of, agents_policy, policy_of
from tidegate.drivers.aws.survey import survey
from tidegate.engine.cloud import Cloud

pytestmark = pytest.mark.real
SIGNED = {"appconfig": "appconfig", "monitoring": "cloudwatch"}
"""The name under which a request is signed, and that of its permissions."""
ARNS = FlagArns("a", "a/environment/e", "a/configurationprofile/p", "a/environment/e/configuration/p", "deploymentstrategy/*")


class Guarded(AppConfigWorld):
    """With an alarm and a metric of CloudWatch."""

    def start_controller(self, store: Any = None) -> None:
        cloudwatch = CloudWatch(lambda: self.caller)
        self.cloud = Cloud(cloudwatch, lambda: self.now)
        super().start_controller(store)

    def tick(self) -> None:
        super().tick()
        assert self.cloud is not None
        if not self.now.second % 5:
            self.cloud.ask()

    @property
    def alarms(self) -> list[dict[str, Any]]:
        failed = {"name": "failed", "metric": "cloudwatch:Shop/Failed", "statistic": "sum", "above": 99, "period": "1m"}
        return [{"name": "five", "cloudwatch": self.place.name}, failed | {"missing": "not_breaching", "of": "service"}]


@pytest.fixture
def proxy(appconfig_at: str) -> Iterator[FaultProxy]:
    with FaultProxy({}, otherwise=appconfig_at) as proxy:
        yield proxy


@pytest.fixture
def place(appconfig_at: str, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", appconfig_at)
    return make_place()


def through(proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("APPCONFIG", "APPCONFIGDATA", "CLOUDWATCH"):
        monkeypatch.setenv(f"AWS_ENDPOINT_URL_{name}", proxy.url)


def asked(proxy: FaultProxy) -> set[str]:
    return {f"{SIGNED[one.service]}:{one.operation}" for one in proxy.noted}


def forget_strategies() -> None:
    """Those of other tests: else none has to be made."""
    client = boto3.client("appconfig")
    for strategy in client.list_deployment_strategies(MaxResults=50)["Items"]:
        if strategy["Name"].startswith("tidegate-"):
            client.delete_deployment_strategy(DeploymentStrategyId=strategy["Id"])


def test_the_policies_allow_what_whole_releases_and_agents_ask_for_and_nothing_else(
    proxy: FaultProxy, place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forget_strategies()
    through(proxy, monkeypatch)
    world = Guarded(tmp_path, place)
    world.configure(alarms=world.alarms)
    world.release(OFF)
    world.ended(Phase.COMPLETED)
    world.release(ON, plan=HALVES)
    world.ended(Phase.COMPLETED)
    world.release(OFF, plan=SLOW)
    world.until(lambda: world.last.phase is Phase.WATCHING and len(place.states()) == 3)
    world.orders.abort(SUBJECT, "ann", "enough")
    world.ended(Phase.ROLLED_BACK)
    record = world.store.environment(SUBJECT)
    assert record is not None
    assert asked(proxy) == actions_of(policy_of(record.file, flags=ARNS))
    proxy.forget()
    AppConfigData(f"{place.name}/prod/flags", Calls()).fetch()
    assert asked(proxy) == actions_of(agents_policy(ARNS))


def test_an_action_is_allowed_for_each_kind_of_resource_that_aws_judges_it_by() -> None:
    """The kinds are those of the Service Authorization Reference."""
    content = {"application": "shop", "environment": "prod", "compare": "off", "platform": {"appconfig": {"profile": "flags"}}}
    file = Environment.model_validate(content | {"plan": "all_at_once"})
    resources = {action: one["Resource"] for one in policy_of(file, flags=ARNS)["Statement"] for action in one["Action"]}
    started = [ARNS.application, ARNS.environment, ARNS.profile, f"{ARNS.environment}/deployment/*", ARNS.strategies]
    assert resources["appconfig:StartDeployment"] == started
    assert resources["appconfig:StopDeployment"] == [started[0], started[1], started[3]]
    assert resources["appconfig:CreateHostedConfigurationVersion"] == [ARNS.application, ARNS.profile]
    assert resources["appconfig:ListEnvironments"] == [ARNS.application]
    everywhere = {action for action, resource in resources.items() if resource == ["*"]}
    lists = {"appconfig:ListApplications", "appconfig:ListDeploymentStrategies"}
    assert everywhere == lists | {"appconfig:CreateDeploymentStrategy", "cloudwatch:DescribeAlarms"}
    assert agents_policy(ARNS)["Statement"][0]["Resource"] == [ARNS.configuration]


# --- the command ----------------------------------------------------------------------------------------------------------


def written(tmp_path: Path, place: Place, **changes: Any) -> str:
    content = {"application": "shop", "environment": "prod", "compare": "off", "plan": "linear 50% every 1m bake 0s"}
    path = tmp_path / "prod.yaml"
    path.write_text(json.dumps(content | {"platform": place.platform()} | changes))
    return str(path)


def test_plan_says_what_is_there_and_prints_both_policies_with_their_arns(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path, place, alarms=[{"name": "five", "cloudwatch": place.name}])
    assert plan("-f", path, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    there = [(one["kind"], one["name"].partition(" ")[0]) for one in found["there"]]
    assert there == [
        ("application", place.name),
        ("environment", "prod"),
        ("configuration profile", "flags"),
        ("strategy", "tidegate-linear-50-2m-bake-0m"),
        ("strategy", "tidegate-at-once"),
        ("monitor", place.name),
        ("alarm", place.name),
    ]
    assert "nothing is in force" in found["there"][2]["is_now"]
    read = found["agents"]["Statement"][0]["Resource"]
    whole = f"arn:aws:appconfig:us-east-1:000000000000:application/{place.application}"
    assert read == [f"{whole}/environment/{place.environment}/configuration/{place.profile}"]
    assert plan("-f", path, "--policy") == 0
    assert json.loads(capsys.readouterr().out) == found["policy"]
    assert plan("-f", path) == 0
    said = capsys.readouterr().out
    assert "Tidegate's role needs this policy:" in said
    assert "The role of agents" in said


def test_a_deployment_under_way_says_whose_it_is_and_ends_with_2(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    number = place.deploy()
    assert plan("-f", written(tmp_path, place)) == 2
    said = " ".join(capsys.readouterr().out.split())
    assert f"AppConfig does one deployment at a time, and number {number} is none of Tidegate's." in said
    assert "Wait for it, or stop it there." in said
    boto3.client("appconfig").stop_deployment(
        ApplicationId=place.application, EnvironmentId=place.environment, DeploymentNumber=number
    )


@pytest.mark.parametrize(
    ("state", "what"), [("ALARM", "is in ALARM"), ("INSUFFICIENT_DATA", "treat missing data as notBreaching")]
)
def test_a_monitor_that_would_take_everything_back_is_said(
    state: str, what: str, place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place.alarm(state)
    assert plan("-f", written(tmp_path, place)) == 2
    assert what in " ".join(capsys.readouterr().out.split())


def test_monitors_that_may_not_be_seen_are_said_beside_all_the_rest(
    proxy: FaultProxy, place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    through(proxy, monkeypatch)
    proxy.denied = "DescribeAlarms"
    assert plan("-f", written(tmp_path, place), "--json") == 2
    there = json.loads(capsys.readouterr().out)["there"]
    (wrong,) = [one for one in there if one["wrong"]]
    assert (wrong["kind"], wrong["is_now"]) == ("monitor", "cannot be seen")
    assert "DescribeAlarms" in wrong["wrong"]
    assert len(there) == 6


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"application": "nobody"}, "AppConfig has no application nobody."),
        ({"environment": "nowhere"}, "AppConfig has no environment nowhere. Make it, or correct the name. There are: prod."),
        ({"profile": "none"}, "AppConfig has no configuration profile none. Make it, or correct the name. There are: flags."),
    ],
)
def test_what_is_missing_is_said_with_what_there_is(
    changes: dict[str, str], what: str, place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert plan("-f", written(tmp_path, place, platform=place.platform(**changes))) == 2
    assert what in " ".join(capsys.readouterr().out.split())


def test_a_profile_of_another_kind_is_wrong(place: Place, tmp_path: Path) -> None:
    boto3.client("appconfig").create_configuration_profile(
        ApplicationId=place.application, Name="native", LocationUri="hosted", Type="AWS.AppConfig.FeatureFlags"
    )
    file = Environment.model_validate(json.loads(Path(written(tmp_path, place)).read_text()))
    assert survey(file, Calls()).wrong == ()
    native = Environment.model_validate(
        json.loads(Path(written(tmp_path, place, platform=place.platform(profile="native"))).read_text())
    )
    (wrong,) = survey(native, Calls()).wrong
    assert wrong.kind == "configuration profile"
    assert "is AWS.AppConfig.FeatureFlags" in wrong.wrong


def test_a_file_whose_only_part_on_aws_are_alarms_needs_nothing_but_to_see_them(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    alarm = [{"name": "five", "cloudwatch": place.name}]
    service = {"service": "web", "listener": {"port": 8080}, "tasks": {"command": ["web"]}, "alarms": alarm}
    for content in (service, {"application": "shop", "environment": "prod", "alarms": alarm}):
        path = tmp_path / "any.yaml"
        path.write_text(json.dumps(content))
        assert plan("-f", str(path), "--json") == 0
        found = json.loads(capsys.readouterr().out)
        assert [(one["kind"], one["is_now"]) for one in found["there"]] == [("alarm", "OK")]
        assert actions_of(found["policy"]) == {"cloudwatch:DescribeAlarms"}
    path.write_text(json.dumps({"application": "shop", "environment": "prod"}))
    assert plan("-f", str(path)) == 2
    assert "asks nothing of AWS" in " ".join(capsys.readouterr().err.split())
