"""Pretended agents of flags: each takes what is on the board, and reports what it applies and how its requests ended."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tests.support.house import World
from tidegate.core.exposure import NONE
from tidegate.core.flags.agent_report import AgentReport, SideCount
from tidegate.core.flags.result import Side
from tidegate.core.flags.snapshot import Snapshot, decode_snapshot
from tidegate.core.latency import Latencies
from tidegate.core.tally import Tally

SUBJECT = "shop/prod"


@dataclass
class PretendedAgent:
    name: str
    snapshot: Snapshot | None = None
    connected: bool = True
    speaks: bool = True
    counts: dict[str, list[int]] = field(default_factory=dict)
    watched: dict[str, dict[str, list[int]]] = field(default_factory=dict)
    """The same of the flag `checkout`, by side and variant, where an alarm speaks of it."""
    asked: int = 0
    begun: int = 0
    """Requests of each side that are begun and hang."""

    def fetch(self, world: World) -> None:
        posted = world.board.get(SUBJECT)
        if posted is None or not self.connected:
            return
        snapshot = decode_snapshot(posted.text)
        if snapshot.follows(self.snapshot):
            if self.snapshot is None or snapshot.rollout != self.snapshot.rollout:
                self.counts, self.watched = {}, {}
            self.snapshot = snapshot

    def serve(self, users: Sequence[str], fails: Callable[[object], bool]) -> dict[str, object]:
        """What each of these users gets for the flag `checkout`; outside of a rollout nobody is on a side."""
        if self.snapshot is None:
            return {}
        staged = self.snapshot.staged()
        got = {}
        for user in users:
            context = {"targetingKey": user}
            side = "candidate" if staged.side(context) is Side.CANDIDATE else "baseline"
            side = side if self.snapshot.rollout else "other"
            got[user] = staged.evaluate("checkout", context).value
            count = self.counts.setdefault(side, [0, 0])
            count[0] += 1
            count[1] += fails(got[user])
            if "checkout" in self.snapshot.watched:
                count = self.watched.setdefault(side, {}).setdefault("on" if got[user] else "off", [0, 0])
                count[0] += 1
                count[1] += fails(got[user])
            self.asked += 1
        return got

    def report(self, world: World) -> None:
        snapshot = self.snapshot
        if snapshot is None or not self.speaks:
            return
        numbers = dict.fromkeys(("baseline", "other"), snapshot.baseline.number)
        numbers["candidate"] = (snapshot.candidate or snapshot.baseline).number
        sides = {
            side: SideCount(
                numbers[side],
                Tally(total + self.begun, total, failed, Latencies({30: total})),
                {
                    ("checkout", variant): Tally(n, n, bad, Latencies({30: n}))
                    for variant, (n, bad) in self.watched.get(side, {}).items()
                },
            )
            for side, (total, failed) in self.counts.items()
        }
        world.agents.report(
            SUBJECT,
            AgentReport(
                agent=self.name,
                version="1",
                epoch=f"life-of-{self.name}",
                serial=snapshot.serial,
                origin=snapshot.origin,
                exposure=snapshot.exposure if snapshot.candidate else NONE,
                rollout=snapshot.rollout,
                sides=sides,
                asked={"checkout": self.asked},
            ),
        )
