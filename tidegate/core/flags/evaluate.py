"""Evaluation: the flags of one document as functions of the context, made when a flag is first asked.

It never raises. All results are made before; what is left to do is to find out which one. A flag that is the same for
everybody is its result.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tidegate.core.errors import TidegateError
from tidegate.core.flags.compile_rule import Scope, compile_rule
from tidegate.core.flags.compile_set import Context, Test, membership
from tidegate.core.flags.document import FlagDocument
from tidegate.core.flags.explanation import Explanation, explain
from tidegate.core.flags.flag import Flag, Kind, Need, Variant
from tidegate.core.flags.flagd_operations import GivenUp
from tidegate.core.flags.logic import compile_logic
from tidegate.core.flags.logic_operations import LogicError
from tidegate.core.flags.logic_value import UNDEFINED, to_text
from tidegate.core.flags.result import Fault, Reason, Result, Side
from tidegate.core.flags.rule import Logic, Node, Value, decided_by_split, walk

Answer = Callable[[Context], Result]
Clock = Callable[[], int]

_NOTHING: Context = {}


class Evaluator:
    """One document, for one side of a rollout. Safe to share between threads."""

    __slots__ = ("_answers", "_compiler", "clock", "document", "side")

    def __init__(self, document: FlagDocument, *, side: Side = Side.BASELINE, clock: Clock | None = None) -> None:
        self.document = document
        self.side = side
        self.clock = clock
        self._compiler = _Compiler(document, side, clock)
        self._answers = self._compiler.answers

    def evaluate(self, flag: str, context: Context | None = _NOTHING) -> Result:
        try:
            answer = self._answers[flag]
            return answer if answer.__class__ is Result else answer(context)  # type: ignore[arg-type, operator]
        except Exception as wrong:
            return self._again(flag, context, wrong)

    def evaluate_all(self, context: Context | None = _NOTHING) -> dict[str, Result]:
        plain = as_dict(context)
        return {name: self.evaluate(name, plain) for name in self.document.flags}

    def explain(self, flag: str, context: Context | None = _NOTHING) -> Explanation:
        return explain(self.document, flag, as_dict(context), self.evaluate)

    def _again(self, flag: str, context: Any, wrong: Exception) -> Result:
        """Once more with a plain mapping where it was none; else the error is the answer."""
        if context.__class__ is not dict:
            return self.evaluate(flag, as_dict(context))
        return self._compiler.failed(flag if isinstance(flag, str) else repr(flag)[:60], Fault.GENERAL, _say(wrong))


def as_dict(context: Any) -> dict[str, Any]:
    """Whatever was handed in, as a plain mapping; nothing of it when it is none."""
    if context.__class__ is dict:
        return context
    try:
        return dict(context) if isinstance(context, Mapping) else {}
    except Exception:
        return {}


def _say(wrong: Exception) -> str:
    return f"{type(wrong).__name__}: {str(wrong)[:200]}"


class _Answers(dict[str, "Answer | Result"]):
    """Answers by flag, made when first asked. Unknown names are not kept: anybody may ask for any."""

    __slots__ = ("make",)

    def __init__(self, make: Callable[[str], Answer | Result]) -> None:
        super().__init__()
        self.make = make

    def __missing__(self, name: str) -> Answer | Result:
        answer = self.make(name)
        if not (isinstance(answer, Result) and answer.error == Fault.FLAG_NOT_FOUND):
            self[name] = answer
        return answer


class _Compiler:
    __slots__ = ("answers", "clock", "document", "segments", "side")

    def __init__(self, document: FlagDocument, side: Side, clock: Clock | None) -> None:
        self.document = document
        self.side = side
        self.clock = clock
        self.segments: dict[str, Test] = {}
        self.answers = _Answers(self._answer)

    def _answer(self, name: str) -> Answer | Result:
        try:
            flag = self.document.flags.get(name)
            if flag is None:
                return self.failed(str(name)[:200], Fault.FLAG_NOT_FOUND, "No flag of this name.")
            return self._of(flag)
        except TidegateError as wrong:
            return self.failed(name, Fault.PARSE_ERROR, str(wrong))
        except (LogicError, ValueError, RecursionError) as wrong:
            return self.failed(name, Fault.PARSE_ERROR, _say(wrong))

    def _of(self, flag: Flag) -> Answer | Result:
        if not flag.enabled:
            return self._off(flag, "It is switched off.")
        answer = self._wanted(flag)
        return self._with_needs(flag, answer) if flag.needs else answer

    def _wanted(self, flag: Flag) -> Answer | Result:
        if flag.targeting is not None:
            return self._by_targeting(flag)
        chosen = flag.variant(flag.default) if flag.default is not None else None
        return self._by_rules(flag) if chosen is None else self._result(flag, chosen, Reason.STATIC)

    def _with_needs(self, flag: Flag, answer: Answer | Result) -> Answer:
        needs = [(self._need(need), self._off(flag, f"It needs {say_need(need)}.")) for need in flag.needs]
        static = answer if isinstance(answer, Result) else None

        def decide(context: Context) -> Result:
            for met, off in needs:
                if not met(context):
                    return off
            return static or answer(context)  # type: ignore[operator]

        return decide

    def _need(self, need: Need) -> Test:
        answers, name, variants = self.answers, need.flag, frozenset(need.variants)

        def met(context: Context) -> bool:
            answer = answers[name]
            result = answer if isinstance(answer, Result) else answer(context)
            return result.enabled and (not variants or result.variant in variants)

        return met

    # --- The first variant whose rule holds ----------------------------------------------------------------------------------

    def _by_rules(self, flag: Flag) -> Answer | Result:
        scope = Scope(flag.name, self._segment)
        pairs: list[tuple[Test, Result]] = []
        default: Result | None = None
        for index, variant in enumerate(flag.variants):
            if variant.rule is None:
                default = self._result(flag, variant, Reason.DEFAULT if pairs else Reason.STATIC)
                break
            reason = Reason.SPLIT if decided_by_split(variant.rule) else Reason.TARGETING_MATCH
            pairs.append((compile_rule(variant.rule, scope), self._result(flag, variant, reason, index, variant.rule)))
        if default is None:
            default = self._nothing(flag, Reason.DEFAULT)
        return _first(pairs, default)

    def _segment(self, name: str) -> Test:
        """Compiled once, however many flags use it."""
        if name not in self.segments:
            segment = self.document.segments.get(name)
            if segment is None:
                raise ValueError(f"there is no segment {name!r}")
            if segment.rule is not None:
                self.segments[name] = compile_rule(segment.rule, Scope(name, self._no_segment))
            else:
                self.segments[name] = membership(segment.by, segment.members)
        return self.segments[name]

    def _no_segment(self, name: str) -> Test:
        raise ValueError(f"a segment's rule asks for segment {name!r}")

    # --- The variant that an expression names --------------------------------------------------------------------------------

    def _by_targeting(self, flag: Flag) -> Answer:
        targeting = flag.targeting
        assert targeting is not None
        worked = compile_logic(targeting, flag.name)
        data = self._data(flag.name) if _looks_at_flagd(targeting) else None
        results = {variant.name: self._result(flag, variant, Reason.TARGETING_MATCH) for variant in flag.variants}
        chosen = flag.variant(flag.default) if flag.default is not None else None
        default = self._result(flag, chosen, Reason.DEFAULT) if chosen else self._nothing(flag, Reason.DEFAULT)
        failed = self.failed

        def decide(context: Context) -> Result:
            try:
                name = worked(context if data is None else data(context))
            except GivenUp:
                return default
            except LogicError as wrong:
                return failed(flag.name, Fault.GENERAL, _say(wrong))
            if name is None or name is UNDEFINED:
                return default
            result = results.get(name if name.__class__ is str else to_text(name))
            return result or failed(
                flag.name, Fault.GENERAL, f"The targeting names {to_text(name)[:60]!r}, which is no variant."
            )

        return decide

    def _data(self, flag: str) -> Callable[[Context], Context]:
        clock = self.clock

        def data(context: Context) -> Context:
            return {**context, "$flagd": {"flagKey": flag, "timestamp": clock() if clock is not None else None}}

        return data

    # --- Results -------------------------------------------------------------------------------------------------------------

    def _result(
        self, flag: Flag, variant: Variant, reason: Reason, index: int | None = None, node: Node | None = None
    ) -> Result:
        enabled = variant.value is True if flag.kind is Kind.BOOLEAN else variant.enabled
        return Result(flag.name, variant.name, variant.value, enabled, reason, self.document.number, self.side, index, node)

    def _nothing(self, flag: Flag, reason: Reason, message: str = "") -> Result:
        enabled = reason is not Reason.DISABLED and flag.kind is not Kind.BOOLEAN
        return Result(flag.name, None, None, enabled, reason, self.document.number, self.side, message=message)

    def _off(self, flag: Flag, message: str) -> Result:
        number = self.document.number
        return Result(flag.name, None, flag.off, False, Reason.DISABLED, number, self.side, message=message)

    def failed(self, name: str, fault: Fault, message: str) -> Result:
        return Result(
            name, None, None, False, Reason.ERROR, self.document.number, self.side, error=fault.value, message=message
        )


def _first(pairs: list[tuple[Test, Result]], default: Result) -> Answer | Result:
    match pairs:
        case []:
            return default
        case [(test, result)]:
            return lambda context: result if test(context) else default

    rules = tuple(pairs)

    def decide(context: Context) -> Result:
        for test, result in rules:
            if test(context):
                return result
        return default

    return decide


def say_need(need: Need) -> str:
    return f"{need.flag} to be {' or '.join(need.variants)}" if need.variants else f"{need.flag} to be on"


def _looks_at_flagd(node: Node) -> bool:
    """Whether `$flagd` may be asked for: by its name, by a name that is worked out, or with all data at once."""
    for inner in walk(node):
        if isinstance(inner, Logic) and inner.operator in ("var", "missing", "missing_some"):
            for argument in inner.arguments or (Value(""),):
                if not isinstance(argument, Value) or argument.value in ("", None) or "$flagd" in repr(argument.value):
                    return True
    return False
