"""The OpenFeature provider: evaluates in process, from the agent's snapshot; no request is made for an answer.

    from openfeature import api
    from tidegate.agent import Agent
    from tidegate.openfeature import TidegateProvider

    api.set_provider_and_wait(TidegateProvider(Agent("shop", "prod", control="https://tidegate.example.org")))
    api.get_client().get_boolean_value("new-checkout", False, EvaluationContext("ann"))

Install it with `pip install tidegate[openfeature]`. The agent is started with the provider and stopped with it, unless it ran
before. Hooks are the SDK's; tracked events are added up by the agent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, TypeVar

from openfeature.evaluation_context import EvaluationContext
from openfeature.event import ProviderEventDetails
from openfeature.exception import ErrorCode, ProviderNotReadyError
from openfeature.flag_evaluation import FlagResolutionDetails, Reason
from openfeature.provider import AbstractProvider, Metadata
from openfeature.track import TrackingEventDetails

from tidegate.agent import Agent, News
from tidegate.core.flags.result import Result
from tidegate.core.flags.rule import TARGETING_KEY

READY_WITHIN = 10.0
"""Seconds that `initialize` waits for the first snapshot."""

T = TypeVar("T")
Types = type | tuple[type, ...]


class TidegateProvider(AbstractProvider):
    def __init__(self, agent: Agent, *, ready_within: float = READY_WITHIN) -> None:
        super().__init__()
        self.agent = agent
        self._ready_within = ready_within
        self._listening: AbstractContextManager[None] | None = None
        self._ours = False
        self._initialized = False

    def get_metadata(self) -> Metadata:
        return Metadata(name="Tidegate")

    def initialize(self, evaluation_context: EvaluationContext) -> None:  # noqa: ARG002 - the SDK's name
        """Returns with the first snapshot, also an old one from disk. Raises ProviderNotReadyError when there is none in time;
        it becomes ready later, by itself."""
        if self._listening is None:
            self._listening = self.agent.listen(self._hear)
        self._ours = self._ours or not self.agent.running
        self.agent.start()
        ready = self.agent.wait(self._ready_within)
        self._initialized = True
        if not ready:
            why = self.agent.standing.problem or "it does not answer"
            raise ProviderNotReadyError(f"No flags came from the control plane within {self._ready_within:g} s: {why}")

    def shutdown(self) -> None:
        if self._listening is not None:
            self._listening.__exit__(None, None, None)
            self._listening = None
        if self._ours:
            self.agent.stop()
        self._ours = self._initialized = False

    def track(
        self,
        tracking_event_name: str,
        evaluation_context: EvaluationContext | None = None,
        tracking_event_details: TrackingEventDetails | None = None,
    ) -> None:
        value = tracking_event_details.value if tracking_event_details is not None else None
        self.agent.track(tracking_event_name, _context(evaluation_context), value or 0.0)

    # --- Answers ---------------------------------------------------------------------------------------------------------

    def resolve_boolean_details(
        self, flag_key: str, default_value: bool, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[bool]:
        return self._resolve(flag_key, default_value, evaluation_context, bool)

    def resolve_string_details(
        self, flag_key: str, default_value: str, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[str]:
        return self._resolve(flag_key, default_value, evaluation_context, str)

    def resolve_integer_details(
        self, flag_key: str, default_value: int, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[int]:
        return self._resolve(flag_key, default_value, evaluation_context, int)

    def resolve_float_details(
        self, flag_key: str, default_value: float, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[float]:
        details = self._resolve(flag_key, default_value, evaluation_context, (float, int))
        if details.error_code is None and isinstance(details.value, int):
            details.value = float(details.value)  # 20 is a float that is written shortly
        return details

    def resolve_object_details(
        self,
        flag_key: str,
        default_value: Sequence[Any] | Mapping[str, Any],
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[Sequence[Any] | Mapping[str, Any]]:
        return self._resolve(flag_key, default_value, evaluation_context, (dict, list))

    def _resolve(self, flag: str, default: T, context: EvaluationContext | None, types: Types) -> FlagResolutionDetails[T]:
        result = self.agent.evaluate(flag, _context(context))
        if result.error:
            return _failed(default, _code(result.error), result.message, result)
        value = result.value
        if value is None:
            return _details(default, result)
        if not isinstance(value, types) or (isinstance(value, bool) and types is not bool):
            message = f"The flag {flag!r} is {_kind(value)}, and was asked for as {_kind(default)}."
            return _failed(default, ErrorCode.TYPE_MISMATCH, message, result)
        return _details(value, result)

    # --- Events ----------------------------------------------------------------------------------------------------------

    def _hear(self, news: News, flags: frozenset[str]) -> None:
        if not self._initialized:
            return  # the SDK tells the outcome of `initialize` itself
        match news:
            case News.READY | News.FRESH:
                self.emit_provider_ready(ProviderEventDetails(message="The control plane confirms the flags."))
            case News.CHANGED:
                self.emit_provider_configuration_changed(ProviderEventDetails(flags_changed=sorted(flags)))
            case News.STALE:
                why = self.agent.standing.problem
                self.emit_provider_stale(ProviderEventDetails(message=why or "Nobody has confirmed the flags for long."))


def _context(given: EvaluationContext | None) -> Mapping[str, Any]:
    if given is None:
        return {}
    if given.targeting_key is None:
        return given.attributes
    return {**given.attributes, TARGETING_KEY: given.targeting_key}


def _details(value: Any, result: Result) -> FlagResolutionDetails[Any]:
    return FlagResolutionDetails(
        value, reason=Reason(result.reason.value), variant=result.variant, flag_metadata=_metadata(result)
    )


def _failed(default: T, code: ErrorCode, message: str, result: Result) -> FlagResolutionDetails[T]:
    return FlagResolutionDetails(
        default, error_code=code, error_message=message, reason=Reason.ERROR, flag_metadata=_metadata(result)
    )


def _metadata(result: Result) -> dict[str, bool | int | float | str]:
    """The document's number, and the side of a change that the entity is on."""
    return {"document": result.number, "side": result.side.value}


def _code(error: str) -> ErrorCode:
    try:
        return ErrorCode(error)
    except ValueError:
        return ErrorCode.GENERAL


def _kind(value: object) -> str:
    match value:
        case bool():
            return "a boolean"
        case str():
            return "a text"
        case int():
            return "a whole number"
        case float():
            return "a number"
        case _:
            return "an object"
