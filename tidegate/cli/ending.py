"""How a rollout ended, and who was harmed, in a few lines; and the exit code that says it to programs."""

from __future__ import annotations

from enum import IntEnum

from tidegate.cli.answers import Harm, Rollout
from tidegate.cli.figures import share


class Exit(IntEnum):
    COMPLETED = 0
    REFUSED = 2
    ROLLED_BACK = 3
    WAITING = 4
    LOST = 5
    DETACHED = 130


def ended(rollout: Rollout) -> Exit | None:
    """None while it goes on."""
    return {"completed": Exit.COMPLETED, "rolled_back": Exit.ROLLED_BACK}.get(rollout.phase)


def say_ending(rollout: Rollout) -> list[str]:
    if rollout.phase == "completed":
        return [
            f"{rollout.service} {rollout.candidate} serves everybody.",
            *(_harm_of(rollout) if rollout.baseline else []),
        ]
    back = f"; {rollout.baseline} serves everybody" if rollout.baseline else ""
    return [f"{rollout.service} {rollout.candidate} was rolled back{back}.", f"Why: {rollout.reason}.", *_harm_of(rollout)]


def _harm_of(rollout: Rollout) -> list[str]:
    """Where somebody else leads, nobody counts: that nothing was seen is not that nothing was there."""
    if rollout.led and not rollout.harm.requests:
        return [f"Its requests were not counted: {rollout.led} led it."]
    return say_harm(rollout.harm)


def say_harm(harm: Harm) -> list[str]:
    if not harm.requests:  # on some platforms counts come minutes late
        return ["No request reached it." if harm.most == "0%" else "No request to it has been counted."]
    reached = f"{_count(harm.requests, 'request')} reached it, from at most {harm.most} of the users"
    if not harm.failed and not harm.slow:
        return [f"{reached}; none failed."]
    lines = [f"{reached}."]
    if harm.failed:
        lines.append(f"{_count(harm.failed, 'attempt')} failed{_rates(harm)}; {_seen(harm)}.")
    if harm.slow:
        none = "" if harm.failed else "None failed, but about "
        were = "1 request was slower than it" if harm.slow == 1 else f"{harm.slow:,} requests were slower than they"
        lines.append(f"{none or 'About '}{were} would have been on the baseline.")
    if harm.time_to_detect is not None and harm.time_to_act is not None:
        first = "failure" if harm.failed else "slow request"
        lines.append(
            f"From the first {first} to the decision {harm.time_to_detect}, to nobody exposed {harm.time_to_act} more."
        )
    return lines


def harm_in_short(harm: Harm) -> str:
    """`1,240 requests reached it, 31 failed, users saw 2, about 41 were slower than on the baseline`."""
    said = [f"{_count(harm.requests, 'request')} reached it"]
    said += [f"{harm.failed:,} failed, users saw {harm.seen:,}"] if harm.failed else ["none failed"]
    said += [f"about {harm.slow:,} {'was' if harm.slow == 1 else 'were'} slower than on the baseline"] if harm.slow else []
    return ", ".join(said)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _rates(harm: Harm) -> str:
    if harm.rate is None:
        return ""
    other = f", the baseline's rate was {share(harm.baseline_rate)}" if harm.baseline_rate is not None else ""
    return f" ({share(harm.rate)}{other})"


def _seen(harm: Harm) -> str:
    if not harm.seen:
        return "users saw none of it: the baseline answered instead"
    return f"users saw {harm.seen:,}" + (f", and {harm.rescued:,} were rescued by the baseline" if harm.rescued else "")


def say_waiting(rollout: Rollout) -> list[str]:
    return [
        f"{rollout.service} {rollout.candidate} waits at {rollout.wanted} for a person: {rollout.waiting}.",
        f"Go on: tidegate promote {rollout.service}.  Stop: tidegate abort {rollout.service}.",
    ]
