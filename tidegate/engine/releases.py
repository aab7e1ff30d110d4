"""Releases: rollouts of versions and flags that go forward, and back, together. What a part is, its own orders know; here they
get one plan and one salt, and begin in one transaction. The rules of the way are in core/release.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from tidegate.core.environment import is_environment, subject_of
from tidegate.core.errors import Conflict, Invalid, NotFound, Refused
from tidegate.core.flags.document import FlagDocument
from tidegate.core.plan import PlanFile
from tidegate.core.release import as_part
from tidegate.core.rollout import Phase
from tidegate.core.service import Service
from tidegate.engine.flag_orders import FlagOrders, Manner
from tidegate.engine.orders import Deployed, Orders, despite_the_loop
from tidegate.ports import Held, Start, Store


@dataclass(frozen=True, slots=True)
class VersionPart:
    file: Service
    version: str


@dataclass(frozen=True, slots=True)
class FlagsPart:
    environment: str
    document: FlagDocument
    base: int | None = None


@dataclass(frozen=True, slots=True)
class Released:
    """What became of it: the release with its parts, or no release when everything is already as wanted."""

    release: str
    parts: Sequence[Deployed]
    sentences: Sequence[str]


class Releases:
    def __init__(
        self,
        *,
        store: Store,
        orders: Orders,
        flags: FlagOrders,
        salt: Callable[[], str],
        outsiders: Callable[[str], int],
    ) -> None:
        """`outsiders` says how many clients of an environment see flags by session lately: these go by no user's salt."""
        self._store = store
        self._orders = orders
        self._flags = flags
        self._salt = salt
        self._outsiders = outsiders

    # --- forward ------------------------------------------------------------------------------------------------------

    def begin(
        self,
        name: str,
        versions: Sequence[VersionPart],
        flags: Sequence[FlagsPart],
        *,
        plan: PlanFile,
        by: str,
        reason: str = "",
    ) -> Released:
        """Starts all parts, or none. Raises what a deploy of any of them would."""
        _must_be_of_different_applications(flags)
        return despite_the_loop(lambda: self._begin(name, versions, flags, plan, by, reason))

    def _begin(  # noqa: PLR0917 - what was asked for, as it was asked
        self, name: str, versions: Sequence[VersionPart], flags: Sequence[FlagsPart], plan: PlanFile, by: str, reason: str
    ) -> Released:
        for part in versions:
            _must_be_ours(part.file)
        drafted = [self._orders.drafted(one.file, one.version, by, plan=plan, reason=reason) for one in versions]
        drafted += [self._drafted_flags(one, plan, by, reason) for one in flags]
        starts = [one for one in drafted if isinstance(one, Start)]
        settled = [one for one in drafted if isinstance(one, Deployed)]
        for one in settled:
            if one.rollout is not None:
                raise Conflict(
                    f"{one.rollout.subject} has a rollout in flight ({one.rollout.id}) that brings {one.rollout.candidate}.",
                    f"Wait for it, or stop it: tidegate abort {one.rollout.subject}.",
                )
        if not starts:
            return Released("", settled, [one.sentence for one in settled])
        _must_have_something_to_go_back_to(starts)
        release = self._next_id(name)
        begun = self._orders.begin(self._joined(starts, release))
        return Released(release, [*begun, *settled], [*(one.sentence for one in (*begun, *settled)), *self._beware(flags)])

    def _drafted_flags(self, part: FlagsPart, plan: PlanFile, by: str, reason: str) -> Start | Deployed:
        file = self._flags.file(part.document.application, part.environment)
        if file.led:
            raise Refused(
                f"{file.led} lets sessions in to the flags of {file.subject}, and a release the same users to all parts.",
                f"Deploy these flags by themselves: tidegate flags deploy -f FILE -e {file.subject}.",
            )
        manner = Manner(by, base=part.base, plan=plan, reason=reason)
        return self._flags.drafted(part.document.application, part.environment, part.document, manner)

    def _joined(self, starts: Sequence[Start], release: str) -> Sequence[Start]:
        """Flags follow versions. Who leads first asks the questions of the plan."""
        salt, has_versions = self._salt(), any(not is_environment(start.rollout.subject) for start in starts)
        return [
            replace(
                start,
                rollout=as_part(
                    start.rollout,
                    release=release,
                    salt=salt,
                    follows=has_versions and is_environment(start.rollout.subject),
                    asks=number == 0,
                ),
            )
            for number, start in enumerate(starts)
        ]

    def _beware(self, flags: Sequence[FlagsPart]) -> list[str]:
        subjects = {subject_of(one.document.application, one.environment) for one in flags}
        return [_say_outsiders(count, subject) for subject in sorted(subjects) if (count := self._outsiders(subject))]

    def _next_id(self, name: str) -> str:
        taken = [release.removeprefix(f"{name}-") for release in self._store.releases(limit=None, name=name)]
        return f"{name}-{max((int(number) for number in taken if number.isdecimal()), default=0) + 1}"

    # --- back ---------------------------------------------------------------------------------------------------------

    def rollback(self, subject: str, by: str, *, to: str | None = None, reason: str = "", alone: bool = False) -> Deployed:
        """Brings back what was before, at once. What a release brought together goes back together, unless `alone` or `to`
        says otherwise; in flight it always does. On the way back nobody waits for anybody: these are no parts of a release."""
        parts = [] if alone or to is not None or self._orders.going(subject) else self._brought_with(subject)
        if len(parts) < 2:
            return self._alone(subject, by, to, reason)
        begun = despite_the_loop(lambda: self._begin_back(parts, by, reason))
        mine = next(one for one in begun if one.rollout and one.rollout.subject == subject)
        others = " and ".join(one.rollout.subject for one in begun if one.rollout and one is not mine)
        return Deployed(mine.rollout, True, f"{mine.sentence} With it goes back what was released with it: {others}.")

    def _begin_back(self, parts: Sequence[Held], by: str, reason: str) -> Sequence[Deployed]:
        drafted = [self._drafted_back(part, by, reason) for part in parts]
        return self._orders.begin([one for one in drafted if isinstance(one, Start)])

    def _alone(self, subject: str, by: str, to: str | None, reason: str) -> Deployed:
        if not is_environment(subject):
            return self._orders.rollback(subject, by, to=to, reason=reason)
        return self._flags.rollback(subject, by, to=_number(to), reason=reason)

    def _drafted_back(self, part: Held, by: str, reason: str) -> Start | Deployed:
        rollout = part.rollout
        why = reason or f"rollback of {rollout.release}"
        if is_environment(rollout.subject):
            return self._flags.drafted_back(rollout.subject, by, to=int(rollout.baseline), reason=why)
        return self._orders.drafted_back(rollout.subject, by, to=rollout.baseline, reason=why)

    def _brought_with(self, subject: str) -> Sequence[Held]:
        """The parts of the release that brought what is in force now, as far as they are still in force and free to go."""
        brought = self._brought(subject)
        if brought is None or not brought.rollout.release or not brought.rollout.baseline:
            return []
        return [part for part in self._store.parts(brought.rollout.release) if self._is_in_force(part)]

    def _is_in_force(self, part: Held) -> bool:
        rollout = part.rollout
        brought = self._brought(rollout.subject)
        return brought is not None and brought.rollout.id == rollout.id and bool(rollout.baseline)

    def _brought(self, subject: str) -> Held | None:
        """The rollout that brought what is in force; None when none did, or another one is on its way."""
        try:
            record = self._orders.record(subject)
        except NotFound:
            return None
        for held in self._store.history(subject, 100):
            if held.rollout.in_flight:
                return None
            if held.rollout.phase is Phase.COMPLETED:
                return held if held.rollout.candidate == record.stable else None
        return None


def _say_outsiders(count: int, subject: str) -> str:
    one = count == 1
    who = f"{count} session{'' if one else 's'} of AppConfigData read{'s' if one else ''} the flags of {subject}"
    return f"{who}: {'it knows no users and is' if one else 'they know no users and are'} outside this release."


def _number(to: str | None) -> int | None:
    if to is None or (to.isascii() and to.isdecimal()):
        return None if to is None else int(to)
    raise NotFound(f"{to} is no number of a flag document.", "List them: tidegate flags history APPLICATION.")


def _must_be_of_different_applications(flags: Sequence[FlagsPart]) -> None:
    names = [one.document.application for one in flags]
    for name in names:
        if names.count(name) > 1:
            raise Invalid(
                f"The release holds flags of {name} for more than one environment.",
                "A user sees one of them: release each environment by itself.",
            )


def _must_be_ours(file: Service) -> None:
    if file.led:
        raise Refused(
            f"{file.led} moves {file.service} by itself, and the parts of a release wait for each other.",
            f"Deploy it by itself: tidegate deploy -f {file.service}.yaml --version VERSION.",
        )


def _must_have_something_to_go_back_to(starts: Sequence[Start]) -> None:
    """A first flag document is for everybody at once: beside a version that only some have, that is no release."""
    first = [start.rollout.subject for start in starts if start.rollout.first]
    if first and len(first) < len(starts) and any(is_environment(subject) for subject in first):
        subject = next(subject for subject in first if is_environment(subject))
        raise Refused(
            f"{subject} has no flags in force yet, and first ones are for everybody at once.",
            f"Deploy them first, with the new ones off: tidegate flags deploy -f FILE -e {subject}.",
        )
