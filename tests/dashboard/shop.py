"""A shop in which everything was done once: a service and an environment of flags, rollouts that ended well and badly, and a
release that is under way."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from tests.support.served import WEB, Figures, House, Line, build_house, service_file
from tidegate.core.document import read
from tidegate.core.environment import Environment
from tidegate.core.flags.agent_report import read_report
from tidegate.core.flags.document import FlagDocument
from tidegate.core.flags.flags_file import read_flags
from tidegate.core.rollout import Phase
from tidegate.core.text import read_yaml
from tidegate.core.verdict import GuardSeen
from tidegate.engine.flag_orders import Manner
from tidegate.engine.releases import FlagsPart, VersionPart

PROD = "shop/prod"
FLAGS = """\
application: shop
segments:
  staff: [anna, bert, carl]
  big-spenders: {when: total > 1000}
flags:
  new-checkout:
    description: The checkout on one page
    owner: checkout-team
    when: in segment staff or 20%
  banner: {value: Sale!, owner: marketing}
  dark-mode: on
  limits:
    attributes: {depth: number}
    variants:
      big: {attributes: {depth: 9}, when: 'country in ["DE", "AT"]'}
      small: {attributes: {depth: 3}}
  old-search: {value: off, expires: 2025-06-01, owner: search}
"""
ENVIRONMENT = """\
application: shop
environment: prod
plan: {linear: {step: 25%, every: 1m}, bake: 2m}
alarms:
  - {name: errors, metric: error_rate, above: 1%, period: 10s, datapoints: 2 of 3, missing: not_breaching}
"""
ALARMS = (
    GuardSeen("errors", "ok", figure="0.1%", limit="above 1%", query="error_rate of the candidate above 1%"),
    GuardSeen("slow", "no_data", why="nothing was counted"),
)


def flags(text: str = FLAGS) -> FlagDocument:
    return read_flags(read_yaml(text, "flags.yaml"))


def report(
    house: House,
    agent: str,
    *,
    of: str = PROD,
    behind: int = 0,
    version: str = "0.1.0",
    age: timedelta | None = None,
) -> None:
    posted = house.board.get(of)
    assert posted is not None
    snapshot = posted.snapshot
    said = {"agent": agent, "version": version, "epoch": "e1", "serial": snapshot.serial - behind, "origin": snapshot.origin}
    counted = {"new-checkout": {"on": 1240, "off": 4321}, "banner": {"default": 900}}
    said |= {"exposure": str(snapshot.exposure), "rollout": snapshot.rollout, "flags": counted}
    house.agents.report(of, read_report(said, age))


def open_environment(house: House) -> None:
    """The first document is in force."""
    house.flag_orders.configure(read(Environment, read_yaml(ENVIRONMENT, "prod.yaml"), "prod.yaml"), "ann")
    house.flag_orders.deploy("shop", "prod", flags(), Manner("ann", reason="begin"))
    _until_it_ends(house)


def release_flags(house: House, text: str, why: str) -> None:
    """To the end."""
    house.flag_orders.deploy("shop", "prod", flags(text), Manner("bob", reason=why))
    _until_it_ends(house)


def open_shop(home: Path) -> House:
    house = build_house(home)
    house.watcher.sides = {"baseline": Figures(900, 1, 0, 90.0, 0.001, 5.0, 40.0), "candidate": Figures(300, 1, 0, 30.0, 0.003)}
    house.begun()
    house.said += [Line(f"web-v1-{task}", f"GET /cart/{number} 200 <b>4ms</b>") for task in (1, 2) for number in range(9)]
    house.orders.abort("web", "ann (dashboard)", "too slow")
    house.until(lambda: not house.rollout().in_flight)
    open_environment(house)
    release_flags(house, FLAGS.replace("or 20%", "or 50%"), "more people")
    house.until(lambda: house.rollout().settled)
    parts = [VersionPart(service_file(WEB), "v3")], [FlagsPart("prod", flags(FLAGS.replace("Sale!", "Winter sale")), 2)]
    house.releases.begin("checkout", *parts, plan=service_file(WEB).plan, by="carol", reason="the new checkout")
    while not all(house.rollout(name).phase is Phase.WATCHING for name in ("web", PROD)):
        _tick(house)
    house.watcher.alarming = ALARMS
    report(house, "old-one", behind=1, version="0.0.9")
    return house


def _until_it_ends(house: House) -> None:
    while house.rollout(PROD).in_flight:
        _tick(house)


def _tick(house: House) -> None:
    """With agents that report."""
    if house.board.get(PROD) is not None:
        for number in range(3):
            report(house, f"app-{number}")
    house.tick()
