"""A flag change on its way: two documents, and who is evaluated against which.

    an entity with bucket(targeting key, salt) < exposure    the candidate
    everybody else                                           the baseline

The bucket is that of every other rollout (core/exposure.py): whoever sees the new version of a service sees the flags of the
same release, for both share the salt. Without a candidate everybody sees the baseline. So does who has no targeting key (it is
missing, empty, or neither text nor whole number): nobody could say afterwards on which side he was, nor keep him there.
"""

from __future__ import annotations

from functools import cached_property

from tidegate.core.exposure import NONE, Exposure
from tidegate.core.flags.codec import changed_flags
from tidegate.core.flags.compile_set import Context, placed
from tidegate.core.flags.document import FlagDocument
from tidegate.core.flags.evaluate import Clock, Evaluator, as_dict
from tidegate.core.flags.explanation import Explanation
from tidegate.core.flags.result import Result, Side
from tidegate.core.flags.rule import TARGETING_KEY

_NOTHING: Context = {}


class Staged:
    """Both sides with what is compiled of them; `at` moves the exposure without compiling anew."""

    def __init__(
        self,
        baseline: FlagDocument | Evaluator,
        candidate: FlagDocument | Evaluator | None = None,
        salt: str = "",
        exposure: Exposure = NONE,
        *,
        clock: Clock | None = None,
    ) -> None:
        self.baseline = _as_side(baseline, Side.BASELINE, clock)
        self.candidate = None if candidate is None else _as_side(candidate, Side.CANDIDATE, clock)
        self.salt = salt
        self.exposure = exposure
        self._limit = 0 if candidate is None else int(exposure)
        self._place = placed(salt)
        self._by_baseline = self.baseline.evaluate
        self._by_candidate = self.candidate.evaluate if self.candidate is not None else self._by_baseline

    def at(self, exposure: Exposure) -> Staged:
        return Staged(self.baseline, self.candidate, self.salt, exposure)

    def side(self, context: Context | None) -> Side:
        key = as_dict(context).get(TARGETING_KEY)
        return Side.CANDIDATE if self._place(key) < self._limit else Side.BASELINE

    def evaluate(self, flag: str, context: Context | None = _NOTHING) -> Result:
        if context.__class__ is not dict:
            context = as_dict(context)
        if self._limit and self._place(context.get(TARGETING_KEY)) < self._limit:
            return self._by_candidate(flag, context)
        return self._by_baseline(flag, context)

    def evaluate_all(self, context: Context | None = _NOTHING) -> dict[str, Result]:
        return self.for_whom(context).evaluate_all(context)

    def explain(self, flag: str, context: Context | None = _NOTHING) -> Explanation:
        return self.for_whom(context).explain(flag, context)

    @cached_property
    def changed(self) -> frozenset[str]:
        """Names of flags whose answers may differ between the sides: defined otherwise, or resting on what is."""
        if self.candidate is None:
            return frozenset()
        return changed_flags(self.baseline.document, self.candidate.document)

    def for_whom(self, context: Context | None) -> Evaluator:
        """The side that this entity is evaluated against."""
        return self.candidate if self.candidate is not None and self.side(context) is Side.CANDIDATE else self.baseline


def _as_side(given: FlagDocument | Evaluator, side: Side, clock: Clock | None) -> Evaluator:
    """An evaluator of the right side is kept with what it has compiled."""
    if isinstance(given, FlagDocument):
        return Evaluator(given, side=side, clock=clock)
    return given if given.side is side else Evaluator(given.document, side=side, clock=clock or given.clock)
