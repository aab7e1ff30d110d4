"""How often an agent reports: once a second and soon after a change.

The control plane may ask for fewer reports, as it does when it has very many agents; then everything here takes so many times
longer.
"""

from __future__ import annotations

import random
from collections.abc import Callable

EVERY = 1.0
"""Seconds."""
SLOWEST = 10.0
"""Seconds: nobody can make an agent fall silent."""
BETWEEN = 0.5
"""Seconds at least between two reports when requests of the candidate fail: what hurts does not wait for the second."""
AFTER_NEWS = 0.2
"""Seconds at most between a change and the report of it; each agent draws its own, so that news travels before echoes. Among
very many it is up to half of the time between two reports."""


class Pace:
    """All in seconds. `draw` answers from 0 to 1."""

    def __init__(self, every: float = EVERY, draw: Callable[[], float] = random.random) -> None:
        self._every = every
        self._draw = draw
        self._stretch = 1.0

    def obey(self, wanted: float | None) -> None:
        """The control plane wants a report in so many seconds, if it has said so."""
        if wanted is not None and wanted >= EVERY:
            self._stretch = min(wanted, SLOWEST) / EVERY

    def until_next(self) -> float:
        return self._stretch * self._every * (0.9 + 0.1 * self._draw())

    def after_news(self) -> float:
        return self._draw() * (AFTER_NEWS if self._stretch == 1 else self._stretch * EVERY / 2)

    def after_failure(self, since: float) -> float:
        """When the last report went `since` seconds ago."""
        return max(0.0, self._stretch * BETWEEN - since)
