"""What `tidegate aws plan` says where a file names a role: asked as the role, with what the controller and the role need."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.drivers.aws.test_policy import plan
from tests.drivers.aws.test_policy_appconfig import written
from tests.support.appconfig_place import Place, make_place
from tests.support.fault_proxy import FaultProxy
from tidegate.drivers.aws.policy import actions_of, trust_policy

ROLE = "arn:aws:iam::210987654321:role/releases/tidegate"


@pytest.fixture
def proxy(appconfig_at: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultProxy]:
    with FaultProxy({}, otherwise=appconfig_at) as proxy:
        for name in ("APPCONFIG", "CLOUDWATCH", "STS"):
            monkeypatch.setenv(f"AWS_ENDPOINT_URL_{name}", proxy.url)
        yield proxy


@pytest.fixture
def place(proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch) -> Place:
    """In the role's account, of which nobody else sees anything."""
    with monkeypatch.context() as there:
        there.setenv("AWS_ACCESS_KEY_ID", "210987654321")
        there.setenv("AWS_DEFAULT_REGION", "eu-west-1")
        there.setattr("boto3.DEFAULT_SESSION", None)  # it keeps the keys that it found first
        return make_place()


def file(tmp_path: Path, place: Place, **changes: Any) -> str:
    platform = place.platform(region="eu-west-1", role=ROLE)
    return written(tmp_path, place, platform=platform, alarms=[{"name": "five", "cloudwatch": place.name}], **changes)


@pytest.mark.real
def test_it_is_asked_as_the_role_and_three_policies_say_who_needs_what(
    proxy: FaultProxy, place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIDEGATE_CLOUDWATCH", "Tidegate")
    proxy.forget()
    assert plan("-f", file(tmp_path, place), "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["there"][0] == {
        "kind": "role",
        "name": ROLE,
        "is_now": "can be assumed from here",
        "changes": "",
        "wrong": "",
        "mend": "",
    }
    assert [one["kind"] for one in found["there"][1:3]] == ["application", "environment"]
    keys = {one.key for one in proxy.noted if one.service in ("appconfig", "monitoring")}
    assert len(keys) == 1
    assert "test" not in keys
    assert found["agents"]["Statement"][0]["Resource"][0].startswith("arn:aws:appconfig:eu-west-1:210987654321:application/")
    assert actions_of(found["controller"]) == {"sts:AssumeRole", "cloudwatch:PutMetricData"}
    assert found["controller"]["Statement"][0]["Resource"] == [ROLE]
    assert not actions_of(found["policy"]) & actions_of(found["controller"])
    assert found["trust"]["Statement"][0]["Principal"] == {"AWS": "arn:aws:iam::000000000000:root"}
    assert plan("-f", file(tmp_path, place)) == 0
    said = " ".join(capsys.readouterr().out.split())
    for title in (
        f"The role {ROLE} needs this policy:",
        "It has to trust whoever",
        "Whoever runs the controller needs this one:",
    ):
        assert title in said


@pytest.mark.real
def test_a_role_that_cannot_be_assumed_is_said_with_all_policies_that_are_needed(
    proxy: FaultProxy, place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    proxy.denied = "AssumeRole"
    path = file(tmp_path, place)
    assert plan("-f", path, "--json") == 2
    found = json.loads(capsys.readouterr().out)
    (role,) = found["there"]
    assert role["is_now"] == "cannot be assumed, so nothing else is seen"
    assert "does not let us assume the role" in role["wrong"]
    assert "appconfig:StartDeployment" in actions_of(found["policy"])
    assert found["agents"]["Statement"][0]["Resource"] == [
        "arn:aws:appconfig:eu-west-1:210987654321:application/*/environment/*/configuration/*"
    ]
    assert plan("-f", path) == 2
    assert "tidegate aws plan prints both" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("who", "principal"),
    [
        ("arn:aws:sts::123456789012:assumed-role/controller/i-0abc", "arn:aws:iam::123456789012:role/controller"),
        ("arn:aws:iam::123456789012:user/ann", "arn:aws:iam::123456789012:user/ann"),
        ("", "arn:aws:iam::ACCOUNT-OF-THE-CONTROLLER:role/ITS-ROLE"),
    ],
)
def test_who_is_trusted_is_a_role_or_user_and_never_a_session(who: str, principal: str) -> None:
    (statement,) = trust_policy(who)["Statement"]
    assert statement["Principal"] == {"AWS": principal}
    assert statement["Condition"] == {"StringLike": {"sts:RoleSessionName": "tidegate*"}}
