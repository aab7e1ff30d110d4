"""What a jot says of a rollout that goes back unwritten: why, and what is still to be told of it."""

from __future__ import annotations

import json
from datetime import datetime

from tidegate.core.rollout import roll_back
from tidegate.ports import Change, Held, Told

LOST = "it was going back when its controller ended, and the reason could not be written down"


def write_jot(change: Change) -> str:
    told = [[one.kind, one.why, one.actor, one.at.isoformat() if one.at else ""] for one in change.told]
    return json.dumps({"reason": change.rollout.reason, "told": told})


def read_jot(held: Held, text: str) -> Change:
    """This rollout's way back. Of a text that is torn or lost, only its name counts."""
    rollout = held.rollout
    try:
        jot = json.loads(text)
        told = [
            Told(kind, rollout.subject, why, rollout.id, actor, at=datetime.fromisoformat(at))
            for kind, why, actor, at in jot["told"]
        ]
        return Change(held, roll_back(rollout, str(jot["reason"])), held.harm, told=told)
    except (ValueError, KeyError, TypeError):
        told = [Told("roll_back", rollout.subject, LOST, rollout.id)]
        return Change(held, roll_back(rollout, LOST), held.harm, told=told)
