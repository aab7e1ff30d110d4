"""A real Tidegate in one account of ministack releases flags in another one, whose role it assumes."""

from __future__ import annotations

import pytest

from tests.drivers.aws.test_policy_role import ROLE
from tests.drivers.aws.test_policy_role import place as place
from tests.drivers.aws.test_policy_role import proxy as proxy
from tests.support.appconfig_place import Place
from tests.support.appconfig_world import AT_ONCE
from tests.support.fault_proxy import FaultProxy
from tests.support.walk import Tidegate

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]


def test_everything_of_a_file_with_a_role_is_asked_as_the_role(proxy: FaultProxy, place: Place) -> None:
    proxy.forget()
    with Tidegate(tick="200ms") as tidegate:
        content = {"application": "shop", "environment": "prod", "compare": "off", "plan": AT_ONCE}
        alarm = {"name": "five", "cloudwatch": place.name}
        appconfig = place.platform(region="eu-west-1", role=ROLE)
        file = tidegate.write(content | {"platform": appconfig, "alarms": [alarm]}, "prod.yaml")
        configured = tidegate.tidegate("flags", "configure", "-f", file)
        assert configured.returncode == 0, configured.stdout + configured.stderr
        for flag in ("off", "on"):
            tidegate.write({"application": "shop", "flags": {"checkout": flag}}, "flags.yaml")
            done = tidegate.tidegate("flags", "deploy", "-f", "flags.yaml", "-e", "shop/prod", "--plain", "-y")
            assert done.returncode == 0, done.stdout + done.stderr
        proxy.denied = "AssumeRole"
        other = tidegate.write(content | {"environment": "test", "platform": appconfig}, "test.yaml")
        refused = tidegate.tidegate("flags", "configure", "-f", other)
        assert refused.returncode == 2
        assert f"does not let us assume the role {ROLE}" in " ".join(refused.stderr.split())
    assert {one.operation for one in proxy.noted if one.key == "test"} == {"AssumeRole"}
    asked = {one.operation for one in proxy.noted if one.key.startswith("ASIA")}
    assert {"StartDeployment", "CreateHostedConfigurationVersion", "DescribeAlarms"} <= asked
    assert {one.region for one in proxy.noted} == {"eu-west-1"}
