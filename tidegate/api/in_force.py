"""The flags that are in force in an environment, ready to evaluate, for clients that ask the control plane itself."""

from __future__ import annotations

import time
from dataclasses import dataclass
from threading import Lock
from typing import Annotated, Any

from fastapi import Depends, Request

from tidegate.agent.cache import Cache, View
from tidegate.api.needs import FlagServices
from tidegate.core.environment import subject_of
from tidegate.core.errors import NotFound, Unreachable
from tidegate.core.flags.compile_set import Context
from tidegate.core.flags.result import Result


@dataclass(frozen=True, slots=True)
class Answering:
    """One view, and answers from nothing else: what is asked of an agent."""

    view: View

    def evaluate(self, flag: str, context: Context | None) -> Result:
        return self.view.staged.evaluate(flag, context)

    def evaluate_all(self, context: Context | None) -> dict[str, Result]:
        return self.view.staged.evaluate_all(context)


class InForce:
    """Of all environments. What is compiled is kept while the documents stay. Safe to call from any thread."""

    def __init__(self, flags: FlagServices) -> None:
        self._flags = flags
        self._caches: dict[str, Cache] = {}
        self._lock = Lock()

    def of(self, application: str, environment: str) -> Answering:
        """Raises NotFound when there are none, Unreachable while the controller has not put them up yet."""
        subject = subject_of(application, environment)
        posted = self._flags.board.get(subject)
        if posted is None:
            with self._lock:
                self._caches.pop(subject, None)
            self._raise_why(application, environment)
        else:
            with self._lock:
                cache = self._caches.setdefault(subject, Cache(application, environment, clock=_seconds))
            cache.take(posted.snapshot)
            if cache.view is not None:
                return Answering(cache.view)
        raise Unreachable(f"The flags of {subject} are not ready yet.", "Ask again in a moment.")

    def _raise_why(self, application: str, environment: str) -> None:
        """Nothing, when there should be some."""
        if self._flags.glance.environment(subject_of(application, environment)).document is None:
            raise NotFound(
                f"{application} has no flags in force in {environment}.",
                f"Deploy some: tidegate flags deploy -f FILE -e {application}/{environment}.",
            )


def _seconds() -> int:
    return int(time.time())


def in_force_of(request: Request) -> InForce:
    found: Any = request.app.state.in_force
    assert isinstance(found, InForce)
    return found


FlagsInForce = Annotated[InForce, Depends(in_force_of)]
