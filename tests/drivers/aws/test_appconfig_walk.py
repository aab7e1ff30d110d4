"""Flags by AppConfig as a person does it: a real Tidegate, a real agent beside it, and ministack's AppConfig between them."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.support.appconfig_place import Place, make_place
from tests.support.walk import Tidegate, until
from tidegate.agent import Agent
from tidegate.drivers.aws.appconfig_data import AppConfigData
from tidegate.drivers.aws.calls import Calls

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]
PATH = "/applications/shop/environments/prod/configurations/flags?flag=checkout"


@contextmanager
def agent_process(place: Place, tidegate: Tidegate) -> Iterator[str]:
    """Its address."""
    where = ["--appconfig", f"{place.name}/prod/flags", "-a", "shop", "--port", "0", "--cache", str(tidegate.home / "agent")]
    command = [sys.executable, "-m", "tidegate", "agent", *where, "--json"]
    env = tidegate.env | {"POLL_INTERVAL": "15", "LOG_LEVEL": "none"}
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield str(json.loads(process.stdout.readline())["address"])
        finally:
            process.kill()


def answered(address: str) -> object:
    """Whether checkout is on, as the agent says it; None while it has no flags."""
    try:
        with urllib.request.urlopen(address + PATH, timeout=10) as answer:
            return json.load(answer)["enabled"]
    except OSError:
        return None


def deploy(tidegate: Tidegate, plan: str, *words: str, **flags: str) -> subprocess.CompletedProcess[str]:
    tidegate.write({"application": "shop", "flags": flags}, "flags.yaml")
    return tidegate.tidegate("flags", "deploy", "-f", "flags.yaml", "-e", "shop/prod", "--plan", plan, "--plain", "-y", *words)


def test_a_good_change_reaches_the_agent_and_a_bad_one_goes_back_when_the_alarm_fires(appconfig_at: str) -> None:
    place = make_place()
    with Tidegate(tick="200ms") as tidegate:
        content = {"application": "shop", "environment": "prod", "compare": "off", "platform": place.platform()}
        file = tidegate.write({**content, "plan": "linear 50% every 1m bake 0s"}, "prod.yaml")
        assert tidegate.tidegate("flags", "configure", "-f", file).returncode == 0
        assert deploy(tidegate, "all_at_once", checkout="off").returncode == 0
        with agent_process(place, tidegate) as address:
            until(lambda: answered(address) is False, 60, "the agent answers")
            good = deploy(tidegate, "linear 50% every 1m bake 0s", checkout="on")
            assert good.returncode == 0, good.stdout + good.stderr
            assert "to 50%: AppConfig went on" in good.stdout
            assert "Its requests were not counted: AppConfig led it." in good.stdout
            assert "AppConfig deploys these flags" in tidegate.tidegate("status", "shop/prod").stdout
            until(lambda: answered(address) is True, 60, "the agent has polled")
            bad = deploy(tidegate, "AppConfig.Linear20PercentEvery6Minutes", "--detach", checkout="off")
            assert bad.returncode == 0, bad.stdout + bad.stderr
            until(lambda: len(place.states()) == 3, 60, "it is under way")
            place.alarm("ALARM")
            watched = tidegate.tidegate("watch", "shop/prod", "--plain")
            assert watched.returncode == 3, watched.stdout + watched.stderr
            assert f"the CloudWatch alarm {place.name}, which it monitors, fired" in " ".join(watched.stdout.split())
            assert place.states() == [("1", "COMPLETE"), ("2", "COMPLETE"), ("1", "ROLLED_BACK")]
            assert answered(address) is True
        with Agent("shop", "prod", source=AppConfigData(f"{place.name}/prod/flags", Calls())) as anew:
            assert anew.wait(60)
            assert anew.evaluate("checkout", {"targetingKey": "ann"}).value is True
