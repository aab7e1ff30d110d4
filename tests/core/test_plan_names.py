"""AWS's predefined names: what each becomes, and that docs/plans.md says the same."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from tidegate.core.duration import say_duration
from tidegate.core.plan import LEAST_PATIENCE, MOST_STEPS, HookFile, PlanFile, StepFile, Unsure, UnsureFile, read_plan
from tidegate.core.plan_names import NAMED
from tidegate.core.text import read_yaml

PAGE = (Path(__file__).parents[2] / "docs" / "plans.md").read_text()


def rows(heading: str) -> list[list[str]]:
    """The rows of the first table below this heading, without backticks."""
    table = PAGE.split(heading, 1)[1].split("|\n\n", 1)[0]
    lines = [line for line in table.splitlines() if line.startswith("| ")][1:]
    return [[cell.strip().replace("`", "") for cell in line.strip("|").split(" | ")] for line in lines]


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


# As AWS documents them: growth, share in percent, deployment time, bake; CodeDeploy from its "Deployment configurations on an
# Amazon ECS compute platform", AppConfig from its "Predefined deployment strategies" and the timeline beside them.
CODE_DEPLOY = {
    "CodeDeployDefault.ECSAllAtOnce": ("linear", 100, minutes(0)),
    "CodeDeployDefault.ECSLinear10PercentEvery1Minutes": ("linear", 10, minutes(1)),
    "CodeDeployDefault.ECSLinear10PercentEvery3Minutes": ("linear", 10, minutes(3)),
    "CodeDeployDefault.ECSCanary10Percent5Minutes": ("canary", 10, minutes(5)),
    "CodeDeployDefault.ECSCanary10Percent15Minutes": ("canary", 10, minutes(15)),
}
APP_CONFIG = {
    "AppConfig.AllAtOnce": ("linear", 100, minutes(0), minutes(10)),
    "AppConfig.Linear50PercentEvery30Seconds": ("linear", 50, minutes(1), minutes(1)),
    "AppConfig.Linear20PercentEvery6Minutes": ("linear", 20, minutes(30), minutes(30)),
    "AppConfig.Canary10Percent20Minutes": ("exponential", 10, minutes(20), minutes(10)),
}


def timeline(name: str) -> list[tuple[timedelta, int]]:
    """When which percentage is reached, without what the router takes."""
    at, reached = timedelta(0), []
    for step in read_plan(name).resolve().steps:
        reached.append((at, step.exposure // 100))
        at += step.hold
    return reached


@pytest.mark.parametrize("name", CODE_DEPLOY)
def test_codedeploy_moves_at_the_start_of_each_interval_and_does_not_bake(name: str) -> None:
    growth, share, every = CODE_DEPLOY[name]
    shares = [share, 100] if growth == "canary" else list(range(share, 101, share))
    assert timeline(name) == [(number * every, share) for number, share in enumerate(shares)]
    assert read_plan(name).resolve().steps[-1].hold == timedelta(0)


@pytest.mark.parametrize("name", APP_CONFIG)
def test_appconfig_moves_at_the_end_of_each_interval_and_bakes(name: str) -> None:
    growth, share, takes, bake = APP_CONFIG[name]
    shares = list(range(share, 101, share))
    if growth == "exponential":
        shares = [*(share * 2**n for n in range(10) if share * 2**n < 100), 100]
    every = takes / len(shares)
    begun = [(timedelta(0), 0)] if takes else []
    assert timeline(name) == begun + [((number + bool(takes)) * every, share) for number, share in enumerate(shares)]
    assert read_plan(name).resolve().steps[-1].hold == bake


def test_these_are_all_names() -> None:
    assert {named.said for named in NAMED.values()} == {*CODE_DEPLOY, *APP_CONFIG}


@pytest.mark.parametrize("name", [*CODE_DEPLOY, *APP_CONFIG])
def test_a_name_is_taken_in_any_case_as_a_sentence_or_as_a_key_and_its_bake_may_be_changed(name: str) -> None:
    plan = read_plan(name).resolve()
    assert plan.said == name
    assert read_plan(name.upper()).resolve() == plan
    assert read_plan({"name": name.lower()}).resolve() == plan
    assert read_plan(f"{name} bake 7m").resolve().steps[-1].hold == minutes(7)
    assert read_plan({"name": name, "bake": "7m"}).resolve() == read_plan(f"{name} bake 7m").resolve()


def test_a_name_with_a_holdback_ends_at_the_holdback() -> None:
    plan = read_plan({"name": "CodeDeployDefault.ECSLinear10PercentEvery1Minutes", "holdback": "15%"}).resolve()
    assert [step.exposure // 100 for step in plan.steps] == [10, 20, 30, 40, 50, 60, 70, 80, 85]


# --- docs/plans.md -------------------------------------------------------------------------------------------------------


def test_the_page_says_what_each_name_becomes() -> None:
    told = {}
    for named in NAMED.values():
        plan = read_plan(named.said).resolve()
        steps = [f"{step.exposure} {say_duration(step.hold)}" for step in plan.steps[:-1]] + [str(plan.steps[-1].exposure)]
        whole = plan.duration - named.bake
        told[named.said] = [", ".join(steps), say_duration(whole), say_duration(named.bake)]
    assert {name: rest for name, *rest in rows("## AWS's predefined names")} == told


def test_the_page_says_what_each_shape_becomes() -> None:
    table = rows("## Shapes")
    assert {*PlanFile.model_fields} >= {keys.split(":")[0] for _, keys, _ in table}
    for sentence, keys, shares in table:
        plan = read_plan(sentence).resolve()
        assert ", ".join(str(step.exposure) for step in plan.steps) == shares
        assert read_plan(read_yaml(keys, "the page")).resolve() == plan


def test_the_example_of_the_page_is_a_plan() -> None:
    examples = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    assert examples
    for example in examples:
        assert read_plan(yaml.safe_load(example)["plan"]).resolve().steps


def test_the_page_says_every_key_and_its_default() -> None:
    shapes = {"all_at_once", "linear", "canary", "exponential", "adaptive", "steps", "name"}
    keys = {name for name in PlanFile.model_fields if name not in shapes} - {"unsure"}
    table = {key: default for key, default, _ in rows("## Everything else")}
    assert set(table) == keys | {f"unsure.{name}" for name in UnsureFile.model_fields}
    written = PlanFile.default().model_dump(mode="json")
    for key, default in table.items():
        value = written["unsure"][key.removeprefix("unsure.")] if key.startswith("unsure.") else written[key]
        assert value is None or default == value, key
    assert read_plan("all_at_once").resolve().steps[-1].hold == minutes(5)
    for name in [*StepFile.model_fields, *HookFile.model_fields]:
        assert f"{name}:" in PAGE, name


def test_the_page_says_every_choice_and_limit() -> None:
    assert {value for value, _ in rows("`unsure.no_data` decides:")} == set(Unsure)
    assert f"At most {MOST_STEPS} steps" in PAGE
    assert f"at least `{say_duration(LEAST_PATIENCE)}`" in PAGE
