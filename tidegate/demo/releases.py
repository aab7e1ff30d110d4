"""Act 1: versions of a service. Version 1 serves; a good version 2 replaces it step by step; version 3 fails 5 % of its POSTs
and is taken back by itself; in the end Tidegate's account of harm stands beside what the demo's own users counted.
"""

from __future__ import annotations

import sys
from typing import Any

from rich.table import Table

from tidegate.demo.ledger import Ledger
from tidegate.demo.stage import Stage, Users, free_port

PEOPLE = 1000
RATE = 120
GOOD_PLAN = "canary 25% hold 12s bake 5s"
BAD_PLAN = "linear 10% every 30s bake 10s"
ERRORS = {
    "name": "errors",
    "metric": "error_rate",
    "above": "0.5%",
    "period": "2s",
    "datapoints": "2 of 3",
    "missing": "not_breaching",
}


def play(stage: Stage) -> bool:
    """Whether Tidegate and the users have counted the same."""
    port = free_port()
    _write_files(stage, port)
    stage.say("ACT 1: versions. Version 1 is the first: there is nothing to protect, and no steps.")
    stage.tidegate("deploy", "-f", "shop.yaml", "--version", "v1")
    stage.say(f"{PEOPLE:,} users begin to send {RATE} requests a second; every user is known by a header.")
    users = stage.let_in("shop", port=port, people=PEOPLE, rate=RATE)
    stage.say("Version 2 is good. It goes to a growing share of the users, each of whom moves once.")
    stage.tidegate("deploy", "-f", "shop.yaml", "--version", "v2", "--plan", GOOD_PLAN)
    stage.say("Version 3 is bad: 5% of its POST requests fail. Nobody will press a button.")
    stage.tidegate("deploy", "-f", "bad.yaml", "--version", "v3", "--plan", BAD_PLAN, expected=3)
    users.end()  # so that everything they got is in their ledger
    agreed = _account(stage, users)
    stage.say("What was decided, and why: every decision has its figures.")
    stage.tidegate("explain", "shop-3")
    return agreed


def _write_files(stage: Stage, port: int) -> None:
    command = [sys.executable, "-m", "tidegate.demo.shop", "--port", "{port}", "--version", "{version}"]
    shop: dict[str, Any] = {
        "service": "shop",
        "listener": {"port": port},
        "stickiness": {"header": "x-user-id", "cookie": "tidegate"},
        "tasks": {
            "command": command,
            "count": 2,
            "health": {"path": "/healthz", "interval": "500ms"},
            "drain": "2s",
        },
        "plan": GOOD_PLAN,
        "alarms": [ERRORS],
    }
    stage.write("shop.yaml", shop)
    stage.write("bad.yaml", dict(shop, tasks=dict(shop["tasks"], command=[*command, "--fail", "POST=5%"])))


def _account(stage: Stage, users: Users) -> bool:
    """Tidegate's account beside the users' own; whether they agree."""
    ledger, harm = users.ledger, stage.ask("history", "shop")[0]["harm"]
    bad, lost = ledger.of("v3"), ledger.that(lambda entry: bool(entry.lost))
    table = Table(title="Who was harmed by version 3", title_justify="left")
    for heading in ("", "Tidegate counted", "the users counted"):
        table.add_column(heading, justify="left" if not heading else "right")
    table.add_row("requests that reached it", f"{harm['requests']:,}", f"{len(bad):,}")
    table.add_row("failures that users saw", f"{harm['seen']:,}", f"{len(bad.failed):,}")
    table.add_row("users who met it", f"at most {harm['most']}", f"{len(bad.users):,} of {PEOPLE:,}")
    table.add_row("users who saw a failure", "", f"{len(bad.failed.users):,}")
    table.add_row("first failure to decision", str(harm["time_to_detect"]), "")
    table.add_row("decision to exposure zero", str(harm["time_to_act"]), "")
    table.add_row("failures on versions 1 and 2", "", f"{len(ledger.of('v1').failed) + len(ledger.of('v2').failed):,}")
    table.add_row("requests that no version answered", "", f"{len(lost):,}")
    stage.show(table)
    for why, count in _reasons(lost).items():
        stage.console.print(f"{count:,} requests were lost: {why}.")
    agreed = (harm["requests"], harm["seen"]) == (len(bad), len(bad.failed)) and not len(lost)
    stage.console.print("Both counts agree." if agreed else "The counts do NOT agree: please report this.")
    return agreed


def _reasons(lost: Ledger) -> dict[str, int]:
    counts: dict[str, int] = {}
    for entry in lost:
        counts[entry.lost] = counts.get(entry.lost, 0) + 1
    return counts
