"""Act 2: flags. A feature is shipped dark, turned on for a FlagGroup, ramped up step by step and switched off at once; a bad
change of flags takes itself back. Nothing guards it but the middleware in the application: no alarm, no metrics server.
"""

from __future__ import annotations

import sys
import time
from datetime import datetime
from typing import Any

from rich.table import Table

from tidegate.demo.ledger import Ledger
from tidegate.demo.stage import Stage, Users, free_port

PEOPLE = 300
RATE = 120
STAFF = 20
NEW = "new-checkout"
BROKEN, SHARE = "swift", "30%"
RAMP = {
    "steps": [{"exposure": "10%", "hold": "3s"}, {"exposure": "25%", "hold": "3s"}, {"exposure": "50%", "hold": "3s"}],
    "bake": "3s",
    "unsure": {"no_data": "promote"},  # no time for proofs
}
BAD_PLAN = "linear 10% every 1m"


def play(stage: Stage) -> bool:
    """Whether the users saw what Tidegate says."""
    stage.say("ACT 2: flags. The code of a new checkout is deployed dark: its flag is off.")
    users = _ship_dark(stage)
    sound = _turn_on_for_staff(stage, users)
    sound &= _ramp(stage, users)
    sound &= _bad_change(stage, users)
    sound &= _kill(stage, users)
    users.end()
    return sound


def _ship_dark(stage: Stage) -> Users:
    port = free_port()
    _write_files(stage, port)
    stage.tidegate("flags", "deploy", "-f", "flags.yaml", "-e", "prod")
    stage.tidegate("deploy", "-f", "checkout.yaml", "--version", "v1")
    users = stage.let_in("checkout", port=port, people=PEOPLE, rate=RATE)
    seen = users.round()
    stage.measured(
        f"{len(seen.users)} users sent {len(seen)} requests. "
        f"{len(seen.saw(NEW).users)} of them saw the new checkout; {len(seen.failed)} requests failed."
    )
    return users


def _turn_on_for_staff(stage: Stage, users: Users) -> bool:
    stage.say(f"It is turned on for a FlagGroup: the {STAFF} users in the segment staff.")
    stage.tidegate("flags", "set", NEW, "{when: in segment staff}", "--plan", "all_at_once bake 2s")
    seen = users.round()
    staff, others = _staff(), seen.saw(NEW).users - _staff()
    stage.measured(
        f"{len(seen.saw(NEW).users & staff)} of {len(staff)} members saw the new checkout, and {len(others)} of the "
        f"{PEOPLE - STAFF} others; {len(seen.failed)} requests failed."
    )
    return seen.saw(NEW).users == staff and not len(seen.failed)


# --- Ramp -------------------------------------------------------------------------------------------------------------------


def _ramp(stage: Stage, users: Users) -> bool:
    stage.say(
        "It is turned on for everybody, step by step, by the environment's plan. Who has it keeps it.\n"
        "(Seconds are too short to prove anything good, so this plan goes on without proof. What is bad is found all the same.)"
    )
    began = time.monotonic()
    stage.tidegate("flags", "configure", "-f", "prod.yaml")
    stage.tidegate("flags", "set", NEW, "on")
    users.round()
    seen = users.ledger.between(began, time.monotonic())
    others = seen.that(lambda entry: entry.user not in _staff())
    table = Table(title=f"Who of the {PEOPLE - STAFF} other users saw the new checkout", title_justify="left")
    for heading in ("exposure", "held", "saw it", "requests", "failed"):
        table.add_column(heading, justify="right")
    explained = stage.ask("explain", stage.ask("history", "shop/prod")[0]["id"])
    for exposure, since, until in _steps(explained, time.monotonic()):
        step = others.between(since, until)
        share = f"{len(step.saw(NEW).users)} of {len(step.users)}"
        table.add_row(exposure, f"{until - since:.1f}s", share, f"{len(step):,}", f"{len(step.failed):,}")
    stage.show(table)
    back = seen.moved_back(NEW)
    stage.measured(f"{len(seen.failed)} of {len(seen):,} requests failed; {len(back)} users had it and lost it again.")
    return not back and not len(seen.failed)


def _steps(explained: Any, now: float) -> list[tuple[str, float, float]]:
    """Of each step that was watched: its exposure, and from when until when, by the clock of the ledger. The last one lasts."""
    events = [(event, _on_our_clock(event["at"], now)) for event in explained["events"]]
    turns = [(event, at) for event, at in events if event["kind"] in ("watch", "shift")]
    ends = [at for _, at in turns[1:]] + [now]
    return [
        (str(event["facts"]["applied"]), at, end)
        for (event, at), end in zip(turns, ends, strict=True)
        if event["kind"] == "watch"
    ]


def _on_our_clock(text: str, now: float) -> float:
    """A time that Tidegate tells, by the clock of the ledger."""
    return datetime.fromisoformat(text).timestamp() - time.time() + now


# --- A bad change -----------------------------------------------------------------------------------------------------------


def _bad_change(stage: Stage, users: Users) -> bool:
    stage.say(
        f"Somebody lets another company take the money: a change of one word. {SHARE} of its payments fail.\n"
        "There is no alarm and no metrics server; the application has the middleware, and that is all."
    )
    began = time.monotonic()
    stage.tidegate("flags", "set", "payment", BROKEN, "--plan", BAD_PLAN, expected=3)
    after = users.round()
    bad = users.ledger.between(began, time.monotonic()).saw(BROKEN)
    harm = stage.ask("history", "shop/prod")[0]["harm"]
    _show_harm(stage, bad, harm)
    stage.measured(f"Afterwards {len(after)} requests: {len(after.saw(BROKEN))} met it, {len(after.failed)} failed.")
    return not len(after.saw(BROKEN)) and harm["seen"] == len(bad.failed)


def _show_harm(stage: Stage, bad: Ledger, harm: Any) -> None:
    table = Table(title="Who was harmed by the change", title_justify="left")
    for heading in ("", "Tidegate counted", "the users counted"):
        table.add_column(heading, justify="left" if not heading else "right")
    table.add_row("requests that met it", f"{harm['requests']:,}", f"{len(bad):,}")
    table.add_row("payments that failed", f"{harm['seen']:,}", f"{len(bad.failed):,}")
    table.add_row("users who met it", f"at most {harm['most']}", f"{len(bad.users):,} of {PEOPLE:,}")
    table.add_row("users who saw a failure", "", f"{len(bad.failed.users):,}")
    table.add_row("first failure to decision", str(harm["time_to_detect"]), "")
    table.add_row("first failure to last failure", "", _span(bad.failed.first, bad.failed.last))
    stage.show(table)


def _span(first: float | None, last: float | None) -> str:
    return "" if first is None or last is None else f"{last - first:.1f}s"


# --- The kill switch --------------------------------------------------------------------------------------------------------


def _kill(stage: Stage, users: Users) -> bool:
    stage.say("And the kill switch: a flag is off for everybody at once, without steps.")
    stage.tidegate("flags", "off", NEW, "--now", "--detach")
    seen = users.round()
    ordered = _on_our_clock(stage.ask("history", "shop/prod")[0]["created"], time.monotonic())
    after = users.ledger.between(ordered, time.monotonic()).saw(NEW).last
    stage.measured(
        f"The last request that saw the new checkout came {0 if after is None else after - ordered:.2f}s after the order. "
        f"Of the {len(seen)} afterwards {len(seen.saw(NEW))} saw it; {len(seen.failed)} failed."
    )
    return not len(seen.saw(NEW)) and not len(seen.failed)


# --- What it begins with ----------------------------------------------------------------------------------------------------


def _staff() -> frozenset[str]:
    return frozenset(f"user-{number}" for number in range(1, STAFF + 1))


def _write_files(stage: Stage, port: int) -> None:
    members = sorted(_staff(), key=lambda name: int(name.partition("-")[2]))
    flags = {NEW: "off", "payment": "acme"}
    stage.write("prod.yaml", {"application": "shop", "environment": "prod", "plan": RAMP})
    stage.write("flags.yaml", {"application": "shop", "segments": {"staff": members}, "flags": flags})
    command = [sys.executable, "-m", "tidegate.demo.checkout", "--port", "{port}", "--version", "{version}"]
    checkout = {
        "service": "checkout",
        "listener": {"port": port},
        "stickiness": {"header": "x-user-id", "cookie": "tidegate"},
        "tasks": {
            "command": [*command, "--control", str(stage.home / "api.sock"), "--fail", f"{BROKEN}={SHARE}"],
            "count": 2,
            "health": {"path": "/healthz", "interval": "500ms"},
            "drain": "2s",
        },
    }
    stage.write("checkout.yaml", checkout)
