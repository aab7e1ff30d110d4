"""What is there in AppConfig of what an environment's file names, and what a change of flags would add. Looks only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from tidegate.core.environment import Environment
from tidegate.core.errors import TidegateError, Unreachable
from tidegate.core.flag_platform import AppConfig
from tidegate.core.strategy import AT_ONCE, LEADER, Strategy, strategy_of
from tidegate.drivers.aws import appconfig_requests as requests
from tidegate.drivers.aws.appconfig_monitors import monitors
from tidegate.drivers.aws.appconfig_pilot import Pilot
from tidegate.drivers.aws.appconfig_seen import Deployment, Seen
from tidegate.drivers.aws.call import Call, Caller
from tidegate.drivers.aws.findings import Finding, FlagArns, Survey, alarms
from tidegate.drivers.aws.pages import pages

Item = Mapping[str, Any]


def survey_appconfig(file: Environment, names: AppConfig, caller: Caller, region: str = "") -> Survey:
    """`region`: the one that is asked, where it is known. Raises Unreachable when AWS does not answer."""
    pilot = Pilot(file, lambda _: caller, lambda _application, _number: None, lambda: datetime.now(UTC))
    application, environment = names.application or file.application, names.environment or file.environment
    who = _who(caller)
    whole = _named(caller, requests.applications(), application)
    if whole is None:
        missing = _missing(caller, requests.applications(), "application", application)
        return Survey((missing, *alarms(file.alarms, caller)), flags=arns_of(who, region))
    id_ = str(whole["Id"])
    part = _named(caller, requests.environments(id_), environment)
    profile = _named(caller, requests.profiles(id_), names.profile)
    found = [Finding("application", _said(whole), "there")]
    if part is None:
        found.append(_missing(caller, requests.environments(id_), "environment", environment))
    if profile is None:
        found.append(_missing(caller, requests.profiles(id_), "configuration profile", names.profile))
    arns = arns_of(who, region, id_, *(str(one["Id"]) if one else "*" for one in (part, profile)))
    if part is not None and profile is not None:
        found += _deployable(file, pilot, part, profile)
    found += [
        *_strategies(file, caller),
        *(_monitors(part, caller) if part is not None else ()),
        *alarms(file.alarms, caller),
    ]
    return Survey(tuple(found), flags=arns)


def _deployable(file: Environment, pilot: Pilot, environment: Item, profile: Item) -> Iterator[Finding]:
    seen = pilot.look()
    yield _environment(file.subject, environment, seen)
    kind = f"{profile.get('Type') or 'AWS.Freeform'}, {profile.get('LocationUri', 'hosted')}; {_in_force(seen)}"
    changes = "a version for each flag document"
    try:
        pilot.check()
    except Unreachable:
        raise
    except TidegateError as error:
        yield Finding("configuration profile", _said(profile), kind, wrong=error.what, mend=error.mend)
    else:
        yield Finding("configuration profile", _said(profile), kind, changes)


def _in_force(seen: Seen) -> str:
    return f"{seen.in_force} is in force" if seen.in_force else "nothing is in force"


def _environment(subject: str, environment: Item, seen: Seen) -> Finding:
    kind, name, changes = "environment", _said(environment), "a deployment for each change"
    under_way = seen.under_way
    if under_way is None:
        return Finding(kind, name, str(environment.get("State", "")).replace("_", " ").lower() or "there", changes)
    is_now = f"deployment {under_way.number} is under way ({under_way.state})"
    wrong = f"{LEADER} does one deployment at a time, and number {under_way.number} is {_whose(under_way)}."
    mend = f"Wait for it, or stop it: tidegate abort {subject}." if under_way.rollout else "Wait for it, or stop it there."
    return Finding(kind, name, is_now, changes, wrong, mend)


def _whose(deployment: Deployment) -> str:
    if deployment.rollout:
        return f"of the rollout {deployment.rollout}"
    return "none of Tidegate's" if deployment.ours else "of another configuration profile"


def _strategies(file: Environment, caller: Caller) -> Iterator[Finding]:
    """That of the plan; and that by which the first document comes, and a way back."""
    there, planned = list(_items(caller, requests.strategies())), strategy_of(file.course(file.plan))
    for strategy in dict.fromkeys((planned, AT_ONCE)):
        use = _shape(strategy) if strategy == planned else "for the first document, and ways back"
        mine = (strategy.name, strategy.shape)
        item = next((one for one in there if (one.get("Name"), requests.shape_of(one)) == mine), None)
        if strategy.is_predefined:
            yield Finding("strategy", strategy.name, f"{LEADER}'s own; {use}")
        elif item is not None:
            yield Finding("strategy", strategy.name, f"there; {use}")
        else:
            yield Finding("strategy", strategy.name, f"not there; {use}", "made when it is needed first")


def _shape(strategy: Strategy) -> str:
    grows = "by" if strategy.growth == "LINEAR" else "doubling from"
    way = f"{grows} {strategy.factor:g}% in {strategy.duration}m" if strategy.duration else "all at once"
    return f"the plan: {way}, bake {strategy.bake}m"


def _monitors(environment: Item, caller: Caller) -> Iterator[Finding]:
    """AppConfig takes back every deployment while one of these fires or has no data, and a start is refused for it."""
    kind = "monitor"
    try:
        found = monitors(caller, environment)
    except Unreachable:
        raise
    except TidegateError as error:
        yield Finding(kind, "all", "cannot be seen", wrong=error.what, mend=error.mend)
        return
    if not found:
        yield Finding(kind, "none", "no alarm makes AppConfig go back by itself")
    for one in found:
        if one.state is None:
            yield Finding(kind, one.name, "not there, or its actions are switched off: nobody goes back by it")
        elif one.trouble:
            wrong = f"The alarm {one.name}, which {LEADER} monitors, {one.trouble}: every deployment is taken back at once."
            yield Finding(kind, one.name, one.state.value, wrong=wrong, mend=one.mend)
        else:
            yield Finding(kind, one.name, one.state.value)


# --- Names, ids and ARNs ------------------------------------------------------------------------------------------------


def _named(caller: Caller, call: Call, wanted: str) -> Item | None:
    """By its id, else by its name."""
    items = list(_items(caller, call))
    return next((item for key in ("Id", "Name") for item in items if item.get(key) == wanted), None)


def _missing(caller: Caller, call: Call, kind: str, wanted: str) -> Finding:
    there = ", ".join(sorted(str(item["Name"]) for item in _items(caller, call))[:10]) or "none"
    wrong = f"{LEADER} has no {kind} {wanted}."
    return Finding(kind, wanted, "not there", wrong=wrong, mend=f"Make it, or correct the name. There are: {there}.")


def _items(caller: Caller, call: Call) -> Iterator[Item]:
    for page in pages(caller, call):
        yield from page.get("Items", ())


def _said(item: Item) -> str:
    return f"{item['Name']} ({item['Id']})"


def _who(caller: Caller) -> str:
    """ARN of whoever asks; "" when STS does not say it. AppConfig itself tells no ARNs."""
    try:
        return str(caller.do(Call("sts", "get_caller_identity"))["Arn"])
    except TidegateError:
        return ""


def arns_of(who: str, region: str, application: str = "*", environment: str = "*", profile: str = "*") -> FlagArns:
    """`who` is an ARN of the same account. AppConfig's own strategies may be of another one; nobody can use those of others."""
    _, partition, _, _, account, _ = (who or "arn:aws:::*:").split(":", 5)
    home = f"arn:{partition}:appconfig:{region or '*'}"
    of = f"{home}:{account}:application/{application}"
    return FlagArns(
        application=of,
        environment=f"{of}/environment/{environment}",
        profile=f"{of}/configurationprofile/{profile}",
        configuration=f"{of}/environment/{environment}/configuration/{profile}",
        strategies=f"{home}:*:deploymentstrategy/*",
    )
