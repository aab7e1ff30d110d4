"""Where AWS is asked, and as whom."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.test_platform import ECS, file
from tidegate.core.access import HERE, Access
from tidegate.core.document import read
from tidegate.core.environment import Environment
from tidegate.core.environment_schema import environment_schema
from tidegate.core.errors import Invalid
from tidegate.core.service import Service
from tidegate.core.service_schema import service_schema

ROLE = "arn:aws:iam::210987654321:role/releases/tidegate"
CODEDEPLOY: dict[str, Any] = {"application": "shop", "deployment_group": "web", "container": "web", "port": 80}
FLAGS = {"application": "shop", "environment": "prod", "plan": "all_at_once", "compare": "off"}


@given(st.text(max_size=90))
def test_the_name_of_a_session_is_one_that_sts_takes(subject: str) -> None:
    assert re.fullmatch(r"[\w+=,.@-]{2,64}", Access("", ROLE, subject).session, re.ASCII)


def test_a_session_is_named_after_its_service_or_environment() -> None:
    assert Access("", ROLE, "web").session == "tidegate-web"
    assert Access("", ROLE, "shop/prod").session == "tidegate-shop-prod"
    assert Access("", ROLE, "web").account.session == "tidegate"


def test_every_platform_has_a_region_and_a_role() -> None:
    where = {"region": "eu-west-1", "role": ROLE}
    services = [
        {"platform": {"ecs": ECS | where}},
        {"platform": {"codedeploy": CODEDEPLOY | where}, "plan": "all_at_once"},
    ]
    for changes in services:
        service = read(Service, file(**changes), "web.yaml")
        assert service.access == Access("eu-west-1", ROLE, "web")
        assert Service.model_validate_json(service.model_dump_json()) == service
    flags = read(Environment, FLAGS | {"platform": {"appconfig": {"profile": "flags"} | where}}, "prod.yaml")
    assert flags.access == Access("eu-west-1", ROLE, "shop/prod")
    assert read(Environment, {"application": "shop", "environment": "prod"}, "prod.yaml").access == HERE


@pytest.mark.parametrize(
    "role",
    [
        "tidegate",
        "arn:aws:sts::210987654321:assumed-role/tidegate/ann",
        "arn:aws:iam::210987654321:user/ann",
        "arn:aws:iam::2109:role/tidegate",
        f"{ROLE} ",
        f"{ROLE}\n",
        "arn:aws:iam::２10987654321:role/tidegate",
    ],
)
def test_what_is_no_role_is_refused_with_what_one_looks_like(role: str) -> None:
    with pytest.raises(Invalid) as refused:
        read(Service, file(platform={"ecs": ECS | {"role": role}}), "web.yaml")
    assert refused.value.where == "platform.ecs.role"
    assert "is no ARN of an IAM role." in refused.value.what
    assert "arn:aws:iam::123456789012:role/NAME" in refused.value.mend


def test_the_schemas_know_the_role() -> None:
    definitions = service_schema()["$defs"] | environment_schema()["$defs"]
    for name in ("Ecs", "CodeDeploy", "AppConfig"):
        role = definitions[name]["properties"]["role"]
        assert re.match(role["pattern"], ROLE)
        assert re.match(role["pattern"], "")
        assert not re.match(role["pattern"], "tidegate")
